"""The asynchronous side of producers/ingest: each kind of work has its own threads, so that none holds up the loop."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from ops.web.problems import Problem
from pipeline.errors import Unavailable
from pipeline.settings import Settings
from producers import sender
from producers.deliveries import Row
from producers.extraction import ExtractionPool
from producers.formats.page import Extract
from producers.ingest import articles
from producers.ingest.acknowledgements import Acknowledgements
from producers.ingest.articles import Accepted, Refused
from producers.ingest.intake import Intake, Kept, Once, OtherRequest
from producers.ingest.keys import ApiKey, KeyStore
from producers.ingest.quotas import Quotas
from producers.spool import Spool

#: Bodies that are held at the same time, together, in multiples of the largest one.
BODIES_AT_ONCE: Final = 4
READING_THREADS: Final = 2
#: Each waits for a process of the extraction pool.
PAGE_THREADS: Final = 8
#: Of one array; a stream has so many in work at once.
MAX_PAGES: Final = 20
#: Of all requests, in work or waiting for one of the threads: an array beyond them is put off, a stream waits.
MAX_WAITING_PAGES: Final = 8 * MAX_PAGES
LOOK_SECONDS: Final = 0.1
#: A broker that takes nothing for so long although something waits is not ready.
STUCK_SECONDS: Final = 30.0
PROBE_SECONDS: Final = 1.0

Result = TypeVar("Result")
Results = list[Accepted | Refused]
Whole = Callable[[Coroutine[Any, Any, Results]], Awaitable[Results]]
"""Waits for results as long as there is somebody who waits for the answer, and gives the work up then."""


class _IsPage(Exception):
    """The text of the article stands in a page."""


def _put_off(html: bytes | str, *, url: str | None, charset: str | None, now: datetime) -> NoReturn:
    raise _IsPage


class Desk:
    """Where articles are handed in. Made by `opened`; its methods belong to the event loop."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        bootstrap_servers: str,
        acknowledgements: Acknowledgements,
        closing: threading.Event,
        stack: ExitStack,
    ) -> None:
        self.settings = settings.web
        self._closing = closing
        self.acknowledgements = acknowledgements
        self._spool = spool
        self._bootstrap_servers = bootstrap_servers
        self._requests = self._body_bytes = self._pages = 0
        self._claimed: set[tuple[str, str]] = set()
        self._quotas = Quotas()
        self._readers = stack.enter_context(ThreadPoolExecutor(READING_THREADS, "reading"))
        self._page_readers = stack.enter_context(ThreadPoolExecutor(PAGE_THREADS, "pages"))
        self._keeper = stack.enter_context(ThreadPoolExecutor(1, "keeping"))
        self._doorman = stack.enter_context(ThreadPoolExecutor(1, "keys"))
        # SQLite asks that each thread opens its own.
        own = self._keeper.submit(spool.another).result()
        stack.callback(lambda: self._keeper.submit(own.close).result())
        self._intake = Intake(own)
        self._keys = self._doorman.submit(KeyStore, settings.data_dir).result()
        stack.callback(lambda: self._doorman.submit(self._keys.close).result())
        self._extract = stack.enter_context(ExtractionPool(settings.extraction)).page
        self._looked_at = float("-inf")
        self._findings: dict[str, str] = {}
        self._look = asyncio.Lock()

    async def whose(self, key: str) -> ApiKey | None:
        """Whose key this is."""
        return await _in(self._doorman, lambda: self._keys.find(key))

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request that feeds. Raises Problem `busy` where too many do, or the spool is nearly full."""
        if self._requests >= self.settings.max_requests:
            raise Problem("busy", f"{self._requests} requests are being worked on.", retry_after=1)
        self.require_room()
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    @contextmanager
    def room_for_body(self) -> Iterator[Callable[[int], None]]:
        """Gives what is to be called for each piece that is held. It raises Problem `busy` where too much is."""
        held = 0

        def add(length: int) -> None:
            nonlocal held
            if self._body_bytes + length > BODIES_AT_ONCE * self.settings.max_body_bytes:
                raise Problem("busy", "Too many large requests are being read.", retry_after=1)
            held += length
            self._body_bytes += length

        try:
            yield add
        finally:
            self._body_bytes -= held

    @property
    def has_room(self) -> bool:
        """Whether the spool takes more."""
        return self.acknowledgements.held.bytes <= self.settings.spool_share * self._spool.max_bytes

    def require_room(self) -> None:
        """Raise Problem `busy` where the spool is nearly full: a source waits, nothing is dropped."""
        if not self.has_room:
            held = self.acknowledgements.held
            raise Problem(
                "busy", f"{held.records:,} records wait for the broker; the spool is nearly full.", retry_after=10
            )

    def require_open(self) -> None:
        """Raise Problem `unavailable` where the server is being ended: a stream would go on for ever."""
        if self._closing.is_set():
            raise Problem("unavailable", "The server is being ended: go on behind what is answered.", retry_after=5)

    def quota(self, key: ApiKey, count: int) -> float | None:
        """Count articles of a key; None, or after how many seconds they may come."""
        return self._quotas.take(key.id, key.per_minute, count)

    @contextmanager
    def claim(self, once: Once | None) -> Iterator[None]:
        """Nobody else works on this request meanwhile. Raises Problem `in-progress`."""
        if once is None:
            yield
            return
        name = (once.owner, once.key)
        if name in self._claimed:
            raise Problem(
                "in-progress", "A request with this Idempotency-Key is being worked on at this moment.", retry_after=1
            )
        self._claimed.add(name)
        try:
            yield
        finally:
            self._claimed.discard(name)

    async def aside(self, work: Callable[[], Result]) -> Result:
        """What `work` gives, which takes long for some bodies, in a thread that reads."""
        return await _in(self._readers, work)

    async def read(self, texts: Sequence[bytes | None], key: ApiKey, whole: Whole | None = None) -> Results:
        """The articles in these texts, or why they are refused.

        `whole`: they are one request, which has so many pages at most and is put off where too many wait; raises
        Problem `refused`, `busy`. A piece of a stream waits.
        """

        def read(text: bytes | None, extract: Extract) -> Accepted | Refused:
            now = datetime.now(UTC)
            return articles.read(text, sources=key.sources, source=key.source, now=now, extract=extract)

        def read_but_pages() -> list[Accepted | Refused | None]:
            found: list[Accepted | Refused | None] = []
            for text in texts:
                try:
                    found.append(read(text, _put_off))
                except _IsPage:
                    found.append(None)
            return found

        async def read_pages() -> Results:
            done: Results = []
            for start in range(0, len(pages), MAX_PAGES):
                some = pages[start : start + MAX_PAGES]
                async with self._room_for_pages(len(some), is_put_off=whole is not None):
                    work = [_in(self._page_readers, partial(read, texts[i], self._extract)) for i in some]
                    done += await asyncio.gather(*work)
            return done

        found = await self.aside(read_but_pages)
        # Pages take a thousand times as long as texts: side by side, and in threads of their own.
        pages = [i for i, result in enumerate(found) if result is None]
        if whole is not None and len(pages) > MAX_PAGES:
            raise Problem(
                "refused",
                f"{len(pages):,} articles have html and no body; of those one array holds {MAX_PAGES} at most. Send it "
                "in parts, or as NDJSON.",
                field="html",
            )
        done: Results = []
        if pages:
            done = await (whole(read_pages()) if whole is not None else read_pages())
        of_pages = iter(done)
        return [next(of_pages) if result is None else result for result in found]

    @asynccontextmanager
    async def _room_for_pages(self, count: int, *, is_put_off: bool) -> AsyncIterator[None]:
        """Counts them while it is open. Raises Problem `busy`, or waits, where too many are in work."""
        while self._pages and self._pages + count > MAX_WAITING_PAGES:
            if is_put_off:
                raise Problem("busy", f"{self._pages} pages wait for their text to be taken.", retry_after=5)
            self.require_open()
            await asyncio.sleep(LOOK_SECONDS)
        self._pages += count
        try:
            yield
        finally:
            self._pages -= count

    async def find(self, once: Once) -> Kept | None:
        """What was kept of this request before. Raises Problem `other-request`."""
        return await self._kept(lambda: self._intake.find(once))

    async def keep(self, rows: Sequence[Row], answer: bytes = b"", once: Once | None = None) -> Kept:
        """Keep the rows on disk. Raises Problem `busy`, `other-request`."""
        kept = await self._kept(lambda: self._intake.keep(rows, answer, once))
        if kept is None:
            raise Problem("busy", "The spool is full: nothing of this was kept.", retry_after=10)
        return kept

    async def _kept(self, work: Callable[[], Kept | None]) -> Kept | None:
        try:
            return await _in(self._keeper, work)
        except OtherRequest:
            raise Problem(
                "other-request", "Idempotency-Key: it came before with another request.", field="Idempotency-Key"
            ) from None

    async def is_acknowledged(self, kept: Kept) -> bool:
        """Wait until the broker has what was kept; False if it does not within the setting."""
        try:
            await asyncio.wait_for(
                asyncio.wrap_future(self.acknowledgements.of(kept.seqs)), self.settings.acknowledge_seconds
            )
        except TimeoutError:
            return False
        return True

    async def findings(self) -> dict[str, str]:
        """What is not as it must be, by what it is: none if articles can be handed in. Asked for once a second."""
        async with self._look:
            if time.monotonic() - self._looked_at > PROBE_SECONDS:
                spool, broker = await asyncio.gather(
                    _in(self._keeper, self._look_at_spool), asyncio.to_thread(self._look_at_broker)
                )
                found = {"spool": spool, "broker": broker}
                self._findings = {name: said for name, said in found.items() if said is not None}
                self._looked_at = time.monotonic()
        return self._findings

    def _look_at_spool(self) -> str | None:
        try:
            self._intake.touch()
        except Unavailable as error:
            return str(error)
        return None if self.has_room else "It is nearly full: the broker does not take what is sent."

    def _look_at_broker(self) -> str | None:
        stuck = self.acknowledgements.stuck_seconds
        if stuck > STUCK_SECONDS:
            return f"Records wait, and it has acknowledged none for {stuck:.0f} s."
        if any(map(_answers, self._bootstrap_servers.split(","))):
            return None
        return f"Nothing listens at {self._bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS)."


async def _in(executor: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(executor, work)


def _answers(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def opened(settings: Settings, spool: Spool, bootstrap_servers: str, closing: threading.Event) -> Iterator[Desk]:
    """A desk with its threads and a sender, which takes its turn if another process sends.

    `closing` is set by the caller, and when one of the threads ends by itself: that is raised at the end of the block.
    """
    stop = threading.Event()
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(2, "spool"))
        stack.callback(stop.set)  # called before the executor waits for its threads
        acknowledgements = Acknowledgements(spool)

        def send() -> None:
            with spool.another() as sending:
                sender.Sender(sending, bootstrap_servers).run(stop)

        futures: list[Future[None]] = [threads.submit(send), threads.submit(acknowledgements.run, stop)]
        for future in futures:
            future.add_done_callback(lambda _: closing.set())
        yield Desk(settings, spool, bootstrap_servers, acknowledgements, closing, stack)
        stop.set()
        for future in futures:
            future.result()
