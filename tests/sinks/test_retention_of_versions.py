"""Texts that gave way long ago go, and no others, on a real PostgreSQL."""

from typing import Any

import psycopg
import pytest

from sinks import postgres
from sinks.database import Connection, Database
from tests.sinks.retained import DAY, LATER, NEW, STORY, books, day, made, names_in, retain, shown, stored, texts
from tests.sinks.samples import Feed, article, decided, decision, delivery, enriched, enrichment, version

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


def test_a_text_goes_when_it_gave_way_long_enough_ago(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    before = books(connection)

    removed = retain(own, versions=day(10.5))

    assert removed == {"versions entities": 1, "versions mentions": 2, "versions versions": 1}
    assert texts(reader) == [(1, "Title 2"), (2, "Title 3"), (1, "Title 4"), (3, "Title 5")]
    assert books(connection) == before == (5, 0, 4, 4, 0, 0)


def test_a_text_stays_while_it_has_not_given_way_for_that_long(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))

    assert retain(own, versions=day(9.5)) == {}  # decided on day 0, shown until day 10


def test_the_text_that_is_shown_never_goes_however_old_it_is(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1, "Ada")))

    assert retain(own, versions=LATER) == {}
    assert shown(reader) == [1]


def test_a_text_stays_whose_names_a_copy_has(connection: Connection, own: Database, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))

    retain(own, versions=LATER)

    assert texts(reader) == [(1, "Title 2"), (2, "Title 3"), (1, "Title 4"), (3, "Title 5")]
    assert names_in(reader, 2) == ["Ada", "Bob"]


def test_a_late_backfill_stays_for_its_time_from_when_it_came(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    backfill = decision("revision", place=9, text=9, observed=-DAY, decided_at=day(30), of=article(1))
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1), *stored(backfill, 9)))

    assert retain(own, versions=day(29)) == {}
    assert retain(own, versions=day(31)) == {"versions versions": 1}
    assert texts(reader) == [(1, "Title 1")]


def test_a_late_enrichment_of_a_text_that_went_is_left_out(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    retain(own, versions=day(10.5))
    changes = reader.execute("SELECT last FROM news.change_range").fetchone()

    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Ada", generation=1, made=999))))

    assert texts(reader) == [(1, "Title 2"), (2, "Title 3"), (1, "Title 4"), (3, "Title 5")]
    assert reader.execute("SELECT last FROM news.change_range").fetchone() == changes
    assert books(connection) == (5, 0, 4, 4, 0, 0)


AGAIN = made("new", 40, place=8, text=1, of=None)  # the log has forgotten the article: text 1 once more
BACK = made("revision", 50, place=9, text=6, of=article(1))
LAST = made("unchanged", 90, place=10, text=6, of=article(1), of_version=version(6), of_delivery=delivery(9))


def test_what_the_database_said_of_a_delivery_stands_when_the_text_goes_that_it_repeats(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1, "Ada"), *stored(AGAIN, 1, "Ada"), *stored(BACK, 6)))
    said = "SELECT kind, method, log_kind, of_version, of_delivery FROM news.decisions ORDER BY raw_offset"
    before, in_books = reader.execute(said).fetchall(), books(connection)
    assert [row["kind"] for row in before] == ["new", "redelivery", "revision"]

    removed = retain(own, versions=day(60))
    postgres.write_batch(connection, feed.incoming(decided(LAST, 6)))  # all is judged anew

    assert removed == {"versions entities": 2, "versions mentions": 4, "versions versions": 2}
    assert reader.execute(said).fetchall()[:3] == before
    assert texts(reader) == [(1, "Title 6")]
    assert in_books == (3, 0, 3, 3, 0, 0)
    assert books(connection) == (4, 0, 3, 3, 0, 0)


def test_the_balance_says_what_went_beside_what_is_stored(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    retain(own, versions=day(10.5))

    rows = reader.execute(
        "SELECT what, kind, sum(count)::int AS n FROM news.balance WHERE kind = 'new' GROUP BY 1, 2 ORDER BY 1"
    ).fetchall()

    assert [tuple(row.values()) for row in rows] == [
        ("decision", "new", 2),
        ("retired", "new", 1),
        ("version", "new", 1),
    ]
