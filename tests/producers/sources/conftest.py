"""A scheduler that polls strangers."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline import topics
from pipeline.dead_letters import DeadLetter
from pipeline.records import Coordinates, RawArticle, SourceState
from producers.deliveries import Row
from producers.extraction import ExtractionPool
from producers.net.fetch import Fetcher
from producers.net.robots_of import Robots
from producers.sources.answers import Tools
from producers.sources.declared import Source
from producers.sources.feeds_file import FeedsFile
from producers.sources.scheduler import Scheduler
from producers.sources.state import SourceStore, Standing
from producers.spool import Spool
from tests.strangers import Strangers

DEADLINE_SECONDS: Final = 30
MAX_BYTES: Final = 1024**3


class Polling:
    """A scheduler in a thread of its own, and what it has kept so far."""

    def __init__(self, folder: Path, strangers: Strangers, pool: ExtractionPool) -> None:
        self.folder = folder
        self.fetching: dict[str, Any] = {}
        self.max_bytes = MAX_BYTES
        self.threads = 4
        self._strangers = strangers
        self._pool = pool
        self.spool = Spool(folder, MAX_BYTES)
        self.store = SourceStore(self.spool)

    @contextmanager
    def of(self, sources: Sequence[Source] | FeedsFile) -> Iterator[None]:
        """Poll while the block runs; what ends the scheduler ends the test."""
        stop = threading.Event()

        def poll() -> None:
            settings = self._strangers.settings(**self.fetching)
            with Spool(self.folder, self.max_bytes) as spool, Fetcher(settings) as fetcher:
                tools = Tools(fetcher, Robots(fetcher, settings), self._pool, settings)
                Scheduler(spool, SourceStore(spool), tools, self.threads).run(sources, stop)

        with ThreadPoolExecutor(1) as executor:
            self._future = executor.submit(poll)
            try:
                yield
            finally:
                stop.set()
            self._future.result(DEADLINE_SECONDS)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if self._future.done():
                self._future.result()
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)

    def standing(self, name: str) -> Standing:
        found = self.store.get(name)
        assert found is not None
        return found

    def is_polled(self, name: str) -> bool:
        found = self.store.get(name)
        return found is not None and found.polled_at is not None

    def rows(self) -> list[Row]:
        return [spooled.row for spooled in self.spool.read_after(0, 10**6, 10**12)]

    def articles(self) -> list[RawArticle]:
        return [RawArticle.from_bytes(row.value) for row in self.rows() if row.topic == topics.RAW]

    def ids(self) -> list[str | None]:
        """The own ids of the articles, in their order."""
        return [article.source_item_id for article in self.articles()]

    def states(self, name: str) -> list[SourceState]:
        found = [SourceState.from_bytes(row.value) for row in self.rows() if row.topic == topics.SOURCES]
        return [state for state in found if state.name == name]

    def letters(self) -> list[DeadLetter]:
        nowhere = Coordinates(topic_id=self.rows()[0].delivery_id, partition=0, offset=0)
        return [
            DeadLetter.from_kafka(row.key, row.value, row.headers, nowhere)
            for row in self.rows()
            if row.topic == topics.DEAD_LETTER
        ]


@pytest.fixture
def polling(tmp_path: Path, strangers: Strangers, pool: ExtractionPool) -> Iterator[Polling]:
    polling = Polling(tmp_path / "spool", strangers, pool)
    yield polling
    polling.spool.close()
