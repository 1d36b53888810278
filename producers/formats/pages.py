"""A web page -> its article: trafilatura finds the text, the page's own words go before guesses for all the rest."""

import copy
import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

import htmldate
import trafilatura
from lxml import etree
from lxml.html import HtmlElement
from trafilatura.metadata import extract_author, extract_title

from pipeline import identity, records, topics
from pipeline.errors import InvalidRecord, Reason
from producers.formats import bylines, html_text, leftovers, markup, page_head, plain_text, walls
from producers.formats.page import Page
from producers.formats.page_head import Head

__all__ = ["EXTRACTOR", "JSON_LD", "Page", "extract"]

EXTRACTOR: Final = f"trafilatura {version('trafilatura')}"
JSON_LD: Final = "json-ld"
#: trafilatura's text is left for the one in JSON-LD where that has so many times its words, and is an article's.
MUCH_MORE: Final = 2.0
LEAST_WORDS: Final = 60
MAX_TITLE: Final = 1000
MAX_HEADINGS: Final = 20
MAX_TITLES: Final = 10

_IN_ADDRESS: Final = re.compile(
    r"/(?P<year>(?:19|20)\d\d)[/-](?P<month>0?[1-9]|1[0-2])[/-](?P<day>0?[1-9]|[12]\d|3[01])(?=[/_-]|$)"
)
_SEPARATOR: Final = re.compile(r"\s+[|–—\-•·»:]+\s+|\s*\|\s*")
#: Where a date is hardly the article's.
_NOT_SHOWN: Final = (
    "script", "style", "svg", "noscript", "iframe", "footer", "nav", "form", "select", "aside", "img", "video",
)  # fmt: skip
_WORD: Final = re.compile(r"\w+")


def extract(html: bytes | str, *, url: str | None, charset: str | None, now: datetime) -> Page:
    """The article of a page; `charset` is the server's word, `now` bounds its dates.

    Raises InvalidRecord: `no-text` (saying what the page looks like), `too-large`.
    """
    notes: list[str] = []
    if isinstance(html, bytes):
        characters = markup.decoded(html, charset)
        html = characters.text
        notes.extend(characters.notes)
    tree = markup.parsed(html)
    head = page_head.read(tree, now)
    notes.extend(head.notes)
    title = _title(tree, head)
    byline = (
        bylines.byline_of(head.authors)
        or bylines.byline_of([extract_author(tree) or ""])
        or bylines.byline_of(head.organisations)
    )
    text, extractor = _text(tree, head, title, byline)
    first, _, rest = text.partition("\n\n")
    if byline is None and rest and (byline := plain_text.byline_of(first)) is not None:
        text = rest
    if not text:
        raise InvalidRecord(Reason.NO_TEXT, f"No text was found; it looks like {walls.looks_like(tree, head)}.")
    if len(text) > topics.MAX_RAW_BYTES:
        raise InvalidRecord(
            Reason.TOO_LARGE,
            f"The text of the page has {len(text):,} characters; a record has {topics.MAX_RAW_BYTES:,} bytes at most.",
        )
    address = page_head.address(tree, url)
    published_at, published_at_from = _published(tree, head, url or address, now, notes)
    return Page(
        url=address,
        title=title,
        byline=byline,
        text=text,
        language=head.language,
        published_at=published_at,
        published_at_from=published_at_from,
        updated_at=head.updated,
        flags=walls.flags_of(tree, head, title, text),
        categories=head.categories,
        extractor=extractor,
        notes=tuple(notes),
    )


def _text(tree: HtmlElement, head: Head, title: str, byline: str | None) -> tuple[str, str]:
    document = trafilatura.bare_extraction(tree, include_comments=False)
    found = "" if document is None or isinstance(document, dict) else document.text or ""
    text = leftovers.paragraphs(html_text.repaired(found), title, byline)
    words, said = len(_WORD.findall(text)), len(_WORD.findall(head.body))
    is_that = said == words and text.split() == head.body.split()  # taken from there too, without its paragraphs
    if is_that or said > max(LEAST_WORDS, MUCH_MORE * words):
        return leftovers.paragraphs(head.body, title, byline), JSON_LD
    return text, EXTRACTOR


def _title(tree: HtmlElement, head: Head) -> str:
    """The headline that a reader sees, where what the page says of itself is the same, but for the name of the site."""
    headings = [
        heading
        for element in list(tree.iter("h1"))[:MAX_HEADINGS]
        if (heading := html_text.line(" ".join(element.text_content().split()[:200]), is_plain=True))
    ]
    shown_headings = [(heading, identity.normalised(heading)) for heading in headings]
    for said in head.titles[:MAX_TITLES]:
        plain = identity.normalised(said).rstrip(". ")
        for heading, shown in shown_headings:
            if shown == plain or (len(plain) > 20 and shown.startswith(plain)):
                return heading[:MAX_TITLE]
            if len(shown) > 10 and plain.startswith(shown) and _SEPARATOR.match(said[len(heading) :]):
                return heading[:MAX_TITLE]
    title = head.titles[0] if head.titles else html_text.line(extract_title(tree) or "")
    return _without_site(title, head.site)[:MAX_TITLE]


def _without_site(title: str, site: str | None) -> str:
    """The title without " - The Example Times" at its end."""
    if site is None:
        return title
    *_, last = [None, *_SEPARATOR.finditer(title)]
    if last is not None and identity.normalised(title[last.end() :]) == identity.normalised(site):
        return title[: last.start()].strip() or title
    return title


def _published(
    tree: HtmlElement, head: Head, url: str | None, now: datetime, notes: list[str]
) -> tuple[datetime | None, records.PublishedAtFrom | None]:
    """What the page says, else the date in its address, else the date that htmldate finds."""
    if head.published is not None:
        return head.published, "page"
    if url is not None and (match := _IN_ADDRESS.search(urlsplit(url).path)):
        try:
            date = datetime(int(match["year"]), int(match["month"]), int(match["day"]), tzinfo=UTC)
        except ValueError:
            pass
        else:
            if date <= now:
                notes.append("published_at: of its address, which names a day and no time.")
                return date, "url"
    latest = (now + timedelta(days=1)).strftime("%Y-%m-%d")
    # htmldate searches all markup for what looks like a date: in the text alone it is as often right, and much faster.
    shown = copy.deepcopy(tree)
    etree.strip_elements(shown, *_NOT_SHOWN, with_tail=False)
    found = htmldate.find_date(shown, original_date=True, max_date=latest)
    if found is None:
        return None, None
    notes.append("published_at: found on the page, which names a day and no time.")
    return datetime.strptime(found, "%Y-%m-%d").replace(tzinfo=UTC), "page"
