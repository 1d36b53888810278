"""Rows and the answer to their request are on disk together, and the answer is found again for a day."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import topics
from producers.deliveries import Row
from producers.ingest import intake
from producers.ingest.acknowledgements import Acknowledgements
from producers.ingest.intake import Intake, Kept, Once, OtherRequest
from producers.spool import Spool
from tests.running import until

ONCE = Once("owner", "key", b"fingerprint")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", 1 << 20) as spool:
        yield spool


def rows(count: int) -> list[Row]:
    return [Row(topics.RAW, b"key", b"value", [], UUID(int=number)) for number in range(count)]


def test_what_is_kept_has_the_numbers_of_its_rows(spool: Spool) -> None:
    keeper = Intake(spool)

    assert keeper.keep(rows(2)) == Kept(range(1, 3), b"")
    assert keeper.keep(rows(3), b"answer", ONCE) == Kept(range(3, 6), b"answer")
    assert [spooled.seq for spooled in spool.read_after(0, 10, 1 << 20)] == [1, 2, 3, 4, 5]


def test_a_request_is_found_again_by_its_owner(spool: Spool) -> None:
    keeper = Intake(spool)
    keeper.keep(rows(2), b"answer", ONCE)

    assert keeper.find(ONCE) == Kept(range(1, 3), b"answer", is_repeat=True)
    assert keeper.find(Once("another", "key", b"fingerprint")) is None
    with pytest.raises(OtherRequest):
        keeper.find(Once("owner", "key", b"other"))


def test_what_another_process_kept_meanwhile_is_not_kept_twice(spool: Spool) -> None:
    with spool.another() as theirs:
        Intake(theirs).keep(rows(2), b"theirs", ONCE)

    kept = Intake(spool).keep(rows(2), b"ours", ONCE)

    assert kept == Kept(range(1, 3), b"theirs", is_repeat=True)
    assert spool.held().records == 2


def test_an_answer_expires_and_is_pruned(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Intake(spool)
    keeper.keep(rows(1), b"old", ONCE)
    keeper.keep(rows(1), b"old", Once("owner", "other", b"x"))
    later = time.time() + intake.KEPT_SECONDS + 1
    monkeypatch.setattr(intake.time, "time", lambda: later)

    assert keeper.find(ONCE) is None
    assert keeper.keep(rows(1), b"new", ONCE) == Kept(range(3, 4), b"new")
    assert spool.select("SELECT key FROM answers", {}) == [("key",)]


def test_a_full_spool_keeps_nothing_and_says_so_at_once(spool: Spool) -> None:
    keeper = Intake(spool)
    large = Row(topics.RAW, b"key", b"x" * (2 << 20), [], UUID(int=1))
    assert keeper.keep([large]) is not None

    assert keeper.keep(rows(1), b"answer", ONCE) is None
    assert keeper.find(ONCE) is None


def test_who_waits_is_told_when_all_of_the_rows_are_gone(spool: Spool) -> None:
    keeper = Intake(spool)
    first, second, third = keeper.keep(rows(2)), keeper.keep(rows(2)), keeper.keep(rows(2))
    assert first
    assert second
    assert third
    acknowledgements, stop = Acknowledgements(spool), threading.Event()
    thread = threading.Thread(target=acknowledgements.run, args=(stop,))
    thread.start()
    try:
        waits = [acknowledgements.of(kept.seqs) for kept in (first, second, third)]
        given_up = acknowledgements.of(second.seqs)
        given_up.cancel()
        spooled = spool.read_after(0, 10, 1 << 20)
        spool.delete(spooled[:1])
        spool.delete(spooled[4:])  # not the oldest first: another article's may come before

        waits[2].result(timeout=30)
        until("the level is known", lambda: acknowledgements.held.records == 3, 30)
        assert [wait.done() for wait in waits] == [False, False, True]
        assert acknowledgements.stuck_seconds > 0
        spool.delete(spooled[1:2])
        waits[0].result(timeout=30)
        spool.delete(spooled[2:4])
        waits[1].result(timeout=30)
        acknowledgements.of(first.seqs).result(timeout=30)  # gone long since
        until("nothing waits", lambda: acknowledgements.stuck_seconds == 0, 30)
    finally:
        stop.set()
        thread.join(30)
