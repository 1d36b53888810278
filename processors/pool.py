"""Articles -> outcomes in processes that have the models; one that hangs or kills its process is found and set apart.

Each process has a thread of the worker that speaks to it through a pipe, so that what goes wrong concerns one process
and the few articles it has in work: those are tried again one by one, and only the culprit is left out.
"""

import asyncio
import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from pipeline import logs, metrics, topics
from pipeline.child import Load
from pipeline.errors import InvalidRecord, Reason, SettingError, Stop
from pipeline.records import Enrichment
from pipeline.settings import NlpSettings
from pipeline.workers import Item, Kind, Lost, Result, Task, TooSlow, Worker
from processors import articles, child, forkserver, provenance
from processors.nlp import Work

log = logs.get(__name__)

#: Articles and characters a process takes at once: spaCy gains nothing by more, and few wait with a culprit.
CHUNK: Final = 16
CHUNK_CHARACTERS: Final = 100_000
#: A short text counts for so many characters: it costs more than its length.
LEAST_CHARACTERS: Final = 500
#: Articles after which a fresh process takes the place of an old one: spaCy's memory grows slowly.
ARTICLES_A_PROCESS: Final = 2000
#: The slowest that a text may pass through the models, on a busy machine.
CHARACTERS_A_SECOND: Final = 10_000
#: Several articles together get no more time than this; then each has `seconds_per_article` alone.
CHUNK_SECONDS: Final = 10.0
#: What a process may take for the work itself, beside what the loaded models take: the memory bound of one text.
WORK_BYTES: Final = 2048 * topics.MIB
TRIES: Final = 2
_NAME: Final = "an NLP process"


class NlpPool:
    """One process a core, made by a fork server that has the models loaded; nothing waits on the event loop.

    Raises SettingError for models that are not there, or damaged.
    """

    def __init__(self, settings: NlpSettings, load: Load = child.load) -> None:
        provenance.of(settings)
        context = forkserver.start(settings)
        count = settings.processes or len(os.sched_getaffinity(0))
        self._seconds = settings.seconds_per_article
        kind = Kind(_NAME, context, load, settings, WORK_BYTES, "NEWS_NLP__PROCESSES")
        self._processes = [Worker(kind) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="nlp")
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        for process in self._processes:
            self._idle.put_nowait(process)
        self._warming: list[Future[None]] = []

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that run now."""
        return [process.pid for process in self._processes if process.pid is not None]

    def start(self) -> None:
        """Have the models loaded from now on, in the background; `is_warm` waits for them."""
        self._warming = [self._threads.submit(process.load) for process in self._processes]

    async def is_warm(self) -> None:
        """Come back when every process has its models. Raises SettingError where they cannot be loaded."""
        try:
            await asyncio.gather(*map(asyncio.wrap_future, self._warming))
        except Stop as error:
            raise SettingError(f"NEWS_NLP__*: the models cannot be loaded. {error}") from error

    async def enrich(self, works: Sequence[Work]) -> list[Enrichment | InvalidRecord]:
        """One enrichment for each text, or why the models cannot take it; in order."""
        return await self.map(_enrich, works, [len(work.text) for work in works])

    async def map(
        self, task: Task[Item, Result], items: Sequence[Item], characters: Sequence[int]
    ) -> list[Result | InvalidRecord]:
        """`task(models, some of the items)` in the processes: a result for each, or that it is poison; in order.

        Safe to call while another call is at work. Raises Stop where no process can load its models.
        """
        chunks = chunked(characters, len(self._processes))
        work = [self._chunk(task, items[chunk], characters[chunk]) for chunk in chunks]
        done = await asyncio.gather(*work)
        return [result for results in done for result in results]

    async def _chunk(
        self, task: Task[Item, Result], items: Sequence[Item], characters: Sequence[int]
    ) -> list[Result | InvalidRecord]:
        if len(items) > 1:
            with suppress(Lost):
                seconds = min(self._seconds, CHUNK_SECONDS) + sum(characters) / CHARACTERS_A_SECOND
                results = await self._try(task, items, seconds)
                return [*results]
        outcomes: list[Result | InvalidRecord] = []
        for item, size in zip(items, characters, strict=True):
            outcome = await self._alone(task, item, size)
            outcomes.append(outcome)
        return outcomes

    async def _alone(self, task: Task[Item, Result], item: Item, characters: int) -> Result | InvalidRecord:
        """Try one article until it is clear whose fault it is: a process may die of something else, once."""
        seconds = self._seconds + characters / CHARACTERS_A_SECOND
        for _ in range(TRIES):
            try:
                (result,) = await self._try(task, [item], seconds)
                return result
            except TooSlow:
                return InvalidRecord(
                    Reason.POISON, f"The text held up {_NAME} for {seconds:.0f} s; it is stored without names."
                )
            except Lost as error:
                why = str(error)
        return InvalidRecord(
            Reason.POISON, f"The text ended {_NAME} {TRIES} times ({why}); it is stored without names."
        )

    async def _try(self, task: Task[Item, Result], items: Sequence[Item], seconds: float) -> list[Result]:
        process = await self._idle.get()
        try:
            do = functools.partial(process.do, task, items, seconds, most_items=ARTICLES_A_PROCESS)
            return await asyncio.get_running_loop().run_in_executor(self._threads, do)
        except Lost as error:
            metrics.pool_restarts.inc()
            log.warning(f"{_NAME} died or hung", articles=len(items), why=str(error))
            raise
        finally:
            self._idle.put_nowait(process)

    def close(self) -> None:
        """End the processes, the hanging ones too."""
        for process in self._processes:
            process.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _enrich(models: articles.Enricher, works: Sequence[Work]) -> list[Enrichment]:
    return models.enrich(works)


def chunked(characters: Sequence[int], processes: int) -> Iterator[slice]:
    """The pieces in which so many processes take these articles: smaller towards the end, so that all end together."""
    weights = [max(size, LEAST_CHARACTERS) for size in characters]
    left, begin = sum(weights), 0
    while begin < len(weights):
        goal = min(CHUNK_CHARACTERS, left / (2 * processes))
        end, weight = begin + 1, weights[begin]
        while end < min(begin + CHUNK, len(weights)) and weight + weights[end] <= goal:
            weight += weights[end]
            end += 1
        yield slice(begin, end)
        begin, left = end, left - weight
