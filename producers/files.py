"""Files and folders -> deliveries: every .txt file is one article, every line of a .jsonl or .ndjson file another.

Reading streams and never fails for what stands in a file: what is no article comes out as a dead letter in its place.
"""

import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, assert_never

from pipeline import dead_letters, identity, records
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import RawArticle
from producers import deliveries
from producers.deliveries import Row
from producers.formats import fields, json_lines, lines, plain_text
from producers.formats.lines import START, Position

TEXT_SUFFIXES: Final = (".txt",)
LINE_SUFFIXES: Final = (".jsonl", ".ndjson")
SUFFIXES: Final = TEXT_SUFFIXES + LINE_SUFFIXES

#: A one-off feed of a file that is being written reads it again so often, so many seconds apart.
UNFINISHED_TRIES: Final = 5
UNFINISHED_PAUSE_SECONDS: Final = 0.5
MAX_SOURCE: Final = fields.MAX_LENGTHS["source"]
MAX_ITEM_ID: Final = fields.MAX_LENGTHS["id"]

Format = Literal["text", "lines"]
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
    """What a file's place says about its articles."""

    source: str
    item_id: str

    @classmethod
    def of(cls, path: Path, folder: Path | None = None, source: str | None = None) -> "Given":
        """Source: as given, or the folder's name. Own id of a .txt: its path in the folder (its own one by default)."""
        root = (folder or path.parent).resolve()
        inside = path.parent.resolve() / path.name
        relative = inside.relative_to(root).as_posix() if inside.is_relative_to(root) else path.name
        if len(relative) > MAX_ITEM_ID:
            relative = "sha256:" + hashlib.sha256(os.fsencode(relative)).hexdigest()
        return cls((source or identity.printable(root.name) or "files")[:MAX_SOURCE], relative)


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
    return "text" if suffix in TEXT_SUFFIXES else "lines" if suffix in LINE_SUFFIXES else None


def read_file(
    path: Path,
    given: Given,
    kind: Format,
    *,
    start: Position = START,
    unfinished: Unfinished = "wait",
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Found | End]:
    """Read a file from `start` (lines only) to its end; the last thing it gives is the End.

    Raises FileNotFoundError where the file is gone; whatever else keeps it from being read is a dead letter.
    """
    try:
        if kind == "text":
            yield from _read_text(path, given, unfinished, pause)
        elif kind == "lines":
            yield from _read_lines(path, given, start, unfinished, pause)
        else:
            assert_never(kind)
    except FileNotFoundError:
        raise
    except OSError as error:
        detail = f"The file cannot be read: {error.strerror or error}."
        yield _dead(InvalidRecord(Reason.UNREADABLE, detail), str(path), lines.Piece(b"", 0), start)
        yield End(State.of(path.stat()), start, is_readable=False)


def read_stream(read: lines.Read, source: str, origin: str, clock: Callable[[], datetime]) -> Iterator[Found]:
    """Deliveries from the lines of a stream, each observed when it was read."""
    for line in lines.split(read):
        now = clock()
        found = _of_line(line, source, origin, now, now)
        if found is not None:
            yield found


def _read_text(
    path: Path, given: Given, unfinished: Unfinished, pause: Callable[[float], object]
) -> Iterator[Found | End]:
    state = piece = None
    for left in reversed(range(UNFINISHED_TRIES)):
        with _opened(path) as file:
            state = State.of(os.fstat(file.fileno()))
            piece = lines.whole(file.read)
        if State.of(path.stat()) == state or unfinished == "take":
            yield _of_text(piece, given, str(path), state)
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


def _of_text(piece: lines.Piece, given: Given, origin: str, state: State) -> Found:
    now = datetime.now(UTC)
    end = Position(piece.length, 1)
    try:
        _require_whole(piece, "file")
        text = plain_text.read(piece.content)
        article = RawArticle(
            delivery_id=identity.new_delivery_id(),
            observed_at=_file_time(state, now),
            source=given.source,
            source_item_id=given.item_id,
            title=text.title,
            byline=text.byline,
            body=text.body,
        )
        return Found(article, deliveries.row_of_article(article, deliveries.value_of(article)), end)
    except InvalidRecord as error:
        return _dead(error, origin, piece, end)


def _read_lines(
    path: Path, given: Given, start: Position, unfinished: Unfinished, pause: Callable[[float], object]
) -> Iterator[Found | End]:
    position = start
    for left in reversed(range(UNFINISHED_TRIES)):
        with _opened(path) as file:
            state = State.of(os.fstat(file.fileno()))
            observed_at = _file_time(state, datetime.now(UTC))
            file.seek(position.byte)
            tail: tuple[lines.Line, Found] | None = None
            for line in lines.split(file.read, position):
                found = _of_line(line, given.source, str(path), observed_at, datetime.now(UTC))
                if found is not None and _may_go_on(line, found.what):
                    tail = line, found  # half a line: it is whole when its writer is done
                    break
                position = line.end
                if found is not None:
                    yield found
        after = State.of(path.stat())
        is_settled = after == state
        if unfinished == "leave":
            yield End(state, position, is_settled=is_settled and tail is None)
            return
        if is_settled or unfinished == "take" or not left:
            if tail is not None:
                # The place stays before half a line: should the rest come after all, the line is read whole.
                yield Found(tail[1].what, tail[1].row, position)
            yield End(state, position, is_settled=is_settled)
            return
        if after.inode != state.inode or after.size < position.byte:
            position = Position()  # another file by now
        pause(UNFINISHED_PAUSE_SECONDS)


def _may_go_on(line: lines.Line, what: RawArticle | DeadLetter) -> bool:
    return not line.is_terminated and isinstance(what, DeadLetter) and what.reason in (Reason.NOT_JSON, Reason.NOT_UTF8)


def _of_line(line: lines.Line, source: str, origin: str, observed_at: datetime, now: datetime) -> Found | None:
    """The delivery of a line; None for a blank one, which only separates others."""
    piece = line.piece
    if not piece.content.strip():
        return None
    try:
        _require_whole(piece, "line")
        article = json_lines.read_line(
            piece.content,
            delivery_id=identity.new_delivery_id(),
            source=source,
            observed_at=observed_at,
            now=now,
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


def _opened(path: Path) -> io.FileIO:
    # Not blocking: a named pipe that calls itself .txt must not hold up the others.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is not a plain file")
    return io.FileIO(descriptor)


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
    if any(part.startswith(".") for part in _inside(path, root).parts):
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


def _inside(path: Path, root: Path) -> Path:
    resolved = path.parent.resolve() / path.name
    return resolved.relative_to(root) if resolved.is_relative_to(root) else Path(path.name)
