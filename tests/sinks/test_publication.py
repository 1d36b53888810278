"""The logical publication: made, kept and dropped by the setting; followed by a real subscription."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pipeline.errors import SettingError
from pipeline.settings import load
from sinks import migrate, postgres, publication
from sinks.database import connect
from tests.fixtures.database import embedded, empty
from tests.sinks.samples import Feed, decided, decision, enriched, enrichment

pytestmark = pytest.mark.services

DEADLINE_SECONDS = 60


def published(connection: psycopg.Connection[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, table in connection.execute("SELECT pubname, tablename FROM pg_publication_tables ORDER BY 1, 2"):
        found.setdefault(name, []).append(table)
    return found


def test_it_is_made_renamed_put_right_and_dropped_as_the_setting_says(database_url: str) -> None:
    said: list[str] = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE PUBLICATION of_somebody_else FOR TABLE ingest.articles")

        migrate.migrate(database_url, "news_rows", said.append)
        assert published(connection) == {"of_somebody_else": ["articles"], "news_rows": list(publication.TABLES)}

        connection.execute("ALTER PUBLICATION news_rows DROP TABLE ingest.mentions")
        assert publication.differences(connection, "news_rows") == [
            "publication news_rows: has other tables or other operations than this version publishes"
        ]
        migrate.migrate(database_url, "news_rows")
        assert publication.differences(connection, "news_rows") == []

        assert publication.differences(connection, "other") == [
            "publication news_rows: is there, and NEWS_DATABASE__PUBLICATION does not name it",
            "publication other: is missing, and NEWS_DATABASE__PUBLICATION names it",
        ]
        migrate.migrate(database_url, "other")
        migrate.migrate(database_url, None)
        assert published(connection) == {"of_somebody_else": ["articles"]}
        is_logical = connection.execute("SHOW wal_level").fetchone() == ("logical",)
    assert any("wal_level = logical" in sentence for sentence in said) is not is_logical


def test_each_published_table_has_a_replica_identity(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for table in publication.TABLES:
            row = connection.execute(
                "SELECT relreplident, EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)"
                " FROM pg_class AS c WHERE oid = %s::regclass",
                [f"ingest.{table}"],
            ).fetchone()
            assert row == ("d", True), table


def test_a_name_that_wants_quotes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_DATABASE__PUBLICATION", "News Rows")

    with pytest.raises(SettingError, match="NEWS_DATABASE__PUBLICATION: a name of small letters"):
        load()


@pytest.fixture
def logical_server(database_server: str, tmp_path: Path) -> Iterator[str]:
    """A server whose log has what subscribers need: the one of all tests, or one more."""
    with psycopg.connect(database_server) as connection:
        is_logical = connection.execute("SHOW wal_level").fetchone() == ("logical",)
    if is_logical:
        yield database_server
        return
    from ops.embedded import postgres as embedded_postgres

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_postgres, "SETTINGS", {**embedded_postgres.SETTINGS, "wal_level": "logical"})
        with embedded(tmp_path) as url:
            yield url


def as_the_server_sees_itself(connection: psycopg.Connection[Any], url: str) -> str:
    """How this server reaches its own database: in a container its port is another one."""
    (port,) = connection.execute("SELECT inet_server_port()").fetchone() or ()
    return make_conninfo(url, host="127.0.0.1", port=port)


@pytest.fixture
def source(logical_server: str) -> Iterator[str]:
    with empty(logical_server) as url:
        yield url


@pytest.fixture
def copy(logical_server: str) -> Iterator[str]:
    with empty(logical_server) as url:
        yield url


def test_a_subscriber_gets_what_is_there_and_what_comes(source: str, copy: str) -> None:
    said: list[str] = []
    migrate.migrate(source, "news_rows", said.append)
    migrate.migrate(copy)
    first, second = decision("new", place=1, observed=0), decision("new", place=2, of_article=2, text=2, observed=1)
    feed = Feed()
    slot = f"news_{uuid4().hex}"
    with (
        connect(source, 30) as sink,
        psycopg.connect(source, autocommit=True) as publisher,
        psycopg.connect(copy, autocommit=True) as subscriber,
    ):
        postgres.write_batch(sink, feed.incoming(decided(first, 1), enriched(first, 1, enrichment("Ada"))))
        # In one cluster CREATE SUBSCRIPTION would wait for itself to make the slot.
        publisher.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
        subscriber.execute("DELETE FROM ingest.change_counter")  # it comes with the rows
        for table in publication.TABLES:
            assert subscriber.execute(f"SELECT count(*) FROM ingest.{table}".encode()).fetchone() == (0,)
        subscriber.execute(
            sql.SQL(
                "CREATE SUBSCRIPTION rows CONNECTION {} PUBLICATION news_rows"
                " WITH (create_slot = false, slot_name = {})"
            ).format(sql.Literal(as_the_server_sees_itself(publisher, source)), sql.Literal(slot))
        )
        try:
            postgres.write_batch(sink, feed.incoming(decided(second, 2), enriched(second, 2, enrichment("Bob"))))
            publisher.execute("DELETE FROM ingest.entities AS e USING ingest.versions AS v WHERE e.name = 'Bob'")
            deadline = time.monotonic() + DEADLINE_SECONDS
            wanted = [("Title 1", 1, 2, 2), ("Title 2", 0, 2, 2)]
            while (
                found := subscriber.execute(
                    "SELECT a.title,"
                    " (SELECT count(*) FROM news.article_entities AS e WHERE e.article_id = a.article_id),"
                    " (SELECT count(*) FROM news.changes), (SELECT last FROM news.change_range)"
                    " FROM news.articles AS a ORDER BY 1"
                ).fetchall()
            ) != wanted:
                assert time.monotonic() < deadline, found
            assert subscriber.execute("SELECT count(*) FROM news.read_changes(0)").fetchone() == (2,)
        finally:
            subscriber.execute("DROP SUBSCRIPTION rows")
    assert said == []
