"""Offsets without a hole: a stage that would pass over records it has not read stops instead.

Faust goes on at the oldest record when the place it wants is gone, and says nothing. No topic here is compacted and
nobody writes transactions, so offsets follow each other one by one: a jump means that unread records were deleted.
"""

import asyncio
from collections.abc import Callable, Sequence

from pipeline.broker import Offsets
from pipeline.errors import Stop
from processors.incoming import Incoming


class Continuity:
    """What each partition of one topic must bring next. `committed` asks Kafka where the group stands."""

    def __init__(self, topic: str, committed: Callable[[], Offsets]) -> None:
        self._topic = topic
        self._committed = committed
        self._next: dict[int, int] = {}

    def forget(self) -> None:
        """The partitions were given out anew: somebody else may have gone on meanwhile."""
        self._next.clear()

    async def check(self, records: Sequence[Incoming]) -> None:
        """Raise Stop, with the count and the remedy, where records between the group's place and these are gone."""
        if any(record.at.partition not in self._next for record in records):
            committed = await asyncio.to_thread(self._committed)
            for partition in {record.at.partition for record in records} - self._next.keys():
                self._next[partition] = committed.get((self._topic, partition), 0)
        for record in records:
            expected = self._next[record.at.partition]
            if record.at.offset > expected:
                raise Stop(
                    f"{record.at.offset - expected:,} records of {self._topic} partition {record.at.partition} were "
                    f"deleted before they were read (offsets {expected} to {record.at.offset - 1}). Raise the topic's "
                    "retention; feed again what is missing, or accept the loss by setting the group's offset to "
                    f"{record.at.offset} (docs/operations.md)."
                )
            self._next[record.at.partition] = max(expected, record.at.offset + 1)
