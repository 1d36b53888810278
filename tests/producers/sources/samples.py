"""Entries, feeds and sources to test with."""

from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from producers.formats.entries import Entry
from producers.sources.declared import Source

NOW: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
#: Longer than what a teaser has.
WORDS: Final = " ".join(f"The council of Larvik said on day {n} that the new harbour opens later." for n in range(30))


def entry(key: str = "e1", **changes: Any) -> Entry:
    given: dict[str, Any] = {
        "key": key,
        "digest": f"digest of {key}",
        "own_id": key,
        "url": f"https://a.example/{key}",
        "title": f"Title {key}",
        "byline": None,
        "text": f"Text of {key}. {WORDS}",
        "is_full": True,
        "language": "en",
        "published_at": NOW,
        "updated_at": None,
        "categories": (),
        "enclosures": (),
        "notes": (),
    }
    return Entry(**{**given, **changes})


def source(name: str = "a", url: str = "https://a.example/feed", **changes: Any) -> Source:
    return Source(name=name, url=url, **changes)


def item(
    key: str, *, title: str = "", text: str = WORDS, link: str | None = None, day: int = 1, teaser: str = ""
) -> str:
    """An item of RSS: with its whole text, or with nothing but a teaser."""
    whole = f"<content:encoded>{escape(text)}</content:encoded>" if text else ""
    return (
        f"<item><guid isPermaLink='false'>{key}</guid><title>{title or f'Title {key}'}</title>"
        + (f"<link>{escape(link)}</link>" if link else "")
        + f"<pubDate>{day:02d} Oct 2026 10:00:00 GMT</pubDate><description>{escape(teaser)}</description>{whole}</item>"
    )


def rss(*items: str, ttl: int | None = None) -> bytes:
    """A feed of these items, in this order."""
    minutes = f"<ttl>{ttl}</ttl>" if ttl is not None else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>A</title>'
        f"<link>https://a.example/</link><description>d</description><language>en</language>{minutes}"
        f"{''.join(items)}</channel></rss>"
    ).encode()


def html(title: str, text: str = WORDS) -> str:
    """A page with an article."""
    paragraphs = "".join(f"<p>{text}</p>" for _ in range(2))
    return (
        f"<!doctype html><html lang='en'><head><title>{title}</title></head><body><article><h1>{title}</h1>"
        f"{paragraphs}</article></body></html>"
    )
