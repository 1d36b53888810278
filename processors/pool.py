"""Articles -> enrichments in a pool of processes, with a document that hangs or kills one found and set apart."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from pipeline import logs, metrics
from pipeline.errors import InvalidRecord, Reason, SettingError
from pipeline.records import Enrichment
from processors import child, forkserver
from processors.nlp import Work

log = logs.get(__name__)

#: Articles a task: small enough that the last task of a batch keeps nobody waiting.
CHUNK: Final = 8
#: Articles after which fresh processes take the place of the old ones: spaCy's memory grows slowly.
ARTICLES_A_GENERATION: Final = 4000
#: The slowest that a text may pass through the models, on a busy machine.
CHARACTERS_A_SECOND: Final = 10_000
#: Loading the models takes a part of the first task's time.
LOAD_SECONDS: Final = 60.0


class NlpPool:
    """One process a core, made by a fork server that has the models loaded; never on the event loop."""

    def __init__(self, model: str, processes: int | None, seconds_per_article: float) -> None:
        self._model = model
        self._processes = processes or len(os.sched_getaffinity(0))
        self._seconds = seconds_per_article
        self._context = forkserver.start(model)
        self._executor = self._fresh()
        self._articles = 0
        self._warming: list[Future[list[Enrichment]]] = []

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processes,
            mp_context=self._context,
            initializer=child.load_once,
            initargs=(self._model,),
            # Not max_tasks_per_child: when all children reach it in one batch none follows (CPython gh-115634).
        )

    def start(self) -> None:
        """Have the models loaded from now on, in the background; `is_warm` waits for them."""
        self._warming = [self._executor.submit(child.enrich, []) for _ in range(self._processes)]

    async def is_warm(self) -> None:
        """Come back when every process has its models. Raises SettingError where they cannot be loaded."""
        try:
            await asyncio.gather(*map(asyncio.wrap_future, self._warming))
        except BrokenProcessPool as error:
            raise SettingError(
                f"NEWS_NLP__MODEL: no process could load {self._model!r}; its own words stand above."
            ) from error

    async def enrich(self, works: Sequence[Work]) -> list[Enrichment | InvalidRecord]:
        """One enrichment for each article, or why the models cannot take it; in order.

        When a process dies or hangs, what was in work is tried again one by one, so that only the culprit is set apart.
        """
        if self._articles >= ARTICLES_A_GENERATION:
            self._next_generation()
        self._articles += len(works)
        size = max(1, min(CHUNK, -(-len(works) // self._processes)))
        chunks = [works[i : i + size] for i in range(0, len(works), size)]
        outcomes = await asyncio.gather(*(self._try(chunk) for chunk in chunks))
        if any(outcome is None for outcome in outcomes):
            self._renew()
        results: list[Enrichment | InvalidRecord] = []
        for chunk, outcome in zip(chunks, outcomes, strict=True):
            results += outcome if outcome is not None else [await self._alone(work) for work in chunk]
        return results

    async def _alone(self, work: Work) -> Enrichment | InvalidRecord:
        for _ in range(2):
            outcome = await self._try([work])
            if outcome is not None:
                return outcome[0]
            self._renew()
        return InvalidRecord(
            Reason.POISON, "The text ended or held up an NLP process twice; it is stored without entities."
        )

    async def _try(self, works: Sequence[Work]) -> list[Enrichment] | None:
        """The enrichments, or None when the process died or took too long."""
        try:
            characters = sum(len(work.text) for work in works)
            limit = LOAD_SECONDS + self._seconds + characters / CHARACTERS_A_SECOND
            return await asyncio.wait_for(self._run(works), limit)
        except (BrokenProcessPool, TimeoutError) as error:
            log.warning("an NLP process died or hung", articles=len(works), error=repr(error))
            return None

    async def _run(self, works: Sequence[Work]) -> list[Enrichment]:
        return await asyncio.get_running_loop().run_in_executor(self._executor, child.enrich, works)

    def _next_generation(self) -> None:
        """Let fresh processes take over; nothing is in work, so the old ones end by themselves."""
        self._executor.shutdown(wait=False)
        self._executor, self._articles = self._fresh(), 0

    def _renew(self) -> None:
        metrics.pool_restarts.inc()
        self.close()
        self._executor = self._fresh()

    def close(self) -> None:
        """End the processes, the hanging ones too."""
        children = list((self._executor._processes or {}).values())  # no public way before Python 3.14
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in children:
            process.kill()
