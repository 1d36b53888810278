"""What is too old goes, and nothing else: on a real PostgreSQL, with the sink beside it."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest

from pipeline.records import Decision, Record
from pipeline.settings import DatabaseSettings, RetentionSettings
from sinks import database, postgres, queries, retention
from sinks.database import Connection, Database
from sinks.retention import Removed, Rules
from tests.sinks.samples import (
    RAW_TOPIC,
    Feed,
    article,
    at,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    version,
    word,
)
from tests.sinks.test_postgres import dump

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

DAY: Final = 24 * 60
#: Everything that the tests write was decided by then.
LATER: Final = at(1000 * DAY)
NEVER: Final = threading.Event()


def day(number: float) -> datetime:
    return at(number * DAY)


def made(kind: Any, day: float, *, place: int, **fields: Any) -> Decision:
    """A decision that was made the moment it was observed, in days."""
    return decision(kind, place=place, observed=day * DAY, decided_at=at(day * DAY), **fields)


def stored(made: Decision, number: int, *names: str) -> tuple[Record, Record]:
    return decided(made, number), enriched(made, number, enrichment(*names))


NEW = made("new", 0, place=0, text=1)
REVISED = made("revision", 10, place=1, text=2, of=article(1))
COPY = made(
    "copy",
    11,
    place=2,
    of_article=2,
    text=3,
    of=article(1),
    of_version=version(2),
    of_delivery=delivery(1),
    source="site",
)
REVISED_AGAIN = made("revision", 20, place=3, text=4, of=article(1))
OTHER = made("new", 100, place=4, of_article=3, text=5)

STORY: Final[tuple[Record, ...]] = (
    *stored(NEW, 1, "Ada"),
    *stored(REVISED, 2, "Ada", "Bob"),
    decided(COPY, 3, with_body=True),
    *stored(REVISED_AGAIN, 4, "Cleo"),
    *stored(OTHER, 5, "Dora"),
)


@pytest.fixture
def own(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url, 30)) as own:
        yield own


def retain(own: Database, **rules: datetime) -> dict[str, int]:
    """Go through these rules; gives the rows that went, as "rule table"."""
    return went(retention.retain(own, Rules(**rules), NEVER, "test"))


def went(removed: Removed | None) -> dict[str, int]:
    assert removed is not None
    assert removed.is_done
    return {f"{rule} {table}": rows for (rule, table), rows in sorted(removed.rows.items())}


def books(connection: Connection) -> tuple[int, ...]:
    """decided, refused, texts, stored, texts refused, decisions refused"""
    return astuple(queries.counted(connection, RAW_TOPIC, UUID(int=5), UUID(int=12), UUID(int=11)))


def texts(reader: Reader) -> list[tuple[int, str]]:
    rows = reader.execute("SELECT article_id, title FROM news.article_versions ORDER BY title").fetchall()
    return [(row["article_id"].int - 1000, row["title"]) for row in rows]


def shown(reader: Reader) -> list[int]:
    return [row["article_id"].int - 1000 for row in reader.execute("SELECT article_id FROM news.articles ORDER BY 1")]


def names_in(reader: Reader, number: int) -> list[object]:
    rows = reader.execute("SELECT name FROM news.article_entities WHERE article_id = %s ORDER BY 1", [article(number)])
    return [row["name"] for row in rows]


def everything(connection: Connection) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = dict(dump(connection))
    for table in ("changes", "change_counter", "retired", "retention"):
        rows[table] = connection.execute(f"SELECT t::text FROM ingest.{table} AS t ORDER BY 1").fetchall()
    return rows


# Old versions.


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


# Old changes.


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


# How it goes through them.


def many(count: int) -> list[Record]:
    """Articles with a revision each, all of the first days."""
    records: list[Record] = []
    for n in range(count):
        first = made("new", n / count, place=2 * n, of_article=n, text=2 * n)
        then = made("revision", 1 + n / count, place=2 * n + 1, of_article=n, text=2 * n + 1, of=article(n))
        records += [*stored(first, 2 * n, "Ada"), *stored(then, 2 * n + 1, "Ada")]
    return records


def test_a_dry_run_counts_what_would_go_and_changes_nothing(
    connection: Connection, own: Database, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHANGES", 2)
    postgres.write_batch(connection, feed.incoming(*STORY))
    before = everything(connection)
    rules = Rules(articles=day(50), copies=day(50), versions=LATER, changes=day(10_000))

    removed = retention.would_remove(own, rules, NEVER)

    assert went(removed) == {
        "articles articles": 2,
        "articles versions": 4,
        "changes changes": 5,
        "copies articles": 1,
        "copies versions": 1,
        "versions versions": 1,
    }
    assert everything(connection) == before


@pytest.mark.parametrize("page", [2, 3, 4])
def test_pages_of_any_size_overlook_nothing(
    connection: Connection, own: Database, reader: Reader, feed: Feed, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    for name in ("PAGE", "INDEX_PAGE", "ARTICLES"):
        monkeypatch.setattr(retention, name, page)
    postgres.write_batch(connection, feed.incoming(*many(7)))

    assert retain(own, versions=day(5))["versions versions"] == 7
    assert retain(own, articles=day(5))["articles articles"] == 7
    assert shown(reader) == []
    assert books(connection) == (14, 0, 14, 14, 0, 0)


class After(threading.Event):
    """Set when it has been asked so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def test_asked_to_stop_it_leaves_whole_batches_and_the_next_one_goes_on(
    connection: Connection, own: Database, reader: Reader, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ARTICLES", 2)
    postgres.write_batch(connection, feed.incoming(*many(6)))
    before = books(connection)

    removed = retention.retain(own, Rules(articles=day(5)), After(1), "test", every_seconds=3600)

    assert removed is not None
    assert not removed.is_done
    assert (removed.rows["articles", "articles"], len(shown(reader))) == (4, 2)
    assert books(connection) == before
    again = retention.retain(own, Rules(articles=day(5)), NEVER, "another", every_seconds=3600)  # not an interval later
    assert went(again)["articles articles"] == 2


def test_a_batch_that_fails_leaves_nothing_half(
    connection: Connection, own: Database, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    before = everything(connection)
    remove = retention._remove_texts

    def killed(connection: Connection, delivery_ids: Sequence[UUID]) -> None:
        remove(connection, delivery_ids)
        connection.execute("RESET ROLE")
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(retention, "_remove_texts", killed)
    with pytest.raises(retention.Unavailable):
        retention.retain(own, Rules(articles=LATER), NEVER, "test")

    after = everything(connection)
    assert {name: rows for name, rows in after.items() if name != "retention"} == {
        name: rows for name, rows in before.items() if name != "retention"
    }


def test_one_at_a_time_and_not_before_the_interval_is_over(
    connection: Connection, own: Database, database_url: str, feed: Feed
) -> None:
    with closing(Database(database_url, 30)) as another:
        assert retention._take(own, "one", None)

        assert retention.retain(another, Rules(versions=LATER), NEVER, "another") is None
        assert another.run(retention.holder_now) == "one"

        retention._release(own, "one", is_done=True)
        assert retention.retain(another, Rules(versions=LATER), NEVER, "another", every_seconds=3600) is None
        assert retention.retain(another, Rules(versions=LATER), NEVER, "another", every_seconds=0) is not None


def test_whoever_lost_the_lease_removes_nothing_more(connection: Connection, own: Database, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    before = dump(connection)
    assert retention._take(own, "one", None)
    connection.execute("UPDATE ingest.retention SET holder = 'another'")

    with pytest.raises(retention.LeaseLost):
        retention.Retainer(own, "one", NEVER).run(Rules(articles=LATER))

    assert dump(connection) == before


def test_while_nothing_is_old_the_lease_is_renewed_all_the_same(
    connection: Connection, own: Database, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    assert retention._take(own, "one", None)
    monkeypatch.setattr(retention, "LEASE_SECONDS", 0.0)
    connection.execute("UPDATE ingest.retention SET holder = 'another'")

    with pytest.raises(retention.LeaseLost):
        retention.Retainer(own, "one", NEVER).run(Rules(articles=day(-1)))


def test_a_lease_whose_holder_died_ends(connection: Connection, own: Database, feed: Feed) -> None:
    assert retention._take(own, "dead", None)
    connection.execute("UPDATE ingest.retention SET held_until = now() - interval '1 second'")

    assert retention.retain(own, Rules(versions=LATER), NEVER, "another") is not None


def test_an_article_that_a_sink_writes_to_is_left_for_the_next_time(
    connection: Connection, own: Database, database_url: str, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*many(2)))

    with psycopg.connect(database_url) as sink:
        sink.execute("SELECT FROM ingest.articles WHERE article_id = %s FOR UPDATE", [article(0)])
        assert retain(own, articles=day(5))["articles articles"] == 1
        sink.rollback()

    assert shown(reader) == [0]
    assert retain(own, articles=day(5))["articles articles"] == 1


def test_beside_a_sink_that_writes_to_the_same_articles_nothing_is_lost(
    connection: Connection,
    own: Database,
    database_url: str,
    reader: Reader,
    feed: Feed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the order: a delivery that came before is gone, or one that came with it has kept its article."""
    monkeypatch.setattr(retention, "ARTICLES", 3)
    count = 40
    postgres.write_batch(connection, feed.incoming(*many(count)))
    fresh = [
        feed.incoming(*stored(made("new", 50, place=1000 + n, of_article=n, text=2 * n + 1), 2 * n + 1, "Bob"))
        for n in range(count)
    ]
    ended = threading.Event()

    def sink() -> None:
        with closing(database.connect(database_url, 30)) as own_connection:
            for records in fresh:
                postgres.write_batch(own_connection, records)

    def retainer() -> None:
        while not ended.is_set():
            with closing(Database(database_url, 30)) as other:
                retention.retain(other, Rules(articles=day(5), versions=day(5), changes=day(5)), NEVER, "beside")

    with ThreadPoolExecutor(2) as pool:
        removing, writing = pool.submit(retainer), pool.submit(sink)
        writing.result(60)
        ended.set()
        removing.result(60)

    assert shown(reader) == list(range(count))
    assert books(connection) == (3 * count, 0, 3 * count, 3 * count, 0, 0)
    assert reader.execute("SELECT count(*)::int AS n FROM ingest.search").fetchone() == {"n": count}


def test_beside_a_sink_it_runs_on_a_thread_and_ends_with_it(
    connection: Connection, database_url: str, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))
    settings = RetentionSettings(articles_days=9, interval_seconds=1)
    done = threading.Event()

    with retention.beside(database_url, settings, DatabaseSettings()):
        for _ in range(300):
            if not shown(reader):
                done.set()
                break
            threading.Event().wait(0.1)

    assert done.is_set()
    assert "retention" not in [thread.name for thread in threading.enumerate()]


def test_without_a_setting_nothing_runs(database_url: str) -> None:
    with retention.beside(database_url, RetentionSettings(), DatabaseSettings()):
        assert "retention" not in [thread.name for thread in threading.enumerate()]
