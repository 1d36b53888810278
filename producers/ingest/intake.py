"""Rows of a request -> the spool, with its answer where the client gave it an Idempotency-Key.

The order of things is the guarantee (draft-ietf-httpapi-idempotency-key-header):
    1. rows and answer are written in one transaction: a kill leaves both or neither
    2. the broker acknowledges the rows; only then the client is answered
A repeat finds the answer of 1 and waits for the same rows: the same ids, and nothing is sent twice.
"""

import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from producers.deliveries import Row
from producers.spool import Spool

#: How long a key is remembered; the client may repeat for so long.
KEPT_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Once:
    """What tells that a request comes again: whose key, the client's name for it, and a hash of what was sent."""

    owner: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on disk: the numbers of its rows (none: empty) and the answer that is due once they are acknowledged."""

    seqs: range
    answer: bytes
    is_repeat: bool = False


class OtherRequest(Exception):
    """The same Idempotency-Key came before with another request."""


class _Known(Exception):
    """Another process has kept the very request meanwhile."""


@cache
def _sql(name: str) -> str:
    return (resources.files("producers") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


class Intake:
    """Keeps what requests bring; one thread uses it."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        # Appending would wait for room and hold up everybody; a request is told to come again instead.
        self._at_once = threading.Event()
        self._at_once.set()

    def find(self, once: Once) -> Kept | None:
        """What was kept of this request before. Raises OtherRequest, Unavailable."""
        values = {"owner": once.owner, "key": once.key, "since": time.time() - KEPT_SECONDS}
        rows = self._spool.select(_sql("read_answer"), values)
        if not rows:
            return None
        fingerprint, answer, first, last = rows[0]
        if fingerprint != once.fingerprint:
            raise OtherRequest
        return Kept(range(first, last + 1), zlib.decompress(answer), is_repeat=True)

    def keep(self, rows: Sequence[Row], answer: bytes = b"", once: Once | None = None) -> Kept | None:
        """Keep the rows; on disk when this returns. None: there is no room. Raises OtherRequest, Unavailable."""
        last = 0

        def also(connection: sqlite3.Connection) -> None:
            nonlocal last
            (last,) = connection.execute(_sql("read_last_seq")).fetchone()
            if once is not None:
                self._write(connection, once, answer, range(last + 1 - len(rows), last + 1))

        try:
            if not self._spool.append(rows, stop=self._at_once, also=also):
                return None
        except _Known:
            return self.find(once) if once is not None else None
        return Kept(range(last + 1 - len(rows), last + 1), answer)

    def touch(self) -> None:
        """Write to the disk for nothing, to see that it can be done. Raises Unavailable."""
        self._spool.append(())

    def _write(self, connection: sqlite3.Connection, once: Once, answer: bytes, seqs: range) -> None:
        now = time.time()
        expired = now - KEPT_SECONDS
        found = connection.execute(_sql("read_answer"), {"owner": once.owner, "key": once.key, "since": expired})
        if found.fetchone() is not None:
            raise _Known
        connection.execute(_sql("prune_answers"), {"until": expired})
        values = {
            "owner": once.owner,
            "key": once.key,
            "fingerprint": once.fingerprint,
            "answer": zlib.compress(answer),
            "first_seq": seqs.start,
            "last_seq": seqs.stop - 1,
            "kept_at": now,
        }
        connection.execute(_sql("write_answer"), values)
