"""The schema: made, made twice at once, too old, too new; and what a reader may see."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from ops import database as looking
from pipeline.errors import Stop, Unavailable
from sinks import backfill, migrate, postgres, schema, shape
from sinks.database import connect
from tests.sinks.samples import Feed, source_state

pytestmark = pytest.mark.services


def test_an_empty_database_gets_every_revision_once(empty_database_url: str) -> None:
    first = migrate.migrate(empty_database_url)
    second = migrate.migrate(empty_database_url)

    assert first == list(schema.revisions())
    assert second == []
    with psycopg.connect(empty_database_url) as connection:
        schema.check_schema(connection)


def test_two_that_migrate_at_once_do_it_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate.migrate, [empty_database_url] * 4))

    assert sorted(applied, key=len) == [[], [], [], list(schema.revisions())]


def test_whoever_waits_for_the_lock_of_migrations_says_who_holds_it(empty_database_url: str) -> None:
    heard = threading.Event()
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        heard.set()

    with psycopg.connect(empty_database_url, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_lock(%s)", [migrate.LOCK])
        holder = f"process {other.info.backend_pid} of PostgreSQL"
        waiting = pool.submit(migrate.migrate, empty_database_url, say=say)
        assert heard.wait(30)
        other.execute("SELECT pg_advisory_unlock(%s)", [migrate.LOCK])

        assert waiting.result(60) == list(schema.revisions())
    assert said[0].startswith(f"Another session ({holder}, user ")


def test_a_database_without_a_schema_is_sent_to_migrate(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection, pytest.raises(Stop, match="run `news db migrate`"):
        schema.check_schema(connection)


def test_an_older_schema_is_sent_to_migrate(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE ingest.schema_version SET version_num = '0001_tables'")

        with pytest.raises(Stop, match=r"has schema 0001_tables, this version needs .*: run `news db migrate`"):
            schema.check_schema(connection)


def test_a_newer_schema_stops_the_check_and_the_migration(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE ingest.schema_version SET version_num = '9999_later'")

        with pytest.raises(Stop, match="made by a newer one"):
            schema.check_schema(connection)
    with pytest.raises(Stop, match="made by a newer one"):
        migrate.migrate(database_url)


def test_a_migration_that_fails_leaves_the_last_good_one(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = schema.revisions()
    monkeypatch.setattr(schema, "revisions", lambda: good | {"9000_bad": "CREATE TABLE ingest.half (); SELECT 1 / 0;"})
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(empty_database_url)

    monkeypatch.setattr(schema, "revisions", lambda: good | {"9000_mended": "SELECT 'a % b';"})

    assert migrate.migrate(empty_database_url) == ["9000_mended"]
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('ingest.half')").fetchone() == (None,)


# Databases of every earlier version, with the rows that it would hold, in plain SQL of its columns.


def number(kind: int, n: int) -> str:
    return f"'00000000-0000-0000-000{kind}-{n:012x}'"


def article_row(n: int, current: int, minute: int, more: Mapping[str, str]) -> str:
    moment = f"'2026-03-01 12:{minute:02}Z'"
    return insert(
        "articles",
        {
            "article_id": number(1, n),
            "current_delivery": number(2, current),
            "observed_at": moment,
            "log_id": number(3, 0),
            "log_offset": str(current),
            "decided_at": moment,
            "first_seen_at": "'2026-03-01 12:00Z'",
            "source": "'wire'",
            "url": f"'https://example.org/{n}'",
            "title": f"'Title {n}'",
            "notes": "'{}'",
            **more,
        },
    )


def version_row(n: int, of_article: int, kind: str, more: Mapping[str, str]) -> str:
    moment = f"'2026-03-01 12:{n:02}Z'"
    return insert(
        "versions",
        {
            "delivery_id": number(2, n),
            "article_id": number(1, of_article),
            "version_id": number(4, n),
            "kind": f"'{kind}'",
            "observed_at": moment,
            "log_id": number(3, 0),
            "log_offset": str(n),
            "decided_at": moment,
            "source": "'wire'",
            "url": f"'https://example.org/{of_article}'",
            "title": f"'Title {of_article}'",
            "notes": "'{}'",
            "raw": f"'Text {n}. Subscribe now'",
            "text": f"'Bergen has the text {n}.'",
            "removed": "'[]'",
            "content_hash": f"'{n}'",
            **more,
        },
    )


def decision_row(n: int, of_article: int, kind: str, more: Mapping[str, str]) -> str:
    moment = f"'2026-03-01 12:{n:02}Z'"
    return insert(
        "decisions",
        {
            "raw_topic_id": number(5, 0),
            "raw_partition": "0",
            "raw_offset": str(n),
            "delivery_id": number(2, n),
            "article_id": number(1, of_article),
            "version_id": number(4, n),
            "kind": f"'{kind}'",
            "method": "'url'",
            "rules_version": "1",
            "log_id": number(3, 0),
            "log_offset": str(n),
            "decided_at": moment,
            "observed_at": moment,
            "source": "'wire'",
            **more,
        },
    )


def insert(table: str, values: Mapping[str, str]) -> str:
    return f"INSERT INTO ingest.{table} ({', '.join(values)}) VALUES ({', '.join(values.values())});"


def enriched(n: int) -> dict[str, str]:
    return {
        "entities_of": number(2, n),
        "generation": "0",
        "language": "'en'",
        "sentiment_label": "'positive'",
        "sentiment_score": "0.5",
        "models": '\'{"config": "old"}\'',
        "enriched_at": "'2026-03-01 13:00Z'",
    }


def rows_at(head: str) -> str:
    """What the sink of that version had written: an article with a revision, one that copies it, a dead letter.

    From 0004 on also a text that came again beyond the log's window; from 0006 on the register; from 0007 on details.
    """
    details = {"details": """'{"categories": ["News"], "extractor": "e 1", "flags": []}'"""} if head >= "0007" else {}
    rows = [
        article_row(1, 2, 2, details),
        article_row(2, 3, 3, details),
        version_row(1, 1, "new", {**enriched(1), **details}),
        version_row(2, 1, "revision", {**enriched(2), "of_version": number(4, 1), **details}),
        version_row(3, 2, "copy", {"copy_of": number(1, 1), "of_version": number(4, 2), "entities_of": number(2, 2)}),
        decision_row(1, 1, "new", {}),
        decision_row(2, 1, "revision", {"of_article": number(1, 1), "of_version": number(4, 1)}),
        decision_row(
            3, 2, "copy", {"of_article": number(1, 1), "method": "'near'", "score": "0.9", "threshold": "0.45"}
        ),
        decision_row(4, 1, "redelivery", {}),
        "INSERT INTO ingest.dead_letters (id, stage, reason, detail, topic, topic_id, partition, record_offset, value,"
        " length, sha256, tries, truncated, failed_at, worker)"
        f" VALUES ({number(6, 1)}, 'deduplicate', 'not-json', 'no', 'articles.raw', {number(5, 0)}, 0, 9, 'x',"
        " 1, 'aa', 0, false, '2026-03-01 12:09Z', 'w');",
        f"INSERT INTO ingest.positions (topic_id, partition, topic, next_offset) VALUES ({number(7, 0)}, 0,"
        " 'articles.decisions', 5);",
    ]
    if head >= "0004":
        again = {"repeats": number(2, 2), "entities_of": number(2, 2), "generation": "0"}
        rows += [
            version_row(5, 1, "new", again),
            decision_row(5, 1, "redelivery", {"log_kind": "'new'", "method": "'store'"}),
        ]
    if head >= "0006":
        rows += [
            "INSERT INTO ingest.entity_register (id, name, label, first_seen_at, aliases) VALUES"
            f" ({number(8, 1)}, 'bergen', 'GPE', '2026-03-01 12:01Z', '{{Bergen}}');"
        ]
    for n in (1, 2):
        known = {"register_id": number(8, 1)} if head >= "0006" else {}
        of_entity = {"delivery_id": number(2, n), "entity": "0"}
        more = {"name": "'Bergen'", "label": "'GPE'", "count": "1", "sentiment_score": "0.25", **known}
        rows += [
            insert("entities", {**of_entity, **more}),
            insert(
                "mentions",
                {**of_entity, "mention": "0", "text": "'Bergen'", "start_offset": "0", "end_offset": "6"}
                | {"raw_start": "0", "raw_end": "6"},
            ),
        ]
    if head >= "0007":
        rows += [
            "INSERT INTO ingest.sources"
            " (name, kind, url, declared_url, state, changed_at, failures, entries, new_entries)"
            " VALUES ('wire', 'feed', 'u', 'u', 'ok', '2026-03-01 12:00Z', 0, 1, 1);"
        ]
    if head >= "0009":
        rows += [
            "INSERT INTO ingest.changes (change, kind, changed_at, article_id, version_id, delivery_id, generation)"
            f" VALUES ({n}, '{kind}', '2026-03-01 14:00Z', {number(1, of_article)}, {number(4, n)}, {number(2, n)},"
            f" {'NULL' if kind == 'copy' else 0});"
            for n, of_article, kind in ((1, 1, "new"), (2, 1, "revision"), (3, 2, "copy"))
        ]
        rows += ["UPDATE ingest.change_counter SET last = 3;"]
    return "".join(rows)


HEADS = list(schema.revisions())[:-1]


def make_old(url: str, head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of that version."""
    with monkeypatch.context() as old:
        old.setattr(schema, "revisions", lambda: {n: sql for n, sql in ALL_REVISIONS.items() if n <= head})
        migrate.migrate(url)


ALL_REVISIONS = schema.revisions()


def what_readers_see(connection: psycopg.Connection[Any]) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """Columns and rows of each view."""
    connection.execute("SET TimeZone TO 'UTC'")
    views = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'news'").fetchall()
    seen = {}
    for (view,) in views:
        cursor = connection.execute(f"SELECT * FROM news.{view}".encode())
        seen[view] = [column.name for column in cursor.description or ()], cursor.fetchall()
    return seen


@pytest.mark.parametrize("head", HEADS)
def test_what_readers_saw_stays_and_all_that_is_new_has_it_too(
    empty_database_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    make_old(empty_database_url, head, monkeypatch)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(rows_at(head).encode())
        if head >= "0010":
            backfill.index_all(empty_database_url, lambda _: None)  # as the sink of that version did at once
        before = what_readers_see(connection)
        for view in ("changes", "change_range") if head == "0008_changes" else ():
            del before[view]  # empty until the next migration

    applied = migrate.migrate(empty_database_url)
    backfill.index_all(empty_database_url, lambda _: None)

    assert applied == [name for name in ALL_REVISIONS if name > head]
    with connect(empty_database_url, 30) as connection:
        now = what_readers_see(connection)
        assert set(before) <= set(now)
        for view, (columns, rows) in before.items():
            assert now[view][0][: len(columns)] == columns
            assert sorted((row[: len(columns)] for row in now[view][1]), key=repr) == sorted(rows, key=repr)

        articles = connection.execute(
            "SELECT title, versions, copies, raw_offset, language FROM news.articles ORDER BY title"
        ).fetchall()
        assert articles == [("Title 1", 2, 1, 2, "en"), ("Title 2", 1, 0, 3, "en")]
        entities = connection.execute("SELECT name, articles, mentions FROM news.entities").fetchall()
        assert entities == [("Bergen", 1, 1)]
        # The change feed: as if it had just come.
        changes = connection.execute("SELECT change, kind, generation FROM news.read_changes(0)").fetchall()
        assert changes == [(1, "new", 0), (2, "revision", 0), (3, "copy", None)]
        assert connection.execute("SELECT oldest, last FROM news.change_range").fetchone() == (1, 3)
        # Search: the backfill has filled it.
        found = connection.execute("SELECT count(*) FROM news.search('bergen')").fetchone()
        assert found == (2,)
        # And what comes next is written.
        postgres.write_batch(connection, Feed().incoming(source_state("other", 1)))
        schema.check_schema(connection)
    with psycopg.connect(empty_database_url) as old, psycopg.connect(database_url) as new:
        assert shape.differences(shape.of(old), shape.of(new)) == []


def test_a_file_outside_of_transactions_builds_its_index_anew_when_it_failed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    online = {
        "9000_online": "-- no transaction\n-- An index.\n"
        "CREATE UNIQUE INDEX CONCURRENTLY twice ON ingest.decisions (source);\n"
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS other ON ingest.decisions (kind);\n"
    }
    monkeypatch.setattr(schema, "revisions", lambda: ALL_REVISIONS | online)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute((decision_row(1, 1, "new", {}) + decision_row(2, 1, "copy", {})).encode())
        with pytest.raises(psycopg.errors.UniqueViolation):
            migrate.migrate(database_url)
        left = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ingest.twice'::regclass")
        assert left.fetchone() == (False,)
        assert schema.current(connection) == list(ALL_REVISIONS)[-1]
        connection.execute("DELETE FROM ingest.decisions WHERE kind = 'copy'")

        assert migrate.migrate(database_url) == ["9000_online"]

        valid = connection.execute(
            "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid IN"
            " ('ingest.twice'::regclass, 'ingest.other'::regclass)"
        )
        assert valid.fetchone() == (2,)


def test_a_second_migration_waits_without_holding_up_an_index_that_is_built_online(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CREATE INDEX CONCURRENTLY waits for every older statement: one that waits for a lock would be a deadlock."""
    online = {"9000_online": "-- no transaction\nCREATE INDEX CONCURRENTLY other ON ingest.decisions (kind);\n"}
    monkeypatch.setattr(schema, "revisions", lambda: ALL_REVISIONS | online)

    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(migrate.migrate, [database_url] * 3))

    assert sorted(applied, key=len) == [[], [], ["9000_online"]]


def test_nobody_starts_while_a_migration_is_half_way(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    half = ALL_REVISIONS | {"9000_half": "SELECT 1 / 0;"}
    monkeypatch.setattr(schema, "revisions", lambda: half)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(empty_database_url)

    with (
        psycopg.connect(empty_database_url, autocommit=True) as connection,
        pytest.raises(Stop, match="this version needs 9000_half: run `news db migrate`"),
    ):
        schema.check_schema(connection)
    with pytest.raises(Stop, match="run `news db migrate`"), looking.connect(empty_database_url):
        pass
    with pytest.raises(Stop, match="run `news db migrate`"), looking.connect_as_reader(empty_database_url):
        pass


def test_a_migration_does_not_make_readers_wait_behind_a_long_query(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old(empty_database_url, "0007_sources", monkeypatch)
    with psycopg.connect(empty_database_url) as reader:
        reader.execute("SELECT * FROM ingest.articles")  # a transaction that stays open
        with monkeypatch.context() as quick:
            quick.setattr(migrate, "PATIENCE_SECONDS", 0.0)
            with pytest.raises(Unavailable, match="in use"):
                migrate.migrate(empty_database_url)

    assert "0008_changes" in migrate.migrate(empty_database_url)


#: The second: of a view that no row could be written through.
REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)


def test_a_reader_sees_the_views_and_nothing_else(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        views = [r[0] for r in connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'news'").fetchall()]
        connection.execute("SET ROLE news_reader")
        for view in views:
            connection.execute(psycopg.sql.SQL("SELECT * FROM news.{}").format(psycopg.sql.Identifier(view)))
        for statement in (
            "SELECT * FROM ingest.articles",
            "DELETE FROM news.dead_letters",
            "UPDATE news.decisions SET kind = 'new'",
            "CREATE TABLE news.mine ()",
        ):
            with pytest.raises(REFUSED):
                connection.execute(statement)

    assert {"articles", "article_versions", "changes", "change_range", "withdrawals", "balance"} <= set(views)


def test_every_column_that_readers_see_says_what_it_is(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        silent = connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE c.relnamespace = 'news'::regnamespace AND (col_description(c.oid, a.attnum) IS NULL"
            " OR c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL)"
        ).fetchall()

    assert silent == []
