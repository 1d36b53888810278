"""CSV and TSV with a header -> rows of named cells, in bounded memory, each with the bytes that it stands in.

Dialect: quotation marks doubled inside of quoted cells, line feeds within them, CR LF or LF behind a row; what stands
between the cells is what the header has most of: a comma, semicolon, tab or bar. Text is UTF-8, with or without a mark.
"""

import csv
import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.dead_letters import BEGINNING_BYTES
from pipeline.errors import InvalidRecord, Reason
from producers.formats import lines
from producers.formats.lines import MAX_PIECE_BYTES, Line, Piece, Position, Read

DELIMITERS: Final = (",", ";", "\t", "|")
MAX_COLUMNS: Final = 1000
MAX_ROW_LINES: Final = 10_000
#: … and so many at least, whatever came before.
LEAST_ROW_LINES: Final = 16


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, and where the first row behind them begins."""

    columns: tuple[str, ...]
    delimiter: str
    end: Position


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its cells by column, or what is wrong with it. `start` is behind the row before.

    `is_open`: the stream ends within it, so that what is missing may still come.
    """

    cells: Mapping[str, str] | InvalidRecord
    piece: Piece
    start: Position
    end: Position
    is_open: bool


class _TooLarge(Exception):
    """The row has more bytes than a row may have."""


class _Lines:
    """The lines that csv.reader asks for, and those of them that the row in work stands in."""

    def __init__(self, found: Iterator[Line]) -> None:
        self._found = found
        self._again: deque[Line] = deque()
        self._bytes = 0
        self._most = MAX_ROW_LINES
        self.taken: list[Line] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._found)
        self.taken.append(line)
        self._bytes += line.piece.length + 1
        if self._bytes > MAX_PIECE_BYTES or not line.piece.is_whole or len(self.taken) > self._most:
            raise _TooLarge
        return line.piece.content.decode("utf-8", "surrogateescape") + ("\n" if line.is_terminated else "")

    def begin_row(self) -> None:
        self.taken, self._bytes = [], 0

    def end_row(self) -> None:
        """It was a row, good or bad: the next one may have so many lines more."""
        self._most = min(MAX_ROW_LINES, self._most + len(self.taken))

    def keep_first_only(self) -> None:
        """Give the lines of this row again, but for its first.

        Rows may have fewer lines then. Were each line to open a cell that is never closed, each would cost the reading
        of all that a row may have; so all of it together costs little more than what was gone through before.
        """
        self._most = max(LEAST_ROW_LINES, self._most // 4)
        self._again.extendleft(reversed(self.taken[1:]))
        self.taken = self.taken[:1]


def read_header(read: Read) -> Header | None:
    """The first line that is not blank; None if there is none. Raises InvalidRecord."""
    for line in lines.split(read):
        if line.piece.content.strip(b" \t\r\xef\xbb\xbf"):
            break
    else:
        return None
    if not line.piece.is_whole:
        raise InvalidRecord(Reason.TOO_LARGE, f"The header has {line.piece.length:,} bytes.")
    text = _decoded(line.piece.content).removeprefix("\ufeff")
    delimiter = max(DELIMITERS, key=text.count)
    try:
        cells = next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InvalidRecord(Reason.WRONG_SHAPE, f"The header cannot be read: {error}.") from None
    columns = tuple(cell.strip() for cell in cells)
    if len(columns) > MAX_COLUMNS:
        raise InvalidRecord(Reason.WRONG_SHAPE, f"The header has {len(columns):,} columns; {MAX_COLUMNS:,} may be.")
    twice = next((c for i, c in enumerate(columns) if c and c in columns[:i]), None)
    if twice is not None:
        raise InvalidRecord(Reason.WRONG_SHAPE, f'The header names the column "{twice[:60]}" twice.')
    return Header(columns, delimiter, line.end)


def rows(read: Read, header: Header, start: Position) -> Iterator[CsvRow]:
    """The rows from `start` on, where `read` stands; blank ones are passed over.

    A quotation mark that is never closed costs its own line: reading goes on at the next one.
    """
    csv.field_size_limit(MAX_PIECE_BYTES)  # of the whole process; a row may not have more, so no cell can
    source = _Lines(lines.split(read, start))
    reader = csv.reader(source, delimiter=header.delimiter, strict=True)
    while True:
        source.begin_row()
        cells: Mapping[str, str] | InvalidRecord
        is_open = False
        try:
            found = next(reader)
        except StopIteration:
            return
        except (_TooLarge, csv.Error) as error:
            # strict: the end of the stream within quotation marks is an error, too
            is_open = isinstance(error, csv.Error) and "unexpected end" in str(error)
            if (is_open or isinstance(error, _TooLarge)) and len(source.taken) > 1:
                source.keep_first_only()
                cells = InvalidRecord(Reason.WRONG_SHAPE, "A quotation mark opens a cell that is never closed.")
            elif is_open:
                cells = InvalidRecord(Reason.WRONG_SHAPE, "A quotation mark opens a cell that is never closed.")
            elif isinstance(error, _TooLarge):
                cells = InvalidRecord(
                    Reason.TOO_LARGE, f"The row has more than the {MAX_PIECE_BYTES:,} bytes that are read."
                )
            else:
                cells = InvalidRecord(Reason.WRONG_SHAPE, f"The row is no CSV: {error}.")
        else:
            source.end_row()
            if not any(cell.strip() for cell in found):
                start = source.taken[-1].end
                continue
            cells = _named(found, header, source.taken)
        end = source.taken[-1].end
        yield CsvRow(cells, _piece(source.taken), start, end, is_open or not source.taken[-1].is_terminated)
        start = end


def _named(found: list[str], header: Header, taken: list[Line]) -> Mapping[str, str] | InvalidRecord:
    try:
        for line in taken:
            _decoded(line.piece.content)
    except InvalidRecord as error:
        return error
    if len(found) != len(header.columns):
        said = f"The row has {len(found):,} columns; the header has {len(header.columns):,}."
        return InvalidRecord(Reason.WRONG_SHAPE, said)
    return {name: cell for name, cell in zip(header.columns, found, strict=True) if name}


def _piece(taken: list[Line]) -> Piece:
    if len(taken) == 1:
        return taken[0].piece
    content = b"\n".join(line.piece.content for line in taken)
    if all(line.piece.is_whole for line in taken) and len(content) <= MAX_PIECE_BYTES:
        return Piece(content, len(content))
    length = sum(line.piece.length + 1 for line in taken) - 1
    return Piece(content[:BEGINNING_BYTES], length, hashlib.sha256(content).hexdigest())


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidRecord(Reason.NOT_UTF8, "The file looks like UTF-16: save it as UTF-8.")
    if b"\0" in content:
        raise InvalidRecord(Reason.NOT_UTF8, f"Byte {content.index(0)} of the line is NUL, which no text has.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(Reason.NOT_UTF8, f"Byte {error.start} of the line is not UTF-8 ({error.reason}).") from None
