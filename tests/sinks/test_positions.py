"""Where to read on, by a table; and when not to."""

from uuid import UUID

import pytest

from pipeline.errors import Stop
from sinks.positions import Log, Stored, reading_offset

OURS, OLD = UUID(int=1), UUID(int=2)


def stored(offset: int, topic_id: UUID = OURS, partition: int = 0) -> Stored:
    return Stored(topic_id, partition, "articles.decisions", offset)


def log(start: int, end: int, partition: int = 0) -> Log:
    return Log("articles.decisions", OURS, partition, start, end)


@pytest.mark.parametrize(
    ("part", "places", "expected"),
    [
        (log(0, 9), [], 0),
        (log(0, 9), [stored(4)], 4),
        (log(0, 9), [stored(9)], 9),
        (log(4, 9), [stored(4)], 4),
        (log(0, 9, partition=1), [stored(4)], 0),  # a partition that was added
        (log(0, 9), [stored(4), stored(50, OLD)], 4),
    ],
)
def test_reading_goes_on_where_the_database_is(part: Log, places: list[Stored], expected: int) -> None:
    assert reading_offset(part, places) == expected


@pytest.mark.parametrize(
    ("part", "places", "says"),
    [
        (log(5, 9), [stored(2)], "partition 0: 3 records are gone unread"),
        (log(5, 9), [], "partition 0: 5 records are gone unread"),
        (log(0, 9), [stored(12)], "the database has 3 records more"),
        (
            log(0, 9),
            [stored(50, OLD), stored(7, OLD, 1)],
            "another topic than the one the database has read 57 records of",
        ),
    ],
)
def test_nothing_is_skipped_on_a_guess(part: Log, places: list[Stored], says: str) -> None:
    with pytest.raises(Stop, match=says) as stopped:
        reading_offset(part, places)

    assert "ingest.positions" in str(stopped.value)


@pytest.mark.parametrize(
    ("start", "places", "expected"), [(0, [], 0), (5, [], 5), (5, [stored(2)], 5), (0, [stored(2)], 2)]
)
def test_what_compaction_took_away_is_not_missed(start: int, places: list[Stored], expected: int) -> None:
    part = Log("articles.sources", OURS, 0, start, 9, is_compacted=True)

    assert reading_offset(part, places) == expected


def test_a_compacted_log_that_is_shorter_than_what_was_read_is_another_log_all_the_same() -> None:
    with pytest.raises(Stop, match="the database has 3 records more"):
        reading_offset(Log("articles.sources", OURS, 0, 0, 9, is_compacted=True), [stored(12)])
