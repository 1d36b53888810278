"""A snapshot of a view -> a file of CSV, JSON lines or Parquet that is there whole or not at all, or stdout."""

import io
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol, get_args
from uuid import uuid4

from psycopg import Column

from ops import cells
from ops.database import Connection
from pipeline.errors import SettingError
from sinks import export
from sinks.export import Chosen, Exported

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_ENDINGS: Final[dict[str, Format]] = {".ndjson": "jsonl", **{f".{name}": name for name in FORMATS}}


class Rows(Protocol):
    """Takes the rows of an export. One for each format."""

    def write(self, page: Sequence[tuple[Any, ...]]) -> None:
        """Take some rows, in order. OSError ends the export."""

    def finish(self) -> None:
        """All rows were taken: write what is still held, and what ends a file of this format."""


def format_of(given: str | None, out: str) -> Format:
    """The format that is asked for, else the one that the name ends in, else CSV. Raises SettingError."""
    name = given or _ENDINGS.get(Path(out).suffix.lower(), "csv")
    for known in FORMATS:
        if known == name:
            return known
    raise SettingError(f"--format is one of {', '.join(FORMATS)}, not {name!r}.")


def write(
    connection: Connection,
    exported: Exported,
    chosen: Chosen,
    stream: BinaryIO,
    rows_of: Callable[[BinaryIO, Sequence[Column], int], Rows],
    say: Callable[[int], None],
) -> tuple[int, int]:
    """Write all rows to the stream; gives how many, and the number of the newest change that they contain."""
    count = 0
    with export.snapshot(connection, exported, chosen) as shown:
        rows = rows_of(stream, shown.columns, shown.last_change)
        for page in shown.pages:
            rows.write(page)
            count += len(page)
            say(count)
        rows.finish()
        return count, shown.last_change


class CsvRows:
    """CSV in UTF-8. `cell` says how a value stands in it."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column], cell: Callable[[Any], str]) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
        self._cell = cell
        self._writer = cells.csv_writer(self._text, [column.name for column in columns])

    def write(self, page: Sequence[tuple[Any, ...]]) -> None:
        """One line a row; line breaks in a value stand in quotes."""
        for row in page:
            self._writer.row(map(self._cell, row))
        self._text.flush()

    def finish(self) -> None:
        """Nothing ends it."""
        self._text.flush()
        self._text.detach()


class JsonRows:
    """JSON lines in UTF-8: one object a row, all columns in it."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column], line: Callable[[str], str]) -> None:
        self._stream = stream
        self._names = [column.name for column in columns]
        self._line = line

    def write(self, page: Sequence[tuple[Any, ...]]) -> None:
        """One line a row; no character in it ends a line for anybody."""
        for row in page:
            object_ = cells.json_line(dict(zip(self._names, row, strict=True)))
            self._stream.write(self._line(object_).encode() + b"\n")

    def finish(self) -> None:
        """Nothing ends it."""


@contextmanager
def opened(out: str) -> Generator[BinaryIO]:
    """What `--out` names: `-` is stdout; a file appears under its name when all of it is on the disk, or not at all.

    A file that is replaced leaves its mode to the new one. What is there and no file (a pipe, /dev/null) is written to
    as it is. Raises SettingError where that cannot be.
    """
    path = Path(out)
    if out == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        path = path.resolve()  # a link stays one
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            stream: BinaryIO = path.open("wb")
            temporary = None
        else:
            temporary = path.with_name(f".{path.name[:100]}.{uuid4().hex[:8]}.part")
            mode = path.stat().st_mode & 0o777 if path.exists() else None
            # Private until it has its mode: nobody else opens it before.
            made = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
            stream = os.fdopen(made, "wb")
            if mode is not None:
                os.fchmod(made, mode)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        said = getattr(error, "strerror", None) or str(error)
        raise SettingError(f"--out {out} cannot be written: {said}.") from None
    try:
        with stream:
            yield stream
            if temporary is not None:
                stream.flush()
                os.fsync(stream.fileno())
        if temporary is not None:
            temporary.replace(path)
            _keep(path.parent)
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise


def _keep(folder: Path) -> None:
    """The new name of a file is on the disk too."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
