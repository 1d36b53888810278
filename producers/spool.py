"""The spool: what was accepted waits here on disk until the broker has it.

A row and the place in the file that it came from are written in one transaction, so that a kill at any point loses no
delivery and gives none a second delivery id. Nothing is dropped when the spool is full: appending waits.

Power loss: appending is synchronous, so what was accepted survives it here. A row is deleted once the broker has
acknowledged it, which on a single broker does not mean that its own log is flushed: then a power cut within seconds
can take acknowledged records with it. With three brokers (acks=all, two in sync) it cannot.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import msgspec

from pipeline import crash, logs
from pipeline.errors import Stop, Unavailable
from producers.deliveries import Row
from producers.formats.lines import Position

BUSY_SECONDS: Final = 60
ROOM_POLL_SECONDS: Final = 0.02
_SAY_AGAIN_SECONDS: Final = 30

_STORED_HEADERS: Final = msgspec.json.Decoder(list[tuple[str, str]])
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A row in the spool, with its number in sending order."""

    seq: int
    row: Row
    size: int


@dataclass(frozen=True, slots=True)
class Held:
    """What waits in the spool, and the last number given out."""

    records: int
    bytes: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a file has been read, and how it looked then."""

    path: Path
    size: int
    mtime_ns: int
    position: Position
    fingerprint: bytes
    is_done: bool
    is_readable: bool = True

    def covers(self, size: int, mtime_ns: int) -> bool:
        """Whether a file that looks so now has been read to its end."""
        return self.is_done and self.is_readable and (self.size, self.mtime_ns) == (size, mtime_ns)


@cache
def _sql(name: str) -> str:
    return (resources.files("producers") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


class Spool:
    """One connection to the spool in `folder`; each thread opens its own, and several processes may."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._connection = sqlite3.connect(
                folder / "spool.sqlite", timeout=BUSY_SECONDS, isolation_level=None, cached_statements=64
            )
            # Switching to WAL does not wait for others as everything else does.
            with (folder / "open.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._connection.execute("PRAGMA page_size = 8192")
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.executescript(_sql("schema"))
                self._connection.executescript(_sql("sources_schema"))
                self._connection.executescript(_sql("answers_schema"))
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA journal_size_limit = 67108864")

    def another(self) -> "Spool":
        """A connection of its own to the same spool, for another thread."""
        return Spool(self.folder, self.max_bytes)

    def close(self) -> None:
        """Close the connection; what was appended stays."""
        self._connection.close()

    def __enter__(self) -> Self:  # noqa: D105
        return self

    def __exit__(self, *_: object) -> None:  # noqa: D105
        self.close()

    def append(
        self,
        rows: Sequence[Row],
        cursor: Cursor | None = None,
        stop: threading.Event | None = None,
        also: Callable[[sqlite3.Connection], None] | None = None,
        must_fit: bool = True,
    ) -> bool:
        """Keep the rows and the place behind them: all or nothing, on disk when this returns.

        `also` writes what else belongs to them, in the same transaction. What need not fit goes past the limit.
        Waits while the spool is full; False, with nothing kept, if `stop` was set before there was room. Raises
        Unavailable when the disk is full or does not answer.
        """
        if rows and must_fit and not self._wait_for_room(stop):
            return False
        with self._transaction():
            self._connection.executemany(_sql("append"), [_parameters(row) for row in rows])
            self._change_held(len(rows), sum(row.size for row in rows))
            if cursor is not None:
                self._write_cursor(cursor)
            if also is not None:
                also(self._connection)
        crash.at("producers.after_spool")
        return True

    def read_after(self, seq: int, max_records: int, max_bytes: int) -> list[Spooled]:
        """The next rows in sending order: at least one if there is one, then up to both limits."""
        found: list[Spooled] = []
        held = 0
        with self._explained():
            cursor = self._connection.execute(_sql("read_after"), {"seq": seq, "limit": max_records})
            for number, topic, key, value, headers, delivery_id, size in cursor:
                row = Row(topic, key, value, _headers(headers), UUID(bytes=delivery_id))
                found.append(Spooled(number, row, size))
                held += size
                if held >= max_bytes:
                    break
            cursor.close()  # ends the read transaction: an open one would keep the log file from being reused
        return found

    def delete(self, spooled: Sequence[Spooled]) -> None:
        """Forget rows that the broker has acknowledged."""
        self._replace(spooled, ())

    def replace(self, spooled: Spooled, row: Row) -> None:
        """Put another row in the place of one that can never be sent."""
        self._replace((spooled,), (row,))

    def held(self) -> Held:
        """What waits now."""
        with self._explained():
            records, size, last = self._connection.execute(_sql("read_held")).fetchone()
        return Held(records, size, last)

    def first_seq(self) -> int | None:
        """The number of the oldest row that waits; None if none does."""
        with self._explained():
            first: int | None = self._connection.execute(_sql("read_first")).fetchone()[0]
        return first

    def holds(self, wanted: UUID) -> bool:
        """Whether a delivery with this id, or one of the article with this id, waits."""
        with self._explained():
            arguments = {"id": wanted.bytes, "key": str(wanted).encode()}
            return bool(self._connection.execute(_sql("read_holds"), arguments).fetchone()[0])

    def version(self) -> int:
        """A number that changes whenever another connection has changed the spool."""
        with self._explained():
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def cursor(self, path: Path) -> Cursor | None:
        """How far this file has been read; None if it never was."""
        with self._explained():
            found = self._connection.execute(_sql("read_cursor"), {"path": _key(path)}).fetchone()
        if found is None:
            return None
        size, mtime_ns, byte, line, fingerprint, is_done, is_readable = found
        return Cursor(path, size, mtime_ns, Position(byte, line), fingerprint, bool(is_done), bool(is_readable))

    def select(self, query: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """What a query finds in this database, whose tables of sources are read elsewhere (sources/state.py)."""
        with self._explained():
            return self._connection.execute(query, values).fetchall()

    def relax(self) -> None:
        """Do not wait for the disk on this connection: a deletion that is lost only sends a record again."""
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _replace(self, old: Sequence[Spooled], new: Sequence[Row]) -> None:
        with self._transaction():
            self._connection.executemany(_sql("delete"), [{"seq": spooled.seq} for spooled in old])
            self._connection.executemany(_sql("append"), [_parameters(row) for row in new])
            size = sum(row.size for row in new) - sum(spooled.size for spooled in old)
            self._change_held(len(new) - len(old), size)

    def _change_held(self, records: int, size: int) -> None:
        self._connection.execute(_sql("change_held"), {"records": records, "bytes": size})

    def _write_cursor(self, cursor: Cursor) -> None:
        values = {
            "path": _key(cursor.path),
            "size": cursor.size,
            "mtime_ns": cursor.mtime_ns,
            "byte": cursor.position.byte,
            "line": cursor.position.line,
            "fingerprint": cursor.fingerprint,
            "is_done": cursor.is_done,
            "is_readable": cursor.is_readable,
        }
        self._connection.execute(_sql("write_cursor"), values)

    def _wait_for_room(self, stop: threading.Event | None) -> bool:
        said = float("-inf")
        while (held := self.held()).bytes > self.max_bytes:
            if stop is not None and stop.is_set():
                return False
            if time.monotonic() - said > _SAY_AGAIN_SECONDS:
                _log.warning("the spool is full: feeding waits", records=held.records, bytes=held.bytes)
                said = time.monotonic()
            time.sleep(ROOM_POLL_SECONDS)
        return True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked for a minute, disk full, no access, I/O error
            raise Unavailable(f"The spool in {self.folder} cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise Stop(
                f"The spool in {self.folder} is damaged: {error}. Keep a copy for what has not been sent, "
                "then move the folder away and feed again."
            ) from error


class SenderLock:
    """Exactly one process sends (or does what else is named) at a time; the lock goes with it, however it ends."""

    def __init__(self, folder: Path, name: str = "sender") -> None:
        self._path = folder / f"{name}.lock"
        self._descriptor: int | None = None

    def try_take(self) -> bool:
        """Take the lock if nobody else has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def give_back(self) -> None:
        """Let the next one send."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _key(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _parameters(row: Row) -> dict[str, object]:
    return {
        "topic": row.topic,
        "key": row.key,
        "value": row.value,
        "headers": msgspec.json.encode([(name, value.decode()) for name, value in row.headers]).decode(),
        "delivery_id": row.delivery_id.bytes,
        "size": row.size,
    }


def _headers(stored: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in _STORED_HEADERS.decode(stored)]
