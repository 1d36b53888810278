"""The schema: made, made twice at once, too old, too new; and what a reader may see."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pipeline.errors import Stop
from sinks import migrate, schema

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
