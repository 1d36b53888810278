import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psutil
import pytest

from pipeline import metrics
from pipeline.errors import InvalidRecord, Reason, Stop
from pipeline.settings import ExtractionSettings
from producers import extraction
from producers.extraction import ExtractionPool
from tests.producers import weak

NOW = datetime(2026, 11, 3, tzinfo=UTC)
PAGE = b"<html><head><title>Wall closed</title></head><body><p>The wall was closed.</p></body></html>"
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>
<item><guid>1</guid><title>Wall closed</title><link>https://a.example/1</link></item></channel></rss>"""
PROCESSES = 2
SECONDS_PER_PAGE = 5.0


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtractionPool]:
    """A pool of two processes with a weakness (tests/producers/weak.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(weak.MEMORY_FILE, str(tmp_path_factory.mktemp("memory") / "once"))
        settings = ExtractionSettings(processes=PROCESSES, seconds_per_page=SECONDS_PER_PAGE)
        with ExtractionPool(settings, weak.load) as pool:
            yield pool


def text_of(pool: ExtractionPool, said: str) -> str:
    return pool.page(f"<p>The {said} was closed on Monday.</p>", url=None, charset=None, now=NOW).text


def refused(pool: ExtractionPool, said: str) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as error:
        text_of(pool, said)
    return error.value


def restarts() -> float:
    return metrics.extraction_restarts._value.get()


def test_many_threads_get_their_own_pages(pool: ExtractionPool) -> None:
    towns = [f"Town {number}" for number in range(40)]

    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda town: text_of(pool, town), towns))

    assert texts == [f"The {town} was closed on Monday." for town in towns]
    assert len(pool.process_ids) == PROCESSES


def test_pages_and_feeds_are_read_and_what_is_refused_costs_no_process() -> None:
    before = restarts()

    with ExtractionPool(ExtractionSettings(processes=1)) as pool:
        page = pool.page(PAGE, url="https://a.example/1", charset="utf-8", now=NOW)
        with pytest.raises(InvalidRecord) as error:
            pool.page(b"%PDF-1.7", url=None, charset=None, now=NOW)
        feed = pool.feed(FEED, url="https://a.example/feed", content_type="text/xml", charset=None, now=NOW)

    assert (page.url, page.title, page.text) == ("https://a.example/1", "Wall closed", "The wall was closed.")
    assert [entry.title for entry in feed.entries] == ["Wall closed"]
    assert (error.value.reason, "a PDF" in error.value.detail) == (Reason.NO_TEXT, True)
    assert restarts() == before


@pytest.mark.parametrize(
    ("culprit", "why", "lost"),
    [
        ("HANG", "The document held up an extraction process for 5 s.", 1),
        ("POISON", "ended an extraction process 2 times (it died)", 2),
        ("GREED", "2 times (MemoryError", 2),
    ],
)
def test_a_page_that_ends_its_process_is_poison_and_its_neighbours_are_unharmed(
    pool: ExtractionPool, culprit: str, why: str, lost: int
) -> None:
    before = restarts()

    with ThreadPoolExecutor(4) as threads:
        poisoned = threads.submit(refused, pool, culprit)
        texts = list(threads.map(lambda town: text_of(pool, town), ["harbour"] * 10))

    assert texts == ["The harbour was closed on Monday."] * 10
    assert poisoned.result().reason == Reason.POISON
    assert why in poisoned.result().detail
    assert restarts() - before == lost


def test_a_death_that_does_not_come_again_blames_no_page(pool: ExtractionPool) -> None:
    assert text_of(pool, "ONCE") == "The ONCE was closed on Monday."


def test_a_process_that_is_killed_from_outside_is_replaced(pool: ExtractionPool) -> None:
    text_of(pool, "harbour")
    killed = pool.process_ids[0]
    os.kill(killed, signal.SIGKILL)

    deadline = time.monotonic() + 60
    with ThreadPoolExecutor(PROCESSES) as threads:
        while killed in pool.process_ids:  # until somebody asks it: the others may be quicker
            assert time.monotonic() < deadline
            texts = list(threads.map(lambda town: text_of(pool, town), ["harbour"] * 4))

            assert texts == ["The harbour was closed on Monday."] * 4


def test_a_fresh_process_takes_over_after_so_many_documents(
    pool: ExtractionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "DOCUMENTS_A_PROCESS", 3)
    text_of(pool, "harbour")
    before, first = restarts(), set(pool.process_ids)

    for _ in range(4):
        text_of(pool, "harbour")

    assert first - set(pool.process_ids)
    assert restarts() == before


def test_no_process_is_started_before_it_is_needed_and_none_is_left_behind() -> None:
    with ExtractionPool(ExtractionSettings(processes=PROCESSES, seconds_per_page=60), weak.load) as pool:
        assert pool.process_ids == []
        text_of(pool, "harbour")
        (process_id,) = pool.process_ids
        process = psutil.Process(process_id)
        ended: list[BaseException] = []

        def hang() -> None:
            try:
                text_of(pool, "HANG")
            except Stop as error:
                ended.append(error)

        thread = threading.Thread(target=hang)
        thread.start()

    thread.join(30)
    assert not thread.is_alive()
    assert "closed" in str(ended[0])
    assert psutil.wait_procs([process], timeout=30)[1] == []
