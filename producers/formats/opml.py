"""A list of feeds (OPML) -> name, address and folder of each."""

import re
from dataclasses import dataclass
from typing import Final

import listparser
from lxml import etree

from pipeline.errors import InvalidRecord, Reason
from producers.formats import decoding, fields, html_text

#: Feeds of one list that are read.
MAX_FEEDS: Final = 50_000
MAX_NAME: Final = fields.MAX_LENGTHS["source"]

_BEGIN: Final = re.compile("<opml", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed in a list; `folder` is the path of the groups that it stands in, "" at the top."""

    name: str
    url: str
    folder: str


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """A list of feeds, each address once, and how many of its outlines were none, in words."""

    title: str
    feeds: tuple[Subscription, ...]
    notes: tuple[str, ...]


def read(content: bytes, charset: str | None = None) -> Subscriptions:
    """Read a list. Nothing in it is fetched.

    Raises InvalidRecord: `empty`; `unsupported` for what is no OPML; `no-text` for a list without any feed.
    """
    if not content.strip():
        raise InvalidRecord(Reason.EMPTY, "The list has nothing in it.")
    text = decoding.decoded(content, charset).text
    begin = _BEGIN.search(text, 0, 100_000)
    if begin is None:
        raise InvalidRecord(Reason.UNSUPPORTED, "This is no OPML: there is no <opml> in it.")
    try:
        # Bytes: listparser fetches a text that begins with http. Without the declaration: the characters are decoded
        # already, whatever encoding it names.
        found = listparser.parse(b'<?xml version="1.0" encoding="utf-8"?>' + text[begin.start() :].encode())
    except (etree.LxmlError, IndexError, KeyError, ValueError, AssertionError) as error:
        # Outlines that end and never began; lxml stops where its target does.
        raise InvalidRecord(
            Reason.UNREADABLE, f"The OPML is too broken to be read ({type(error).__name__})."
        ) from error

    feeds: list[Subscription] = []
    notes: list[str] = []
    wrong = 0
    for one in found["feeds"]:
        url = html_text.line(str(one.get("url") or ""), is_plain=True)
        if not url.startswith(("http://", "https://")) or len(url) > fields.MAX_LENGTHS["url"]:
            wrong += 1
            continue
        folders = one.get("categories") or [[]]
        folder = "/".join(html_text.line(str(part), is_plain=True) for part in folders[0] if part)
        name = html_text.line(str(one.get("title") or ""), is_plain=True)[:MAX_NAME]
        feeds.append(Subscription(name, url, folder))
    outlines = text.lower().count("<outline")
    if wrong:
        notes.append(f"{wrong:,} {'outline has' if wrong == 1 else 'outlines have'} no web address; left out.")
    if (others := outlines - len(found["feeds"])) > 0:
        verb = "is" if others == 1 else "are"
        notes.append(
            f"{others:,} of {outlines:,} outlines {verb} no feed (no xmlUrl), or a feed that stood there already."
        )
    if len(feeds) > MAX_FEEDS:
        notes.append(f"The list has {len(feeds):,} feeds; the first {MAX_FEEDS:,} were taken.")
    if not feeds:
        raise InvalidRecord(Reason.NO_TEXT, "The OPML names no feed: no outline has an xmlUrl with a web address.")
    title = html_text.line(str(found["meta"].get("title") or ""), is_plain=True)[:MAX_NAME]
    return Subscriptions(title, tuple(feeds[:MAX_FEEDS]), tuple(notes))
