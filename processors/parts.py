"""A long text -> parts that end where a sentence does: what the models take at once is bounded, whatever comes."""

from collections.abc import Iterator
from typing import Final

from processors import sentences

#: Characters in a part: 16 of them together take about 300 MB in spaCy, as 16 whole articles do.
LARGEST: Final = 6000


def of(text: str, largest: int = LARGEST) -> Iterator[tuple[int, str]]:
    """Where each part begins (code points) and its text; put together they are the text again.

    `largest` must be the longest sentence at least (sentences.MAX_SENTENCE): no sentence is cut.
    """
    if len(text) <= largest:
        yield 0, text
        return
    start = 0
    after = 0  # the last end of a sentence that still fits
    for _, end in sentences.spans(text):
        if end - start > largest:
            yield start, text[start:after]
            start = after
        after = end
    yield start, text[start:]
