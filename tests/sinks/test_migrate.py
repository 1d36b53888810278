"""The schema: made, made twice at once, too old, too new; and what a reader may see."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from pipeline.errors import Stop, Unavailable
from sinks import migrate, postgres, schema
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


OLD_ARTICLE = """
INSERT INTO ingest.articles (article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at,
    source, title, notes) VALUES ('{0}1', '{0}2', '{1}', '{0}3', 0, '{1}', '{1}', 'wire', 'Title', '{{}}');
INSERT INTO ingest.versions (delivery_id, article_id, version_id, kind, observed_at, log_id, log_offset, decided_at,
    source, title, notes, text, removed, content_hash)
    VALUES ('{0}2', '{0}1', '{0}4', 'new', '{1}', '{0}3', 0, '{1}', 'wire', 'Title', '{{}}', 'Text.', '[]', '');
INSERT INTO ingest.decisions (raw_topic_id, raw_partition, raw_offset, delivery_id, article_id, version_id, kind,
    rules_version, log_id, log_offset, decided_at, observed_at, source)
    VALUES ('{0}5', 0, 0, '{0}2', '{0}1', '{0}4', 'new', 1, '{0}3', 0, '{1}', '{1}', 'wire');
""".format("00000000-0000-0000-0000-00000000000", "2026-03-01 12:00Z")
BEFORE_SOURCES = {name: sql for name, sql in schema.revisions().items() if name < "0007"}
VIEWS = ("articles", "article_versions", "sources")


def columns_and_rows(connection: psycopg.Connection[Any]) -> list[tuple[list[str], list[Any]]]:
    found = []
    for view in VIEWS:
        cursor = connection.execute(f"SELECT * FROM news.{view}")
        found.append(([column.name for column in cursor.description or ()], list(cursor.fetchone() or ())))
    return found


def test_what_readers_saw_stays_when_sources_and_details_come(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr(schema, "revisions", lambda: BEFORE_SOURCES)
        migrate.migrate(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(OLD_ARTICLE)
        before = columns_and_rows(connection)

    applied = migrate.migrate(empty_database_url)

    assert "0007_sources" in applied
    with connect(empty_database_url, 30) as connection:
        now = columns_and_rows(connection)
        for (columns, row), (new_columns, new_row) in zip(before, now, strict=True):
            assert (new_columns[: len(columns)], new_row[: len(row)]) == (columns, row)
        assert [row[-5:] for _, row in now[:2]] == [[[], [], None, None, []]] * 2
        postgres.write_batch(connection, Feed().incoming(source_state("wire", 1)))
        assert connection.execute("SELECT deliveries, state FROM news.sources").fetchall() == [(1, "ok")]


def test_a_migration_does_not_make_readers_wait_behind_a_long_query(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {n: s.replace("lock_timeout = '10s'", "lock_timeout = '100ms'") for n, s in schema.revisions().items()}
    assert quick != schema.revisions()
    with monkeypatch.context() as old:
        old.setattr(schema, "revisions", lambda: BEFORE_SOURCES)
        migrate.migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as reader:
        reader.execute("SELECT * FROM ingest.articles")  # a transaction that stays open
        with monkeypatch.context() as new:
            new.setattr(schema, "revisions", lambda: quick)
            with pytest.raises(Unavailable, match="in use"):
                migrate.migrate(empty_database_url)

    assert "0007_sources" in migrate.migrate(empty_database_url)


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
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)

    assert sorted(views) == [
        "article_entities",
        "article_versions",
        "articles",
        "balance",
        "copies",
        "dead_letters",
        "decisions",
        "entities",
        "mentions",
        "sources",
    ]


def test_an_owner_who_may_not_create_roles_can_migrate(database_server: str, empty_database_url: str) -> None:
    from psycopg.conninfo import conninfo_to_dict

    database = psycopg.sql.Identifier(str(conninfo_to_dict(empty_database_url)["dbname"]))
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS test_plain_owner")
        connection.execute("CREATE ROLE test_plain_owner")
        connection.execute(psycopg.sql.SQL("ALTER DATABASE {} OWNER TO test_plain_owner").format(database))
        try:
            migrate.migrate(f"{empty_database_url}?options=-crole%3Dtest_plain_owner")
        finally:
            connection.execute(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(database))
            connection.execute("DROP ROLE test_plain_owner")


def test_every_column_that_readers_see_says_what_it_is(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        silent = connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE c.relnamespace = 'news'::regnamespace AND (col_description(c.oid, a.attnum) IS NULL"
            " OR obj_description(c.oid, 'pg_class') IS NULL)"
        ).fetchall()

    assert silent == []
