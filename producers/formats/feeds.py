"""The bytes of a feed, whatever kind and however broken -> its entries, or one sentence that says what they are.

decoding    bytes -> characters            xml_feed     RSS and Atom -> what they say
entries     what is said -> Entry, Feed    json_feed    JSON Feed -> what it says
"""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urljoin

from lxml import etree

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from producers.formats import decoding, entries, json_feed, xml_feed
from producers.formats.entries import Entry, Feed

__all__ = ("Entry", "Feed", "discover", "parse")

#: Addresses of feeds that one page names.
MAX_DISCOVERED: Final = 20
_FEED_TYPES: Final = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
#: Where the root of an XML feed is looked for: behind warnings of a server, hardly behind more.
_BEGINNING: Final = 65_536
_FIRST_TAG: Final = re.compile(r"<([A-Za-z_][\w.:-]*)")
_NO_TAGS: Final = re.compile(r"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_HTML: Final = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_KNOWN_ROOTS: Final = {
    "urlset": "a sitemap",
    "sitemapindex": "an index of sitemaps",
    "opml": "a list of feeds (OPML)",
    "svg": "a picture (SVG)",
    "opensearchdescription": "a description of a search engine",
}
_SIGNATURES: Final = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"GIF8", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "packed with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
)


def parse(body: bytes, *, url: str, content_type: str | None, charset: str | None, now: datetime) -> Feed:
    """The feed in `body`, which came from `url`; the server's `charset` is one voice, what it calls the content none.

    `now` (aware) bounds dates. Nothing is fetched and no file is opened, whatever the bytes look like.

    Raises InvalidRecord: `empty`; `unsupported` for what is something else (`content_type` then helps to name it);
    `unreadable`, `not-json`, `wrong-shape` for a feed of which nothing can be read.
    """
    if not body.strip():
        raise InvalidRecord(Reason.EMPTY, "There is nothing in it, or white space only.")
    for signature, what in _SIGNATURES:
        if body.startswith(signature):
            raise InvalidRecord(Reason.UNSUPPORTED, f"This is {what}, not a feed.")
    document = decoding.decoded(body, charset)
    text = document.text.lstrip("\ufeff \t\r\n\x00")
    if text.startswith(("{", "[")):
        said = json_feed.read(text, url)
    else:
        _require_feed(text, url, content_type)
        said = xml_feed.read(text, url)
    said.notes[:0] = document.notes
    return entries.feed_of(said, now, len(document.text))


def discover(html: str, url: str) -> tuple[str, ...]:
    """The addresses of feeds that a page names (link rel=alternate), absolute, in its order."""
    links = _Links()
    parser = etree.HTMLParser(target=links, encoding="utf-8")  # type: ignore[arg-type] # the stubs want bytes too
    try:
        parser.feed(identity.printable(html).encode())
        parser.close()
    except (etree.LxmlError, AssertionError):  # lxml asserts where it was given nothing at all
        pass
    found: dict[str, None] = {}
    for link in links.found:
        try:
            address = urljoin(url, link.strip())
        except ValueError:
            continue
        if identity.canonical_url(address) is not None:
            found[address] = None
    return tuple(found)[:MAX_DISCOVERED]


class _Links:
    """Takes the tags of a page and keeps the links to feeds."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != "link" or "alternate" not in attributes.get("rel", "").lower().split():
            return
        href = attributes.get("href")
        if href and attributes.get("type", "").partition(";")[0].strip().lower() in _FEED_TYPES:
            self.found.append(href)

    def end(self, tag: str) -> None:
        pass

    def data(self, data: str) -> None:
        pass

    def comment(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


def _require_feed(text: str, url: str, content_type: str | None) -> None:
    """Raises InvalidRecord, with the name of what it is, for what is no feed in XML."""
    beginning = text[:_BEGINNING]
    root = xml_feed.begins(beginning)
    page = _HTML.search(_NO_TAGS.sub("", beginning[: root.start()] if root else beginning))
    if root is not None and page is None:
        return
    if page is not None:
        named = discover(text, url)
        hint = f" It names a feed: {named[0]}" if named else ""
        raise InvalidRecord(Reason.UNSUPPORTED, f"This is an HTML page, not a feed.{hint}")
    first = _FIRST_TAG.search(_NO_TAGS.sub("", beginning))
    if first is not None and text.startswith("<"):
        name = first[1].rpartition(":")[2]
        what = _KNOWN_ROOTS.get(name.lower(), f"XML, but its root is <{name[:40]}>")
        raise InvalidRecord(Reason.UNSUPPORTED, f"This is {what}, not a feed.")
    called = f" (the server calls it {content_type[:60]})" if content_type else ""
    raise InvalidRecord(Reason.UNSUPPORTED, f"This is no feed: neither XML nor JSON{called}.")
