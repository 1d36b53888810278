import asyncio
import os
import signal
import time
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from pipeline import metrics
from pipeline.errors import InvalidRecord, Reason, SettingError
from pipeline.records import Enrichment
from pipeline.settings import NlpSettings
from processors import pool
from processors.nlp import Work
from processors.pool import NlpPool
from tests.processors import poison


def work(text: str) -> Work:
    return Work("", text, (), "en", ())


def restarts() -> float:
    return metrics.pool_restarts._value.get()


def names_in(outcomes: list[Enrichment | InvalidRecord]) -> list[str | None]:
    """The first name in each enrichment; None where the models could not take the text."""
    return [outcome.entities[0].name if isinstance(outcome, Enrichment) else None for outcome in outcomes]


async def names_of(some_pool: NlpPool, *texts: str) -> list[str | None]:
    return names_in(await some_pool.enrich([work(text) for text in texts]))


TOWNS = ["Oslo", "Bergen", "Paris", "London", "Madrid"]
BATCH = [work(f"They met in {town} on Monday.") for town in TOWNS * 8]


async def test_enrichments_come_back_in_the_order_of_their_articles(weak_pool: NlpPool) -> None:
    assert names_in(await weak_pool.enrich(BATCH)) == TOWNS * 8


async def test_fresh_processes_take_over_one_by_one_and_no_article_waits(
    weak_pool: NlpPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ARTICLES_A_PROCESS", 20)
    first = set(weak_pool.process_ids)
    before = restarts()

    for _ in range(3):
        assert names_in(await weak_pool.enrich(BATCH)) == TOWNS * 8

    assert not first & set(weak_pool.process_ids), "the first processes are gone"
    assert restarts() == before, "and nothing had happened to them"


async def test_two_batches_at_once_do_not_disturb_each_other(weak_pool: NlpPool) -> None:
    poisoned = [*BATCH[:20], work("POISON"), *BATCH[20:]]

    one, other = await asyncio.gather(weak_pool.enrich(BATCH), weak_pool.enrich(poisoned))

    assert names_in(one) == TOWNS * 8
    assert names_in(other) == [*(TOWNS * 4), None, *(TOWNS * 4)]


async def test_no_articles_need_no_process(weak_pool: NlpPool) -> None:
    assert await weak_pool.enrich([]) == []


@pytest.mark.parametrize(
    ("culprit", "why", "at_most"),
    [
        ("POISON", "ended an NLP process 2 times (it died)", 3),
        ("HANG", "held up an NLP process for 2 s", 2),
        ("GREED", "MemoryError: Unable to allocate", 3),
        ("BUG", "ended an NLP process 2 times (IndexError: list index out of range)", 3),
    ],
)
async def test_a_text_that_ends_its_process_is_set_apart_and_its_neighbours_are_enriched(
    weak_pool: NlpPool, culprit: str, why: str, at_most: int
) -> None:
    before, began = restarts(), time.monotonic()

    outcomes = await weak_pool.enrich([*BATCH[:17], work(culprit), *BATCH[17:]])

    assert names_in(outcomes) == [*(TOWNS * 8)[:17], None, *(TOWNS * 8)[17:]]
    poisoned = outcomes[17]
    assert isinstance(poisoned, InvalidRecord)
    assert poisoned.reason == Reason.POISON
    assert why in poisoned.detail
    assert 1 <= restarts() - before <= at_most
    assert time.monotonic() - began < 60, "nobody waits for the time that loading may take"
    assert await names_of(weak_pool, "They met in Madrid.") == ["Madrid"], "and life goes on"


async def test_two_culprits_in_one_batch_are_both_set_apart(weak_pool: NlpPool) -> None:
    before = restarts()

    found = await names_of(
        weak_pool, "In Oslo.", "POISON", "They met in Bergen.", "HANG", "POISON", "They met in Paris."
    )

    assert found[1:] == [None, "Bergen", None, None, "Paris"]
    assert restarts() - before <= 6


async def test_a_culprit_that_is_alone_is_found_too(weak_pool: NlpPool) -> None:
    before = restarts()

    assert await names_of(weak_pool, "POISON") == [None]
    assert restarts() - before == 2


async def test_a_hanging_text_holds_up_no_other_process(weak_pool: NlpPool) -> None:
    hanging = asyncio.ensure_future(weak_pool.enrich([work("HANG")]))
    began = time.monotonic()

    assert names_in(await weak_pool.enrich(BATCH)) == TOWNS * 8

    assert time.monotonic() - began < pool.CHUNK_SECONDS
    assert names_in(await hanging) == [None]


async def test_a_death_that_does_not_come_again_blames_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the machine is short of memory for a moment, and kills whom it likes."""
    monkeypatch.setenv(poison.MEMORY_FILE, str(tmp_path / "once"))
    forkserver._forkserver._stop()  # its children have the environment that it was started with
    weak = NlpPool(NlpSettings(processes=1, seconds_per_article=30), poison.load)

    assert await names_of(weak, "ONCE in Oslo.", "They met in Bergen.") == ["Oslo", "Bergen"]
    weak.close()


async def test_a_process_that_is_killed_from_outside_is_replaced_and_blames_no_article(weak_pool: NlpPool) -> None:
    before = restarts()
    killed = weak_pool.process_ids[0]
    os.kill(killed, signal.SIGKILL)

    assert await names_of(weak_pool, *(f"They met in {town} on Monday." for town in TOWNS)) == TOWNS

    assert restarts() - before == 1
    assert killed not in weak_pool.process_ids


async def test_the_death_of_the_fork_server_costs_no_article(weak_pool: NlpPool) -> None:
    server = forkserver._forkserver._forkserver_pid
    assert server is not None
    os.kill(server, signal.SIGKILL)

    assert names_in(await weak_pool.enrich(BATCH)) == TOWNS * 8, "its children do not need it"

    for child_id in weak_pool.process_ids:
        os.kill(child_id, signal.SIGKILL)
    assert names_in(await weak_pool.enrich(BATCH)) == TOWNS * 8, "and the next ones come of a new one"
    assert forkserver._forkserver._forkserver_pid != server


async def test_the_event_loop_goes_on_while_a_new_fork_server_loads_its_models(weak_pool: NlpPool) -> None:
    server = forkserver._forkserver._forkserver_pid
    assert server is not None
    for process_id in (server, *weak_pool.process_ids):
        os.kill(process_id, signal.SIGKILL)

    work_in_hand = asyncio.ensure_future(weak_pool.enrich(BATCH))
    longest, last = 0.0, time.monotonic()
    while not work_in_hand.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()

    assert names_in(await work_in_hand) == TOWNS * 8
    assert longest < 0.5, "loading takes seconds, on another thread"


async def test_a_pool_whose_models_cannot_be_loaded_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    broken = NlpPool(NlpSettings(processes=1, seconds_per_article=1), poison.load_nothing)
    broken.start()

    with pytest.raises(SettingError, match=r"the models cannot be loaded.*no weights"):
        await broken.is_warm()
    broken.close()


async def test_a_closed_pool_leaves_no_process_behind(weak_pool: NlpPool) -> None:
    children = [psutil.Process(pid) for pid in weak_pool.process_ids]
    hanging = asyncio.ensure_future(weak_pool.enrich([work("HANG")]))
    await asyncio.sleep(0)

    weak_pool.close()

    gone, alive = psutil.wait_procs(children, timeout=30)
    assert (len(gone), alive) == (len(children), [])
    hanging.cancel()


def test_a_pool_of_a_model_that_is_not_there_is_not_made() -> None:
    with pytest.raises(SettingError, match="NEWS_NLP__MODEL"):
        NlpPool(NlpSettings(models={"en": "no_such_model"}))


@pytest.mark.parametrize(
    ("characters", "processes", "pieces"),
    [
        ([], 2, []),
        ([3000], 2, [1]),
        ([3000, 3000], 2, [1, 1]),
        ([3000] * 32, 2, [8, 6, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1]),
        ([10] * 200, 2, [16, 16, 16, 16, 16, 16, 16, 16, 16, 14, 10, 8, 6, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1]),
        ([3000, 1_000_000, 3000, 3000], 2, [1, 1, 1, 1]),
        ([1_000_000] * 3, 1, [1, 1, 1]),
        ([3000] * 6, 1, [3, 1, 1, 1]),
    ],
)
def test_pieces_are_smaller_towards_the_end_and_a_long_text_has_a_piece_of_its_own(
    characters: list[int], processes: int, pieces: list[int]
) -> None:
    found = list(pool.chunked(characters, processes))

    assert [piece.stop - piece.start for piece in found] == pieces
    assert [i for piece in found for i in range(piece.start, piece.stop)] == list(range(len(characters)))


def test_a_text_may_take_two_gigabytes() -> None:
    assert pool.WORK_BYTES == 2 * 1024**3
