"""The parts of a batch, each one transaction: what is still to be written, and how far the logs are behind it."""

from collections import deque
from collections.abc import Mapping, Sequence

from sinks import rows
from sinks.rows import Partition, Prepared


class Parts:
    """In the order of the logs; the position behind a part says that all before it is written."""

    def __init__(self, prepared: Sequence[Prepared], starts: Mapping[Partition, int]) -> None:
        self._waiting = deque(rows.parts(prepared))
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
