"""An entry of a feed or a web page -> RawArticle: who is believed where the two say different things.

text          the feed's where it is whole (the caller asks), else the longer of the two
title         the feed's, unless it is cut off
byline, date  the feed's: it has the time and the zone that pages often lack
address       the page's: it knows its canonical one
"""

from datetime import datetime
from typing import Final

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Details, Enclosure, PublishedAtFrom, RawArticle
from producers.formats import fields
from producers.formats.entries import MAX_CATEGORIES, MAX_CATEGORY, MAX_ENCLOSURES, Entry
from producers.formats.page import Page

MAX_EXTRACTOR: Final = 100
_CUT_OFF: Final = ("…", "...")


def from_entry(entry: Entry, *, source: str, feed_language: str | None, observed_at: datetime) -> RawArticle:
    """The article that an entry holds, whether whole or a teaser. Raises InvalidRecord: `no-text`."""
    if not entry.text.strip():
        raise InvalidRecord(Reason.NO_TEXT, "The entry has no text, only what it links to.")
    notes = list(entry.notes)
    return RawArticle(
        delivery_id=identity.new_delivery_id(),
        observed_at=observed_at,
        source=source[: fields.MAX_LENGTHS["source"]],
        source_item_id=_bounded(entry.own_id, "id"),
        url=entry.url,
        title=entry.title[: fields.MAX_LENGTHS["title"]],
        byline=_bounded(entry.byline, "byline"),
        body=entry.text,
        language=_bounded(entry.language or feed_language, "language"),
        published_at=_published(entry, notes),
        updated_at=entry.updated_at,
        notes=tuple(notes),
        details=_details(
            categories=entry.categories,
            enclosures=entry.enclosures,
            published_at_from="source" if entry.published_at or entry.updated_at else None,
        ),
    )


def from_page(page: Page, *, source: str, observed_at: datetime, entry: Entry | None = None) -> RawArticle:
    """The article of a page, and of the entry that led to it. Raises InvalidRecord: `no-text`."""
    notes = [*(entry.notes if entry is not None else ()), *page.notes]
    text, extractor = page.text, page.extractor
    if entry is not None and len(entry.text) > len(text):
        notes.append("body: the page has less text than the feed; that of the feed was taken.")
        text, extractor = entry.text, ""
    if not text.strip():
        raise InvalidRecord(Reason.NO_TEXT, "The page has no text.")
    published, published_from = page.published_at, page.published_at_from
    if entry is not None and (entry.published_at or published is None):
        published = _published(entry, notes)
        published_from = "source" if published else None
    said_by_entry = entry.categories if entry is not None else ()
    return RawArticle(
        delivery_id=identity.new_delivery_id(),
        observed_at=observed_at,
        source=source[: fields.MAX_LENGTHS["source"]],
        source_item_id=_bounded(entry.own_id, "id") if entry is not None else None,
        url=_address(page.url) or (entry.url if entry is not None else None),
        title=_title(page, entry)[: fields.MAX_LENGTHS["title"]],
        byline=_bounded((entry.byline if entry is not None else None) or page.byline, "byline"),
        body=text,
        language=_bounded((entry.language if entry is not None else None) or page.language, "language"),
        published_at=published,
        updated_at=(entry.updated_at if entry is not None else None) or page.updated_at,
        notes=tuple(notes),
        details=Details(
            categories=_categories((*said_by_entry, *page.categories)),
            enclosures=entry.enclosures[:MAX_ENCLOSURES] if entry is not None else (),
            published_at_from=published_from,
            extractor=extractor[:MAX_EXTRACTOR] or None,
            flags=tuple(dict.fromkeys(page.flags)),
        ),
    )


def _published(entry: Entry, notes: list[str]) -> datetime | None:
    if entry.published_at is None and entry.updated_at is not None:
        notes.append("published_at: the entry says only when it was updated; that was taken.")
        return entry.updated_at
    return entry.published_at


def _title(page: Page, entry: Entry | None) -> str:
    if entry is None or not entry.title:
        return page.title
    return page.title if page.title and entry.title.endswith(_CUT_OFF) else entry.title


def _address(url: str | None) -> str | None:
    if url is None or len(url) > fields.MAX_LENGTHS["url"] or identity.canonical_url(url) is None:
        return None
    return url


def _details(
    *, categories: tuple[str, ...], enclosures: tuple[Enclosure, ...], published_at_from: PublishedAtFrom | None
) -> Details | None:
    if not (categories or enclosures or published_at_from):
        return None
    return Details(
        categories=_categories(categories), enclosures=enclosures[:MAX_ENCLOSURES], published_at_from=published_at_from
    )


def _categories(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(category[:MAX_CATEGORY] for category in given))[:MAX_CATEGORIES]


def _bounded(text: str | None, name: str) -> str | None:
    return text[: fields.MAX_LENGTHS[name]] if text else None
