"""Spans that the model found -> entities with all their mentions; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.cleaning import RawOffsets, Span
from pipeline.records import Entity, Mention, Sentiment

#: What readers look for; dates, numbers and amounts are not names.
LABELS: Final = frozenset(
    {"PERSON", "ORG", "GPE", "LOC", "FAC", "NORP", "EVENT", "PRODUCT", "WORK_OF_ART", "LAW", "LANGUAGE"}
)
#: At most so many mentions of one article are kept; counts stay true.
MAX_MENTIONS: Final = 5000
MAX_NAME: Final = 200

_ARTICLES: Final = ("the ", "a ", "an ")
#: Soft hyphen, zero-width characters, marks that turn the direction of text.
_INVISIBLE: Final = (
    "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_EDGES: Final = " \t\n\r.,;:!?\"'“”‘’()[]{}<>«»–—-_*/\\|" + _INVISIBLE
_NOT_IN_NAMES: Final = dict.fromkeys(map(ord, _INVISIBLE))


class Found(NamedTuple):
    """A span of the published text with the model's label."""

    start: int
    end: int
    label: str


def trimmed(text: str, found: Found) -> Found | None:
    """The span without a leading article, a trailing possessive, punctuation and what follows a line break."""
    start, end, label = found
    start = _without_edges(text, start, end)
    for article in _ARTICLES:
        if text[start:end].lower().startswith(article):
            start = _without_edges(text, start + len(article), end)
            break
    newline = text.find("\n", start, end)
    end = newline if newline >= 0 else end
    while True:
        if text[start:end].endswith(("'s", "’s")):
            end -= 2
        elif end > start and text[end - 1] in _EDGES and not _closes_an_abbreviation(text[start:end]):
            end -= 1
        else:
            break
    name = text[start:end]
    if not 1 < len(name) <= MAX_NAME or not any(map(str.isalpha, name)):
        return None
    return Found(start, end, label)


def _without_edges(text: str, start: int, end: int) -> int:
    while start < end and text[start] in _EDGES:
        start += 1
    return start


def name_of(text: str, found: Found) -> str:
    """The words of a span as one name: single spaces, nothing invisible."""
    return " ".join(text[found.start : found.end].translate(_NOT_IN_NAMES).split())


def _closes_an_abbreviation(name: str) -> bool:
    """The last full stop of "U.S." belongs to the name."""
    return len(name) > 2 and name.endswith(".") and name[-3] == "."


def entities(
    text: str, found: Iterable[Found], removed: Sequence[Span], sentiments: Mapping[tuple[str, str], Sentiment | None]
) -> tuple[Entity, ...]:
    """Entities by (name, label), most mentioned first, with offsets into the published and the raw text."""
    offsets = RawOffsets(removed)
    grouped: dict[tuple[str, str], list[Found]] = {}
    for span in found:
        grouped.setdefault((name_of(text, span), span.label), []).append(span)
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[1][0].start))
    left = MAX_MENTIONS
    result = []
    for (name, label), spans in ordered:
        kept, left = spans[:left], left - len(spans[:left])
        mentions = []
        for span in kept:
            raw_start, raw_end = offsets.range(span.start, span.end)
            words = text[span.start : span.end]
            mentions.append(Mention(text=words, start=span.start, end=span.end, raw_start=raw_start, raw_end=raw_end))
        result.append(
            Entity(
                name=name,
                label=label,
                count=len(spans),
                sentiment=sentiments.get((name, label)),
                mentions=tuple(mentions),
            )
        )
    return tuple(result)
