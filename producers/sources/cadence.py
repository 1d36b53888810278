"""What a source usually does, learnt from its polls, and when its silence is an alarm. Pure.

What is kept is the longest gap between new entries of each week, of the last weeks that had one: so each of them has
its nights and its weekend in it, and an hour full of entries counts no more than one. A source that never publishes on
Sundays has learnt Sundays by its second week. The longest silence that is usual is taken from these with room for
chance, and never less than six hours. A single longer gap (holidays, a server that was away) does not raise it.

Three alarms, the first that holds:

- `empty`: its answers have no entries, and they used to have some, for longer than that ever lasted.
- `all-known`: it says that it has news, as the date of its newest entry moves on, but every entry is known. Mostly its
  entries have an id that does not change, and news is missed.
- `quiet`: nothing new, longer than usual, and its dates do not say otherwise.

Silence counts up to the last answer only: what could not be asked is not quiet, it is failing.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.records import SourceAlarm

#: So many weeks are remembered: those in which a gap ended.
WEEKS: Final = 12
#: With so many, the longest of all is left out.
ENOUGH_WEEKS: Final = 8
#: Below either of these nothing can be said of what is usual.
LEAST_GAPS: Final = 8
LEAST_KNOWN: Final = timedelta(days=15)
#: No silence or emptiness shorter than this is an alarm, in seconds.
LEAST_SECONDS: Final = 6 * 3600.0
#: Between two answers that lie so far apart nobody looked: when the entries came in between is not known.
UNWATCHED: Final = timedelta(days=2)
#: The date of the newest entry has moved on when it is so much later than the last time that there was something new.
MOVED: Final = timedelta(hours=1)
#: A date so far ahead of the clock is no date of something that has been published.
AHEAD: Final = timedelta(hours=1)

WORDS: Final[dict[SourceAlarm, str]] = {
    "quiet": "nothing new for longer than usual",
    "empty": "no entries where there used to be some",
    "all-known": "its dates move on, but nothing in it is new",
}

_WEEK_SECONDS: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Cadence:
    """What is known of a source; `Cadence()`: nothing yet."""

    first_at: datetime | None = None  # the first answer
    polled_at: datetime | None = None  # the last one
    new_at: datetime | None = None  # when the last new entry came
    gaps: int = 0  # how many were seen in all
    weeks: tuple[tuple[int, float], ...] = ()  # (number of a week, seconds of the longest gap that ended in it)
    moved: bool = False  # the newest entry is dated later than the last one that was new
    had_entries: bool = False
    empty_since: datetime | None = None
    longest_empty_seconds: float = 0.0


def learnt(
    cadence: Cadence, *, polled_at: datetime, entries: int, new: int, newest_entry_at: datetime | None
) -> Cadence:
    """After an answer with its entries (200): what is known now."""
    before = cadence
    newest = newest_entry_at if newest_entry_at is not None and newest_entry_at <= polled_at + AHEAD else None
    cadence = _emptiness(replace(cadence, first_at=cadence.first_at or polled_at, polled_at=polled_at), entries)
    if new == 0:
        moved = newest is not None and before.new_at is not None and newest > before.new_at + MOVED
        return replace(cadence, moved=moved or (before.moved and newest is None))
    came_at = _came_at(before, polled_at, newest)
    cadence = replace(cadence, new_at=came_at, moved=False)
    if before.polled_at is None or before.new_at is None:
        return cadence  # how old the entries of the first answer are says nothing about gaps
    is_unwatched = polled_at - before.polled_at > UNWATCHED and newest is None
    return cadence if is_unwatched else _with_gap(cadence, came_at, (came_at - before.new_at).total_seconds())


def unchanged(cadence: Cadence, *, polled_at: datetime) -> Cadence:
    """After an answer that says that nothing has changed (304): it was asked, and nothing is new."""
    return cadence if cadence.polled_at is None else replace(cadence, polled_at=max(cadence.polled_at, polled_at))


def expected_gap_seconds(cadence: Cadence) -> float | None:
    """The longest silence that is usual for it; None while too little is known."""
    if cadence.first_at is None or cadence.polled_at is None or cadence.gaps < LEAST_GAPS:
        return None
    if cadence.polled_at - cadence.first_at < LEAST_KNOWN:
        return None
    longest = sorted((seconds for _, seconds in cadence.weeks), reverse=True)
    known = len(longest)
    top = longest[1] if known >= ENOUGH_WEEKS else longest[0]  # one that is out of the ordinary does not count
    middle = longest[known // 2]
    # Weeks that are all alike leave little room, weeks that differ leave more, and few weeks more than many.
    room = max(top * (0.5 + 2 / known), (top - middle) * (2 + 8 / known))
    return max(LEAST_SECONDS, top + room)


def alarm(cadence: Cadence, now: datetime) -> tuple[SourceAlarm, datetime] | None:
    """What is wrong with it, and since when it has been so (the last new entry, the first answer without entries)."""
    if cadence.polled_at is None:
        return None
    asked_at = min(now, cadence.polled_at)
    if cadence.empty_since is not None and cadence.had_entries:
        usual = max(LEAST_SECONDS, 2 * cadence.longest_empty_seconds)
        if (asked_at - cadence.empty_since).total_seconds() > usual:
            return "empty", cadence.empty_since
    expected = expected_gap_seconds(cadence)
    if expected is None or cadence.new_at is None or (asked_at - cadence.new_at).total_seconds() <= expected:
        return None
    return ("all-known" if cadence.moved else "quiet"), cadence.new_at


def told(before: Cadence, after: Cadence, now: datetime) -> str | None:
    """What is to be said once, where an answer has begun an alarm, changed it or ended it."""
    was, is_now = alarm(before, now), alarm(after, now)
    if is_now is None:
        return f"no longer {was[0]}" if was is not None else None
    kind, since = is_now
    if was is not None and was[0] == kind:
        return None
    return f"{kind}: {WORDS[kind]}, since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _emptiness(cadence: Cadence, entries: int) -> Cadence:
    if entries == 0:
        return replace(cadence, empty_since=cadence.empty_since or cadence.polled_at)
    longest = cadence.longest_empty_seconds
    if cadence.empty_since is not None and cadence.polled_at is not None and cadence.had_entries:
        longest = max(longest, (cadence.polled_at - cadence.empty_since).total_seconds())
    return replace(cadence, had_entries=True, empty_since=None, longest_empty_seconds=longest)


def _came_at(before: Cadence, polled_at: datetime, newest: datetime | None) -> datetime:
    """When the newest of the new entries came: between the last two answers, by its own date as far as that may be."""
    at = min(newest, polled_at) if newest is not None else polled_at
    return at if before.polled_at is None else max(at, before.polled_at)


def _with_gap(cadence: Cadence, at: datetime, seconds: float) -> Cadence:
    number = int(at.astimezone(UTC).timestamp() // _WEEK_SECONDS)
    weeks = dict(cadence.weeks)
    weeks[number] = max(weeks.get(number, 0.0), round(seconds))
    kept = tuple(sorted(weeks.items())[-WEEKS:])
    return replace(cadence, gaps=cadence.gaps + 1, weeks=kept)
