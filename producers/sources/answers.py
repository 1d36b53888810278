"""What asking a stranger takes, and what it brings: values that the steps of a poll hand on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pipeline.errors import InvalidRecord
from pipeline.settings import FetchSettings
from producers.extraction import ExtractionPool
from producers.formats.entries import Entry
from producers.formats.page import Page
from producers.net.fetch import Fetcher, Request, Why
from producers.net.robots_of import Robots
from producers.sources.state import Standing

#: Some servers say 304 for ever: once a day a source is asked for all it has.
ASK_WHOLE: Final = timedelta(days=1)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Tools:
    """What asking takes; all of it may be used by several threads."""

    fetcher: Fetcher
    robots: Robots
    pool: ExtractionPool
    settings: FetchSettings
    clock: Clock = lambda: datetime.now(UTC)
    pause: Callable[[float], object] = time.sleep
    walk_seconds: float = 300.0
    """After so long no further file of a sitemap is asked for."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be had: why, in a word and in words, and what the server said about trying again."""

    why: Why
    sentence: str
    retry_after_seconds: float | None = None
    host: str | None = None
    """Who said so, where a host did: behind redirects another than the one that was to be asked."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """304: what it said before, it says still."""

    etag: str | None
    modified: str | None
    max_age_seconds: float | None


@dataclass(frozen=True, slots=True)
class Read:
    """What stands in a source now, newest first; `url` is where it is to be asked from now on."""

    entries: tuple[Entry, ...]
    url: str
    etag: str | None = None
    modified: str | None = None
    language: str | None = None
    asked_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    """What of it was not looked at, for there is too much of it."""
    is_partial: bool = False
    """Something of it could not be had this time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking, and how long its host wants to be left alone now."""

    url: str
    asked_at: datetime
    found: Read | Unchanged | Failed
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What came of asking for a page; InvalidRecord: it came, and there is no article in it."""

    asked_at: datetime
    found: Page | InvalidRecord | Failed
    delay_seconds: float


def request(standing: Standing, accept: Literal["feed", "sitemap"], now: datetime) -> Request:
    """What a source is asked: only for what is new, unless it failed or has not been read for a day."""
    is_recent = standing.read_at is not None and now - standing.read_at < ASK_WHOLE
    if standing.failures or not is_recent:
        return Request(standing.url, accept)
    return Request(standing.url, accept, standing.etag, standing.modified)
