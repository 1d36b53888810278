"""How retention goes through what is old: step by step, one at a time, beside a sink, on a real PostgreSQL."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline.records import Record
from pipeline.settings import DatabaseSettings, RetentionSettings
from sinks import database, postgres, retention
from sinks.database import Connection, Database
from sinks.retention import Rules
from tests.sinks.retained import LATER, NEVER, STORY, books, day, everything, made, retain, shown, stored, went
from tests.sinks.samples import Feed, article
from tests.sinks.tables import dump

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


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
