"""The tree of a page -> what it says about itself: JSON-LD first, then meta elements; nothing here guesses."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from lxml.html import HtmlElement
from tld import get_fld

from pipeline import identity
from producers.formats import dates, html_text

MAX_SCRIPTS: Final = 50
MAX_SCRIPT_CHARACTERS: Final = 2_000_000
MAX_NODES: Final = 2000
MAX_DEPTH: Final = 12
MAX_METAS: Final = 2000
MAX_CATEGORIES: Final = 50
MAX_CATEGORY: Final = 200
MAX_URL: Final = 8000

_ARTICLES: Final = frozenset(
    "article newsarticle reportagenewsarticle analysisnewsarticle askpublicnewsarticle backgroundnewsarticle "
    "opinionnewsarticle reviewnewsarticle satiricalarticle advertisercontentarticle blogposting liveblogposting "
    "report techarticle scholarlyarticle medicalscholarlyarticle socialmediaposting".split()
)
_PAGES: Final = frozenset("webpage itempage aboutpage".split())

_TITLES: Final = ("og:title", "twitter:title", "dc.title", "sailthru.title", "parsely-title", "headline")
_AUTHORS: Final = (
    "author", "article:author", "article:author_name", "parsely-author", "sailthru.author", "byl", "dc.creator",
    "dcterms.creator", "citation_author", "shareaholic:article_author_name", "og:article:author", "cxenseparse:author",
)  # fmt: skip
_PUBLISHED: Final = (
    "article:published_time", "og:article:published_time", "article:published", "datepublished",
    "parsely-pub-date", "sailthru.date", "cxenseparse:recs:publishtime", "og:published_time", "pubdate", "publishdate",
    "publish-date", "published_at", "publication_date", "article.published", "dc.date.issued", "dcterms.issued",
    "dcterms.created", "dc.date", "ptime", "cxenseparse:publishtime", "rnews:datepublished", "date",
)  # fmt: skip
_UPDATED: Final = (
    "article:modified_time", "og:article:modified_time", "datemodified", "og:updated_time", "article:modified",
    "dcterms.modified", "last-modified", "lastmod", "article.updated", "utime",
)  # fmt: skip
_SECTIONS: Final = ("article:section", "og:article:section", "parsely-section", "cxenseparse:category")
_TAGS: Final = ("article:tag", "og:article:tag", "news_keywords", "keywords", "parsely-tags", "sailthru.tags")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_TRAILING_COMMA: Final = re.compile(r",(\s*[}\]])")
_LINE_END: Final = re.compile(r"\s*\n\s*")
_WRAPPED: Final = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*;?\s*$|;\s*$")


@dataclass(frozen=True, slots=True)
class Head:
    """What a page says about itself, as it says it; times in UTC."""

    titles: tuple[str, ...] = ()
    site: str | None = None
    authors: tuple[str, ...] = ()
    #: Named as authors too: the paper, an agency.
    organisations: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    categories: tuple[str, ...] = ()
    body: str = ""
    words: int | None = None
    is_article: bool = False
    is_live: bool = False
    live_updates: int = 0
    is_paid: bool = False
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Metas:
    """The contents of the meta elements, by their name in lower case."""

    of: dict[str, list[str]] = field(default_factory=dict)

    def all(self, *names: str) -> Iterator[str]:
        for name in names:
            yield from self.of.get(name, ())

    def first(self, *names: str) -> str | None:
        return next(self.all(*names), None)


def read(tree: HtmlElement, now: datetime) -> Head:
    """All of it."""
    notes: list[str] = []
    metas = _metas(tree)
    nodes = list(_nodes(tree))
    node = _article(nodes)
    published = [_text(node.get("datePublished")), *metas.all(*_PUBLISHED), *_marked_times(tree, "datePublished")]
    updated = [_text(node.get("dateModified")), *metas.all(*_UPDATED), *_marked_times(tree, "dateModified")]
    types, author = _types(node), node.get("author")
    by_id = {key: n for n in nodes if isinstance(key := n.get("@id"), str) and "name" in n}
    updates = node.get("liveBlogUpdate")
    return Head(
        titles=tuple(filter(None, (_text(node.get("headline")), *map(html_text.line, metas.all(*_TITLES))))),
        site=html_text.line(metas.first("og:site_name", "application-name") or "") or None,
        authors=tuple(_authors(author, by_id, are_persons=True) or metas.all(*_AUTHORS)),
        organisations=tuple(_authors(author, by_id, are_persons=False)),
        published=_best_time(published, "published_at", now, notes),
        updated=_best_time(updated, "updated_at", now, notes),
        language=_language(tree, metas, node),
        categories=_categories(node, metas),
        body=_body(node.get("articleBody")),
        words=_whole(node.get("wordCount")),
        is_article=bool(types & _ARTICLES) or metas.first("og:type") == "article",
        is_live="liveblogposting" in types,
        live_updates=len(updates) if isinstance(updates, list) else int(isinstance(updates, dict)),
        is_paid=any(_is_paid(n) for n in nodes),
        notes=tuple(notes),
    )


def _metas(tree: HtmlElement) -> _Metas:
    metas = _Metas()
    for number, element in enumerate(tree.iter("meta")):
        if number >= MAX_METAS:
            break
        content = (element.get("content") or "").strip()
        for attribute in ("name", "property", "itemprop", "http-equiv"):
            name = element.get(attribute)
            if name and content:
                metas.of.setdefault(name.strip().lower(), []).append(content)
    return metas


# JSON-LD.


def _nodes(tree: HtmlElement) -> Iterator[dict[str, Any]]:
    """The objects of all JSON-LD that can be read, the outermost first."""
    left = MAX_NODES
    scripts = (s for s in tree.iter("script") if "ld+json" in (s.get("type") or "").lower())
    for number, script in enumerate(scripts):
        if number >= MAX_SCRIPTS:
            return
        for node in _walked(_loaded(script.text or ""), MAX_DEPTH):
            left -= 1
            if left < 0:
                return
            yield node


def _loaded(text: str) -> object:
    if not text.strip() or len(text) > MAX_SCRIPT_CHARACTERS:
        return None
    for attempt in (str, lambda t: _TRAILING_COMMA.sub(r"\1", _WRAPPED.sub("", _WRAPPED.sub("", t)))):
        try:
            value: object = json.loads(attempt(text), strict=False)
        except (ValueError, RecursionError):
            continue
        return value
    return None


def _walked(value: object, depth: int) -> Iterator[dict[str, Any]]:
    if depth <= 0:
        return
    if isinstance(value, list):
        for item in value:
            yield from _walked(item, depth - 1)
    elif isinstance(value, dict):
        yield value
        for name in ("@graph", "mainEntity", "mainEntityOfPage", "hasPart"):
            yield from _walked(value.get(name), depth - 1)


def _article(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """The object that is about the article: an article's, else the page's own."""
    for wanted in (_ARTICLES, _PAGES):
        for node in nodes:
            if _types(node) & wanted:
                return node
    return {}


def _types(node: dict[str, Any]) -> set[str]:
    given = node.get("@type")
    return {
        t.rpartition("/")[2].rpartition(":")[2].lower()
        for t in (given if isinstance(given, list) else [given])
        if isinstance(t, str)
    }


def _authors(value: object, by_id: Mapping[str, dict[str, Any]], *, are_persons: bool, depth: int = 3) -> list[str]:
    """The names of the persons among the authors, or of all others; an author may stand elsewhere, under its id."""
    if isinstance(value, list) and depth:
        return [n for item in value[:50] for n in _authors(item, by_id, are_persons=are_persons, depth=depth - 1)]
    if isinstance(value, str):
        return [value] if are_persons and value.strip() else []
    if not isinstance(value, dict):
        return []
    if "name" not in value and isinstance(key := value.get("@id"), str):
        value = by_id.get(key, value)
    if (not (types := _types(value)) or "person" in types) is not are_persons:
        return []
    names = value.get("name") or " ".join(p for k in ("givenName", "familyName") if isinstance(p := value.get(k), str))
    return [n for n in (names if isinstance(names, list) else [names]) if isinstance(n, str) and n.strip()]


def _is_paid(node: dict[str, Any]) -> bool:
    free = node.get("isAccessibleForFree")
    return free is False or (isinstance(free, str) and free.strip().lower().rpartition("/")[2] in ("false", "no"))


def _body(value: object) -> str:
    """A text of JSON-LD. Where it has no markup, each of its lines is a paragraph."""
    if not isinstance(value, str):
        return ""
    return html_text.of_html(value if "<" in value else _LINE_END.sub("\n\n", value))


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 9:
        return int(value)
    return value if type(value) is int and 0 < value < 10**7 else None


def _text(value: object) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return html_text.line(value) if isinstance(value, str) else ""


# Times.


def _marked_times(tree: HtmlElement, name: str) -> Iterator[str]:
    for element in tree.iter("time"):
        marked = (element.get("itemprop") or "").lower()
        if name.lower() in marked or (name == "datePublished" and element.get("pubdate") is not None):
            yield element.get("datetime") or ""


def _best_time(given: Iterable[str], name: str, now: datetime, notes: list[str]) -> datetime | None:
    """The first that can be read; if it is a mere date, one of the same day that has a time goes before it."""
    found: list[tuple[str, datetime, list[str]]] = []
    wrong: list[str] = []
    for text in filter(None, given):
        said: list[str] = []
        time = dates.time_in_feed(text, name, now, said)
        if time is None:
            wrong = wrong or said
        else:
            found.append((text, time, said))
            if ":" in text:
                break
    if not found:
        notes.extend(wrong)
        return None
    text, time, said = found[0]
    if len(found) > 1 and abs(found[-1][1] - time) <= timedelta(days=1):
        text, time, said = found[-1]
    notes.extend(said)
    return time


# Language and categories.


def _language(tree: HtmlElement, metas: _Metas, node: dict[str, Any]) -> str | None:
    root = tree.getroottree().getroot()
    said = (
        root.get("lang"),
        root.get("{http://www.w3.org/XML/1998/namespace}lang") or root.get("xml:lang"),
        metas.first("content-language"),
        _text(node.get("inLanguage")),
        metas.first("og:locale", "language", "dc.language", "dcterms.language"),
    )
    for given in said:
        if given and _LANGUAGE.fullmatch(given.strip()):
            return given.strip().replace("_", "-")
    return None


def _categories(node: dict[str, Any], metas: _Metas) -> tuple[str, ...]:
    found: dict[str, str] = {}
    section, keywords = node.get("articleSection"), node.get("keywords")
    given: list[object] = [*(section if isinstance(section, list) else [section]), *metas.all(*_SECTIONS)]
    given += keywords if isinstance(keywords, list) else [keywords]
    for text in (*given, *metas.all(*_TAGS)):
        # A section may have a comma of its own; of keywords it is what parts them.
        parts = [text] if text in given[: len(given) - 1] else str(text or "").split(",")
        for part in parts:
            name = html_text.line(part) if isinstance(part, str) else ""
            if name and len(name) <= MAX_CATEGORY and not name.startswith(("http:", "https:")):
                found.setdefault(name.casefold(), name)
    return tuple(list(found.values())[:MAX_CATEGORIES])


# Addresses.


def address(tree: HtmlElement, fetched: str | None) -> str | None:
    """The canonical address of the page: `rel=canonical`, else og:url, where they may be believed; else as fetched.

    Only on the same site, and never the front page: what names another site, or the front page for every article,
    would make one article of many. Without an address that it was fetched from, only an absolute one counts.
    """
    base = _base(tree, fetched)
    for witness in (_links(tree, "canonical"), _open_graph_urls(tree)):
        found = {identity.canonical_url(url): url for href in witness if (url := _absolute(base, href)) is not None}
        believed = [url for url in found.values() if _may_be(url, fetched)]
        if len(believed) == 1:  # several that differ contradict each other
            return believed[0]
    return fetched


def _links(tree: HtmlElement, relation: str) -> list[str]:
    return [
        element.get("href") or ""
        for element in tree.iter("link")
        if relation in (element.get("rel") or "").lower().split()
    ][:MAX_SCRIPTS]


def _open_graph_urls(tree: HtmlElement) -> list[str]:
    return [
        element.get("content") or ""
        for element in tree.iter("meta")
        if (element.get("property") or element.get("name") or "").lower() == "og:url"
    ][:MAX_SCRIPTS]


def _base(tree: HtmlElement, fetched: str | None) -> str | None:
    base = next((element.get("href") for element in tree.iter("base") if element.get("href")), None)
    try:
        return urljoin(fetched or "", base.strip()) if base else fetched
    except ValueError:
        return fetched


def _absolute(base: str | None, href: str) -> str | None:
    try:
        url = urljoin(base or "", href.strip()).partition("#")[0]
    except ValueError:
        return None
    return url if len(url) <= MAX_URL and identity.canonical_url(url) is not None else None


def _may_be(url: str, fetched: str | None) -> bool:
    parts = urlsplit(url)
    if parts.path.strip("/") == "" and not parts.query:
        return False
    return fetched is None or site_of(url) == site_of(fetched)


def site_of(url: str) -> str | None:
    """The registrable domain (example.co.uk); of a host that has none, the host without `www.`."""
    host = urlsplit(url).hostname or ""
    domain = get_fld(f"http://{host}/", fail_silently=True)
    if isinstance(domain, str):
        return domain
    canonical = identity.canonical_url(f"http://{host}/")
    labels = (canonical or host).split(".")
    return ".".join(labels[-2:]) if not labels[-1].isdecimal() else canonical
