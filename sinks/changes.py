"""What a transaction wrote -> the changes that readers see, numbered without gaps in the order of the commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from pipeline.records import WithdrawalKind
from sinks import statements


class Place(NamedTuple):
    """A delivery at one place of a signature log: a decision, and the version that it brought, have the same."""

    delivery_id: UUID
    log_id: UUID
    log_offset: int


class Change(NamedTuple):
    """ingest.changes, but for the number and the time, which are given last."""

    kind: str
    article_id: UUID
    version_id: UUID | None = None
    delivery_id: UUID | None = None
    generation: int | None = None


class Complete(NamedTuple):
    """A version as readers see it, whose decision is stored as well: select_complete.sql."""

    delivery_id: UUID
    log_id: UUID
    log_offset: int
    kind: str
    article_id: UUID
    version_id: UUID
    generation: int | None
    told: bool
    decided_at: datetime


@dataclass(slots=True)
class Effects:
    """What statements really did, in this transaction so far."""

    decided: set[Place] = field(default_factory=set)  # decisions that were not there
    stored: set[UUID] = field(default_factory=set)  # deliveries: versions that were not there
    enriched: set[UUID] = field(default_factory=set)  # deliveries: versions whose enrichment was replaced
    shown_again: set[UUID] = field(default_factory=set)  # deliveries: versions that the last word had hidden
    states: list[tuple[UUID, WithdrawalKind]] = field(default_factory=list)  # articles taken back, restored, erased
    articles: set[UUID] = field(default_factory=set)  # all of which readers may see something else now

    def add(self, other: "Effects") -> None:
        """What another part of the transaction did."""
        self.decided |= other.decided
        self.stored |= other.stored
        self.enriched |= other.enriched
        self.shown_again |= other.shown_again
        self.states += other.states
        self.articles |= other.articles


def append(connection: psycopg.Connection[Any], effects: Effects) -> int:
    """Number and append what readers have to be told of; gives how many changes that are.

    The last that a transaction does: the counter stays locked until it commits, so the next number is given out when
    these can be seen. Whatever it writes must be written, and the articles locked by it, before.
    """
    found = [*_of_versions(connection, effects), *(Change(kind, article_id) for article_id, kind in effects.states)]
    if found:
        arguments = {
            "count": len(found),
            "kinds": [change.kind for change in found],
            "article_ids": [change.article_id for change in found],
            "version_ids": [change.version_id for change in found],
            "delivery_ids": [change.delivery_id for change in found],
            "generations": [change.generation for change in found],
        }
        connection.execute(statements.load("append_changes"), arguments)
    return len(found)


def _of_versions(connection: psycopg.Connection[Any], effects: Effects) -> list[Change]:
    deliveries = (
        {place.delivery_id for place in effects.decided} | effects.stored | effects.enriched | effects.shown_again
    )
    if not deliveries:
        return []
    with connection.cursor(row_factory=class_row(Complete)) as cursor:
        complete = cursor.execute(statements.load("select_complete"), {"delivery_ids": list(deliveries)}).fetchall()
    return list(told(complete, effects))


def told(complete: Sequence[Complete], effects: Effects) -> Iterable[Change]:
    """Purely: each version once, by the transaction that completes it or by which the last word shows it."""
    for version in sorted(complete, key=lambda v: (v.decided_at, v.log_id, v.log_offset, v.delivery_id)):
        is_fresh = version.delivery_id in effects.stored or Place(*version[:3]) in effects.decided
        is_shown = version.delivery_id in effects.shown_again and not version.told
        if is_fresh or is_shown:
            kind = version.kind
        elif version.delivery_id in effects.enriched:
            kind = "enriched"
        else:
            continue
        yield Change(kind, version.article_id, version.version_id, version.delivery_id, version.generation)
