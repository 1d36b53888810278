"""When silence is an alarm: simulated sources, polled for months."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.records import SourceAlarm
from producers.sources import cadence
from producers.sources.cadence import Cadence

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def wire(chance: random.Random, days: int) -> Iterator[float]:
    """About one an hour, day and night, by chance."""
    hour = 0.0
    while hour < days * 24:
        hour += chance.expovariate(1)
        yield hour


def office(chance: random.Random, days: int) -> Iterator[float]:
    """One an hour from eight to six, Monday to Friday."""
    for day in range(days):
        if day % 7 < 5:
            yield from (day * 24 + hour + chance.random() for hour in range(8, 18))


def weekdays(chance: random.Random, days: int) -> Iterator[float]:
    """One each morning from Monday to Friday."""
    for day in range(days):
        if day % 7 < 5:
            yield day * 24 + 6 + chance.random() * 2


def weekly(chance: random.Random, days: int) -> Iterator[float]:
    for day in range(3, days, 7):
        yield day * 24 + 9 + chance.random() * 6


def monthly(chance: random.Random, days: int) -> Iterator[float]:
    """One about every thirty days, six more or less."""
    hour = 240.0
    while hour < days * 24:
        yield hour
        hour += (30 + chance.uniform(-6, 6)) * 24


def bursts(chance: random.Random, days: int) -> Iterator[float]:
    """Up to thirty within three hours, then nothing for three to sixteen days."""
    hour = 24.0
    while hour < days * 24:
        yield from (hour + chance.random() * 3 for _ in range(chance.randint(5, 30)))
        hour += chance.uniform(3, 16) * 24


@pytest.mark.parametrize("is_dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize(
    ("source", "poll_hours", "learnt_days", "within_days"),
    [
        (wire, 2, 16, 2),
        (office, 6, 21, 6),
        (weekdays, 6, 21, 7),
        (weekly, 24, 70, 15),
        (monthly, 24, 300, 64),
        (bursts, 12, 70, 40),
    ],
)
def test_a_source_is_left_alone_while_it_does_as_usual_and_its_silence_is_heard(
    source: Callable[[random.Random, int], Iterator[float]],
    poll_hours: float,
    learnt_days: int,
    within_days: int,
    is_dated: bool,
) -> None:
    """Learnt for some time, watched for sixty days, then the source stops for good."""
    end = (learnt_days + 60) * 24
    for seed in range(4):
        chance = random.Random(seed)
        times = [hour for hour in sorted(source(chance, learnt_days + 60)) if hour <= end]
        known, taken, at = Cadence(), 0, 0.0
        while True:
            now = MONDAY + HOUR * at
            before, taken = taken, sum(hour <= at for hour in times)
            newest = MONDAY + HOUR * times[taken - 1] if taken and is_dated else None
            known = cadence.learnt(
                known, polled_at=now, entries=min(taken, 20), new=taken - before, newest_entry_at=newest
            )
            found = cadence.alarm(known, now)
            if at > end and found:
                assert found == ("quiet", known.new_at)
                break
            assert found is None, f"seed {seed}: {found} on day {at / 24:.1f}"
            assert at < times[-1] + within_days * 24, f"seed {seed}: nothing said"
            at += poll_hours * chance.uniform(0.8, 1.2)


def hourly(days: int, known: Cadence | None = None, start: datetime = MONDAY) -> Cadence:
    """What is known of a source with one new entry an hour, each poll."""
    known = known or Cadence()
    for hour in range(days * 24):
        now = start + HOUR * hour
        known = cadence.learnt(known, polled_at=now, entries=20, new=1 if known.new_at else 20, newest_entry_at=now)
    return known


LEARNT = hourly(16)
LAST = MONDAY + 16 * DAY - HOUR


def polled(known: Cadence, hours: range, entries: int = 20, moves: bool = False) -> Cadence:
    """Then polled so many hours after, with nothing new in it."""
    for hour in hours:
        now = LAST + HOUR * hour
        newest = now if moves else LAST if entries else None
        known = cadence.learnt(known, polled_at=now, entries=entries, new=0, newest_entry_at=newest)
    return known


def alarm(known: Cadence, hours: float) -> tuple[SourceAlarm, datetime] | None:
    return cadence.alarm(known, LAST + HOUR * hours)


def test_an_alarm_is_told_once_when_it_begins_changes_and_ends() -> None:
    known, said = LEARNT, []
    for hour in range(1, 30):
        now = LAST + HOUR * hour
        before, is_back = known, hour == 28
        known = cadence.learnt(
            known,
            polled_at=now,
            entries=0 if hour in range(10, 20) else 20,
            new=int(is_back),
            newest_entry_at=now if is_back else LAST,
        )
        if sentence := cadence.told(before, known, now):
            said.append((hour, sentence))

    assert said == [
        (7, "quiet: nothing new for longer than usual, since 2026-01-20 23:00 UTC"),
        (17, "empty: no entries where there used to be some, since 2026-01-21 09:00 UTC"),
        (20, "quiet: nothing new for longer than usual, since 2026-01-20 23:00 UTC"),
        (28, "no longer quiet"),
    ]


def test_six_hours_of_silence_are_nothing_however_busy_the_source() -> None:
    assert cadence.expected_gap_seconds(LEARNT) == 6 * 3600
    assert alarm(polled(LEARNT, range(1, 7)), 6) is None
    assert alarm(polled(LEARNT, range(1, 8)), 7) == ("quiet", LAST)


def test_something_new_ends_the_alarm() -> None:
    silent = polled(LEARNT, range(1, 9))
    now = LAST + 9 * HOUR

    heard = cadence.learnt(silent, polled_at=now, entries=20, new=1, newest_entry_at=now)

    assert cadence.alarm(heard, now) is None


def test_a_feed_whose_dates_move_on_while_all_is_known_is_another_alarm() -> None:
    assert alarm(polled(LEARNT, range(1, 8), moves=True), 7) == ("all-known", LAST)


def test_a_date_in_the_future_does_not_move_a_feed() -> None:
    known = LEARNT
    for hour in range(1, 8):
        now = LAST + HOUR * hour
        known = cadence.learnt(known, polled_at=now, entries=20, new=0, newest_entry_at=now + 400 * DAY)

    assert alarm(known, 7) == ("quiet", LAST)


def test_a_feed_that_says_304_for_ever_is_quiet_too() -> None:
    known = LEARNT
    for hour in range(1, 8):
        known = cadence.unchanged(known, polled_at=LAST + HOUR * hour)

    assert alarm(known, 7) == ("quiet", LAST)


def test_time_in_which_nobody_asked_is_not_silence() -> None:
    assert alarm(LEARNT, 24 * 30) is None


def test_a_gap_in_which_nobody_asked_is_not_learnt() -> None:
    back = LAST + 40 * DAY

    dated = cadence.learnt(LEARNT, polled_at=back, entries=20, new=20, newest_entry_at=LAST + HOUR)
    undated = cadence.learnt(LEARNT, polled_at=back, entries=20, new=20, newest_entry_at=None)

    assert cadence.expected_gap_seconds(dated) == cadence.expected_gap_seconds(undated) == 6 * 3600


def test_one_long_holiday_does_not_make_deaf() -> None:
    known = hourly(70)
    back = MONDAY + 70 * DAY - HOUR + 40 * DAY
    for day in range(40):
        known = cadence.unchanged(known, polled_at=MONDAY + (70 + day) * DAY)

    known = cadence.learnt(known, polled_at=back, entries=20, new=1, newest_entry_at=back)

    assert max(seconds for _, seconds in known.weeks) > 39 * 86_400
    assert cadence.expected_gap_seconds(known) == 6 * 3600


def test_no_entries_where_there_were_some_is_an_alarm_since_the_first_empty_answer() -> None:
    assert alarm(polled(LEARNT, range(1, 7), entries=0), 6) is None
    assert alarm(polled(LEARNT, range(1, 9), entries=0), 8) == ("empty", LAST + HOUR)


def test_a_source_that_is_empty_now_and_then_is_left_alone_for_twice_as_long_as_that_lasted() -> None:
    known = polled(polled(LEARNT, range(1, 21), entries=0), range(21, 22))
    now = LAST + 21 * HOUR
    known = cadence.learnt(known, polled_at=now, entries=20, new=1, newest_entry_at=now)

    again = polled(known, range(22, 80), entries=0)

    assert cadence.alarm(again, LAST + 62 * HOUR) is None
    assert cadence.alarm(again, LAST + 63 * HOUR) == ("empty", LAST + 22 * HOUR)


def test_a_source_that_never_had_entries_is_not_missed() -> None:
    known = Cadence()
    for day in range(60):
        known = cadence.learnt(known, polled_at=MONDAY + day * DAY, entries=0, new=0, newest_entry_at=None)

    assert cadence.alarm(known, MONDAY + 60 * DAY) is None


@pytest.mark.parametrize("days", [1, 14])
def test_nothing_is_said_before_two_weekends_have_passed(days: int) -> None:
    known = hourly(days)
    silent = cadence.unchanged(known, polled_at=MONDAY + (days + 0.9) * DAY)

    assert cadence.expected_gap_seconds(known) is None
    assert cadence.alarm(silent, MONDAY + (days + 0.9) * DAY) is None


def test_the_age_of_what_a_feed_had_at_first_is_no_gap() -> None:
    known = cadence.learnt(Cadence(), polled_at=MONDAY, entries=20, new=20, newest_entry_at=MONDAY - 900 * DAY)

    assert known.new_at == MONDAY - 900 * DAY
    assert (known.gaps, known.weeks) == (0, ())


def test_what_is_remembered_stays_small() -> None:
    assert len(hourly(200).weeks) == cadence.WEEKS
