import pytest

from producers.sources import intervals
from producers.sources.intervals import DAY, HOUR, Bounds, Overlap

BOUNDS = Bounds(300, DAY)


@pytest.mark.parametrize(
    ("entries", "known", "is_first", "expected"),
    [
        (10, 0, True, "first"),
        (10, 0, False, "lost"),
        (10, 2, False, "little"),
        (10, 5, False, "enough"),
        (10, 10, False, "all"),
        (0, 0, False, "all"),  # an empty feed: nothing was missed
        (0, 0, True, "first"),
    ],
)
def test_how_two_polls_hang_together(entries: int, known: int, is_first: bool, expected: Overlap) -> None:
    assert intervals.overlap(entries, known, is_first=is_first) == expected


@pytest.mark.parametrize(
    ("interval", "found", "share", "bounds", "expected"),
    [
        (None, "first", 0.0, BOUNDS, 1800),
        (1800, "all", 1.0, BOUNDS, 2250),
        (1800, "enough", 0.7, BOUNDS, 1800),
        (1800, "little", 0.4, BOUNDS, 1440),
        (1800, "little", 0.1, BOUNDS, 900),
        (3600, "lost", 0.0, BOUNDS, 900),
        (400, "lost", 0.0, BOUNDS, 300),  # never below the declared bound
        (DAY, "all", 1.0, BOUNDS, DAY),
        (300, "enough", 0.7, Bounds(300, DAY, asked=1200), 1200),  # the feed's ttl
        (300, "enough", 0.7, Bounds(300, DAY, asked=5 * DAY), HOUR),  # … which counts up to an hour
        (3600, "lost", 0.0, Bounds(300, DAY, asked=HOUR), 900),  # … and not where entries may be missed
        (300, "all", 1.0, Bounds(60, 120, asked=HOUR), 120),
    ],
)
def test_the_interval_follows_the_share_of_known_entries(
    interval: float | None, found: Overlap, share: float, bounds: Bounds, expected: float
) -> None:
    assert intervals.next_interval(interval, found, share, bounds) == expected


def test_the_interval_settles_where_half_is_known() -> None:
    """A feed of 20 entries with one a minute: ten minutes are half of it, and the overlap is never lost."""
    interval: float | None = None
    found = []
    for number in range(40):
        minutes = (interval or 0) / 60
        known = max(0, 20 - round(minutes))
        found.append(intervals.overlap(20, known, is_first=number == 0))
        interval = intervals.next_interval(interval, found[-1], known / 20, Bounds(60, DAY))

    assert found.count("lost") == 1  # after the first interval, which was a guess
    assert set(found[-10:]) == {"enough"}
    assert interval is not None
    assert interval <= 600


@pytest.mark.parametrize(
    ("interval", "failures", "retry_after", "expected"),
    [
        (1800, 1, None, 900),
        (1800, 2, None, 1800),
        (1800, 5, None, 14_400),
        (1800, 8, None, DAY),
        (1800, 10_000, None, DAY),
        (300, 1, None, 300),
        (None, 1, None, 900),
        (1800, 1, 7200, 7200),  # Retry-After is a lower bound
        (1800, 4, 60, 7200),  # … and no more than that
        (1800, 1, 1e12, 30 * DAY),
    ],
)
def test_failures_are_asked_again_ever_later(
    interval: float | None, failures: int, retry_after: float | None, expected: float
) -> None:
    assert intervals.retry_seconds(interval, failures, BOUNDS, retry_after) == expected


@pytest.mark.parametrize(
    ("chance", "at_least", "expected"), [(0, 0, 900), (0.5, 0, 1000), (1, 0, 1100), (0, 1000, 1000)]
)
def test_a_wait_is_spread_by_a_tenth_but_not_below_what_was_asked_for(
    chance: float, at_least: float, expected: float
) -> None:
    assert intervals.jittered(1000, chance, at_least) == pytest.approx(expected)
