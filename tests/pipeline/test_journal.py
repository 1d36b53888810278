import json
from pathlib import Path

import pytest

from pipeline.errors import InvalidRecord, Reason
from pipeline.journal import CrashJournal

PARTITION = 2


def journal(folder: Path) -> CrashJournal:
    """The journal as a process that has just started reads it."""
    return CrashJournal(folder, "deduplicate", "topic-id")


def die_with(folder: Path, *offsets: int, times: int = 1) -> None:
    """A process that ends while these records are in work."""
    for _ in range(times):
        journal(folder).begin((PARTITION, offset) for offset in offsets)


def test_a_record_that_ended_its_process_three_times_is_invalid(tmp_path: Path) -> None:
    die_with(tmp_path, 17, times=3)

    with pytest.raises(InvalidRecord, match="The process ended 3 times with this record in work") as caught:
        journal(tmp_path).check(PARTITION, 17)

    assert caught.value.reason == Reason.CRASHED


@pytest.mark.parametrize("times", [1, 2])
def test_a_record_that_ended_its_process_less_often_is_tried_again_alone(tmp_path: Path, times: int) -> None:
    die_with(tmp_path, 17, times=times)

    after = journal(tmp_path)
    after.check(PARTITION, 17)
    assert after.is_suspect(PARTITION, 17)
    assert after.crashes(PARTITION, 17) == times


def test_everything_that_was_in_work_is_suspect_and_nothing_else(tmp_path: Path) -> None:
    die_with(tmp_path, 17, 18)

    after = journal(tmp_path)
    assert [offset for offset in range(15, 21) if after.is_suspect(PARTITION, offset)] == [17, 18]
    assert not after.is_suspect(PARTITION + 1, 17), "another partition has records of its own"


def test_suspects_taken_one_by_one_leave_the_killer_alone_with_the_blame(tmp_path: Path) -> None:
    die_with(tmp_path, 17, 18, 19)
    for _ in range(2):
        one_by_one = journal(tmp_path)
        one_by_one.begin([(PARTITION, 17)])
        one_by_one.end([(PARTITION, 17)])
        one_by_one.begin([(PARTITION, 18)])  # and dies

    after = journal(tmp_path)
    assert [after.crashes(PARTITION, offset) for offset in (17, 18, 19)] == [0, 3, 1]


def test_a_record_whose_work_ended_is_forgotten(tmp_path: Path) -> None:
    die_with(tmp_path, 17, times=2)
    alive = journal(tmp_path)
    alive.begin([(PARTITION, 17)])
    alive.end([(PARTITION, 17)])

    assert alive.crashes(PARTITION, 17) == 0
    assert journal(tmp_path).crashes(PARTITION, 17) == 0


def test_a_process_that_ends_between_two_batches_blames_nobody(tmp_path: Path) -> None:
    alive = journal(tmp_path)
    alive.begin([(PARTITION, 17), (PARTITION, 18)])
    alive.end([(PARTITION, 17), (PARTITION, 18)])

    assert not any(journal(tmp_path).is_suspect(PARTITION, offset) for offset in (17, 18, 19))


def test_another_topic_of_the_same_name_starts_without_blame(tmp_path: Path) -> None:
    die_with(tmp_path, 17, times=3)

    CrashJournal(tmp_path, "deduplicate", "topic-id-of-the-topic-made-anew").check(PARTITION, 17)


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"\x00" * 64,
        b'{"crashes": {"17": 2}, "in_wo',
        b"[]",
        b'{"crashes": {"17": "often"}, "in_work": []}',
        b'{"crashes": {}}',
        b"\xff\xfe",
    ],
)
def test_a_torn_journal_counts_as_empty_and_is_whole_after_the_next_batch(tmp_path: Path, torn: bytes) -> None:
    die_with(tmp_path, 17)
    (file,) = tmp_path.iterdir()
    file.write_bytes(torn)

    after = journal(tmp_path)

    assert after.crashes(PARTITION, 17) == 0
    after.begin([(PARTITION, 17)])
    assert json.loads(file.read_bytes()) == {"crashes": {}, "in_work": [17]}


def test_a_death_while_the_journal_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    die_with(tmp_path, 17)
    (file,) = tmp_path.iterdir()
    file.with_suffix(".new").write_bytes(b'{"cra')

    assert journal(tmp_path).crashes(PARTITION, 17) == 1
