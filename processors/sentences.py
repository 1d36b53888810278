"""Where sentences stand in a text: enough to say which sentence names whom."""

from collections.abc import Iterator
from typing import Final

import re2

#: Longer pieces are cut: no sentence is longer, and a text without a full stop stays cheap.
MAX_SENTENCE: Final = 2000

# A full stop counts when white space and the beginning of a sentence follow; a line break always does.
_END = re2.compile(r"[.!?…][\"'”’)\]]*\s+|\n\s*")
_ABBREVIATION = re2.compile(
    r"(?:^|[\s(\"“])(?:[A-Z]|[A-Z]\.[A-Z]|Mr|Mrs|Ms|Dr|Prof|Gen|Col|Lt|Sgt|Gov|Sen|Rep|Rev|St|Jr|Sr|vs|No|Inc|Ltd|Corp|Co|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\.\s+$"
)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """The sentences as (start, end) code points; white space between them belongs to none."""
    start = 0
    for match in _END.finditer(text):
        if "\n" not in match.group() and (
            text[match.end() : match.end() + 1].islower()
            or _ABBREVIATION.search(text[max(0, match.start() - 8) : match.end()])
        ):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
    for at in range(start, end, MAX_SENTENCE):
        yield at, min(at + MAX_SENTENCE, end)
