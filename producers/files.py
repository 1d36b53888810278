"""Files and folders -> deliveries: a .txt or .html file is one article, each line of a .jsonl or .ndjson file another,
and each row of a .csv or .tsv file. Lines and rows may be packed by gzip or zstd.

Reading streams and never fails for what stands in a file: what is no article comes out as a dead letter in its place.
"""

import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, assert_never

from pipeline import dead_letters, identity, records
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import RawArticle
from producers import deliveries
from producers.deliveries import Row
from producers.formats import csv_rows, fields, json_lines, lines, naming, packed, plain_text
from producers.formats.lines import START, Position
from producers.formats.page import Extract

Format = Literal["text", "page", "lines", "table"]
FORMATS: Final[Mapping[str, Format]] = {
    ".txt": "text",
    ".html": "page",
    ".htm": "page",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "table",
    ".tsv": "table",
}
#: Behind the suffix of what is read as a stream. Whether a file is packed, its beginning tells.
PACKED_SUFFIXES: Final = (".gz", ".zst")
STREAMED: Final[tuple[Format, ...]] = ("lines", "table")
#: What is fed, in words.
FED: Final = f"{', '.join(FORMATS)} (lines and rows also packed: {', '.join(PACKED_SUFFIXES)})"

#: A one-off feed of a file that is being written reads it again so often, so many seconds apart.
UNFINISHED_TRIES: Final = 5
UNFINISHED_PAUSE_SECONDS: Final = 0.5
MAX_SOURCE: Final = fields.MAX_LENGTHS["source"]
MAX_ITEM_ID: Final = fields.MAX_LENGTHS["id"]

Unfinished = Literal["wait", "leave", "take"]
"""What to do about a file that is still being written: read it again soon (and at last take it), leave it, take it."""


@dataclass(frozen=True, slots=True)
class State:
    """What tells that a file has changed."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "State":
        """The state in a stat result."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class Given:
    """What a file's place says about its articles, what the fields in it are called, and what finds text in HTML."""

    source: str
    item_id: str
    names: naming.Names = field(default_factory=dict)
    root: Path | None = None
    """The folder that the file must lie in, however it is reached."""
    extract: Extract | None = None

    @classmethod
    def of(
        cls,
        path: Path,
        folder: Path | None = None,
        source: str | None = None,
        names: naming.Names = naming.OURS,
        extract: Extract | None = None,
    ) -> "Given":
        """Source: as given, or the folder's name. Own id of a .txt or .html: its path in the folder (its own one)."""
        root = (folder or path.parent).resolve()
        inside = path.parent.resolve() / path.name
        relative = inside.relative_to(root).as_posix() if inside.is_relative_to(root) else path.name
        if len(relative) > MAX_ITEM_ID:
            relative = "sha256:" + hashlib.sha256(os.fsencode(relative)).hexdigest()
        name = (source or identity.printable(root.name) or "files")[:MAX_SOURCE]
        return cls(name, relative, names, root if folder else None, extract)


@dataclass(frozen=True, slots=True)
class Found:
    """One delivery, its row for the spool, and where reading goes on once that row is kept."""

    what: RawArticle | DeadLetter
    row: Row
    end: Position


@dataclass(frozen=True, slots=True)
class End:
    """The end of a file. Not settled: it is still being written, and what is left is to be read later."""

    state: State
    position: Position
    is_settled: bool = True
    is_readable: bool = True


def format_of(path: Path) -> Format | None:
    """How to read a file, by its suffix; None for one that is not fed."""
    suffix = path.suffix.lower()
    if suffix not in PACKED_SUFFIXES:
        return FORMATS.get(suffix)
    kind = FORMATS.get(Path(path.stem).suffix.lower())
    return kind if kind in STREAMED else None


def read_file(
    path: Path,
    given: Given,
    kind: Format,
    *,
    start: Position = START,
    unfinished: Unfinished = "wait",
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Found | End]:
    """Read a file from `start` (lines and rows only) to its end; the last thing it gives is the End.

    Raises FileNotFoundError where the file is gone; whatever else keeps it from being read is a dead letter.
    """
    try:
        if kind == "text":
            yield from _read_whole(path, given, unfinished, pause, _of_text)
        elif kind == "page":
            yield from _read_whole(path, given, unfinished, pause, _of_page)
        elif kind == "lines":
            yield from _read_pieces(path, given, start, unfinished, pause, _lines_of)
        elif kind == "table":
            yield from _read_pieces(path, given, start, unfinished, pause, _rows_of)
        else:
            assert_never(kind)
    except FileNotFoundError:
        raise
    except OSError as error:
        detail = f"The file cannot be read: {error.strerror or error}."
        yield _dead(InvalidRecord(Reason.UNREADABLE, detail), str(path), lines.Piece(b"", 0), start)
        yield End(State.of(path.stat()), start, is_readable=False)


def read_stream(read: lines.Read, given: Given, origin: str, clock: Callable[[], datetime]) -> Iterator[Found]:
    """Deliveries from the lines of a stream, each observed when it was read."""
    for line in lines.split(read):
        now = clock()
        found = _of_line(line, given, origin, now, now)
        if found is not None:
            yield found


_Whole = Callable[[lines.Piece, Given, datetime], RawArticle]


def _read_whole(
    path: Path, given: Given, unfinished: Unfinished, pause: Callable[[float], object], article_of: _Whole
) -> Iterator[Found | End]:
    state = piece = None
    for left in reversed(range(UNFINISHED_TRIES)):
        with opened(path, given.root) as file:
            state = State.of(os.fstat(file.fileno()))
            piece = lines.whole(file.read)
        if State.of(path.stat()) == state or unfinished == "take":
            yield _of_whole(piece, given, str(path), state, article_of)
            yield End(state, Position(piece.length, 1))
            return
        if unfinished == "leave":
            yield End(state, Position(), is_settled=False)
            return
        if left:
            pause(UNFINISHED_PAUSE_SECONDS)
    assert state is not None  # noqa: S101  the loop ran
    assert piece is not None  # noqa: S101
    error = InvalidRecord(Reason.UNREADABLE, f"The file is still being written; it was read {UNFINISHED_TRIES} times.")
    yield _dead(error, str(path), piece, Position(piece.length, 1))
    yield End(state, Position(piece.length, 1))


def _of_whole(piece: lines.Piece, given: Given, origin: str, state: State, article_of: _Whole) -> Found:
    end = Position(piece.length, 1)
    try:
        _require_whole(piece, "file")
        article = article_of(piece, given, _file_time(state, datetime.now(UTC)))
        return Found(article, deliveries.row_of_article(article, deliveries.value_of(article)), end)
    except InvalidRecord as error:
        return _dead(error, origin, piece, end)


def _of_text(piece: lines.Piece, given: Given, observed_at: datetime) -> RawArticle:
    text = plain_text.read(piece.content)
    return RawArticle(
        delivery_id=identity.new_delivery_id(),
        observed_at=observed_at,
        source=given.source,
        source_item_id=given.item_id,
        title=text.title,
        byline=text.byline,
        body=text.body,
    )


def _of_page(piece: lines.Piece, given: Given, observed_at: datetime) -> RawArticle:
    if not piece.content:
        raise InvalidRecord(Reason.EMPTY, "The file has 0 bytes.")
    return fields.article(
        {"html": piece.content, "id": given.item_id},
        delivery_id=identity.new_delivery_id(),
        source=given.source,
        observed_at=observed_at,
        now=observed_at,
        extract=given.extract,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line or row: its delivery (a blank one has none), its bytes, and the place behind it.

    `may_go_on`: the file ends with it, and what follows could make another one of it.
    """

    found: Found | None
    piece: lines.Piece
    end: Position
    may_go_on: bool


class _Content:
    """What is in an open file, unpacked where it is packed; `damage` once that cannot go on."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.packing = packed.kind_of(os.pread(file.fileno(), packed.BEGINNING_BYTES, 0))
        self.damage: packed.Damaged | None = None

    def at(self, position: Position) -> lines.Read:
        """Reads from a place on; up to there a packed file has to be unpacked again."""
        self._file.seek(0 if self.packing else position.byte)
        if self.packing is None:
            return self._file.read
        unpacker = packed.Unpacker(self._file.read, self.packing)

        def read(most: int) -> bytes:
            try:
                return unpacker.read(most)
            except packed.Damaged as damage:
                self.damage = damage
                return b""  # what came before is read to its end first

        left = position.byte
        while left and (passed := read(min(left, lines.CHUNK_BYTES))):
            left -= len(passed)
        return read


_Pieces = Callable[[_Content, Position, Given, str, datetime], Iterator[_Piece]]


def _read_pieces(
    path: Path,
    given: Given,
    start: Position,
    unfinished: Unfinished,
    pause: Callable[[float], object],
    pieces_of: _Pieces,
) -> Iterator[Found | End]:
    position = start
    take = unfinished == "take"
    for left in reversed(range(UNFINISHED_TRIES + 1)):
        tail: _Piece | None = None
        with opened(path, given.root) as file:
            state = State.of(os.fstat(file.fileno()))
            content = _Content(file)
            for piece in pieces_of(content, position, given, str(path), _file_time(state, datetime.now(UTC))):
                if piece.may_go_on:
                    tail = piece
                    if content.damage is None and take and piece.found is not None:
                        # The place stays before half a line: should the rest come after all, the line is read whole.
                        yield Found(piece.found.what, piece.found.row, position)
                    if not take:
                        break
                    continue
                position = piece.end
                if piece.found is not None:
                    yield piece.found
        damage = content.damage
        if damage is not None and (take or not damage.is_cut_off):
            half = tail.piece if tail is not None else lines.Piece(b"", 0)
            yield _dead(damage, f"{path}:{position.line + 1}", half, position)
        is_open = tail is not None if damage is None else damage.is_cut_off
        after = State.of(path.stat())
        is_settled = after == state
        if take or (is_settled and not is_open):
            yield End(state, position, is_settled=is_settled)
            return
        if unfinished == "leave":
            yield End(state, position, is_settled=False)
            return
        take = is_settled or left == 1
        if not is_settled:
            if after.inode != state.inode or (content.packing is None and after.size < position.byte):
                position = Position()  # another file by now
            pause(UNFINISHED_PAUSE_SECONDS)


def _lines_of(content: _Content, start: Position, given: Given, origin: str, observed_at: datetime) -> Iterator[_Piece]:
    for line in lines.split(content.at(start), start):
        found = _of_line(line, given, origin, observed_at, datetime.now(UTC))
        may_go_on = not line.is_terminated and found is not None and _is_half(found.what)
        yield _Piece(found, line.piece, line.end, may_go_on)


def _is_half(what: RawArticle | DeadLetter) -> bool:
    return isinstance(what, DeadLetter) and what.reason in (Reason.NOT_JSON, Reason.NOT_UTF8)


def _rows_of(content: _Content, start: Position, given: Given, origin: str, observed_at: datetime) -> Iterator[_Piece]:
    try:
        header = csv_rows.read_header(content.at(START))
        if header is None:
            return
        columns = naming.columns(header.columns, given.names)
    except InvalidRecord as error:
        # Said once for the file, not once for each of its rows. The place stays: should it grow, it is read again.
        yield _Piece(
            _dead(error, f"{origin}:1", lines.Piece(b"", 0), START), lines.Piece(b"", 0), START, may_go_on=False
        )
        return
    start = max(start, header.end, key=lambda position: position.byte)
    for row in csv_rows.rows(content.at(start), header, start):
        found = _of_row(row, columns, given, origin, observed_at)
        yield _Piece(found, row.piece, row.end, row.is_open)


def _of_row(
    row: csv_rows.CsvRow, columns: Mapping[str, str], given: Given, origin: str, observed_at: datetime
) -> Found:
    try:
        if isinstance(row.cells, InvalidRecord):
            raise row.cells
        article = fields.article(
            {columns[name]: cell for name, cell in row.cells.items() if name in columns},
            delivery_id=identity.new_delivery_id(),
            source=given.source,
            observed_at=observed_at,
            now=datetime.now(UTC),
            extract=given.extract,
        )
        return Found(article, deliveries.row_of_article(article, deliveries.value_of(article)), row.end)
    except InvalidRecord as error:
        return _dead(error, f"{origin}:{row.start.line + 1}", row.piece, row.end)


def _of_line(line: lines.Line, given: Given, origin: str, observed_at: datetime, now: datetime) -> Found | None:
    """The delivery of a line; None for a blank one, which only separates others."""
    piece = line.piece
    if not piece.content.strip():
        return None
    try:
        _require_whole(piece, "line")
        article = json_lines.read_line(
            piece.content,
            delivery_id=identity.new_delivery_id(),
            source=given.source,
            observed_at=observed_at,
            now=now,
            names=given.names,
            extract=given.extract,
        )
        return Found(article, deliveries.row_of_article(article, deliveries.value_of(article)), line.end)
    except InvalidRecord as error:
        return _dead(error, f"{origin}:{line.end.line}", piece, line.end)


def _require_whole(piece: lines.Piece, what: str) -> None:
    if not piece.is_whole:
        raise InvalidRecord(
            Reason.TOO_LARGE,
            f"The {what} has {piece.length:,} bytes; {lines.MAX_PIECE_BYTES:,} are read. Its beginning is kept.",
        )


def _dead(error: InvalidRecord, origin: str, piece: lines.Piece, end: Position) -> Found:
    letter = dead_letters.of_source(error, identity.printable(origin), piece.content, piece.length, piece.sha256)
    return Found(letter, deliveries.row_of_dead_letter(letter), end)


def opened(path: Path, root: Path | None = None) -> io.FileIO:
    """A plain file, open to be read; below `root` (resolved) no link leads out, not one put there this moment either.

    Raises OSError.
    """
    descriptor = os.open(path, _FLAGS) if root is None else _open_below(path, root)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is not a plain file")
    return io.FileIO(descriptor)


# Not blocking: a named pipe that calls itself .txt must not hold up the others.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def _open_below(path: Path, root: Path) -> int:
    """Step by step along the path that the links lead to now: what becomes a link on the way is not followed."""
    target = Path(os.path.realpath(path, strict=True))
    if not target.is_relative_to(root):
        raise OSError(0, "it leads out of the folder")
    *folders, name = target.relative_to(root).parts
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _file_time(state: State, now: datetime) -> datetime:
    try:
        found = datetime.fromtimestamp(state.mtime_ns / 1e9, tz=UTC)
    except (ValueError, OverflowError, OSError):  # a file system may hold any number
        return now
    return min(found, now) if found >= records.EARLIEST else now


Why = Literal["hidden", "suffix", "link", "not a file", "unreadable"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in a folder that is not fed, and why; `sentence` where a person should know."""

    path: Path
    why: Why
    sentence: str | None = None


def scan(folder: Path) -> Iterator[Path | LeftOut]:
    """Everything below a folder in sorted order, subfolders in their place: files to feed, and what is left out."""
    yield from _scan(folder, folder.resolve())


def _scan(folder: Path, root: Path) -> Iterator[Path | LeftOut]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield LeftOut(folder, "unreadable", f"The folder {folder} cannot be read: {error.strerror}.")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _scan(path, root)
        else:
            yield look_at(path, root) or path


def look_at(path: Path, root: Path) -> LeftOut | None:
    """Why this file below `root` (resolved) is not fed; None if it is. A link is never followed out of the folder."""
    inside = path.parent.resolve() / path.name
    if not inside.is_relative_to(root):
        return LeftOut(path, "link", f"A link on the way to {path} leads out of the folder; it is not followed.")
    if any(part.startswith(".") for part in inside.relative_to(root).parts):
        return LeftOut(path, "hidden")
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return _look_at_link(path, root)
    except OSError as error:
        return LeftOut(path, "unreadable", f"{path} cannot be looked at: {error.strerror}.")
    if format_of(path) is None:
        return LeftOut(path, "suffix")
    return None if stat.S_ISREG(status.st_mode) else LeftOut(path, "not a file", f"{path} is not a plain file.")


def _look_at_link(path: Path, root: Path) -> LeftOut | None:
    try:
        target = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        return LeftOut(path, "link", f"The link {path} leads nowhere: {error.strerror}.")
    if not target.is_relative_to(root):
        return LeftOut(path, "link", f"The link {path} leads out of the folder; it is not followed.")
    if target.is_dir():
        return LeftOut(path, "link", f"The link {path} leads to a folder; it is not followed.")
    if format_of(path) is None:
        return LeftOut(path, "suffix")
    if look_at(target, root) is None:
        return LeftOut(path, "link", f"The link {path} leads to a file that is fed by itself.")
    return None if target.is_file() else LeftOut(path, "not a file", f"{path} is not a plain file.")
