"""The names of an article -> the entities of its record, with offsets into the published and the raw text; pure."""

from collections.abc import Sequence
from typing import Final

from pipeline.cleaning import RawOffsets, Span
from pipeline.records import Entity, Mention
from processors.ladder import Name
from processors.questions import Towards

#: At most so many mentions of one article are kept; counts stay true.
MAX_MENTIONS: Final = 5000
#: At most so many other forms of one name.
MAX_ALIASES: Final = 20


def entities(
    text: str, names: Sequence[Name], removed: Sequence[Span], towards: Sequence[Towards]
) -> tuple[Entity, ...]:
    """One entity for each name, in their order; `towards` has one for each name."""
    offsets = RawOffsets(removed)
    left = MAX_MENTIONS
    result = []
    for name, said in zip(names, towards, strict=True):
        kept, left = name.spans[:left], left - len(name.spans[:left])
        mentions = []
        for span in kept:
            raw_start, raw_end = offsets.range(span.start, span.end)
            words = text[span.start : span.end]
            mentions.append(Mention(text=words, start=span.start, end=span.end, raw_start=raw_start, raw_end=raw_end))
        result.append(
            Entity(
                name=name.name,
                label=name.label,
                id=name.id,
                aliases=name.aliases[:MAX_ALIASES],
                count=len(name.spans),
                salience=name.salience,
                sentiment=said.sentiment,
                evidence=said.evidence,
                mentions=tuple(mentions),
            )
        )
    return tuple(result)
