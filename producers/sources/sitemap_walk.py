"""A sitemap, and all that it leads to -> the pages it lists as entries without text; their text comes from the pages.

A site's own address stands for the sitemaps that its robots.txt names, or those in the usual places. What was read once
is read again for what has changed of late: of an index those sitemaps, of a list those pages.
"""

import time
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from producers.formats.entries import Entry
from producers.formats.sitemaps import Item
from producers.net import sitemaps_of
from producers.net.fetch import FetchFailed, Request, Response
from producers.net.sitemaps_of import Note
from producers.sources.answers import Read, Tools, Unchanged, request
from producers.sources.state import Standing

#: How far back "of late" goes: sitemaps are often made once a day, and some could not be had the last time.
OF_LATE: Final = timedelta(days=30)
#: Files that a walk reads again at most: it is another one soon.
MAX_FILES_AGAIN: Final = 50


def walk(standing: Standing, tools: Tools, delay_seconds: float, since: datetime | None = None) -> Read | Unchanged:
    """What a sitemap source lists, dated `since` or without a date.

    Raises FetchFailed or InvalidRecord where nothing of it can be read.
    """
    is_site = urlsplit(standing.url).path in ("", "/")
    starts = sitemaps_of.starts(standing.url, tools.robots.require(standing.url)) if is_site else (standing.url,)
    is_first = standing.read_at is None
    since = standing.read_at - OF_LATE if standing.read_at is not None else since
    max_files = sitemaps_of.MAX_FILES if is_first else MAX_FILES_AGAIN
    fetcher = _Polite(standing, tools, delay_seconds)
    try:
        found = list(sitemaps_of.walk(fetcher, starts, since=since, max_files=max_files, is_over=fetcher.is_over))
    except _NotChanged as unchanged:
        response = unchanged.response
        return Unchanged(response.etag, response.modified, response.max_age_seconds)
    first = fetcher.first
    # That an index is the same says nothing of what it leads to, so only a list by itself is asked for by its tags.
    is_list = fetcher.files == 1 and not is_site and first is not None
    return Read(
        entries=tuple(_entry(item) for item in found if isinstance(item, Item)),
        url=first.moved_to if first is not None and first.moved_to and not is_site else standing.url,
        etag=first.etag if is_list and first else None,
        modified=first.modified if is_list and first else None,
        asked_seconds=(first.max_age_seconds or 0.0) if first else 0.0,
        notes=tuple(f"{note.url}: {note.sentence}" for note in found if isinstance(note, Note) and not note.is_cut),
        cut=tuple(f"{note.url}: {note.sentence}" for note in found if isinstance(note, Note) and note.is_cut),
        is_partial=fetcher.has_failed,
    )


class _NotChanged(Exception):
    """The list says that it is what it was."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _Polite:
    """Fetches the files of one walk: as robots.txt allows, with the pause that their host wants."""

    def __init__(self, standing: Standing, tools: Tools, delay_seconds: float) -> None:
        self._standing = standing
        self._tools = tools
        self._delay_seconds = delay_seconds
        self._end_at = time.monotonic() + tools.walk_seconds
        self.files = 0
        self.first: Response | None = None
        self.has_failed = False

    def is_over(self) -> bool:
        """Whether this walk has taken its time; what it has not come to was not had."""
        if time.monotonic() < self._end_at:
            return False
        self.has_failed = True
        return True

    def get(self, wanted: Request) -> Response:
        if self.files:
            self._tools.pause(self._delay_seconds)
        elif wanted.url == self._standing.url:
            wanted = request(self._standing, "sitemap", self._tools.clock())
        self.files += 1
        try:
            rules = self._tools.robots.require(wanted.url)
            self._delay_seconds = max(self._delay_seconds, rules.crawl_delay_seconds or 0.0)
            response = self._tools.fetcher.get(wanted)
        except FetchFailed:
            self.has_failed = True
            raise
        if response.status == 304:
            raise _NotChanged(response)
        self.first = self.first or response
        return response


def _entry(item: Item) -> Entry:
    return Entry(
        key=item.url, digest=str(item.modified_at or ""), own_id=None, url=item.url, title=item.title or "",
        byline=None, text="", is_full=False, language=item.language, published_at=item.published_at,
        updated_at=item.modified_at, categories=(), enclosures=(), notes=(),
    )  # fmt: skip
