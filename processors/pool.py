"""Articles -> outcomes in processes that have the models; one that hangs or kills its process is found and set apart.

Each process has a thread of the worker that speaks to it through a pipe, so that what goes wrong concerns one process
and the few articles it has in work: those are tried again one by one, and only the culprit is left out.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, Final, TypeVar

from pipeline import logs, metrics
from pipeline.errors import InvalidRecord, Reason, SettingError, Stop
from pipeline.records import Enrichment
from pipeline.settings import NlpSettings
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
#: A process of the fork server has its models at once; where that died, they are loaded again first.
LOAD_SECONDS: Final = 60.0
LOADS: Final = 3
PAUSE_SECONDS: Final = 1.0
TRIES: Final = 2
#: Time passes in steps, so that a machine that stood still for an hour has used up one of them.
_STEP_SECONDS: Final = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = Callable[[Any, Sequence[Item]], list[Result]]


class _Lost(Exception):
    """The process did not do it: it died, hung or said what went wrong."""


class _TooSlow(_Lost):
    """The time was over."""


class NlpPool:
    """One process a core, made by a fork server that has the models loaded; nothing waits on the event loop.

    Raises SettingError for models that are not there, or damaged.
    """

    def __init__(self, settings: NlpSettings, load: child.Load = child.load) -> None:
        provenance.of(settings)
        context = forkserver.start(settings)
        count = settings.processes or len(os.sched_getaffinity(0))
        self._seconds = settings.seconds_per_article
        self._processes = [_Process(context, load, settings) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="nlp")
        self._idle: asyncio.Queue[_Process] = asyncio.Queue()
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
            raise SettingError("NEWS_NLP__*: no process could load the models; their own words stand above.") from error

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
            with suppress(_Lost):
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
            except _TooSlow:
                return InvalidRecord(
                    Reason.POISON, f"The text held up an NLP process for {seconds:.0f} s; it is stored without names."
                )
            except _Lost as error:
                why = str(error)
        return InvalidRecord(
            Reason.POISON, f"The text ended an NLP process {TRIES} times ({why}); it is stored without names."
        )

    async def _try(self, task: Task[Item, Result], items: Sequence[Item], seconds: float) -> list[Result]:
        process = await self._idle.get()
        try:
            work = asyncio.get_running_loop().run_in_executor(self._threads, process.do, task, items, seconds)
            results: list[Result] = await work
            return results
        except _Lost as error:
            metrics.pool_restarts.inc()
            log.warning("an NLP process died or hung", articles=len(items), why=str(error))
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


class _Process:
    """A process with the models, for a thread that waits for it; the next one takes its place when it is lost."""

    _making = threading.Lock()  # multiprocessing counts its children in a set

    def __init__(self, context: ForkServerContext, load: child.Load, settings: NlpSettings) -> None:
        self._context = context
        self._load = load
        self._settings = settings
        self._lock = threading.Lock()
        self._process: ForkServerProcess | None = None
        self._connection: Connection | None = None
        self._articles = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def do(self, task: Task[Item, Result], items: Sequence[Item], seconds: float) -> list[Result]:
        """Have it done within `seconds`, loading not counted. Raises _Lost; Stop where nothing can be loaded."""
        with self._lock:
            connection = self._loaded()
            self._articles += len(items)
            try:
                connection.send((task, items))
                results: list[Result] = _receive(connection, seconds)
            except (EOFError, OSError):
                self._end()
                raise _Lost("it died") from None
            except _Lost:
                self._end()
                raise
            return results

    def load(self) -> None:
        """Have the process with its models. Raises Stop where that fails three times."""
        with self._lock:
            self._loaded()

    def _loaded(self) -> Connection:
        if self._articles >= ARTICLES_A_PROCESS:
            self._end()
        if self._connection is not None:
            return self._connection
        for _ in range(LOADS):
            try:
                return self._fresh()
            except (_Lost, EOFError, OSError) as error:
                if self._closed:
                    break
                log.warning("an NLP process could not load its models", why=str(error) or repr(error))
                self._end()
                time.sleep(PAUSE_SECONDS)  # a fork server that died refuses, until the system has buried it
        raise Stop("No NLP process can load its models; its own words stand above.")

    def _fresh(self) -> Connection:
        if self._closed:
            raise _Lost("the pool is closed")
        self._connection, theirs = self._context.Pipe()
        with theirs:
            process = self._context.Process(target=child.main, args=(theirs, self._load, self._settings), daemon=True)
            with self._making:
                process.start()
            self._process, self._articles = process, 0
        _receive(self._connection, LOAD_SECONDS)
        return self._connection

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        if connection is not None:
            connection.close()
        if process is not None:
            _kill(process)
            process.join(LOAD_SECONDS)
            with suppress(ValueError):  # it takes no end: a disk that does not answer
                process.close()

    def close(self) -> None:
        """End it now, whatever it has in work; the thread that waits for it finds it dead."""
        self._closed = True
        if self._process is not None:
            _kill(self._process)


def _kill(process: ForkServerProcess) -> None:
    """By its id: multiprocessing takes a process for dead whose fork server died."""
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _receive(connection: Connection, seconds: float) -> Any:
    """The answer of a process. Raises _TooSlow when there is none in time, _Lost when it says what went wrong."""
    left, step = seconds, min(_STEP_SECONDS, seconds)
    while not connection.poll(step):
        left -= step
        if left <= 0:
            raise _TooSlow(f"no answer for {seconds:.0f} s")
    went_well, answer = connection.recv()
    if not went_well:
        log.error("an NLP process failed", traceback=answer)
        raise _Lost(answer.strip().splitlines()[-1][:200])
    return answer
