"""Spans that the model found -> the spans of the names in them; pure."""

import re
from bisect import bisect_right
from collections.abc import Callable, Container, Sequence
from typing import Final

from processors import wordlists
from processors.names import Found, name_of, trimmed

_WORD: Final = re.compile(r"\S+")
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_PREFIXES: Final = ("ex-", "then-", "vice-", "former-")
_ADDRESS: Final = re.compile(r"[@#_]|https?:|www\.|\.(?:com|org|net)/", re.IGNORECASE)
#: Behind a word of the same sentence: a first name, with an initial.
_FIRST_NAME: Final = re.compile(r"[\w,;)-] ([A-Z][\w’'-]+)(?: [A-Z]\.)? $")
_REACH: Final = 40
_COMPOUND: Final = ("-", ", ", "/")
#: So many words in capitals, and no other word in the line, are shouting and no names.
_SHOUTED_WORDS: Final = 3
#: A headline has so many words at least, and so many characters at most.
_HEADLINE_WORDS: Final = 4
_HEADLINE_LENGTH: Final = 300
#: A text is broken in the middle of sentences if at least so many of its lines are, and most of those that could be.
_WRAPPED_LINES: Final = 4
_WRAPPED: Final = re.compile(r"^.{45,100}[^.!?:\"”’'\s]\s?\n(?=[^\s])", re.MULTILINE)


def is_wrapped(text: str) -> bool:
    """Whether lines break in the middle of sentences, as an agency's do: then a name may go on behind a line break."""
    broken = sum(1 for _ in _WRAPPED.finditer(text))
    return broken >= _WRAPPED_LINES and 2 * broken >= text.count("\n") - 2 * text.count("\n\n")


def without_titles(text: str, found: Found, is_wrapped: bool = False) -> Found | None:
    """The span without what stands before a person's name: "Israeli Prime Minister Benjamin Netanyahu".

    What the model takes for something else is a person behind "Spokeswoman" or "Mr.".
    """
    if found.label not in ("PERSON", "ORG", "GPE"):
        return found
    known = wordlists.load()
    words = [(match.group(), match.start()) for match in _WORD.finditer(text, found.start, found.end)]
    last = len(words) - 1
    plain = [wordlists.plain(word) for word, _ in words]
    if found.label != "PERSON":
        is_person = 1 <= last <= 3 and plain[0] in known.personal_titles and words[1][0][0].isupper()
        return trimmed(text, Found(words[1][1], found.end, "PERSON"), is_wrapped) if is_person else found
    first = at = 0
    while at < last:
        if length := _title_at(plain, at, known):
            at += length
            first = at if at <= last else first
        elif plain[at] in known.before_titles or words[at][0] in known.adjectives:
            at += 1
        else:
            break
    # "State Department spokesman Matthew Miller": a person's name does not run over a lower case word.
    for i in range(last - 1, first - 1, -1):
        word = words[i][0]
        if word.islower() and word.isalpha() and word not in known.particles:
            first = i + 1
            break
    return trimmed(text, found._replace(start=words[first][1]), is_wrapped) if first else found


def _title_at(plain: Sequence[str], at: int, known: wordlists.Wordlists) -> int:
    """How many words the title has that begins here; none is 0."""
    head = plain[at]
    for prefix in _PREFIXES:
        head = head.removeprefix(prefix)
    for length in range(min(known.longest_title, len(plain) - at), 0, -1):
        if (head, *plain[at + 1 : at + length]) in known.titles:
            return length
    return 0


def is_name(text: str, found: Found) -> bool:
    """Whether the words of a span may be a name at all."""
    known = wordlists.load()
    name = name_of(text, found)
    if sum(map(str.isalpha, name)) < 2 or not any(c.isalpha() and not c.islower() for c in name):
        return False
    plain = name.lower()
    if plain.strip(".") in known.no_names or plain.startswith(known.boilerplate) or _ADDRESS.search(name) is not None:
        return False
    if found.label == "PERSON" and any(
        word[0].isupper() and word.lower() in known.never_in_people for word in name.split()[1:]
    ):
        return False
    return not ends_title(text, found.start, plain.split())


def ends_title(text: str, start: int, words: Sequence[str]) -> bool:
    """Whether these lower case words at a place of the text end a title: "State" of "Secretary of State"."""
    if len(words) > 2:
        return False
    before = [wordlists.plain(word) for word in text[max(0, start - 32) : start].split()[-2:]]
    titles = wordlists.load().titles
    return any((*before[-i:], *words) in titles for i in range(1, len(before) + 1))


def with_first_names(text: str, spans: Sequence[Found]) -> list[Found]:
    """The spans (in order), those of a person's surname with the first name that the model left out before it.

    A word that begins a sentence or a line may be anything, and so may one that the article has as a name.
    """
    names = {name_of(text, span) for span in spans if span.label != "PERSON"}
    result: list[Found] = []
    for found in spans:
        span = found
        if span.label == "PERSON" and " " not in name_of(text, span):
            from_ = max(0, span.start - _REACH)
            match = _FIRST_NAME.search(text[from_ : span.start])
            if match is not None and match[1] not in names and _may_be_first_name(match[1]):
                start = from_ + match.start(1)
                if not result or result[-1].end <= start:
                    span = span._replace(start=start)
        result.append(span)
    return result


def _may_be_first_name(word: str) -> bool:
    known = wordlists.load()
    plain = wordlists.plain(word)
    return not (
        word.isupper()
        or word in known.adjectives
        or word in known.places
        or (plain,) in known.titles
        or plain in known.before_titles
        or plain in known.no_names
        or plain in known.never_in_people
    )


def without_compounds(text: str, spans: Sequence[Found]) -> list[Found]:
    """Without the spans that are several names of the article: "Herzog, Blinken", "U.S.-Jordan"."""
    names = [name_of(text, span) for span in spans]
    if not any(mark in name for name in names for mark in _COMPOUND):
        return list(spans)
    lists = wordlists.load()
    known = {*names, *(name.rsplit(" ", 1)[-1] for name in names), *lists.places, *lists.adjectives}
    return [
        span
        for span, name in zip(spans, names, strict=True)
        if name in lists.places or not any(_is_of_several(name, mark, known) for mark in _COMPOUND)
    ]


def _is_of_several(name: str, mark: str, known: Container[str]) -> bool:
    return mark in name and all(part in known for part in name.split(mark))


def without_shouting(text: str, spans: Sequence[Found]) -> list[Found]:
    """Without the spans in lines of capitals, but for names that stand elsewhere in the article as well."""
    if not any(text[span.start : span.end].isupper() for span in spans):
        return list(spans)
    is_shouted = lines(text, _shouted)
    shouted = [is_shouted(span.start) for span in spans]
    known = {name_of(text, span).lower() for span, loud in zip(spans, shouted, strict=True) if not loud}
    return [span for span, loud in zip(spans, shouted, strict=True) if not loud or name_of(text, span).lower() in known]


def _shouted(line: str) -> bool:
    return line.isupper() and len(_LETTERS.findall(line)) >= _SHOUTED_WORDS


def is_headline(line: str) -> bool:
    """Whether Most Words of a Short Line Have a Capital."""
    if len(line) > _HEADLINE_LENGTH:
        return False
    words = [word for word in line.split() if word[0].isalpha()]
    return len(words) >= _HEADLINE_WORDS and 10 * sum(word[0].isupper() for word in words) >= 7 * len(words)


def lines(text: str, test: Callable[[str], bool]) -> Callable[[int], bool]:
    """A test of the line that a place of the text is in; each line is tested once, however often it is asked for."""
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    known: dict[int, bool] = {}

    def of_place(place: int) -> bool:
        line = bisect_right(starts, place) - 1
        if line not in known:
            known[line] = test(text[starts[line] : starts[line + 1] - 1])
        return known[line]

    return of_place
