"""A stream of bytes -> its lines, in bounded memory: of one too long its beginning, length and hash."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.dead_letters import BEGINNING_BYTES, MAX_WHOLE_BYTES

#: What is read whole can be kept whole as a dead letter; escapes make a line up to six times as long as its record.
MAX_PIECE_BYTES: Final = MAX_WHOLE_BYTES
CHUNK_BYTES: Final = 256 * 1024

Read = Callable[[int], bytes]
"""Gives at most so many bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two lines: bytes and lines before it."""

    byte: int = 0
    line: int = 0


START: Final = Position()


@dataclass(frozen=True, slots=True)
class Piece:
    """A line (or a whole small file): all of it, or its beginning with the length and hash of the whole."""

    content: bytes
    length: int
    sha256: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether `content` is all of it."""
        return self.sha256 is None


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line feed, and where it stands; the last one of a stream may have no line feed yet."""

    piece: Piece
    start: Position
    end: Position
    is_terminated: bool


class _Gathering:
    """What has been read of one line so far."""

    def __init__(self) -> None:
        self._content = b""
        self._rest = bytearray()  # of a line that comes in pieces; most come in one
        self._length = 0
        self._hash: hashlib._Hash | None = None

    def add(self, part: bytes) -> None:
        self._length += len(part)
        if self._hash is not None:
            self._hash.update(part)
            return
        if not self._content:
            self._content = part
        else:
            self._rest += part
        if self._length > MAX_PIECE_BYTES:
            self._hash = hashlib.sha256(self._content)
            self._hash.update(self._rest)
            self._content = (self._content[:BEGINNING_BYTES] + self._rest[:BEGINNING_BYTES])[:BEGINNING_BYTES]
            self._rest = bytearray()

    def take(self) -> Piece:
        if self._rest:
            self._content += self._rest
            self._rest = bytearray()
        piece = Piece(self._content, self._length, self._hash.hexdigest() if self._hash else None)
        self._content, self._length, self._hash = b"", 0, None
        return piece


def split(read: Read, start: Position = START) -> Iterator[Line]:
    """The lines of what `read` gives, blank ones too; `start` is where its first byte stands."""
    gathering = _Gathering()
    while chunk := read(CHUNK_BYTES):
        *ends, rest = chunk.split(b"\n")
        for part in ends:
            gathering.add(part)
            piece = gathering.take()
            end = Position(start.byte + piece.length + 1, start.line + 1)
            yield Line(piece, start, end, is_terminated=True)
            start = end
        gathering.add(rest)
    piece = gathering.take()
    if piece.length:
        yield Line(piece, start, Position(start.byte + piece.length, start.line + 1), is_terminated=False)


def whole(read: Read) -> Piece:
    """All that `read` gives as one piece."""
    gathering = _Gathering()
    while chunk := read(CHUNK_BYTES):
        gathering.add(chunk)
    return gathering.take()
