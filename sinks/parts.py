"""The parts of a batch, each one transaction: what is still to be written, and how far the logs are behind it."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sinks.rows import Partition, Prepared

#: Of one transaction, about: 500 articles of 15 names and 40 mentions each are fewer, and take some seconds of 30.
MAX_ROWS: Final = 50_000
#: Of the records of one transaction: texts of 1 MB take a quarter of a second each to be indexed.
MAX_BYTES: Final = 16 * 2**20


class Parts:
    """In the order of the logs; the position behind a part says that all before it is written."""

    def __init__(self, prepared: Sequence[Prepared], starts: Mapping[Partition, int]) -> None:
        self._waiting = deque(split(prepared))
        self._reached = dict(starts)

    def __bool__(self) -> bool:
        """Whether any is still to be written."""
        return bool(self._waiting)

    @property
    def next(self) -> Sequence[Prepared]:
        """The part to write now."""
        return self._waiting[0]

    @property
    def reached(self) -> Mapping[Partition, int]:
        """Where the database stands, if all that was written is still there: a standby may know less."""
        return dict(self._reached)

    def written(self) -> None:
        """It was."""
        for p in self._waiting.popleft():
            self._reached[p.incoming.place] = p.incoming.offset + 1

    def halve(self) -> None:
        """It takes longer than a transaction may, and would so again: less of it. A record alone stays as it is."""
        part = self._waiting[0]
        if len(part) > 1:
            middle = len(part) // 2
            self._waiting[0] = part[middle:]
            self._waiting.appendleft(part[:middle])


def split(prepared: Iterable[Prepared], most: int = MAX_ROWS, most_bytes: int = MAX_BYTES) -> Iterator[list[Prepared]]:
    """The records in the order of their logs, in parts of about so many rows and bytes: a part is one transaction.

    The order matters: the position behind a part says that all before it is written.
    """
    part: list[Prepared] = []
    size = length = 0
    for each in sorted(prepared, key=lambda p: (p.incoming.place, p.incoming.offset)):
        rows, bytes_ = each.rows.count, len(each.incoming.value or b"")
        if part and (size + rows > most or length + bytes_ > most_bytes):
            yield part
            part, size, length = [], 0, 0
        part.append(each)
        size += rows
        length += bytes_
    if part:
        yield part
