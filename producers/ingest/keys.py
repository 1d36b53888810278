"""API keys: who may send, for which sources and how much. They lie in a file of their own, as hashes.

A key is 32 random bytes: nobody finds it from its SHA-256 by trying, as a password is found. So one fast hash is
right, and the look-up by hash compares nothing that a stranger could time.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self

from pipeline.errors import SettingError, Stop, Unavailable
from producers.formats.fields import MAX_LENGTHS

FILE: Final = "keys.sqlite"
PREFIX: Final = "news_"
SHOWN: Final = len(PREFIX) + 8
MAX_NAME: Final = 100
BUSY_SECONDS: Final = 10
#: "Last used" is this old at most.
USED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: everything but the key."""

    id: str
    name: str
    prefix: str
    sources: tuple[str, ...]
    per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None

    @property
    def source(self) -> str:
        """The source of an article that names none."""
        return self.sources[0] if self.sources else self.name


@cache
def _sql(name: str) -> str:
    return (resources.files("producers") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


class KeyStore:
    """The keys of a data folder; each thread opens its own. Other processes see a change at once."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            # Made before SQLite makes it: its journal files take over who may read.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise SettingError(f"NEWS_DATA_DIR: {self._path} cannot be written: {error.strerror}.") from error
        with self._explained():
            self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            self._connection.execute(_sql("keys_schema"))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:  # noqa: D105
        return self

    def __exit__(self, *_: object) -> None:  # noqa: D105
        self.close()

    def create(self, name: str, sources: Sequence[str] = (), per_minute: int | None = None) -> str:
        """Make a key; it is shown this once. Raises SettingError for a name that is taken, or no name."""
        name = name.strip()
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise SettingError(f"A key needs a name of 1 to {MAX_NAME} printable characters.")
        named = tuple(dict.fromkeys(source.strip() for source in sources))
        if any(not 0 < len(source) <= MAX_LENGTHS["source"] for source in named):
            raise SettingError(f"A source has 1 to {MAX_LENGTHS['source']} characters.")
        key = PREFIX + secrets.token_urlsafe(32)
        values = {
            "hash": _hash(key),
            "name": name,
            "prefix": key[:SHOWN],
            "sources": json.dumps(named),
            "per_minute": per_minute,
            "created_at": time.time(),
        }
        with self._explained():
            try:
                self._connection.execute(_sql("write_key"), values)
            except sqlite3.IntegrityError:
                raise SettingError(f"There is a key {name!r} already: revoke it, or take another name.") from None
        return key

    def all(self) -> list[ApiKey]:
        """Every key, by name."""
        with self._explained():
            return [_api_key(row) for row in self._connection.execute(_sql("read_keys"))]

    def revoke(self, name: str) -> bool:
        """Take a key away; False if there is none of this name."""
        with self._explained():
            return self._connection.execute(_sql("delete_key"), {"name": name.strip()}).rowcount > 0

    def find(self, key: str) -> ApiKey | None:
        """Whose key this is; None for a stranger's. Notes that it was used."""
        with self._explained():
            row = self._connection.execute(_sql("read_key"), {"hash": _hash(key)}).fetchone()
            if row is None:
                return None
            found = _api_key(row)
            now = time.time()
            if found.last_used_at is None or now - found.last_used_at.timestamp() > USED_SECONDS:
                with suppress(sqlite3.OperationalError):  # a full disk must not lock anybody out
                    self._connection.execute(_sql("use_key"), {"hash": _hash(key), "now": now})
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise Unavailable(f"The keys in {self._path} cannot be read: {error}.") from error
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise Stop(f"The file of keys {self._path} is damaged: {error}. Move it away and make new keys.") from error


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _api_key(row: tuple[Any, ...]) -> ApiKey:
    hashed, name, prefix, sources, per_minute, created_at, last_used_at = row
    return ApiKey(
        id=hashed.hex()[:32],
        name=name,
        prefix=prefix,
        sources=tuple(json.loads(sources)),
        per_minute=per_minute,
        created_at=datetime.fromtimestamp(created_at, UTC),
        last_used_at=datetime.fromtimestamp(last_used_at, UTC) if last_used_at is not None else None,
    )
