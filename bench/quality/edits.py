"""What desks, sites and editors do to a text between one outlet and the next. Each is a function of a generator."""

import re
from collections.abc import Sequence
from random import Random
from typing import Final

from bench.quality import templates
from bench.quality.texts import FOOTERS, HEADERS
from bench.quality.wikinews import count_words

Paragraphs = tuple[str, ...]

_SPELLINGS: Final = tuple(
    pair.split("/")
    for pair in (
        "defence/defense labour/labor centre/center programme/program colour/color favour/favor organise/organize "
        "organisation/organization recognise/recognize tonnes/tons travelling/traveling cancelled/canceled "
        "aeroplane/airplane licence/license grey/gray percent/%"
    ).split()
)
_SYNONYMS: Final = tuple(
    pair.split("/")
    for pair in (
        "said/stated announced/disclosed about/around approximately/roughly purchase/buy additional/extra "
        "also/additionally however/yet because/since begin/start began/started largest/biggest quickly/fast "
        "currently/now previously/earlier company/firm reported/noted increase/rise decrease/drop according/as "
        "several/some many/numerous despite/notwithstanding following/after prior/before help/assist show/indicate "
        "plans/intends expected/forecast major/big important/significant must/should while/whereas people/persons "
        "made/produced used/employed released/published new/fresh would/will including/among decision/move"
    ).split()
)
_CLAUSE = re.compile(r", (?:which|who|where|according to|as well as|including|with|after|while)[^,.;\"]{8,90}(?=[,.])")
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,.]*\d|(?<![\w.,])\d(?![\w])")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b")
_DATES: Final = (*templates.WEEKDAYS, *templates.MONTHS)


def typography(text: str, rng: Random) -> str:
    """Other quotes, dashes and spaces: what an editor would not call an edit."""
    if rng.random() < 0.7:
        text = re.sub(r'(?<![\w.,!?)])"(?=\w|\[|\.)', "“", text).replace('"', "”").replace("'", "’")
    if rng.random() < 0.5:
        text = text.replace(" - ", " – ").replace("--", "—")
    if rng.random() < 0.5:
        text = re.sub(r"(?<=\d) (?=[a-z])", "\u00a0", text)
    if rng.random() < 0.3:
        text = text.replace("...", "…")
    return text


def spelling(text: str, rng: Random) -> str:
    """British for American or the other way round, in a few words."""
    british = rng.random() < 0.5
    for one, two in _SPELLINGS:
        old, new = (two, one) if british else (one, two)
        if old.isalpha() and rng.random() < 0.7:
            text = re.sub(rf"\b{old}\b", new, text)
    return text


def copy_edit(paragraphs: Sequence[str], share: float, rng: Random) -> Paragraphs:
    """In about `share` of the sentences a word is replaced or a clause is left out."""
    return tuple(
        " ".join(
            _edited(sentence, rng) if rng.random() < share else sentence
            for sentence in re.split(r"(?<=[.?!]) (?=[A-Z\"])", text)
        )
        for text in paragraphs
    )


def _edited(sentence: str, rng: Random) -> str:
    shorter = _CLAUSE.sub("", sentence, count=1)
    if shorter != sentence and rng.random() < 0.4:
        return shorter
    for one, two in rng.sample(_SYNONYMS, len(_SYNONYMS)):
        if re.search(rf"\b{one}\b", sentence):
            return re.sub(rf"\b{one}\b", two, sentence, count=1)
    return sentence


def keep(paragraphs: Sequence[str], share: float, rng: Random) -> Paragraphs:
    """Whole paragraphs, in order, that hold about `share` of the words."""
    total = sum(map(count_words, paragraphs))
    kept = set(range(len(paragraphs)))
    for i in rng.sample(range(len(paragraphs)), len(paragraphs)):
        left = sum(count_words(paragraphs[k]) for k in kept - {i})
        if left >= share * total:
            kept.discard(i)
    return tuple(text for i, text in enumerate(paragraphs) if i in kept)


def excerpt(sentences: Sequence[str], share: float, rng: Random) -> tuple[str, ...]:
    """Sentences in a row that hold about `share` of the words."""
    total = sum(map(count_words, sentences))
    start = rng.randrange(len(sentences))
    found: list[str] = []
    for i in [*range(start, len(sentences)), *reversed(range(start))]:
        if sum(map(count_words, found)) >= share * total:
            break
        found = [*found, sentences[i]] if i >= start else [sentences[i], *found]
    return tuple(found)


def beginning(sentences: Sequence[str], share: float) -> tuple[str, ...]:
    """The first sentences, as many as hold about `share` of the words."""
    total = sum(map(count_words, sentences))
    found: list[str] = []
    for sentence in sentences:
        if found and sum(map(count_words, found)) + count_words(sentence) / 2 > share * total:
            break
        found.append(sentence)
    return tuple(found)


def corrected(texts: Sequence[str], count: int, rng: Random) -> tuple[tuple[str, ...], int]:
    """Up to `count` numbers, names or dates put right wherever they stand; and how many there were to put right.

    What stands in a text more than three times is what it is about, and nobody has to correct that.
    """
    whole = "\n".join(texts)
    numbers = sorted({m for m in _NUMBER.findall(whole) if _times(m, whole) <= 3})
    names = sorted({m for m in _NAME.findall(whole) if _times(m, whole) <= 3 and m not in _DATES})
    dates = sorted({m for m in _DATES if 1 <= _times(m, whole) <= 3 and m != "May"})
    wrong = rng.sample([*numbers, *names, *dates], min(count, len(numbers) + len(names) + len(dates)))
    for old in wrong:
        if old in numbers:
            new = _other_number(old, rng)
        elif old in dates:
            new = rng.choice([d for d in (_DATES[:7] if old in _DATES[:7] else _DATES[7:]) if d != old])
        else:
            new = rng.choice([name for name in templates.LAST if name not in whole])
        whole = re.sub(_exactly(old), new, whole)
    return tuple(whole.split("\n")), len(wrong)


def _exactly(word: str) -> str:
    return rf"(?<![\w.,]){re.escape(word)}(?![\w]|[.,]\d)"


def _times(word: str, text: str) -> int:
    return len(re.findall(_exactly(word), text))


def _other_number(old: str, rng: Random) -> str:
    places = [i for i, letter in enumerate(old) if letter.isdigit()]
    i = rng.choice(places)
    digit = rng.choice([d for d in "123456789" if d != old[i]])
    return old[:i] + digit + old[i + 1 :]


def headline(title: str, paragraphs: Sequence[str], rng: Random) -> str:
    """Another desk's headline for the same report."""
    first = paragraphs[0].replace('"', "").split()
    cut = rng.randint(6, 11)
    return rng.choice(
        (
            f"Report: {title}",
            " ".join(title.split()[:-1]) + ", officials say",
            " ".join(first[:cut]).rstrip(",.;:"),
            title.upper(),
            f"{title}: what we know",
        )
    )


def dateline(paragraphs: Sequence[str], source: str, rng: Random) -> Paragraphs:
    """A place, a date and an agency in front of the first sentence, in one house's style or another's."""
    town, month, day = rng.choice(templates.TOWNS), rng.choice(templates.MONTHS), rng.randint(1, 28)
    style = rng.choice(("", f"{town.upper()} ({source}) — ", f"{town}, {month[:3]} {day} - ", f"{town.upper()}: "))
    return (style + paragraphs[0], *paragraphs[1:])


def byline(rng: Random) -> str | None:
    """Who wrote it, as the feed says."""
    name = f"{rng.choice(templates.FIRST)} {rng.choice(templates.LAST)}"
    return rng.choice((None, name, f"By {name}", f"{name}, staff writer", "Agencies"))


def dressed(paragraphs: Sequence[str], source: str, rng: Random, most_footers: int = 3) -> str:
    """The body with a site's lines above and below it."""
    above = rng.sample(HEADERS, rng.choice((0, 0, 1, 2)))
    below = rng.sample(FOOTERS, rng.randint(0, most_footers))
    lines = [line.format(source=source, year=2026) for line in (*above, *below)]
    return "\n\n".join([*lines[: len(above)], *paragraphs, *lines[len(above) :]])
