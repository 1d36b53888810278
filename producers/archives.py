"""WARC files -> deliveries: several processes read the pages in them, which come out in the order of the file."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Final

from pipeline import dead_letters, identity, records
from pipeline.errors import InvalidRecord, SettingError
from pipeline.settings import Settings
from pipeline.topics import MIB
from producers import deliveries, feed, files, web_articles
from producers.extraction import ExtractionPool
from producers.feed import FeedCount, Feeder, Interrupted, Progress
from producers.files import End, Found, State
from producers.formats import fields, page_head, warc
from producers.formats.lines import Position, Read
from producers.formats.page import Extract
from producers.formats.warc import Broken, Dropped
from producers.spool import Spool

#: Records that are in work or wait for one before them, and the bytes of their pages.
AHEAD_RECORDS: Final = 256
AHEAD_BYTES: Final = 64 * MIB
CUT: Final = "The archive holds only the beginning of the page."


def feed_warc(
    paths: Sequence[Path],
    spool: Spool,
    settings: Settings,
    *,
    source: str | None = None,
    language: str | None = None,
    only_changed: bool = False,
    limit: int | None = None,
    progress: Progress = feed.silent,
    stop: Event | None = None,
) -> FeedCount:
    """Feed the pages of WARC files, `limit` articles of each at most. One that was left in the middle is gone on with.

    `language` is that of pages that name none. `only_changed` leaves out files that were fed to their end. Raises
    SettingError for a path that is not there or no file.
    """
    if language is not None and not 0 < len(language.strip()) <= fields.MAX_LENGTHS["language"]:
        raise SettingError(f"--language is a code like en or pt-BR, not {language!r}.")
    feeder = Feeder(spool, source, progress, stop)
    required = [feed.required(path, "warc") for path in paths]
    threads = settings.extraction.processes or len(os.sched_getaffinity(0))
    with ExtractionPool(settings.extraction) as pool:
        reader = WarcReader(pool.page, threads, settings.fetch.max_bytes, language)
        try:
            for path in required:
                feeder.feed_warc(path, reader, only_changed=only_changed, limit=limit)
        except Interrupted:
            pass
    return feeder.count


class WarcReader:
    """Reads WARC files; `threads` pages are in work at once, and one of more than `max_bytes` is left out."""

    def __init__(self, extract: Extract, threads: int, max_bytes: int, language: str | None = None) -> None:
        self._extract = extract
        self._threads = threads
        self._max_bytes = max_bytes
        self._language = language

    def read(self, path: Path, source: str | None, start: Position) -> Generator[Found | Dropped | End, None, None]:
        """What is in a file from `start` on, its End last. Without a `source` that of a page is its site.

        Raises OSError where the file cannot be read.
        """
        executor = ThreadPoolExecutor(self._threads, thread_name_prefix="warc")
        with files.opened(path) as file:
            state = State.of(os.fstat(file.fileno()))
            position = start
            try:
                for found in self._in_order(
                    executor, warc.read(_at(file.fileno()), start, self._max_bytes), path, source
                ):
                    position = found.end
                    yield found
            finally:
                executor.shutdown(cancel_futures=True)
        yield End(state, position, is_settled=State.of(path.stat()) == state)

    def _in_order(
        self, executor: ThreadPoolExecutor, found: Iterator[warc.Found], path: Path, source: str | None
    ) -> Iterator[Found | Dropped]:
        waiting: deque[tuple[int, Future[Found] | Found | Dropped]] = deque()
        size = 0
        for item in found:
            if isinstance(item, warc.Page):
                future = executor.submit(self._delivery, item, str(path), source)
                waiting.append((len(item.html), future))
                size += len(item.html)
            else:
                waiting.append((0, _dead(item, str(path)) if isinstance(item, Broken) else item))
            while waiting and (len(waiting) > AHEAD_RECORDS or size > AHEAD_BYTES or _is_done(waiting[0][1])):
                length, first = waiting.popleft()
                size -= length
                yield first.result() if isinstance(first, Future) else first
        for _, last in waiting:
            yield last.result() if isinstance(last, Future) else last

    def _delivery(self, page: warc.Page, origin: str, source: str | None) -> Found:
        now = datetime.now(UTC)
        fetched_at = page.fetched_at
        observed_at = min(fetched_at, now) if fetched_at is not None and fetched_at >= records.EARLIEST else now
        try:
            extracted = self._extract(page.html, url=page.url, charset=page.charset, now=observed_at)
            site = source or page_head.site_of(page.url) or origin
            article = web_articles.from_page(extracted, source=site[: files.MAX_SOURCE], observed_at=observed_at)
            notes = (*article.notes, CUT) if page.is_cut else article.notes
            article = article.model_copy(update={"notes": notes, "language": article.language or self._language})
            return Found(article, deliveries.row_of_article(article, deliveries.value_of(article), "warc"), page.end)
        except InvalidRecord as error:
            return _dead(Broken(error, page.html, page.at, page.end), f"{origin} {page.url}")


def _is_done(waiting: Future[Found] | Found | Dropped) -> bool:
    return not isinstance(waiting, Future) or waiting.done()


def _dead(broken: Broken, origin: str) -> Found:
    """Its origin says at which byte of the file the record, or the packed member that it stands in, begins."""
    where = identity.printable(f"{origin}:{broken.at}")
    letter = dead_letters.of_source(broken.error, where, broken.beginning)
    return Found(letter, deliveries.row_of_dead_letter(letter), broken.end)


def _at(descriptor: int) -> warc.At:
    def at(place: int) -> Read:
        def read(most: int) -> bytes:
            nonlocal place
            taken = os.pread(descriptor, most, place)
            place += len(taken)
            return taken

        return read

    return at
