"""Whole articles go, or only copies, of which nothing came for long, and no others, on a real PostgreSQL."""

from typing import Any

import psycopg
import pytest

from sinks import postgres
from sinks.database import Connection, Database
from tests.sinks.retained import DAY, LATER, NEW, REVISED, STORY, books, day, made, names_in, retain, shown, stored
from tests.sinks.samples import Feed, article, decided, decision, delivery, version, word

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


# Whole articles.


def test_an_article_goes_with_all_of_it_when_nothing_came_of_it_for_so_long(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    before = books(connection)

    removed = retain(own, articles=day(50))

    assert removed == {
        "articles articles": 2,
        "articles decisions": 4,
        "articles entities": 4,
        "articles mentions": 8,
        "articles versions": 4,
    }
    assert shown(reader) == [3]
    assert reader.execute("SELECT count(*)::int AS n FROM ingest.search").fetchone() == {"n": 1}
    assert books(connection) == before
    assert reader.execute(
        "SELECT kind, deliveries::int, texts::int, stored::int, newest::int FROM ingest.retired ORDER BY 1"
    ).fetchall() == [
        {"kind": "copy", "deliveries": 1, "texts": 0, "stored": 0, "newest": 2},
        {"kind": "new", "deliveries": 1, "texts": 1, "stored": 1, "newest": 0},
        {"kind": "revision", "deliveries": 2, "texts": 2, "stored": 2, "newest": 3},
    ]


@pytest.mark.parametrize("kind", ["redelivery", "unchanged"])
def test_an_article_that_is_still_delivered_stays(
    connection: Connection, own: Database, reader: Reader, feed: Feed, kind: str
) -> None:
    again = made(kind, 60, place=5, text=4, of=article(1), of_version=version(4), of_delivery=delivery(3))
    postgres.write_batch(connection, feed.incoming(*STORY, decided(again, 4)))

    assert retain(own, articles=day(50)) == {
        "articles articles": 1,  # its copy
        "articles decisions": 1,
        "articles versions": 1,
    }
    assert shown(reader) == [1, 3]


def test_an_archive_that_was_fed_today_stays_for_its_time(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    archived = decision("new", place=5, observed=-1000 * DAY, decided_at=day(100))
    postgres.write_batch(connection, feed.incoming(*stored(archived, 1)))

    assert retain(own, articles=day(99)) == {}
    assert retain(own, articles=day(101)) != {}


def test_an_article_stays_while_a_younger_copy_has_its_names(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1, "Ada")))
    copy = made("copy", 6, place=2, of_article=2, text=3, of=article(1), of_version=version(1), of_delivery=delivery(0))
    postgres.write_batch(connection, feed.incoming(decided(copy, 3, with_body=True)))

    assert retain(own, articles=day(5)) == {}
    assert names_in(reader, 2) == ["Ada"]

    retain(own, articles=day(7))

    assert shown(reader) == []


def test_an_article_stays_while_one_of_its_texts_is_on_its_way(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1), decided(REVISED, 2)))

    assert retain(own, articles=LATER) == {}

    connection.execute(  # it can never be enriched
        "INSERT INTO ingest.dead_letters (id, stage, reason, detail, key, value, length, sha256, tries, truncated,"
        " failed_at, worker) SELECT gen_random_uuid(), 'enrich', 'poison', '', %s, '', 0, '', 3, false, now(), 'x'",
        [str(article(1)).encode()],
    )
    before = books(connection)
    assert retain(own, articles=LATER)["articles articles"] == 1
    assert books(connection) == before == (2, 0, 2, 1, 0, 0)


def test_what_comes_of_a_forgotten_article_is_new_again(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1, "Ada")))
    retain(own, articles=LATER)

    again = made("new", 1000, place=50, text=1)
    postgres.write_batch(connection, feed.incoming(*stored(again, 1, "Ada")))

    assert reader.execute("SELECT kind, log_kind, method FROM news.decisions").fetchall() == [
        {"kind": "new", "log_kind": None, "method": "url"}
    ]
    assert shown(reader) == [1]
    assert books(connection) == (2, 0, 2, 2, 0, 0)


@pytest.mark.parametrize("kind", ["withdrawn", "erased"])
def test_what_was_taken_back_stays_as_a_row_that_says_so(
    connection: Connection, own: Database, reader: Reader, feed: Feed, kind: Any
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    postgres.write_batch(connection, feed.incoming(word(kind, 5 * DAY)))
    before = books(connection)

    retain(own, articles=day(50))
    postgres.write_batch(connection, feed.incoming(*stored(made("new", 900, place=50, text=1), 1, "Ada")))

    assert shown(reader) == [3]
    assert reader.execute("SELECT article_id, kind FROM news.withdrawals").fetchall() == [
        {"article_id": article(1), "kind": kind}
    ]
    assert before == (5, 0, 4, 4, 0, 0)
    assert books(connection) == (6, 0, 5, 5, 0, 0)


def test_a_tombstone_is_not_gone_through_again(connection: Connection, own: Database, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(NEW, 1), word("withdrawn", 5)))

    assert retain(own, articles=LATER) == {"articles decisions": 1, "articles versions": 1}
    assert retain(own, articles=LATER) == {}


# Old copies.


def test_an_old_copy_goes_and_what_it_copies_stays(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    before = books(connection)

    assert retain(own, copies=day(50)) == {"copies articles": 1, "copies decisions": 1, "copies versions": 1}
    assert shown(reader) == [1, 3]
    assert books(connection) == before


def test_a_copy_that_was_revised_and_stands_alone_stays(
    connection: Connection, own: Database, reader: Reader, feed: Feed
) -> None:
    alone = made("revision", 12, place=7, of_article=2, text=7, of=article(2), source="site")
    postgres.write_batch(connection, feed.incoming(*STORY, *stored(alone, 7, "Eve")))

    assert retain(own, copies=LATER) == {}
    assert shown(reader) == [1, 2, 3]
