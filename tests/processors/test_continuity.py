"""A stage never passes over records that were deleted before it read them."""

from collections.abc import Callable
from uuid import UUID

import pytest

from pipeline.broker import Offsets
from pipeline.errors import Stop
from pipeline.records import Coordinates
from processors.continuity import Continuity
from processors.incoming import Incoming

TOPIC = "articles.raw"


def records(*offsets: int, partition: int = 0) -> list[Incoming]:
    topic_id = UUID(int=7)
    return [
        Incoming(TOPIC, Coordinates(topic_id=topic_id, partition=partition, offset=o), None, b"", []) for o in offsets
    ]


def standing_at(*places: int) -> Callable[[], Offsets]:
    return lambda: {(TOPIC, partition): offset for partition, offset in enumerate(places)}


async def test_records_that_follow_the_place_of_the_group_are_taken() -> None:
    continuity = Continuity(TOPIC, standing_at(5, 8))

    await continuity.check([*records(5, 6), *records(8, partition=1)])
    await continuity.check([*records(7), *records(9, partition=1)])


async def test_a_group_that_never_committed_begins_at_the_beginning() -> None:
    await Continuity(TOPIC, standing_at()).check(records(0, 1))


async def test_records_deleted_before_the_group_read_them_stop_the_stage_with_their_number() -> None:
    with pytest.raises(Stop, match=r"^1,000 records of articles.raw partition 0 .*offsets 5 to 1004"):
        await Continuity(TOPIC, standing_at(5)).check(records(1005))


async def test_a_group_that_never_committed_stops_at_a_log_that_has_lost_its_beginning() -> None:
    with pytest.raises(Stop, match="3 records"):
        await Continuity(TOPIC, standing_at()).check(records(3))


async def test_a_hole_within_a_batch_or_between_two_stops_the_stage() -> None:
    continuity = Continuity(TOPIC, standing_at(0))
    await continuity.check(records(0, 1))

    with pytest.raises(Stop, match="offsets 2 to 2"):
        await continuity.check(records(3))


async def test_a_replay_after_a_rebalance_is_no_hole() -> None:
    places = [0]
    continuity = Continuity(TOPIC, lambda: {(TOPIC, 0): places[0]})
    await continuity.check(records(0, 1, 2))

    await continuity.check(records(1, 2, 3))  # what was not committed comes again
    places[0] = 10  # another worker had the partition meanwhile
    continuity.forget()
    await continuity.check(records(10, 11))
