"""Old changes go, and readers are told so, on a real PostgreSQL."""

from typing import Any

import psycopg
import pytest

from sinks import postgres, retention
from sinks.database import Connection, Database
from tests.sinks.retained import STORY, day, made, retain, stored
from tests.sinks.samples import Feed

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


def test_a_reader_that_comes_after_retention_is_told_so_and_one_that_is_just_in_time_reads_on(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    connection.execute("UPDATE ingest.changes SET changed_at = %s WHERE change <= 3", [day(1)])
    connection.execute("UPDATE ingest.changes SET changed_at = %s WHERE change > 3", [day(9)])

    assert retain(own, changes=day(5)) == {"changes changes": 3}

    assert reader.execute("SELECT oldest, last FROM news.change_range").fetchone() == {"oldest": 4, "last": 5}
    assert [row["change"] for row in reader.execute("SELECT change FROM news.read_changes(3)")] == [4, 5]
    with pytest.raises(psycopg.Error, match="changes 3 to 3 are no longer kept") as failed:
        reader.execute("SELECT change FROM news.read_changes(2)")
    assert failed.value.sqlstate == "NF001"


def test_when_all_changes_are_old_the_next_one_follows_them(
    connection: Connection, own: Database, reader: Reader, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHANGES", 2)  # several steps
    postgres.write_batch(connection, feed.incoming(*STORY))

    assert retain(own, changes=day(10_000)) == {"changes changes": 5}
    assert retain(own, changes=day(10_000)) == {}
    assert reader.execute("SELECT oldest, last FROM news.change_range").fetchone() == {"oldest": 6, "last": 5}

    postgres.write_batch(connection, feed.incoming(*stored(made("new", 300, place=30, of_article=9, text=9), 9)))
    assert [row["change"] for row in reader.execute("SELECT change FROM news.read_changes(5)")] == [6]


def test_a_reader_in_the_midst_of_a_transaction_keeps_what_it_sees(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))

    with reader.transaction():
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        first = reader.execute("SELECT change FROM news.read_changes(0, 2)").fetchall()
        retain(own, changes=day(10_000))
        rest = reader.execute("SELECT change FROM news.read_changes(2)").fetchall()

    assert [row["change"] for row in (*first, *rest)] == [1, 2, 3, 4, 5]
