"""A text -> the names that it gives in long and in short: "World Health Organization (WHO)", in either order; pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from processors import votes, wordlists
from processors.names import Found

_BRACKET: Final = re.compile(r"[\w.’'”\"] ?\((?P<inside>[^()\n]{2,120})\)")
_SHORT: Final = re.compile(r"[A-Z][A-Za-z.&-]{1,9}")
_SHORT_AT_END: Final = re.compile(r"(?<![\w.-])[A-Z][A-Za-z.&-]{1,9}$")
_WORD: Final = re.compile(r"[^\W\d_][\w.’'&-]*|&")
_NOT_IN_ONE_NAME: Final = re.compile(r"[()\[\];:\n]")
_QUOTES: Final = " \"'“”‘’"
#: The long form begins at most so many characters before the bracket.
_REACH: Final = 120

Place = tuple[int, int]


class Introduced(NamedTuple):
    """Where the long and the short form stand, side by side."""

    long: Place
    short: Place


def introduced(text: str, spans: Sequence[Found]) -> Iterator[Introduced]:
    """The pairs in the order of the text: the letters of the short form are the initials of the long one.

    For a span of the model right before the bracket half of the letters are enough: "Kurdistan Workers' Party (PKK)".
    """
    ends = {span.end: span for span in spans if span.label == "ORG"}
    for match in _BRACKET.finditer(text):
        inside = match["inside"].strip(_QUOTES)
        start = text.index(inside, match.start("inside"))
        bracketed = (start, start + len(inside))
        end = text.rindex("(", 0, match.start("inside"))
        while text[end - 1] in _QUOTES:
            end -= 1
        begin = max(0, end - _REACH)
        begin += max((mark.end() for mark in _NOT_IN_ONE_NAME.finditer(text[begin:end])), default=0)
        if _SHORT.fullmatch(inside):
            if (at := _long_before(text, begin, end, _letters(inside))) is not None:
                yield Introduced((at, end), bracketed)
            elif end in ends and inside.isupper() and _half(_letters(inside), text[slice(*ends[end][:2])]):
                yield Introduced(ends[end][:2], bracketed)
        elif (short := _SHORT_AT_END.search(text[begin:end])) and _letters(short[0]) == _initials(inside):
            yield Introduced(bracketed, (begin + short.start(), end))


def spans_with(spans: Sequence[Found], pairs: Sequence[Introduced]) -> tuple[list[Found], list[Introduced]]:
    """The spans (in order, disjoint) with both forms of the pairs, under one label, and the pairs that count.

    A pair counts where the model found a body or a place in one of the two; what it found inside gives way.
    """
    result: list[Found] = []
    kept: list[Introduced] = []
    at = 0
    for pair in pairs:
        first, second = sorted(pair)
        while at < len(spans) and spans[at].end <= first[0]:
            result.append(spans[at])
            at += 1
        inside = []
        while at < len(spans) and spans[at].start < second[1]:
            inside.append(spans[at])
            at += 1
        label = next((span.label for span in inside if span.label == "ORG" or span.label in votes.PLACES), None)
        if label is None:
            result += inside
            continue
        if inside[0].start < pair.long[0] and inside[0].end == pair.long[1]:  # "U.S. Geological Survey (GS)"
            kept.append(Introduced(inside[0][:2], pair.short))
        else:
            kept.append(pair)
        result += [Found(*place, label) for place in sorted(kept[-1])]
    return [*result, *spans[at:]], kept


def _letters(short: str) -> str:
    return "".join(c for c in short.removesuffix("s") if c.isalpha()).upper()


def _initials(long: str) -> str:
    return "".join(map(_initial, _WORD.findall(long)))


def _initial(word: str) -> str:
    """The capitals that a word gives: "Daimler-Benz" two, "Co-operation" one, "of" none."""
    return "".join(part[0] for part in word.split("-") if part[:1].isupper())


def _half(letters: str, long: str) -> bool:
    return len(letters) > 2 and 2 * (Counter(letters) & Counter(_initials(long))).total() >= len(letters)


def _long_before(text: str, begin: int, end: int, letters: str) -> int | None:
    """Where the words begin, the last one at `end`, whose initials these are; small words give a letter or none."""
    particles = wordlists.load().particles
    strict = loose = ""
    for word in reversed(list(_WORD.finditer(text, begin, end))):
        initial = _initial(word[0])
        if initial:
            strict, loose = initial + strict, initial + loose
            if letters in (strict, loose):
                return word.start()
        elif word[0] in particles or word[0] == "&":
            loose = word[0][0].upper() + loose
        else:
            return None
        if len(strict) >= len(letters):
            return None
    return None
