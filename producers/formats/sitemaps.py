"""The bytes of a sitemap -> what it lists: pages, or other sitemaps; XML of any namespace, gzip, or a plain list.

Nothing outside of the bytes is ever read: no DTD, no external entity, no network. XML that is cut off or broken gives
what came before, with a note.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from lxml import etree

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from producers.formats import dates, encodings
from producers.formats.wording import quoted

#: Unpacked; the protocol's own limit, as are the next two.
MAX_BYTES: Final = 50 * 1024 * 1024
MAX_ITEMS: Final = 50_000
MAX_URL: Final = 2048
MAX_TITLE: Final = 10_000
MAX_NAME: Final = 200
MAX_LANGUAGE: Final = 35
MAX_DATE_NOTES: Final = 5
#: Tags and pieces of text: 80 for each address.
MAX_HEARD: Final = 4_000_000
HEARD_PER_PIECE: Final = 5
MAX_TAG_BYTES: Final = 1024 * 1024
#: Levels of tags: a sitemap has five.
MAX_DEPTH: Final = 64
#: Of a plain list, comments and blank ones too.
MAX_LINES: Final = 2 * MAX_ITEMS
PIECE_BYTES: Final = 64 * 1024
#: XML begins so far into the bytes, at the latest: before it stand blank lines, or a warning of PHP.
BEGINNING_BYTES: Final = 4096

_STARTS: Final = (b"<?xml", b"<urlset", b"<sitemapindex", b"<!--", b"<!doctype")
_STRAY: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MEMBERS: Final = {"urlset": "url", "sitemapindex": "sitemap"}
_FIELDS: Final = frozenset({
    ("loc",), ("lastmod",), ("news", "publication_date"), ("news", "title"), ("news", "publication", "name"),
    ("news", "publication", "language"),
})  # fmt: skip
_FIELD_LEVELS: Final = max(map(len, _FIELDS))
_LINE: Final = re.compile(rb"[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One address that a sitemap lists; what a news sitemap says of it besides."""

    url: str
    modified_at: datetime | None = None
    published_at: datetime | None = None
    title: str | None = None
    language: str | None = None
    publication: str | None = None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What a sitemap lists, in its order, each address once."""

    kind: Literal["pages", "index"]
    items: tuple[Item, ...]
    notes: tuple[str, ...]
    """What was wrong with it or left out, in words."""


def parse(body: bytes, *, url: str) -> Sitemap:
    """The sitemap that was found at `url`. Raises InvalidRecord where it is none."""
    content = _unpacked(body)
    gathered = _Gathered(url)
    start = _start_of_xml(content)
    kind = _read_xml(content[start:], gathered) if start is not None else _read_list(content, gathered)
    return Sitemap(kind, tuple(gathered.items.values()), gathered.notes())


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(encodings.GZIP_MAGIC):
        return body
    try:
        content = encodings.gunzip(body, MAX_BYTES + 1)
    except encodings.Broken as error:
        raise InvalidRecord(Reason.UNREADABLE, f"The sitemap cannot be unpacked: {error}.") from None
    if len(content) > MAX_BYTES:
        raise InvalidRecord(Reason.TOO_LARGE, f"Unpacked, the sitemap has more than {MAX_BYTES:,} bytes.")
    return content


def _start_of_xml(content: bytes) -> int | None:
    beginning = content[:BEGINNING_BYTES].lower()
    found = [at for start in _STARTS if (at := beginning.find(start)) != -1]
    if found:
        return min(found)
    return 0 if content.startswith(_WIDE) or beginning.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<") else None


def _pieces(content: bytes) -> Iterator[bytes]:
    """The XML bit by bit, with every & escaped that begins no character of its own.

    A browser reads such an address, XML drops half of it; and this takes all meaning from entities that a DTD declares.
    """
    if content.startswith(_WIDE):
        yield from (content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES))
        return
    at = 0
    while at < len(content):
        if content.startswith(b"<![CDATA[", at):  # which escapes by itself
            end = content.find(b"]]>", at) + 3
            end = end if end > 2 else len(content)
            yield from (content[start : min(start + PIECE_BYTES, end)] for start in range(at, end, PIECE_BYTES))
        else:
            end = content.find(b"<![CDATA[", at, at + PIECE_BYTES)
            if end == -1:  # to the end of a tag, so as not to part an & from what follows it
                end = content.rfind(b">", at, at + PIECE_BYTES) + 1 or at + PIECE_BYTES
            yield _STRAY.sub(b"&amp;", content[at:end])
        at = end


class _Gathered:
    """What was found so far."""

    def __init__(self, url: str) -> None:
        self.items: dict[str, Item] = {}
        self.is_full = False
        self.wrong_xml: str | None = None
        self._host = _host(url)
        self._listed = 0
        self._bad_urls: list[str] = []
        self._elsewhere: list[str] = []
        self._about_dates: list[str] = []

    def add(self, item: Item | None, stated: str) -> None:
        self._listed += 1
        if self._listed > MAX_ITEMS:
            self.is_full = True
        elif item is None:
            self._bad_urls.append(stated[:MAX_URL])
        else:
            self.items.setdefault(item.url, item)
            if _host(item.url) != self._host:
                self._elsewhere.append(item.url)

    def date(self, stated: str | None, name: str) -> datetime | None:
        notes = self._about_dates if len(self._about_dates) < MAX_DATE_NOTES else []
        return dates.time_of(stated[: dates.MAX_LENGTH], name, notes, parsers=dates.IN_FEEDS) if stated else None

    def notes(self) -> tuple[str, ...]:
        said = []
        if self.wrong_xml is not None:
            said.append(f"The XML is broken, {self.wrong_xml}; what could be read was taken.")
        if self.is_full:
            said.append(f"It lists more than {MAX_ITEMS:,} addresses, or too much else; the rest was left out.")
        if self._bad_urls:
            said.append(
                f"{len(self._bad_urls):,} addresses do not begin with https:// or http://, such as "
                f"{quoted(self._bad_urls[0])}. They were left out."
            )
        if self._elsewhere:
            said.append(f"{len(self._elsewhere):,} addresses are on other hosts, such as {quoted(self._elsewhere[0])}.")
        return (*said, *self._about_dates)


def _read_list(content: bytes, gathered: _Gathered) -> Literal["pages"]:
    # Line by line: a list of all of them would take thirty times the memory.
    for count, line in enumerate(_LINE.finditer(content), 1):
        # In UTF-8 a character has at most four bytes: what is cut off here is still too long for an address.
        stated = line[0].removeprefix(codecs.BOM_UTF8).strip()[: 4 * (MAX_URL + 1)].decode("utf-8", "replace").strip()
        if stated and not stated.startswith("#"):
            gathered.add(Item(stated) if _is_url(stated) else None, stated)
        gathered.is_full |= count >= MAX_LINES
        if gathered.is_full:
            break
    if not gathered.items:
        raise InvalidRecord(Reason.UNREADABLE, "It is no sitemap: neither XML nor a list of addresses.")
    return "pages"


def _read_xml(content: bytes, gathered: _Gathered) -> Literal["pages", "index"]:
    reader = _Reader(gathered)
    target: Any = reader  # whose stubs want it to take bytes, too
    # `recover`: one thing that is wrong must not cost all that follows it. No tree is made: 4 bytes would become 120.
    parser = etree.XMLParser(
        target=target, recover=True, huge_tree=False, resolve_entities=False, load_dtd=False, no_network=True
    )
    in_one_tag = 0
    try:
        for piece in _pieces(content):
            parser.feed(piece)
            reader.heard += HEARD_PER_PIECE
            gathered.is_full |= reader.heard > MAX_HEARD
            in_one_tag = 0 if b">" in piece else in_one_tag + len(piece)
            if in_one_tag > MAX_TAG_BYTES:
                gathered.wrong_xml = "in which a tag has no end"
            if gathered.is_full or gathered.wrong_xml:
                break
        else:
            parser.close()
    except etree.XMLSyntaxError as error:
        gathered.wrong_xml = f"line {error.lineno or 1}"
    except UnicodeDecodeError:  # &#xD800;, of which lxml makes no text
        gathered.wrong_xml = "with a character that is none"
    except LookupError:  # an encoding that nobody knows
        pass
    reader.finish()
    if gathered.wrong_xml is None and not gathered.is_full and (errors := list(parser.feed_error_log)):
        gathered.wrong_xml = f"line {errors[0].line}"
    return reader.kind()


class _Reader:
    """What lxml calls with each tag and text. Names count without their namespace, whether it was declared or not."""

    def __init__(self, gathered: _Gathered) -> None:
        self._gathered = gathered
        self._path: list[str] = []
        self._root: str | None = None
        self._member: str | None = None
        self._fields: dict[tuple[str, ...], str] | None = None
        self._depth = 0
        self._text: list[str] | None = None
        self.heard = 0

    def start(self, tag: str, _attributes: object) -> None:
        """A tag opens."""
        name = tag.rpartition("}")[2].rpartition(":")[2].lower()
        self._path.append(name)
        self.heard += 1
        self._text = None  # of an element with others in it, the text would be a part
        if self._root is None:
            self._root, self._member = name, _MEMBERS.get(name)
        elif name == self._member:
            self.finish()  # in broken XML the last one may not have been closed
            self._fields, self._depth = {}, len(self._path)
        elif len(self._path) > MAX_DEPTH:
            self._gathered.wrong_xml = f"in which tags stand {MAX_DEPTH} deep in one another"
        elif self._fields is not None and self._within() in _FIELDS:
            self._text = []

    def data(self, text: str) -> None:
        """A piece of text."""
        self.heard += 1
        if self._text is not None:
            self._text.append(text)

    def end(self, _tag: str) -> None:
        """A tag closes."""
        if self._text is not None and self._fields is not None:
            self._fields.setdefault(self._within(), " ".join("".join(self._text).split()))
            self._text = None
        if self._path and self._path.pop() == self._member:
            self.finish()

    def _within(self) -> tuple[str, ...]:
        """The path within the address, to one level below all fields: tags that never close cost no more."""
        return tuple(self._path[self._depth : self._depth + _FIELD_LEVELS + 1])

    def close(self) -> None:
        """The document ends."""

    def finish(self) -> None:
        """The address that is being read is as whole as it gets."""
        fields, self._fields = self._fields, None
        if fields is None:
            return
        stated = fields.get(("loc",), "")
        self._gathered.add(_item(stated, fields, self._gathered) if _is_url(stated) else None, stated)

    def kind(self) -> Literal["pages", "index"]:
        """What was read. Raises InvalidRecord where it was no sitemap."""
        if self._root is None:
            raise InvalidRecord(Reason.UNREADABLE, "It is no sitemap: its XML cannot be read.")
        if self._member is None:
            hint = " It is a feed." if self._root in ("rss", "feed", "rdf") else ""
            root = identity.printable(self._root[:40])
            raise InvalidRecord(Reason.UNREADABLE, f"It is no sitemap: its XML begins with <{root}>.{hint}")
        return "pages" if self._member == "url" else "index"


def _item(url: str, fields: dict[tuple[str, ...], str], gathered: _Gathered) -> Item:
    def text(*path: str, at_most: int) -> str | None:
        return fields.get(path, "")[:at_most] or None

    return Item(
        url=url,
        modified_at=gathered.date(fields.get(("lastmod",)), "lastmod"),
        published_at=gathered.date(fields.get(("news", "publication_date")), "publication_date"),
        title=text("news", "title", at_most=MAX_TITLE),
        language=text("news", "publication", "language", at_most=MAX_LANGUAGE),
        publication=text("news", "publication", "name", at_most=MAX_NAME),
    )


def _is_url(stated: str) -> bool:
    return len(stated) <= MAX_URL and stated.lower().startswith(("https://", "http://")) and _host(stated) is not None


def _host(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None
