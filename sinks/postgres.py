"""Records -> rows and the Kafka position in ONE transaction: each effect exactly once, whatever comes again."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from pipeline import crash, metrics
from sinks import last_word, register, rows, statements
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


def write_batch(
    connection: Connection, records: Sequence[Incoming], starts: Mapping[Partition, int] | None = None
) -> Written:
    """Write the rows of these records and the position behind them, all or nothing. See `write`."""
    return write(connection, [rows.prepare(record) for record in records], starts)


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
        _store(connection, fresh, written)
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
        crash.at("sink.before_db_commit")
    # 4. COMMIT: from here on a restart reads on behind this batch.
    crash.at("sink.after_db_commit")
    written.records = len(fresh)
    for table, count in written.rows.items():
        metrics.rows_written.labels(table=table).inc(count)
    for letter in written.dead_letters:
        metrics.dead_letters.labels(stage=rows.STAGE, reason=letter.reason).inc()
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


def _store(connection: Connection, prepared: Sequence[Prepared], written: Written) -> None:
    """Write the rows; where PostgreSQL refuses, halve, until the one bad record is alone and becomes a dead letter."""
    if not prepared:
        return
    try:
        with connection.transaction():  # a savepoint: what fails in it is undone alone
            counts = _write_rows(connection, prepared)
    except (psycopg.Error, UnicodeEncodeError) as error:
        if verdict(error) != "refused":
            raise
        if len(prepared) > 1:
            middle = len(prepared) // 2
            _store(connection, prepared[:middle], written)
            _store(connection, prepared[middle:], written)
            return
        prepared = [rows.refused(prepared[0], str(error))]
        counts = _write_rows(connection, prepared)
    written.rows.update(counts)
    written.dead_letters += [
        p.rows.dead_letter for p in prepared if p.rows.dead_letter and p.rows.dead_letter.stage == rows.STAGE
    ]


def _write_rows(connection: Connection, prepared: Sequence[Prepared]) -> Counter[str]:
    decisions = sorted((p.rows.decision for p in prepared if p.rows.decision), key=lambda d: d[:3])
    articles = sorted((p.rows.article for p in prepared if p.rows.article), key=lambda a: a.article_id.bytes)
    versions = rows.best_versions(p.rows.version for p in prepared if p.rows.version)
    letters = sorted((p.rows.dead_letter for p in prepared if p.rows.dead_letter), key=lambda letter: letter.id.bytes)
    states = rows.last_states(p.rows.source for p in prepared if p.rows.source)

    _run(connection, "insert_decision", _named(decisions))
    _run(connection, "upsert_article", _named(articles))
    _run(connection, "update_first_seen", _named(articles))
    registered = _register(connection, prepared)
    entities, mentions = _write_versions(connection, versions)
    if articles:
        _say_last_words(connection, {a.article_id for a in articles})
    _run(connection, "insert_dead_letter", _named(letters))
    _run(connection, "upsert_source", _named(states))
    return +Counter(
        decisions=len(decisions),
        articles=len(articles),
        versions=len(versions),
        entity_register=registered,
        entities=entities,
        mentions=mentions,
        dead_letters=len(letters),
        sources=len(states),
    )


def _register(connection: Connection, prepared: Sequence[Prepared]) -> int:
    """Have all names in the register, before rows refer to it: of every record, so that no order of them matters.

    Also those of an enrichment that gives way to a newer one: had it come first, they would be there as well.
    """
    found = register.merged(chain.from_iterable(p.rows.version.registered for p in prepared if p.rows.version))
    if not found:
        return 0
    lines = json.dumps(
        [{**row._asdict(), "id": str(row.id), "first_seen_at": row.first_seen_at.isoformat()} for row in found]
    )
    return connection.execute(statements.load("upsert_register"), {"rows": lines}).rowcount


def _write_versions(connection: Connection, versions: Sequence[rows.Version]) -> tuple[int, int]:
    if not versions:
        return 0, 0
    with connection.cursor() as cursor:
        cursor.executemany(statements.load("upsert_version"), _named(v.row for v in versions), returning=True)
        changed = {row[0] for result in cursor.results() for row in result.fetchall()}
        # An enrichment is replaced whole: the guard let the version through, so its names go with it.
        standing = [v for v in versions if v.row.delivery_id in changed]
        cursor.execute(statements.load("delete_entities"), {"delivery_ids": list(changed)})
        entities = _copy(cursor, "copy_entities", chain.from_iterable(v.entities for v in standing))
        mentions = _copy(cursor, "copy_mentions", chain.from_iterable(v.mentions for v in standing))
    return entities, mentions


def _say_last_words(connection: Connection, article_ids: Iterable[UUID]) -> None:
    """Judge anew what the log took for a first delivery of these articles, each with all that is known of it.

    upsert_article has locked them: who writes to one of them meanwhile waits there, then sees these rows and judges
    them with its own. So nothing that two sinks write at once is judged by neither, and the lock order stays one.
    """
    with connection.cursor(row_factory=class_row(last_word.Known)) as cursor:
        doubtful = cursor.execute(statements.load("select_doubtful"), {"article_ids": list(article_ids)}).fetchall()
    words = last_word.last_words(doubtful)
    _run(connection, "update_decision", _named(words.decisions))
    _run(connection, "update_version", _named(words.versions))
    _run(connection, "update_current", _named(words.articles))


def _copy(cursor: psycopg.Cursor[Any], statement: str, lines: Iterable[NamedTuple]) -> int:
    count = 0
    with cursor.copy(statements.load(statement)) as copy:
        for line in lines:
            copy.write_row(line)
            count += 1
    return count


def _named(lines: Iterable[NamedTuple]) -> list[dict[str, Any]]:
    return [line._asdict() for line in lines]


def _run(connection: Connection, statement: str, arguments: Sequence[Mapping[str, Any]]) -> None:
    if arguments:
        with connection.cursor() as cursor:
            cursor.executemany(statements.load(statement), arguments)
