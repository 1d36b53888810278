"""What a feed of any kind says about its entries -> entries: bounded, each known by its key, whole or a teaser.

key       the entry's own id, else its link, else a hash of title and date
is_full   whether the text is the article: the feed has an element for the content itself, its text is longer than
          the summary, has at least MIN_FULL_WORDS words, and does not end as teasers end. A wrong "whole" cuts an
          article short, a wrong "teaser" costs the fetch of one page: in doubt it is a teaser.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urljoin

from pipeline import identity, records
from producers.formats import bylines, dates, fields
from producers.formats.wording import quoted

#: Entries of one feed that are read: the largest news feeds have some hundreds.
MAX_ENTRIES: Final = 2000
#: Words below which even a content element is taken for a teaser.
MIN_FULL_WORDS: Final = 150
#: Scripts without spaces: so many characters count as a word.
CHARACTERS_PER_WORD: Final = 2
MAX_CATEGORIES: Final = 100
MAX_CATEGORY: Final = 500
MAX_ENCLOSURES: Final = 100
#: Characters of the addresses of one entry's enclosures. (Joined with that of their feed they are longer than it says.)
MAX_ADDRESSES: Final = 65_536
#: All entries together have so many times the characters of their feed at most: what it says once, each may repeat.
MAX_GROWTH: Final = 4
#: A feed that is small may do so.
GROWTH_FROM: Final = 1_000_000
#: A feed that asks to be left alone for longer than this is not believed, in seconds.
MAX_TTL_SECONDS: Final = 7 * 86400.0

Kind = Literal["rss", "atom", "rdf", "json"]

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_NO_LANGUAGE: Final = frozenset(("und", "mul", "zxx", "mis"))
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_SHARED_BY: Final = re.compile(
    r"\n+[^\n]*(?:appeared first on|first appeared on|est apparu en premier sur|erschien zuerst auf"
    r"|se publicó primero en|proviene da|apareceu primeiro em|verscheen eerst op)[^\n]*$"
)
_ELLIPSIS: Final = re.compile(r"(?:…|\.{3,}|\[\s*\]|\[[^\[\]\w]{1,5}\]|\([^()\w]{1,5}\)|&hellip;|[»→›]|>>)[\s\"'”’)]*$")
_MORE: Final = re.compile(
    r"\b(?:read (?:more|on|the (?:full|rest|whole|entire|original|complete)|full|whole)|(?:continue|keep) reading|"
    r"click (?:here|to|through)|(?:full|whole|complete) (?:story|article|post)|view (?:the |full |original|more)|"
    r"subscribe to (?:read|continue)|more\.{0,3}$|"
    r"weiterlesen|mehr (?:lesen|erfahren|dazu)|zum (?:artikel|beitrag)|(?:vollständige|ganze)[nr]? (?:artikel|beitrag)|"
    r"lire (?:la suite|plus|l['’]article|aussi)|en savoir plus|leer (?:m[áa]s|la noticia)|(?:seguir|sigue) leyendo|"
    r"leggi (?:tutto|di più|l['’]articolo|anche)|continua a leggere|leia (?:mais|o)|ler mais|continue (?:lendo|a ler)|"
    r"lees (?:meer|verder|het)|läs (?:mer|hela)|les (?:mer|hele)|læs (?:mere|hele)|lue lisää|"
    r"czytaj (?:więcej|dalej|całość)|číst (?:dál|více|celý)|devamını|tovább|"
    r"читать (?:далее|полностью|дальше)|подробнее|читати (?:далі|повністю))|"
    r"続きを読む|全文を読む|阅读全文|閱讀全文|查看全文|繼續閱讀|继续阅读|더 ?보기|전문 ?보기|اقرأ المزيد",
    re.IGNORECASE,
)
_LAST_LINES: Final = 600
_ENDING: Final = 160


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed: what it says about an article, and perhaps the article."""

    key: str
    """What makes it the same entry again in this feed."""
    digest: str
    """A hash of what readers see: a known key with another digest is a changed entry."""
    own_id: str | None
    url: str | None
    title: str
    byline: str | None
    text: str
    """Plain text of the content, paragraphs by blank lines; "" where there is none."""
    is_full: bool
    language: str | None
    """Its own, else that of the feed."""
    published_at: datetime | None
    updated_at: datetime | None
    categories: tuple[str, ...]
    enclosures: tuple[records.Enclosure, ...]
    notes: tuple[str, ...]

    def __reduce__(self) -> tuple[type["Entry"], tuple[object, ...]]:
        """Pickled as its values in order: dataclasses by themselves look all fields up anew for every entry."""
        return Entry, tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed with its entries in its own order, and what was wrong with it."""

    kind: Kind
    title: str
    language: str | None
    entries: tuple[Entry, ...]
    ttl_seconds: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attached:
    """What a feed says about a picture, sound or film, as it says it."""

    url: str | None
    type: str | None = None
    length: str | None = None


@dataclass(slots=True)
class Said:
    """What one entry says, in plain text but otherwise as it stands there; `content` None: no element for it."""

    own_id: str | None = None
    link: str | None = None
    title: str = ""
    summary: str = ""
    content: str | None = None
    authors: list[str] = field(default_factory=list)
    language: str | None = None
    published: str | None = None
    updated: str | None = None
    categories: list[str] = field(default_factory=list)
    attached: list[Attached] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class SaidByFeed:
    """What a feed says, before its entries are looked at."""

    kind: Kind
    title: str = ""
    language: str | None = None
    base: str = ""
    """What relative links are relative to."""
    ttl_seconds: float | None = None
    entries: list[Said] = field(default_factory=list)
    total: int = 0
    """Entries that the feed has, those beyond MAX_ENTRIES too."""
    notes: list[str] = field(default_factory=list)


def feed_of(said: SaidByFeed, now: datetime, characters: int) -> Feed:
    """The feed: of entries with the same key the first is kept, and ids that several articles share are no ids.

    `characters`: how long it is, which bounds how much may come of it.
    """
    notes = list(said.notes)
    if said.total > MAX_ENTRIES:
        notes.append(f"The feed has {said.total:,} entries; the first {MAX_ENTRIES:,} were taken.")
    for one in said.entries:
        one.own_id = _own_id(one.own_id)
    language = language_of(said.language)
    shared = _shared_ids(said.entries[:MAX_ENTRIES], said.base)
    kept: dict[str, Entry] = {}
    doubles = blank = beyond = 0
    left = max(GROWTH_FROM, MAX_GROWTH * characters)
    for one in said.entries[:MAX_ENTRIES]:
        if left < 0:
            beyond += 1
            continue
        if not (one.title or one.summary or one.content or one.link or one.own_id):
            blank += 1
            continue
        if one.own_id in shared:
            one.notes.append(
                f"Its id {quoted(one.own_id)} is that of other articles in this feed too; it was left out."
            )
            one.own_id = None
        one.language = language_of(one.language) or language
        entry = _entry(one, said.base, now)
        if entry.key in kept:
            doubles += 1
        else:
            left -= _characters(entry)
            if left < 0:
                beyond += 1
                continue
            kept[entry.key] = entry
    if beyond:
        were = "was" if beyond == 1 else "were"
        notes.append(f"{_count(beyond)} {were} left out: all together say far more than the feed is long.")
    if doubles:
        notes.append(f"{_count(doubles)} stood in the feed already; the first was kept.")
    if blank:
        notes.append(f"{_count(blank)} had nothing in it.")
    ttl = said.ttl_seconds
    return Feed(
        kind=said.kind,
        title=said.title[: fields.MAX_LENGTHS["title"]],
        language=language,
        entries=tuple(kept.values()),
        ttl_seconds=ttl if ttl is not None and 0 < ttl <= MAX_TTL_SECONDS else None,
        notes=tuple(notes),
    )


def language_of(given: str | None) -> str | None:
    """The BCP 47 tag that is meant; None for what is none ("English")."""
    tag = (given or "").strip()
    if not _LANGUAGE.fullmatch(tag) or tag[:3].lower() in _NO_LANGUAGE:
        return None
    return tag.replace("_", "-")


def is_full(content: str | None, summary: str) -> bool:
    """Whether the content of an entry is the whole article (see above)."""
    if content is None or len(content) <= len(summary):
        return False
    words = len(content.split())
    if words < MIN_FULL_WORDS and words + len(_UNSPACED.findall(content)) // CHARACTERS_PER_WORD < MIN_FULL_WORDS:
        return False
    ending = _SHARED_BY.sub("", content[-_LAST_LINES:]).rstrip()[-_ENDING:]
    return not (_ELLIPSIS.search(ending) or _MORE.search(ending))


def _characters(entry: Entry) -> int:
    """How much the entry says, of all that may be long."""
    texts = (entry.own_id, entry.url, entry.title, entry.byline, entry.text, *entry.categories, *entry.notes)
    return sum(len(text) for text in texts if text) + sum(len(one.url) for one in entry.enclosures)


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries:,} entries"


def _own_id(given: str | None) -> str | None:
    own_id = identity.printable(given or "").strip()
    if len(own_id) > fields.MAX_LENGTHS["id"]:
        return "sha256:" + hashlib.sha256(own_id.encode()).hexdigest()
    return own_id or None


def _shared_ids(said: Sequence[Said], base: str) -> set[str]:
    """Ids under which a feed has articles with different links: to take them for ids would make one of many."""
    counts = Counter(one.own_id for one in said if one.own_id and one.link)
    links: dict[str, set[str | None]] = {}
    for one in said:
        if one.own_id and counts[one.own_id] > 1:
            links.setdefault(one.own_id, set()).add(_address(one.link, base))
    return {own_id for own_id, addresses in links.items() if len(addresses - {None}) > 1}


def _entry(said: Said, base: str, now: datetime) -> Entry:
    notes = said.notes
    url = _url(said, base, notes)
    title = said.title
    if len(title) > fields.MAX_LENGTHS["title"]:
        notes.append(f"title: it is long; the first {fields.MAX_LENGTHS['title']:,} characters were taken.")
        title = title[: fields.MAX_LENGTHS["title"]]
    byline = bylines.byline_of(said.authors)
    text = said.summary if said.content is None or len(said.content) < len(said.summary) else said.content
    published = dates.time_in_feed(said.published, "published_at", now, notes)
    updated = dates.time_in_feed(said.updated, "updated_at", now, notes)
    categories = _categories(said.categories)
    enclosures = _enclosures(said.attached, base)
    unnamed = hashlib.sha256(repr((title or text, said.published or said.updated)).encode()).hexdigest()
    # Not of what servers make anew for each reader: tokens in addresses, of pictures above all.
    shown = (said.own_id, identity.canonical_url(url or ""), title, byline, text, said.language, published, updated)
    return Entry(
        key=said.own_id or url or f"sha256:{unnamed}",
        digest=hashlib.sha256(repr(shown).encode()).hexdigest(),
        own_id=said.own_id,
        url=url,
        title=title,
        byline=byline[: fields.MAX_LENGTHS["byline"]] if byline else None,
        text=text,
        is_full=is_full(said.content, said.summary),
        language=said.language,
        published_at=published,
        updated_at=updated,
        categories=categories,
        enclosures=enclosures,
        notes=tuple(notes),
    )


def _url(said: Said, base: str, notes: list[str]) -> str | None:
    if not said.link or not said.link.strip():
        return None
    address = _address(said.link, base)
    if address is None:
        notes.append(f"url: {quoted(said.link.strip())} is no web address. It was left out.")
    elif len(address) > fields.MAX_LENGTHS["url"]:
        notes.append(f"url: {len(address):,} characters; at most {fields.MAX_LENGTHS['url']:,} are taken.")
        return None
    return address


def _address(link: str | None, base: str) -> str | None:
    """The absolute web address that a link is, or None."""
    given = "".join(identity.printable(link or "").split("\n")).strip().replace("\t", "").replace("\r", "")
    if not given:
        return None
    if fields.PLAIN_URL.fullmatch(given):
        return given
    given = given.replace(" ", "%20")
    if given.lower().startswith("www."):
        given = f"http://{given}"
    try:
        address = urljoin(base, given)
    except ValueError:
        return None
    return address if identity.canonical_url(address) is not None else None


def _categories(given: Sequence[str]) -> tuple[str, ...]:
    named = (category[:MAX_CATEGORY] for category in given if category)
    return tuple(dict.fromkeys(named))[:MAX_CATEGORIES]


def _enclosures(given: Sequence[Attached], base: str) -> tuple[records.Enclosure, ...]:
    found: dict[str, records.Enclosure] = {}
    left = MAX_ADDRESSES
    for one in given:
        url = _address(one.url, base)
        if url is None or len(url) > fields.MAX_LENGTHS["url"] or url in found or len(found) == MAX_ENCLOSURES:
            continue
        left -= len(url)
        if left < 0:
            break
        length = (one.length or "").strip()
        is_length = length.isascii() and length.isdigit() and len(length) <= 15
        found[url] = records.Enclosure(
            url=url,
            type=(one.type or "").strip()[:200] or None,
            length=int(length) if is_length and int(length) > 0 else None,
        )
    return tuple(found.values())
