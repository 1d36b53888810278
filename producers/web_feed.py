"""Feeds, sitemaps and pages that a person names -> the spool, once or for as long as wished: the scheduler's own steps.

Nothing is kept of the sources themselves, so that the same feed again is sent again, as a file is; `only_changed`
remembers what was fed and leaves it out next time.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from pipeline.errors import Exit, SettingError
from pipeline.settings import Settings
from producers import files
from producers.extraction import ExtractionPool
from producers.feed import FeedCount, Progress, silent
from producers.formats import decoding, feeds
from producers.formats.entries import Entry
from producers.formats.page_head import site_of
from producers.net.fetch import PASSING, Fetcher, FetchFailed, Request, Why
from producers.net.robots_of import Robots
from producers.sources import declared
from producers.sources.answers import Failed, Tools
from producers.sources.declared import Source
from producers.sources.one_off import OneOff
from producers.sources.scheduler import Scheduler
from producers.sources.state import SourceStore
from producers.spool import Spool

Kind = Literal["rss", "sitemap", "url"]
#: All that a feed or sitemap has.
ALL_ENTRIES: Final = 50_000
#: A page that is away is tried again after so many seconds each.
RETRY_SECONDS: Final = (2.0,)


@dataclass(frozen=True, slots=True)
class WebFeedCount:
    """What became of what was fed, and the addresses that could not be had, with the reason of each."""

    count: FeedCount
    away: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def exit_code(self) -> int:
        """69 where a site was away, 1 where it refused for good, 3 with dead letters."""
        if self.away:
            return Exit.SERVICE_AWAY
        if self.refused:
            return Exit.FAILURE
        return Exit.SOME_DEAD_LETTERED if self.count.dead_lettered else Exit.OK


@contextmanager
def tools(settings: Settings, pool: ExtractionPool) -> Iterator[Tools]:
    """What asking strangers takes, from the settings; `pool` has the processes that read what they say."""
    with Fetcher(settings.fetch) as fetcher:
        yield Tools(fetcher, Robots(fetcher, settings.fetch), pool, settings.fetch)


def feed_web(
    urls: Sequence[str],
    kind: Kind,
    source: str | None,
    spool: Spool,
    asking: Tools,
    threads: int,
    *,
    follow: bool = False,
    only_changed: bool = False,
    since: datetime | None = None,
    limit: int | None = None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> WebFeedCount:
    """Feed what these addresses have. `source` names all of it; without one each address is named by its host.

    `follow` (feeds) polls until `stop` is set. `since` and `limit` leave out older entries, and all but the newest of
    each address. Raises SettingError for what is no web address.
    """
    if source is not None and not 0 < len(source.strip()) <= files.MAX_SOURCE:
        raise SettingError(f"The source must have 1 to {files.MAX_SOURCE} characters; it is {source!r}.")
    for url in urls:
        try:
            declared.web_address(url)
        except ValueError as error:
            raise SettingError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    one_off = None if follow else OneOff(RETRY_SECONDS, since=since, is_typed=kind == "url")
    asking = asking if follow else replace(asking, walk_seconds=float("inf"))
    called = {url: source or site_of(url) or url for url in urls}
    with spool.another() as own:
        store = SourceStore(own, is_ephemeral=True, remembers=only_changed)
        scheduler = Scheduler(
            own,
            store,
            asking,
            threads,
            one_off=one_off,
            called=called,
            progress=progress,
        )
        if kind == "url":
            for url in called:
                store.queue_pages(url, [_entry_of(url)], asking.clock())
        scheduler.run([] if kind == "url" else [_source(url, kind, limit) for url in called], stop or threading.Event())
        failures = [(url, _with_feeds(url, failed, asking)) for url, failed in (one_off.failures if one_off else ())]
    return WebFeedCount(
        scheduler.count,
        tuple((url, failed.sentence) for url, failed in failures if failed.why in PASSING),
        tuple((url, failed.sentence) for url, failed in failures if failed.why not in PASSING),
    )


def _source(url: str, kind: Literal["rss", "sitemap"], limit: int | None) -> Source:
    return Source(name=url, url=url, kind="feed" if kind == "rss" else kind, max_entries=limit or ALL_ENTRIES)


def _entry_of(url: str) -> Entry:
    """An address without anything said of it: all comes from its page."""
    return Entry(
        key=url, digest="", own_id=None, url=url, title="", byline=None, text="", is_full=False, language=None,
        published_at=None, updated_at=None, categories=(), enclosures=(), notes=(),
    )  # fmt: skip


def _with_feeds(url: str, failed: Failed, tools: Tools) -> Failed:
    """Where a page was given for a feed: what feeds it names."""
    if failed.why is not Why.WRONG_TYPE:
        return failed
    try:
        tools.robots.require(url)
        tools.pause(tools.settings.host_delay_seconds)
        page = tools.fetcher.get(Request(url, "page"))
    except FetchFailed:
        return failed
    found = feeds.discover(decoding.decoded(page.body, page.charset).text, page.url)
    return replace(failed, sentence=f"{failed.sentence} It names {' and '.join(found)}.") if found else failed
