"""Records -> rows and the Kafka position in ONE transaction: each effect exactly once, whatever comes again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pipeline import crash, metrics
from sinks import changes, preparing, statements, writing
from sinks.database import Connection, verdict
from sinks.rows import DeadLetterRow, Incoming, Partition, Prepared


class PositionMoved(Exception):
    """The database is further back than the consumer (restored, or a standby took over): read from there again."""


@dataclass(slots=True)
class Written:
    """What one batch came to."""

    records: int = 0  # written now; the others had been written before
    rows: Counter[str] = field(default_factory=Counter)  # table -> rows sent to it
    dead_letters: list[DeadLetterRow] = field(default_factory=list)  # of the sink itself
    positions: dict[Partition, int] = field(default_factory=dict)  # stored now
    changes: int = 0  # that readers are told of


def write_batch(
    connection: Connection, records: Sequence[Incoming], starts: Mapping[Partition, int] | None = None
) -> Written:
    """Write the rows of these records and the position behind them, all or nothing. See `write`."""
    return write(connection, [preparing.prepare(record) for record in records], starts)


def write(
    connection: Connection, prepared: Sequence[Prepared], starts: Mapping[Partition, int] | None = None
) -> Written:
    """Write prepared rows and the position behind them in one transaction.

    A record below the stored position was written before, by this sink or another, and is left out. A record that
    PostgreSQL refuses becomes a dead letter in the same transaction, its neighbours are written.
    Raises PositionMoved when a stored position is below the one in `starts`; psycopg.Error otherwise (all undone).
    """
    written = Written()
    names = {p.incoming.place: p.incoming.topic for p in prepared}
    with connection.transaction():
        # 1. The lock: one owner of a partition at a time; a zombie waits, then finds its records written.
        stored = _lock_positions(connection, names)
        if any(stored[place] < start for place, start in (starts or {}).items() if place in stored):
            raise PositionMoved
        fresh = [p for p in prepared if p.incoming.offset >= stored[p.incoming.place]]
        # 2. The rows.
        effects = changes.Effects()
        _store(connection, fresh, written, effects)
        # 3. The position behind them.
        for p in fresh:
            place = p.incoming.place
            written.positions[place] = max(p.incoming.offset + 1, written.positions.get(place, 0))
        _run(
            connection,
            "update_position",
            [
                {"topic_id": place[0], "partition": place[1], "topic": names[place], "next_offset": next_offset}
                for place, next_offset in sorted(written.positions.items())
            ],
        )
        # 4. What readers are told: last, as its lock makes all sinks wait until this one has committed.
        written.changes = changes.append(connection, effects)
        crash.at("sink.before_db_commit")
    # 5. COMMIT: from here on a restart reads on behind this batch.
    crash.at("sink.after_db_commit")
    written.records = len(fresh)
    for table, count in written.rows.items():
        metrics.rows_written.labels(table=table).inc(count)
    for letter in written.dead_letters:
        metrics.dead_letters.labels(stage=preparing.STAGE, reason=letter.reason).inc()
    return written


def _lock_positions(connection: Connection, names: Mapping[Partition, str]) -> dict[Partition, int]:
    places = sorted(names)
    arguments = {"topic_ids": [t for t, _ in places], "partitions": [p for _, p in places]}
    stored: dict[Partition, int] = {}
    for _ in range(2):
        found = connection.execute(statements.load("lock_positions"), arguments).fetchall()
        stored = {(topic_id, partition): next_offset for topic_id, partition, next_offset in found}
        missing = [place for place in places if place not in stored]
        if not missing:
            break
        _run(
            connection,
            "insert_position",
            [{"topic_id": place[0], "partition": place[1], "topic": names[place]} for place in missing],
        )
    return stored


def _store(connection: Connection, prepared: Sequence[Prepared], written: Written, effects: changes.Effects) -> None:
    """Write the rows; where PostgreSQL refuses, halve, until the one bad record is alone and becomes a dead letter."""
    if not prepared:
        return
    try:
        with connection.transaction():  # a savepoint: what fails in it is undone alone
            counts, done = writing.write_rows(connection, prepared, effects)
    except (psycopg.Error, UnicodeEncodeError) as error:
        if verdict(error) != "refused":
            raise
        if len(prepared) > 1:
            middle = len(prepared) // 2
            _store(connection, prepared[:middle], written, effects)
            _store(connection, prepared[middle:], written, effects)
            return
        prepared = [preparing.refused(prepared[0], str(error))]
        counts, done = writing.write_rows(connection, prepared, effects)
    written.rows.update(counts)
    effects.add(done)
    written.dead_letters += [
        p.rows.dead_letter for p in prepared if p.rows.dead_letter and p.rows.dead_letter.stage == preparing.STAGE
    ]


def _run(connection: Connection, statement: str, arguments: Sequence[Mapping[str, Any]]) -> None:
    if arguments:
        with connection.cursor() as cursor:
            cursor.executemany(statements.load(statement), arguments)
