import os
import signal

import psutil
import pytest

from pipeline import metrics
from pipeline.errors import InvalidRecord, Reason, SettingError
from pipeline.records import Enrichment
from processors import pool
from processors.nlp import Work
from processors.pool import NlpPool


def work(text: str) -> Work:
    return Work("", text, (), "en", ())


def restarts() -> float:
    return metrics.pool_restarts._value.get()


def names_in(outcomes: list[Enrichment | InvalidRecord]) -> list[str | None]:
    """The first name in each enrichment; None where the models could not take the text."""
    return [outcome.entities[0].name if isinstance(outcome, Enrichment) else None for outcome in outcomes]


TOWNS = ["Oslo", "Bergen", "Paris", "London", "Madrid"]


async def test_enrichments_come_back_in_the_order_of_their_articles(weak_pool: NlpPool) -> None:
    towns = TOWNS * 8

    outcomes = await weak_pool.enrich([work(f"They met in {town} on Monday.") for town in towns])

    assert names_in(outcomes) == towns


async def test_fresh_processes_take_over_between_batches_and_no_article_waits(
    weak_pool: NlpPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All children come to their limit at once here, which stood still with max_tasks_per_child (CPython gh-115634)."""
    monkeypatch.setattr(pool, "ARTICLES_A_GENERATION", 40)
    first = set(weak_pool._executor._processes)
    batch = [work(f"They met in {town} on Monday.") for town in TOWNS * 8]

    for _ in range(3):
        assert names_in(await weak_pool.enrich(batch)) == TOWNS * 8

    assert not first & set(weak_pool._executor._processes), "the first processes are gone"


async def test_no_articles_need_no_process(weak_pool: NlpPool) -> None:
    assert await weak_pool.enrich([]) == []


async def test_a_text_that_kills_its_process_is_set_apart_and_its_neighbours_are_enriched(weak_pool: NlpPool) -> None:
    texts = ["They met in Oslo.", "They met in Bergen.", "POISON", "They met in Paris.", "They met in London."]

    outcomes = await weak_pool.enrich([work(text) for text in texts])

    assert names_in(outcomes) == ["Oslo", "Bergen", None, "Paris", "London"]
    poisoned = outcomes[2]
    assert isinstance(poisoned, InvalidRecord)
    assert poisoned.reason == Reason.POISON
    assert names_in(await weak_pool.enrich([work("They met in Madrid.")])) == ["Madrid"], "and life goes on"


async def test_a_text_that_hangs_is_set_apart_and_its_neighbour_is_enriched(
    weak_pool: NlpPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOAD_SECONDS", 0.0)

    outcomes = await weak_pool.enrich([work("HANG"), work("They met in Oslo.")])

    assert names_in(outcomes) == [None, "Oslo"]


async def test_a_process_that_is_killed_from_outside_is_replaced_and_blames_no_article(weak_pool: NlpPool) -> None:
    before = restarts()
    killed = next(iter(weak_pool._executor._processes))
    os.kill(killed, signal.SIGKILL)

    outcomes = await weak_pool.enrich([work(f"They met in {town} on Monday.") for town in TOWNS])

    assert names_in(outcomes) == TOWNS
    assert restarts() - before == 1
    assert killed not in weak_pool._executor._processes


async def test_a_closed_pool_leaves_no_process_behind(weak_pool: NlpPool) -> None:
    children = [psutil.Process(pid) for pid in weak_pool._executor._processes]

    weak_pool.close()

    gone, alive = psutil.wait_procs(children, timeout=30)
    assert (len(gone), alive) == (len(children), [])


def test_a_pool_of_a_model_that_is_not_there_is_not_made() -> None:
    with pytest.raises(SettingError, match="NEWS_NLP__MODEL"):
        NlpPool("no_such_model", 1, 1.0)
