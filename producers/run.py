"""The producers as a whole: one thread sends, one watches, one polls. And what `news feed` needs of it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from pipeline import data_folder, readiness
from pipeline.errors import Stop
from pipeline.settings import Settings
from producers import sender
from producers.extraction import ExtractionPool
from producers.spool import SenderLock, Spool
from producers.watch import Watch

LOOK_SECONDS: Final = 0.1


def open_spool(settings: Settings) -> Spool:
    """The spool of this installation. Raises SettingError where its folder cannot be written."""
    return Spool(data_folder.ensure(settings.data_dir / "spool"), settings.producers.spool_max_bytes)


def run(
    bootstrap_servers: str,
    settings: Settings,
    inboxes: Sequence[Path],
    stop: threading.Event,
    *,
    polls: bool = True,
) -> None:
    """Watch the inboxes, poll the sources and send until `stop` is set; what is not sent then stays in the spool.

    Raises what ended one of them, after the others have ended in good order; SettingError at once, if feeds.toml is
    not right.
    """
    # Here, for the commands that only ask how full the spool is need nothing that reads pages.
    from producers import web_feed
    from producers.sources.feeds_file import FeedsFile
    from producers.sources.scheduler import Scheduler
    from producers.sources.state import SourceStore

    producers = settings.producers
    feeds = FeedsFile(producers.feeds, is_named="feeds" in producers.model_fields_set) if polls else None
    with ExitStack() as stack:
        pool = stack.enter_context(ExtractionPool(settings.extraction))
        work: list[Callable[[], None]] = []
        if inboxes:
            # Made here, used there: SQLite asks that each thread opens its own.
            def watch() -> None:
                with open_spool(settings) as spool, _ended_by(stop):
                    Watch(inboxes, spool, settings.producers.stable_seconds, pool.page).run(stop)

            work.append(watch)

        def send() -> None:
            with open_spool(settings) as spool:
                sender.Sender(spool, bootstrap_servers).run(stop)

        work.append(send)

        def poll(feeds: FeedsFile) -> None:
            with open_spool(settings) as spool, web_feed.tools(settings, pool) as tools:
                lock = SenderLock(spool.folder, "poller")
                while not lock.try_take():  # another process polls: its turn until it ends
                    if stop.wait(LOOK_SECONDS):
                        return
                try:
                    Scheduler(spool, SourceStore(spool), tools, producers.fetch_threads).run(feeds, stop)
                finally:
                    lock.give_back()

        if feeds is not None:
            work.append(partial(poll, feeds))
        executor = stack.enter_context(ThreadPoolExecutor(len(work), thread_name_prefix="producers"))
        stack.callback(stop.set)  # called before the executor waits for its threads
        futures = [executor.submit(task) for task in work]
        readiness.mark()  # what comes now is kept, whether Kafka answers or not
        _wait(futures, stop, pool)


@contextmanager
def sending(spool: Spool, bootstrap_servers: str) -> Iterator[None]:
    """Send what is in the spool while the block runs, in a thread; where another process sends, that one does it."""
    stop = threading.Event()

    def send() -> None:
        with spool.another() as own:
            sender.Sender(own, bootstrap_servers).run(stop)

    with ThreadPoolExecutor(1, thread_name_prefix="sender") as executor:
        future = executor.submit(send)
        try:
            yield
        finally:
            stop.set()
        future.result()


def drain(spool: Spool, bootstrap_servers: str, stop: threading.Event, timeout_seconds: float | None = None) -> None:
    """Send what is spooled now and wait until the broker has acknowledged all of it; early when `stop` is set.

    Raises Unavailable when nothing leaves the spool for `timeout_seconds` (None: wait for ever).
    """
    last_seq = spool.held().last_seq
    with sending(spool, bootstrap_servers):
        sender.wait_until_sent(spool, last_seq, stop, timeout_seconds)


@contextmanager
def _ended_by(stop: threading.Event) -> Iterator[None]:
    """The pool is closed when `stop` is set: who waited for a page then has it once more at the next start."""
    try:
        yield
    except Stop:
        if not stop.is_set():
            raise


def _wait(futures: Sequence["Future[None]"], stop: threading.Event, pool: ExtractionPool) -> None:
    while not stop.is_set():
        done, _ = wait(futures, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        if done:
            break
    stop.set()
    pool.close()  # a page that hangs is not waited for
    for future in futures:
        future.result()
