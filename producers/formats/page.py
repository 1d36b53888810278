"""What a web page says: a value that is light to import, for all who never extract one themselves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipeline.records import Flag, PublishedAtFrom


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says; `url` is its canonical address, else the one that it was fetched from."""

    url: str | None
    title: str
    byline: str | None
    text: str
    language: str | None
    published_at: datetime | None
    published_at_from: PublishedAtFrom | None
    updated_at: datetime | None
    flags: tuple[Flag, ...]
    categories: tuple[str, ...]
    extractor: str
    notes: tuple[str, ...]


class Extract(Protocol):
    """Makes a Page of HTML: `ExtractionPool.page`, or `pages.extract` itself. Raises InvalidRecord."""

    def __call__(self, html: bytes | str, *, url: str | None, charset: str | None, now: datetime) -> Page:
        """`charset` is the server's word; nothing on the page is later than a day after `now`."""
