"""WARC, packed by gzip, zstd or not at all -> the pages in it, record after record, in bounded memory.

fastwarc reads what a record says. Where one begins and ends is found here: its iterator takes a file that is cut off
for a whole one, ends at the first broken record, and lets a record whose length is wrong swallow the next ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from fastwarc.warc import WarcRecord, WarcRecordType

from pipeline import identity
from pipeline.dead_letters import BEGINNING_BYTES
from pipeline.errors import InvalidRecord, Reason
from pipeline.topics import KIB
from producers.formats import packed
from producers.formats.lines import CHUNK_BYTES, Position, Read
from producers.formats.packed import Damaged, Unpacker

MAX_HEAD_BYTES: Final = 64 * KIB
#: Behind damage, places are tried where a member may begin, with so much of the file each.
MAX_CANDIDATES: Final = 100_000
CANDIDATE_BYTES: Final = 160 * KIB
CANDIDATE_STEP_BYTES: Final = 4 * KIB
HTML_TYPES: Final = ("text/html", "application/xhtml+xml")
_BEGIN: Final = b"WARC/"
_BLANK_LINE: Final = b"\r\n\r\n"

Why = Literal["no-response", "revisit", "conversion", "no-address", "not-200", "not-html", "too-large"]
"""Why a record is left out. revisit: it repeats an older one; conversion: text made of a page (WET), menus and all."""

At = Callable[[int], Read]
"""Reads a file from a byte on; several may read at once, each at its own place."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was fetched; `end` is where reading goes on behind its record."""

    url: str
    html: bytes
    charset: str | None
    fetched_at: datetime | None
    is_cut: bool
    at: int
    end: Position


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that is no page to be fed."""

    why: Why
    end: Position


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is no record, or only a part of one; `beginning` is how it begins."""

    error: InvalidRecord
    beginning: bytes
    at: int
    end: Position


Found = Page | Dropped | Broken


def read(at: At, start: Position, max_bytes: int) -> Iterator[Found]:
    """What is in a file from `start` on. Pages of more than `max_bytes`, packed or unpacked, are left out.

    Position: a byte of the file where a record or a packed member begins, and (`line`) how many of the records that
    begin in that member are done.
    """
    kind = packed.kind_of(at(0)(packed.BEGINNING_BYTES))
    if kind is None:
        yield from _plain(at, start, max_bytes)
    else:
        yield from _packed(at, kind, start, max_bytes)


class _Broken(Exception):
    """A record that is none; `content` is what was taken of it from the stream, to be looked through again."""

    def __init__(self, detail: str, content: bytes) -> None:
        super().__init__(detail)
        self.detail = detail
        self.content = content


class _Stream:
    """Bytes that have been read and not yet used; `place` counts those that were."""

    def __init__(self, read: Read, place: int = 0) -> None:
        self.place = place
        self._read = read
        self._held = b""
        self._damage: Damaged | None = None

    def look(self, most: int) -> bytes:
        """The next bytes, which stay; fewer at the end. Raises Damaged where nothing is left before the damage."""
        parts, length = [self._held], len(self._held)
        try:
            while length < most and (more := self._read(CHUNK_BYTES)):
                parts.append(more)
                length += len(more)
        except Damaged as damage:
            self._damage = damage
        if len(parts) > 1:
            self._held = b"".join(parts)
        if not self._held and self._damage is not None:
            raise self._damage
        return self._held[:most]

    def require_end(self) -> None:
        """Raises Damaged where it is damage that ends the stream."""
        if self._damage is not None:
            raise self._damage

    def take(self, most: int) -> bytes:
        taken = self.look(most)
        self._held = self._held[len(taken) :]
        self.place += len(taken)
        return taken

    def pass_over(self, count: int) -> int:
        """Go on behind so many bytes; gives how many there were, fewer at the end."""
        left = count
        while left and (taken := self.take(min(left, CHUNK_BYTES))):
            left -= len(taken)
        return count - left

    def jump(self, at: At, count: int) -> None:
        """The same in a file that can be read at any place."""
        self.place += count
        self._read, self._held = at(self.place), b""

    def give_back(self, content: bytes) -> None:
        self._held = content + self._held
        self.place -= len(content)

    def pass_blank_lines(self) -> bool:
        """Go to what follows; False at the end."""
        while found := self.look(CHUNK_BYTES):
            blank = len(found) - len(found.lstrip(b"\r\n"))
            self.take(blank)
            if blank < len(found):
                return True
        return False

    def pass_to_next(self) -> bool:
        """Go to where the next record may begin, behind a line feed; False at the end."""
        mark = b"\n" + _BEGIN
        while True:
            held = self.look(CHUNK_BYTES)
            found = held.find(mark)
            if found >= 0:
                self.take(found + 1)
                return True
            if len(held) < CHUNK_BYTES:
                self.take(len(held))
                return False
            self.take(len(held) - len(mark))


def _plain(at: At, start: Position, max_bytes: int) -> Iterator[Found]:
    stream = _Stream(at(start.byte), start.byte)
    while stream.pass_blank_lines():
        begin = stream.place
        try:
            record = _next_record(stream, max_bytes, at)
        except _Broken as broken:
            stream = _Stream(at(begin + 1), begin + 1)
            # The place stays before what is cut off at the end: should the rest come after all, it is read whole.
            end = Position(stream.place) if stream.pass_to_next() else Position(begin)
            yield _broken(broken, begin, end)
        else:
            yield _found(record, max_bytes, begin, Position(stream.place))


def _packed(at: At, kind: packed.Kind, start: Position, max_bytes: int) -> Iterator[Found]:
    dictionary = packed.dictionary_of(at(0)) if kind == "zstd" else None
    unpacker = Unpacker(at(start.byte), kind, start.byte, dictionary)
    end = start
    while True:
        try:
            if not unpacker.next_member():
                return
            done = end.line if end.byte == unpacker.member else 0
            # The end of a member ends its last record: a wrong length does not reach the next one.
            for found in _member(unpacker, done, max_bytes):
                end = found.end
                yield found
        except Damaged as damage:
            begin = unpacker.member
            following = None if damage.is_cut_off else _find_member(at, kind, begin + 1, dictionary)
            end = end if following is None else Position(following)
            yield Broken(damage, at(begin)(BEGINNING_BYTES), begin, end)
            if following is None:
                return
            unpacker = Unpacker(at(following), kind, following, dictionary)


def _member(unpacker: Unpacker, done: int, max_bytes: int) -> Iterator[Found]:
    stream = _Stream(unpacker.read_member)
    begin, number = unpacker.member, 0
    while stream.pass_blank_lines():
        number += 1
        end = Position(begin, number)
        try:
            record = _next_record(stream, max_bytes, None)
        except _Broken as broken:
            if number > done:
                yield _broken(broken, begin, end)
            stream.give_back(broken.content[1:])
            stream.pass_to_next()
        else:
            if number > done:
                yield _found(record, max_bytes, begin, end)


def _broken(broken: _Broken, begin: int, end: Position) -> Broken:
    return Broken(InvalidRecord(Reason.WRONG_SHAPE, broken.detail), broken.content[:BEGINNING_BYTES], begin, end)


def _find_member(at: At, kind: packed.Kind, place: int, dictionary: packed.Dictionary | None) -> int | None:
    """Where the next member that holds records begins, behind damage; None where none is found in reasonable time."""
    stream = _Stream(at(place), place)
    tried = 0
    while len(held := stream.look(CHUNK_BYTES)) >= packed.BEGINNING_BYTES:
        for i in range(len(held) - packed.BEGINNING_BYTES + 1):
            if packed.kind_of(held[i : i + packed.BEGINNING_BYTES]) == kind:
                candidate = stream.place + i
                if _holds_records(Unpacker(_little(at(candidate)), kind, candidate, dictionary)):
                    return candidate
                tried += 1
                if tried >= MAX_CANDIDATES:
                    return None
        stream.take(len(held) - packed.BEGINNING_BYTES + 1)
    return None


def _holds_records(candidate: Unpacker) -> bool:
    try:
        return candidate.next_member() and candidate.read_member(len(_BEGIN)) == _BEGIN
    except Damaged:
        return False


def _little(read: Read) -> Read:
    """Enough of a member to see how it begins: a block of zstd has 128 KiB at most."""
    left = CANDIDATE_BYTES

    def read_little(most: int) -> bytes:
        nonlocal left
        given = read(min(most, left, CANDIDATE_STEP_BYTES))
        left -= len(given)
        return given

    return read_little


@dataclass(frozen=True, slots=True)
class _Record:
    """A whole record: its head, and its block; None for one that is too large."""

    head: bytes
    block: bytes | None


def _next_record(stream: _Stream, max_bytes: int, at: At | None) -> _Record:
    """The record that begins here; a block much larger than `max_bytes` is passed over.

    `at`: what is behind its block is looked at first, where the file can be read at any place. Raises _Broken, Damaged.
    """
    if stream.look(len(_BEGIN)) != _BEGIN:
        raise _Broken("No WARC record begins here.", stream.take(BEGINNING_BYTES))
    size = stream.look(MAX_HEAD_BYTES).find(_BLANK_LINE)
    if size < 0:
        stream.require_end()
        raise _Broken("The head of the WARC record has no end.", stream.take(MAX_HEAD_BYTES))
    head = stream.take(size + len(_BLANK_LINE))
    length = _length(head)
    cut_off = _Broken(f"The WARC record is cut off: it should have {length:,} bytes.", head)
    wrong = _Broken(f"The WARC record says that it has {length:,} bytes, and does not end there.", head)
    is_too_large = length > max_bytes + MAX_HEAD_BYTES
    if at is not None:
        if length and not at(stream.place + length - 1)(1):
            raise cut_off
        if at(stream.place + length)(len(_BLANK_LINE)).strip(b"\r\n"):
            raise wrong
        if is_too_large:
            stream.jump(at, length)
            return _Record(head, None)
    if is_too_large:
        passed, block = stream.pass_over(length), None
    else:
        block = stream.take(length)
        passed = len(block)
    if passed < length:
        stream.require_end()
        cut_off.content += block or b""
        raise cut_off
    if at is None and _is_something(stream):
        wrong.content += block or b""
        raise wrong
    return _Record(head, block)


def _length(head: bytes) -> int:
    try:
        said = (WarcRecord.from_bytes(head).headers.get("Content-Length") or "").strip()
    except OSError as error:
        raise _Broken(f"The head of the WARC record cannot be read: {error}.", head) from None
    if not (said.isascii() and said.isdecimal() and len(said) < 19):
        raise _Broken("The WARC record does not say how long it is.", head)
    return int(said)


def _is_something(stream: _Stream) -> bool:
    """Whether there is more than the blank lines that end a record."""
    try:
        return bool(stream.look(len(_BLANK_LINE)).strip(b"\r\n"))
    except Damaged:
        return False  # this record is whole; whoever reads on is told again


def _found(record: _Record, max_bytes: int, begin: int, end: Position) -> Found:
    warc = WarcRecord.from_bytes(record.head)
    why = _why_dropped(warc)
    if why is not None:
        return Dropped(why, end)
    if record.block is None:
        return Dropped("too-large", end)
    try:
        http, html = _http(record.head + record.block, max_bytes)
        status = http.http_headers.status_code if http.http_headers is not None else None
        if status is None:
            raise OSError("it is no HTTP")
    except OSError as error:
        broken = _Broken(f"The response in the WARC record cannot be read: {error}.", record.head + record.block)
        return _broken(broken, begin, end)
    content_type = http.http_content_type or warc.headers.get("WARC-Identified-Payload-Type") or ""
    if status != 200:
        why = "not-200"
    elif content_type.strip().lower() not in HTML_TYPES:
        why = "not-html"
    elif len(html) > max_bytes:
        why = "too-large"
    if why is not None:
        return Dropped(why, end)
    charset = (http.http_charset or "").strip("\"' ").lower() or None
    is_cut = warc.headers.get("WARC-Truncated") is not None
    return Page(_url(warc), html, charset, warc.record_date, is_cut, begin, end)


def _why_dropped(warc: WarcRecord) -> Why | None:
    if warc.record_type == WarcRecordType.revisit:
        return "revisit"
    if warc.record_type == WarcRecordType.conversion:
        return "conversion"
    if warc.record_type != WarcRecordType.response:
        return "no-response"
    return None if identity.canonical_url(_url(warc)) is not None else "no-address"


def _url(warc: WarcRecord) -> str:
    # Old writers put it into angle brackets.
    return (warc.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")


def _http(content: bytes, max_bytes: int) -> tuple[WarcRecord, bytes]:
    """The response and its page, of which a byte more than `max_bytes` is unpacked at most. Raises OSError.

    Crawlers keep heads that speak of chunks or packing which they have undone: then the page is taken as it is.
    """
    failed: OSError | None = None
    decodings: tuple[Literal["all", "transfer", "none"], ...] = ("all", "transfer", "none")
    for decoding in decodings:
        record = WarcRecord.from_bytes(content)
        try:
            record.parse_http(auto_decode=decoding, quirks_mode=True)
            html = _payload(record, max_bytes + 1)
        except OSError as error:
            failed = failed or error
            continue
        if failed is None or b"<" in html[:1024]:
            return record, html
    assert failed is not None  # noqa: S101  else the first one was given
    raise failed


def _payload(record: WarcRecord, most: int) -> bytes:
    parts: list[bytes] = []
    left = most
    while left and record.reader is not None and (part := record.reader.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
