"""What a fetch is for decides what is asked for, how much is taken, and which answers are what was asked for."""

import codecs
from dataclasses import dataclass
from typing import Final, Literal

Accept = Literal["feed", "page", "sitemap", "robots"]

#: What a sitemap may have by its protocol, unpacked.
SITEMAP_BYTES: Final = 50 * 1024 * 1024
#: What RFC 9309 wants to be read of a robots.txt; the rest is no matter.
ROBOTS_BYTES: Final = 500 * 1024
#: Enough of a body to see what it is.
BEGINNING_BYTES: Final = 4096

_BINARY: Final = ("image/", "audio/", "video/", "font/", "application/pdf")
_NAMELESS: Final = (None, "", "text/plain", "application/octet-stream", "binary/octet-stream", "unknown/unknown")
_FEED_MARKS: Final = (b"<rss", b"<feed", b"<atom:feed", b"<rdf:rdf", b"<channel", b"jsonfeed.org", b'"items"')
_HTML_MARKS: Final = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of thing is asked for."""

    noun: str
    header: str
    max_redirects: int
    max_bytes: int | None
    """None: the setting."""
    is_cut: bool = False
    """What is too long is cut off, not refused."""


KINDS: Final[dict[Accept, Kind]] = {
    "feed": Kind(
        "a feed",
        "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
        "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5",
        10,
        None,
    ),
    "page": Kind("a web page", "text/html, application/xhtml+xml;q=0.9, */*;q=0.1", 10, None),
    "sitemap": Kind("a sitemap", "application/xml, text/xml, text/plain;q=0.8, */*;q=0.5", 10, SITEMAP_BYTES),
    "robots": Kind("a robots.txt", "text/plain, */*;q=0.5", 5, ROBOTS_BYTES, is_cut=True),
}


def may_be(accept: Accept, content_type: str | None) -> bool:
    """Whether a body of this type is worth reading."""
    return accept == "robots" or content_type is None or not content_type.startswith(_BINARY)


def is_one(accept: Accept, content_type: str | None, body: bytes) -> bool:
    """Whether this is what was asked for. Types are often wrong, so where one is not clear the body has its say."""
    beginning = _beginning(body)
    is_html = any(mark in beginning for mark in _HTML_MARKS)
    says_xml = content_type is not None and "xml" in content_type
    if accept == "page":
        if content_type in ("text/html", "application/xhtml+xml"):
            return True
        return is_html and (content_type in _NAMELESS or says_xml)
    if accept == "feed":
        if any(mark in beginning for mark in _FEED_MARKS):
            return True
        says_feed = says_xml or (content_type is not None and "json" in content_type)
        return beginning.startswith(b"{") or (not is_html and (says_feed or beginning.startswith(b"<?xml")))
    return accept == "robots" or not is_html


def _beginning(body: bytes) -> bytes:
    start = body[:BEGINNING_BYTES].removeprefix(codecs.BOM_UTF8)
    return start.replace(b"\x00", b"").strip(b"\xff\xfe \t\r\n").lower()  # UTF-16, near enough
