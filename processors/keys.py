"""A key -> the newest row of the window under it. A key is one byte that says of what, and the id."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import xxhash

from processors.entry import Entry
from processors.window import NO_ID, NO_ROW, Row, Window

PLACE: Final = b"p"
DELIVERY: Final = b"d"
ARTICLE: Final = b"a"
ITEM: Final = b"i"
VERSION: Final = b"v"
CONTENT: Final = b"c"
#: A record is looked up under so many keys.
PER_RECORD: Final = 5


def place(topic: bytes, partition: int, offset: int) -> bytes:
    """The key of raw coordinates."""
    return PLACE + topic + partition.to_bytes(4, "big") + offset.to_bytes(8, "big")


def of(e: Entry) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The keys under which a record is looked up, in this order."""
    return (
        place(e.raw_topic, e.raw_partition, e.raw_offset),
        DELIVERY + e.delivery,
        ARTICLE + e.article,
        ITEM + (e.item or NO_ID),
        CONTENT + e.content,
    )


def _has(row: Row, key: bytes) -> bool:
    """Whether this row was posted under the key, and not only under its hash."""
    match key[:1]:
        case b"p":
            return place(row.raw_topic, row.raw_partition, row.raw_offset) == key
        case b"d":
            return row.delivery == key[1:]
        case b"a":
            return row.article == key[1:]
        case b"i":
            return row.item == key[1:]
        case _:
            return row.article + row.version == key[1:]


class Lookup:
    """Rows by key, asked for a whole portion at once; what the portion itself adds comes first."""

    def __init__(self, window: Window, keys: Sequence[bytes]) -> None:
        self._window = window
        hashes = np.array([xxhash.xxh32_intdigest(key) for key in keys], dtype=np.uint32)
        self.hashes: list[int] = hashes.tolist()
        self._newest: list[int] = window.newest(hashes).tolist()
        self.added: dict[bytes, int] = {}

    def number(self, i: int, key: bytes) -> int:
        """The newest row under the `i`-th key, or NO_ROW."""
        number = self.added.get(key)
        if number is None:
            number = self._newest[i]
            if number == NO_ROW:
                return NO_ROW
            if number >= self._window.live and not _has(self._window.row(number), key):
                number = self.search(key)
        return number if number >= self._window.live else NO_ROW

    def search(self, key: bytes) -> int:
        """The newest row under a key that was not asked for before, or NO_ROW."""
        number = self.added.get(key)
        if number is not None:
            return number if number >= self._window.live else NO_ROW
        numbers = self._window.posted(xxhash.xxh32_intdigest(key))
        return next((n for n in numbers if _has(self._window.row(n), key)), NO_ROW)

    def all(self, i: int) -> Iterator[int]:
        """All rows of the window under the hash of the `i`-th key, as `Window.posted`."""
        return self._window.posted(self.hashes[i]) if self._newest[i] != NO_ROW else iter(())
