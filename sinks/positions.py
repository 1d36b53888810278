"""Stored places and the logs as they are -> where to read on, or why not: nothing is skipped on a guess."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import Stop


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of ingest.positions."""

    topic_id: UUID
    partition: int
    topic: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class Log:
    """One partition as the cluster has it: offsets from `start` up to, not including, `end`.

    `is_compacted`: only the newest record of a key counts, so what is no longer there is not missed.
    """

    topic: str
    topic_id: UUID
    partition: int
    start: int
    end: int
    is_compacted: bool = False

    @property
    def name(self) -> str:
        """The partition, for messages."""
        return f"{self.topic} partition {self.partition}"


def reading_offset(log: Log, stored: Iterable[Stored]) -> int:
    """The offset to read this partition from.

    Raises Stop where records are gone unread, or the log is another one than the database knows.
    """
    rows = list(stored)
    own = next((s for s in rows if (s.topic_id, s.partition) == (log.topic_id, log.partition)), None)
    if own is None:
        return _first_offset(log, rows)
    if own.next_offset < log.start and log.is_compacted:
        return log.start
    if own.next_offset < log.start:
        raise Stop(
            f"{log.name}: {log.start - own.next_offset} records are gone unread: the database is at offset "
            f"{own.next_offset}, the log begins at {log.start}. Feed them again from their sources, then put "
            f"next_offset {log.start} into {_row(log)}."
        )
    if own.next_offset > log.end:
        raise Stop(
            f"{log.name}: the log ends at offset {log.end}, the database has {own.next_offset - log.end} records more: "
            "the broker lost them, or this is another cluster's database (NEWS_KAFKA__BOOTSTRAP_SERVERS, "
            f"NEWS_DATABASE__URL). If the broker lost them, put next_offset {log.end} into {_row(log)}."
        )
    return own.next_offset


def _first_offset(log: Log, rows: list[Stored]) -> int:
    known = any(s.topic_id == log.topic_id for s in rows)
    others = [s for s in rows if s.topic == log.topic and s.topic_id != log.topic_id]
    if others and not known:
        old = " and ".join(sorted({f"'{s.topic_id}'" for s in others}))
        raise Stop(
            f"{log.topic} is another topic than the one the database has read {sum(s.next_offset for s in others)} "
            "records of: it was deleted and made again, or this is another cluster's database "
            "(NEWS_KAFKA__BOOTSTRAP_SERVERS, NEWS_DATABASE__URL). If it was made again, delete the rows of topic_id "
            f"{old} in ingest.positions (`news db psql --write`)."
        )
    if log.start > 0 and not log.is_compacted:
        raise Stop(
            f"{log.name}: {log.start} records are gone unread: the database has never read it, and the log begins at "
            f"{log.start}. Feed them again from their sources, then add {_row(log)}, topic '{log.topic}', next_offset "
            f"{log.start}."
        )
    return log.start


def _row(log: Log) -> str:
    where = f"topic_id '{log.topic_id}', partition {log.partition}"
    return f"the row of ingest.positions (`news db psql --write`) with {where}"
