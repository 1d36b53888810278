"""Feeds and pages -> what they say, in processes: one that a stranger's document hangs or kills costs only itself.

The processes are spawned and not forked: these threads share their process with fetching, sending and, in
`news process`, with the fork server of the models, and each Python process has only one of those.
"""

import multiprocessing
import os
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from pipeline import logs, metrics, topics, workers
from pipeline.child import Load
from pipeline.errors import InvalidRecord, Reason
from pipeline.settings import ExtractionSettings
from producers.formats.page import Page

if TYPE_CHECKING:
    from producers.formats.feeds import Feed

log = logs.get(__name__)

#: Documents after which a fresh process takes the place of an old one: memory grows slowly in what they go through.
DOCUMENTS_A_PROCESS: Final = 2000
#: What one document may take beside what is loaded: twenty times the largest page.
WORK_BYTES: Final = 1024 * topics.MIB
#: The slowest that a large document may pass, on a busy machine.
CHARACTERS_A_SECOND: Final = 500_000
#: A process may die of something else, once.
TRIES: Final = 2
_NAME: Final = "an extraction process"


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a document gives nothing. (An InvalidRecord does not survive the way between processes.)"""

    reason: Reason
    detail: str


class ExtractionPool:
    """Safe to use from many threads at once; each waits for its answer. Processes are started when they are needed."""

    def __init__(self, settings: ExtractionSettings, load: Load | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        kind = workers.Kind(_NAME, context, load or _load, settings, WORK_BYTES, "NEWS_EXTRACTION__PROCESSES")
        self._seconds = settings.seconds_per_page
        self._processes = [workers.Worker(kind) for _ in range(settings.processes or len(os.sched_getaffinity(0)))]
        # The one that was used last comes first: where little is to do, few processes are there.
        self._idle: queue.LifoQueue[workers.Worker] = queue.LifoQueue()
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self.close()

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that run now."""
        return [process.pid for process in self._processes if process.pid is not None]

    def page(self, html: bytes | str, *, url: str | None, charset: str | None, now: datetime) -> Page:
        """The article of a page, as pages.extract has it. Raises InvalidRecord, `poison` included; Stop."""
        page: Page = self._done(_page, (html, url, charset, now), len(html))
        return page

    def feed(self, body: bytes, *, url: str, content_type: str | None, charset: str | None, now: datetime) -> "Feed":
        """The entries of a feed, as feeds.parse has them. Raises InvalidRecord, `poison` included; Stop."""
        feed: Feed = self._done(_feed, (body, url, content_type, charset, now), len(body))
        return feed

    def _done(self, task: workers.Task[Any, Any], document: tuple[Any, ...], characters: int) -> Any:
        seconds = self._seconds + characters / CHARACTERS_A_SECOND
        for _ in range(TRIES):
            process = self._idle.get()
            try:
                (made,) = process.do(task, [document], seconds, most_items=DOCUMENTS_A_PROCESS)
            except workers.Lost as error:
                metrics.extraction_restarts.inc()
                log.warning(f"{_NAME} died or hung", characters=characters, why=str(error))
                if isinstance(error, workers.TooSlow):
                    raise InvalidRecord(Reason.POISON, f"The document held up {_NAME} for {seconds:.0f} s.") from None
                why = str(error)
            else:
                if isinstance(made, _Refused):
                    raise InvalidRecord(made.reason, made.detail)
                return made
            finally:
                self._idle.put(process)
        raise InvalidRecord(Reason.POISON, f"The document ended {_NAME} {TRIES} times ({why}).")

    def close(self) -> None:
        """End the processes, the hanging ones too; whoever waits for one is told that the pool is closed."""
        for process in self._processes:
            process.close()


# What runs in the processes.


def _load(_settings: ExtractionSettings) -> None:
    """Import what the tasks need: it takes a second, which is no part of a document's time."""
    from producers.formats import feeds, pages  # noqa: F401


def _page(_: None, documents: Sequence[tuple[bytes | str, str | None, str | None, datetime]]) -> list[Any]:
    from producers.formats import pages

    def read(html: bytes | str, url: str | None, charset: str | None, now: datetime) -> Any:
        return pages.extract(html, url=url, charset=charset, now=now)

    return [_made(read, *document) for document in documents]


def _feed(_: None, documents: Sequence[tuple[bytes, str, str | None, str | None, datetime]]) -> list[Any]:
    from producers.formats import feeds

    def read(body: bytes, url: str, content_type: str | None, charset: str | None, now: datetime) -> Any:
        return feeds.parse(body, url=url, content_type=content_type, charset=charset, now=now)

    return [_made(read, *document) for document in documents]


def _made(read: Callable[..., Any], *document: Any) -> Any:
    try:
        return read(*document)
    except InvalidRecord as error:
        return _Refused(error.reason, error.detail)
