"""Base texts and hand-written ones -> a stream of labelled deliveries: what a decision about each should say.

    .venv/bin/python -m bench.quality.generate --seed 1 > deliveries.jsonl

The same seed gives the same stream. Families are interleaved, an original always comes before what is made of it, and
no two families share more than `containment` 0.3 of their 3-shingles unless their class says so.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, Literal
from uuid import UUID

from bench.quality import edits, templates, texts, wikinews
from bench.quality.edits import Paragraphs
from bench.quality.wikinews import Base, count_words
from pipeline.records import Kind, RawArticle

Case = Literal[
    "distinct",
    "syndicated",
    "shortened",
    "expanded",
    "excerpt",
    "corrected",
    "swallowed",
    "revised",
    "unchanged",
    "redelivered",
    "between-houses",
    "house-boilerplate",
    "template",
    "template-copy",
    "template-few-names",
    "same-event",
    "press-quote",
    "short",
    "wall",
]
_DESKS: Final = "Daily Evening National Metro Northern Southern Global Harbor Central Morning".split()
_PAPERS: Final = "Courier Herald Tribune Observer Ledger Gazette Dispatch Monitor".split()
SOURCES: Final = tuple(f"{desk} {paper}" for desk in _DESKS for paper in _PAPERS)
START: Final = datetime(2026, 1, 5, 6, tzinfo=UTC)
#: Seconds between two deliveries: a stream of a thousand lies well inside the window.
PACE_SECONDS: Final = 20

FAMILIES: Final = 60
INSTANCES: Final = 22  # of each template
#: Shorter texts are no family: half of one is nothing to recognise.
MIN_FAMILY_WORDS: Final = 100
MIN_EXCERPT_WORDS: Final = 55


@dataclass(frozen=True, slots=True)
class Label:
    """What the decision should be. `family`: whose deliveries `of` may name; `group`: what it may be mistaken for."""

    case: Case
    kind: Kind
    family: str
    group: str
    root: UUID | None = None  # the delivery it was made of
    contains: bool = False  # `contains` should name the family
    strength: float = 1.0  # share of the original's words that are left, or of its own that are common to its group
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery and its label."""

    article: RawArticle
    label: Label


@dataclass(slots=True)
class _Draft:
    """A delivery before it has its place in the stream. `again`: the very delivery once more."""

    case: Case
    kind: Kind
    family: str
    group: str
    source: str
    url: str | None
    title: str
    body: str
    byline: str | None = None
    root: "_Draft | None" = None
    again: "_Draft | None" = None
    contains: bool = False
    strength: float = 1.0
    variant: str = ""
    published_at: datetime = START
    made: RawArticle | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Donors:
    """Texts that are no family of this stream: every sentence is given out once."""

    left: list[list[str]]
    rng: Random

    def take(self, words: float) -> tuple[str, ...]:
        """Sentences in a row from one text, about so many words; nothing where no text has that many left."""
        enough = [text for text in self.left if sum(map(count_words, text)) >= words]
        if not enough:
            return ()
        text = self.rng.choice(enough)
        taken: list[str] = []
        while text and sum(map(count_words, taken)) < words:
            taken.append(text.pop(0))
        return tuple(taken)

    def take_from_several(self, words: float) -> tuple[str, ...]:
        """The same from as many texts as it needs; nothing where all together have too little."""
        taken: list[str] = []
        while (missing := words - sum(map(count_words, taken))) > 0:
            piece = self.take(min(missing, 60)) or self.take(missing / 3)
            if not piece:
                return ()
            taken += piece
        return tuple(taken)


def stream(seed: int, bases: Sequence[Base]) -> list[Delivery]:
    """The labelled deliveries of one seed, in the order of the log."""
    rng = Random(seed)
    shuffled = rng.sample(bases, len(bases))
    families = [base for base in shuffled if base.words >= MIN_FAMILY_WORDS][:FAMILIES]
    donors = _Donors([list(base.sentences) for base in shuffled if base not in families], rng)
    chains: list[list[_Draft]] = [[draft] for draft in _houses(donors, rng)]
    chains += [[draft] for draft in _press_quotes(donors, rng)]
    chains += [_family(base, i, donors, rng) for i, base in enumerate(families)]
    chains += _templates(rng)
    chains += [[draft] for draft in (*_same_events(rng), *_shorts(rng), *_walls(rng))]
    return _placed(_interleaved(chains, rng), rng)


def _interleaved(chains: list[list[_Draft]], rng: Random) -> list[_Draft]:
    timed = []
    for number, chain in enumerate(chains):
        begin = rng.uniform(0, 0.7) if len(chain) > 1 else rng.random()
        times = [begin, *sorted(rng.uniform(begin, 1) for _ in chain[1:])]
        timed += [(time, number, i, draft) for i, (time, draft) in enumerate(zip(times, chain, strict=True))]
    return [draft for *_, draft in sorted(timed, key=lambda t: t[:3])]


def _placed(drafts: list[_Draft], rng: Random) -> list[Delivery]:
    deliveries = []
    for place, draft in enumerate(drafts):
        if draft.again is not None and draft.again.made is not None:
            draft.made = draft.again.made
        else:
            draft.made = RawArticle(
                delivery_id=UUID(int=rng.getrandbits(128), version=4),
                observed_at=START + timedelta(seconds=PACE_SECONDS * (place + 1)),
                source=draft.source,
                url=draft.url,
                title=draft.title,
                byline=draft.byline,
                body=draft.body,
                language="en",
                published_at=draft.published_at,
            )
        root = draft.root.made.delivery_id if draft.root is not None and draft.root.made is not None else None
        label = Label(
            draft.case, draft.kind, draft.family, draft.group, root, draft.contains, draft.strength, draft.variant
        )
        deliveries.append(Delivery(draft.made, label))
    return deliveries


def _url(source: str, rng: Random) -> str:
    return f"https://www.{source.lower().replace(' ', '')}.example/news/{rng.getrandbits(40):x}"


def _other_source(source: str, rng: Random) -> str:
    return rng.choice([other for other in SOURCES if other != source])


def _family(base: Base, number: int, donors: _Donors, rng: Random) -> list[_Draft]:
    """An original, what other outlets make of it, and what becomes of it at its own URL."""
    house = texts.HOUSES[number % len(texts.HOUSES)] if number % 5 == 0 else None
    family = f"wikinews:{base.name}"
    source = house.source if house else rng.choice(SOURCES)
    parts = wikinews.paragraphs(base.sentences, rng)
    body = _in_house(parts, house) if house else edits.dressed(parts, source, rng, most_footers=2)
    root = _Draft(
        "house-boilerplate" if house else "distinct", "new", family, f"house:{source}" if house else family, source,
        _url(source, rng), base.title, body, edits.byline(rng), strength=count_words(body) / base.words - 1,
    )  # fmt: skip
    if house:
        other = rng.choice([h for h in texts.HOUSES if h is not house])
        kept = edits.keep(parts, rng.uniform(0.6, 1.0), rng)
        copy = _copy(root, "between-houses", kept, base, rng, source=other.source)
        copy.body = _in_house(kept, other)
        return [root, copy]
    made = _copies(root, parts, base, donors, rng)
    rng.shuffle(made)
    at_its_url = _at_its_url(root, parts, donors, rng) if rng.random() < 0.7 else []
    for draft in at_its_url:  # in order among themselves, anywhere among the copies
        places = [i for i, other in enumerate(made) if other in at_its_url]
        made.insert(rng.randint(places[-1] + 1 if places else 0, len(made)), draft)
    return [root, *made]


def _copy(
    root: _Draft,
    case: Case,
    parts: Paragraphs,
    base: Base,
    rng: Random,
    extra: int = 0,
    source: str | None = None,
    variant: str = "",
) -> _Draft:
    """Another outlet's edition; `extra` of its words are not the original's."""
    source = source or _other_source(root.source, rng)
    text = "\n".join(parts)
    text = edits.spelling(edits.typography(text, rng), rng)
    body = edits.dressed(edits.dateline(tuple(text.split("\n")), source, rng), source, rng)
    own = sum(map(count_words, parts)) - extra
    return _Draft(
        case, "copy", root.family, root.group, source, _url(source, rng), edits.headline(root.title, parts, rng),
        body, edits.byline(rng), root=root, strength=own / base.words, variant=variant,
        published_at=START + timedelta(minutes=rng.randint(1, 600)),
    )  # fmt: skip


def _copies(root: _Draft, parts: Paragraphs, base: Base, donors: _Donors, rng: Random) -> list[_Draft]:
    made = []
    for _ in range(2):
        kept = edits.copy_edit(edits.keep(parts, rng.uniform(0.6, 1.0), rng), rng.uniform(0, 0.4), rng)
        made.append(_copy(root, "syndicated", kept, base, rng))
        if rng.random() < 0.25:  # a third outlet takes it from the second
            again = edits.copy_edit(edits.keep(kept, rng.uniform(0.75, 1.0), rng), rng.uniform(0, 0.2), rng)
            made.append(_copy(root, "syndicated", again, base, rng, variant="copy of a copy"))
    if rng.random() < 0.6:
        cut = edits.beginning(base.sentences, rng.uniform(0.4, 0.6))
        if sum(map(count_words, cut)) >= MIN_EXCERPT_WORDS:
            made.append(_copy(root, "shortened", wikinews.paragraphs(cut, rng), base, rng))
    if rng.random() < 0.6 and base.words < 450:
        share = rng.uniform(0.10, 0.45)
        more = donors.take_from_several(base.words * share / (1 - share) * 0.9)
        if more:
            added = wikinews.paragraphs(more, rng)
            extra = sum(map(count_words, added))
            made.append(_copy(root, "expanded", _mixed(parts, added, rng), base, rng, extra=extra))
    if rng.random() < 0.6:
        cut = edits.excerpt(base.sentences, rng.uniform(0.30, 0.42), rng)
        if sum(map(count_words, cut)) >= MIN_EXCERPT_WORDS:
            made.append(_copy(root, "excerpt", wikinews.paragraphs(cut, rng), base, rng))
    if rng.random() < 0.8:
        right, count = edits.corrected(parts, rng.randint(1, 3), rng)
        if count:
            made.append(_copy(root, "corrected", right, base, rng, variant=f"{count} put right"))
    if rng.random() < 0.5 and base.words < 330:
        more = donors.take_from_several(max(190, base.words * rng.uniform(1.4, 2.4)))
        if more:
            added = wikinews.paragraphs(more, rng)
            whole = (*added[:1], *parts, *added[1:]) if rng.random() < 0.5 else (*parts, *added)
            longer = _copy(root, "swallowed", whole, base, rng, extra=sum(map(count_words, added)))
            longer.kind, longer.contains = "new", True
            made.append(longer)
    return made


def _mixed(parts: Sequence[str], added: Sequence[str], rng: Random) -> Paragraphs:
    """New paragraphs anywhere after the first one, both in their order."""
    whole = list(parts)
    place = 1
    for text in added:
        place = rng.randint(place, len(whole))
        whole.insert(place, text)
        place += 1
    return tuple(whole)


def _at_its_url(root: _Draft, parts: Paragraphs, donors: _Donors, rng: Random) -> list[_Draft]:
    """What comes later under the original's own URL, each held against the one before."""
    made: list[_Draft] = []
    current = root

    def later(case: Case, kind: Kind, body: str, variant: str) -> _Draft:
        return _Draft(
            case, kind, root.family, root.group, root.source, root.url, root.title, body, current.byline, root=root,
            variant=variant, published_at=root.published_at,
        )  # fmt: skip

    if rng.random() < 0.7:
        variant = rng.choice(("typography", "white space", "boilerplate", "metadata"))
        body = current.body
        if variant == "typography":
            body = body.replace('"', "”").replace("'", "’").replace(" - ", " – ")
        if variant == "boilerplate":
            body = body + "\n\nFollow us on Facebook and Instagram"
        if variant == "white space":
            body = body.replace("\n\n", "\n \n\n") + "\n"
        draft = later("unchanged", "unchanged", body, variant)
        if variant == "metadata" or body == current.body:
            draft.variant, draft.byline = (
                "metadata",
                f"{current.byline or 'Staff'}; edited by {rng.choice(templates.LAST)}",
            )
        made.append(draft)
        current = draft
    if rng.random() < 0.6:
        variant = rng.choice(("paragraph added", "figures changed", "paragraph dropped"))
        body, changed = current.body, current.body
        if variant == "paragraph added":
            changed = body + "\n\n" + " ".join(donors.take(30) or ("The story is developing and will be updated.",))
        if variant == "paragraph dropped" and len(parts) > 2:
            changed = body.replace(parts[-2] + "\n\n", "")
        if changed == body:
            variant = "figures changed"
            changed = "\n".join(edits.corrected(body.split("\n"), 3, rng)[0])
        made.append(later("revised", "revision", changed, variant))
        current = made[-1]
    if rng.random() < 0.6:
        again = rng.choice((root, current))
        if again is current:
            draft = later("redelivered", "redelivery", again.body, "same bytes, fetched again")
            draft.byline = again.byline
        else:
            draft = later("redelivered", "redelivery", again.body, "same delivery")
            draft.again = again
        made.append(draft)
    return made


def _in_house(parts: Sequence[str], house: texts.House) -> str:
    first, _, rest = house.text.partition("\n\n")
    if house.where == "head":
        return "\n\n".join([house.text, *parts])
    if house.where == "both":
        return "\n\n".join([first, *parts, rest])
    return "\n\n".join([*parts, house.text])


def _houses(donors: _Donors, rng: Random) -> Iterator[_Draft]:
    """Short articles of one newspaper, each with that newspaper's own block."""
    for house in texts.HOUSES:
        for number in range(6):
            sentences = donors.take(rng.uniform(58, 110))
            if not sentences:
                continue
            parts = wikinews.paragraphs(sentences, rng)
            body = _in_house(parts, house)
            yield _Draft(
                "house-boilerplate", "new", f"house:{house.source}:{number}", f"house:{house.source}", house.source,
                _url(house.source, rng), " ".join(parts[0].split()[:8]), body,
                strength=count_words(house.text) / count_words(body),
            )  # fmt: skip


def _press_quotes(donors: _Donors, rng: Random) -> Iterator[_Draft]:
    """Two different articles with the same long quote."""
    for number, quote in enumerate(texts.QUOTES):
        for side in "ab":
            sentences = donors.take(rng.uniform(110, 220))
            if not sentences:
                continue
            said = rng.choice(
                (f'"{quote.text}," {quote.speaker} said.', f'Said {quote.speaker} in a statement: "{quote.text}."')
            )
            parts = list(wikinews.paragraphs(sentences, rng))
            parts.insert(rng.randint(1, len(parts)), said)
            source = rng.choice(SOURCES)
            yield _Draft(
                "press-quote", "new", f"quote:{number}{side}", f"quote:{number}", source, _url(source, rng),
                " ".join(sentences[0].split()[:9]), edits.dressed(parts, source, rng), edits.byline(rng),
                strength=count_words(said) / sum(map(count_words, parts)),
            )  # fmt: skip


def _templates(rng: Random) -> Iterator[list[_Draft]]:
    """Instances of every template, and other outlets' copies of some of them."""
    for template in templates.TEMPLATES:
        names, numbers, home = rng.getrandbits(64), rng.getrandbits(64), rng.choice(SOURCES)
        for number in range(INSTANCES):
            variant = rng.choice(_variants(template)) if number else "other values"
            if variant != "same names":
                names = rng.getrandbits(64)
            if variant != "same numbers":
                numbers = rng.getrandbits(64)
            text = template.write(templates.Draw(Random(names), Random(numbers), Random(rng.getrandbits(64))))
            source = home if rng.random() < 0.5 else rng.choice(SOURCES)
            family = f"template:{template.name}:{number}"
            root = _Draft(
                "template", "new", family, f"template:{template.name}", source, _url(source, rng), text.title,
                edits.dressed(text.paragraphs, source, rng, most_footers=2), edits.byline(rng), variant=variant,
            )  # fmt: skip
            same = Base(family, template.name, text.title, text.paragraphs)
            copies = [_copy(root, "template-copy", text.paragraphs, same, rng) for _ in range(rng.choice((0, 0, 0, 1)))]
            twins = [] if template.many_names or rng.random() < 0.8 else [_twin(root, template, numbers, rng)]
            yield [root, *twins, *copies]


def _twin(root: _Draft, template: templates.Template, numbers: int, rng: Random) -> _Draft:
    """The same form with the same figures and a few other names: by its sets, a correction of the other."""
    text = template.write(templates.Draw(Random(rng.getrandbits(64)), Random(numbers), Random(rng.getrandbits(64))))
    source = _other_source(root.source, rng)
    body = edits.dressed(text.paragraphs, source, rng, most_footers=2)
    return _Draft(
        "template-few-names", "new", f"{root.family}:twin", root.group, source, _url(source, rng), text.title, body,
        edits.byline(rng), root=root, variant="same numbers",
    )  # fmt: skip


def _variants(template: templates.Template) -> list[str]:
    """What an instance may have in common with the one before, besides the form."""
    return ["other values", "other values", *["same names"] * template.serial, *["same numbers"] * template.many_names]


def _same_events(rng: Random) -> Iterator[_Draft]:
    for event in texts.EVENTS:
        for side, report in zip("ab", rng.sample(event.reports, 2), strict=True):
            source = rng.choice(SOURCES)
            parts = tuple(report.strip().split("\n\n"))
            yield _Draft(
                "same-event", "new", f"event:{event.name}:{side}", f"event:{event.name}", source, _url(source, rng),
                " ".join(parts[0].split()[: rng.randint(6, 9)]), edits.dressed(parts, source, rng), edits.byline(rng),
                strength=count_words(event.quote) / count_words(report),
            )  # fmt: skip


def _shorts(rng: Random) -> Iterator[_Draft]:
    for number, short in enumerate(texts.SHORTS):
        for source in rng.sample(SOURCES, 3):
            yield _Draft(
                "short", "new", f"short:{number}:{source}", f"short:{number}", source, _url(source, rng), short.title,
                short.text,
            )  # fmt: skip


def _walls(rng: Random) -> Iterator[_Draft]:
    for number, wall in enumerate(texts.WALLS):
        for source in rng.sample(SOURCES, 4):
            yield _Draft(
                "wall", "new", f"wall:{number}:{source}", f"wall:{number}", source, _url(source, rng), wall.title,
                wall.text,
            )  # fmt: skip


def as_json(delivery: Delivery) -> str:
    """One line: the delivery as articles.raw has it, and its label."""
    label = delivery.label
    written = {name: getattr(label, name) for name in Label.__slots__}
    return json.dumps(
        {
            "article": delivery.article.model_dump(mode="json", exclude_none=True),
            "label": {**written, "root": str(label.root) if label.root else None},
        },
        ensure_ascii=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=Path, default=wikinews.DEFAULT, help="the Wikinews file of the data folder")
    arguments = parser.parse_args()
    try:
        bases = wikinews.load(arguments.texts)
    except wikinews.NoTexts as error:
        raise SystemExit(f"error: {error}") from None
    for delivery in stream(arguments.seed, bases):
        print(as_json(delivery))


if __name__ == "__main__":
    main()
