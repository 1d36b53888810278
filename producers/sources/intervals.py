"""When a source is asked again: a function of what its last answers were.

Two polls overlap when some of what the second finds was known from the first. Without overlap something may have come
and gone between them, so the interval follows the share of known entries: shortened while it is small, lengthened
while nothing is new, left alone in between.
"""

from dataclasses import dataclass
from typing import Final, Literal, assert_never

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

#: Of a source that was never polled.
FIRST_SECONDS: Final = HOUR / 2
#: The share of known entries that keeps the interval as it is, up to 1: half of a feed is margin enough for a rush.
ENOUGH_KNOWN: Final = 0.5
#: All is known: go slower by this; the share is small: faster, down to this; nothing is known: at once much faster.
SLOWER: Final = 1.25
FASTER: Final = 0.5
MUCH_FASTER: Final = 0.25
#: What a feed or its server asks for between two polls counts up to here: many send a day without meaning it.
MOST_ASKED_SECONDS: Final = HOUR
#: After a failure a source is asked again after this or its interval, whichever is shorter; then ever later, to a day.
FIRST_RETRY_SECONDS: Final = 900.0
MOST_RETRY_SECONDS: Final = DAY
#: `Retry-After` is a lower bound; one beyond this is a slip of the pen.
MOST_RETRY_AFTER_SECONDS: Final = 30 * DAY
JITTER: Final = 0.1

Overlap = Literal["first", "lost", "little", "enough", "all"]
"""How a poll hangs together with those before: nothing before, nothing known, some, half or more, all known."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of the interval, in seconds: as declared, and what the feed and its server asked for, if they did."""

    least: float
    most: float
    asked: float = 0.0

    def within(self, seconds: float, *, as_asked: bool = True) -> float:
        """The interval next to this that the bounds allow."""
        least = max(self.least, min(self.asked, MOST_ASKED_SECONDS)) if as_asked else self.least
        return min(max(seconds, least), self.most)


def overlap(entries: int, known: int, *, is_first: bool) -> Overlap:
    """How this poll hangs together with those before."""
    if is_first:
        return "first"
    if known >= entries:
        return "all"
    if known == 0:
        return "lost"
    return "enough" if known / entries >= ENOUGH_KNOWN else "little"


def next_interval(interval: float | None, found: Overlap, share: float, bounds: Bounds) -> float:
    """The interval after a poll in which this `share` of the entries was known.

    Where entries may have been missed, only the declared bounds hold, not what the feed asks for.
    """
    seconds = interval if interval is not None else FIRST_SECONDS
    if found == "first" or found == "enough":  # noqa: PLR1714  mypy narrows this one only
        return bounds.within(seconds)
    if found == "all":
        return bounds.within(seconds * SLOWER)
    if found == "little":
        return bounds.within(seconds * max(share / ENOUGH_KNOWN, FASTER))
    if found == "lost":
        return bounds.within(seconds * MUCH_FASTER, as_asked=False)
    assert_never(found)


def retry_seconds(interval: float | None, failures: int, bounds: Bounds, retry_after: float | None = None) -> float:
    """How long to wait after so many failures in a row (1: the first)."""
    first = bounds.within(min(interval or FIRST_SECONDS, FIRST_RETRY_SECONDS))
    seconds = min(first * 2.0 ** min(failures - 1, 30), max(MOST_RETRY_SECONDS, bounds.least))
    return max(seconds, at_most_asked(retry_after))


def at_most_asked(retry_after: float | None) -> float:
    """What `Retry-After` counts for."""
    return min(retry_after or 0.0, MOST_RETRY_AFTER_SECONDS)


def jittered(seconds: float, chance: float, at_least: float = 0.0) -> float:
    """The wait with a tenth more or less, by `chance` in [0, 1]; never below `at_least`."""
    return max(seconds * (1 + JITTER * (2 * chance - 1)), at_least)
