"""Articles that are taken back, shown again or erased: what readers see, what stays, and that nothing comes back."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline import dead_letters, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates, Record
from sinks import postgres, queries
from sinks.database import Connection
from sinks.rows import Incoming
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
    source_state,
    version,
    word,
)
from tests.sinks.tables import clear, dump
from tests.sinks.test_changes import is_waiting, of_partition, sink_of, wait_for

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

NEW = decision("new", place=1, text=1, observed=0)
REVISION = decision("revision", place=2, text=2, observed=10, of=article(1))
COPY = decision(
    "copy", place=3, of_article=2, text=3, observed=5, of=article(1), of_version=version(1), of_delivery=delivery(1)
)
OTHER = decision("new", place=4, of_article=3, text=4, observed=7)
LATE = decision("revision", place=8, text=8, observed=100, of=article(1))

STORY: tuple[Record, ...] = (
    decided(NEW, 1),
    enriched(NEW, 1, enrichment("Ada", "Bob")),
    decided(REVISION, 2),
    enriched(REVISION, 2, enrichment("Ada", "Cleo")),
    decided(COPY, 3, with_body=True),
    decided(OTHER, 4),
    enriched(OTHER, 4, enrichment("Ada")),
)
#: Views that say nothing of a single article, or nothing that it says: ids, counts, times.
NOT_HIDDEN = {"decisions", "changes", "change_range", "withdrawals", "sources", "balance"}


def letter(feed: Feed, number: int = 1, at_raw: int | None = None) -> Incoming:
    """A dead letter about an article: by the key of its record, or only by its place on articles.raw."""
    place = Coordinates(topic_id=RAW_TOPIC if at_raw else UUID(int=77), partition=0, offset=at_raw or number)
    key = b"other" if at_raw else str(article(number)).encode()
    made = dead_letters.of_record(
        "enrich", InvalidRecord(Reason.POISON, f"Text {number} is bad."), "articles.unique", place, key, b"Text 1."
    )
    incoming = feed.raw(topics.DEAD_LETTER, made.value, made.headers())
    return Incoming(
        incoming.topic, incoming.topic_id, incoming.partition, incoming.offset, made.value, key, made.headers()
    )


def seen(reader: Reader, view: str) -> list[str]:
    """Every row of a view as text."""
    rows = reader.execute(f"SELECT to_jsonb(v)::text AS row FROM news.{view} AS v ORDER BY 1".encode()).fetchall()
    return [row["row"] for row in rows]


def views(reader: Reader) -> list[str]:
    rows = reader.execute("SELECT viewname FROM pg_views WHERE schemaname = 'news' ORDER BY 1").fetchall()
    return [row["viewname"] for row in rows]


def write(connection: Connection, feed: Feed, *records: Record) -> None:
    postgres.write_batch(connection, feed.incoming(*records))


# Withdrawn.


def test_what_is_withdrawn_is_in_no_view_and_what_is_restored_in_all_again(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    only = (decided(NEW, 1), enriched(NEW, 1, enrichment("Ada")), decided(REVISION, 2))
    again = decision("revision", place=5, text=5, observed=20, of=article(1), same_text_as=article(9))
    postgres.write_batch(
        connection,
        [
            *feed.incoming(*only, enriched(REVISION, 2, enrichment("Cleo"))),
            *feed.incoming(decided(again, 5), enriched(again, 5, enrichment("Dora"))),
            letter(feed),
        ],
    )
    hidden = [view for view in views(reader) if view not in NOT_HIDDEN]
    before = {view: seen(reader, view) for view in hidden}

    write(connection, feed, word("withdrawn", 30))
    meanwhile = {view: seen(reader, view) for view in hidden}
    found = reader.execute("SELECT count(*) AS n FROM news.search('Title 5')").fetchall()
    write(connection, feed, word("restored", 40))

    assert {view for view in hidden if not before[view]} == set()
    assert {view for view in hidden if meanwhile[view]} == {"dead_letters"}
    assert reader.execute("SELECT count(*) AS n FROM ingest.versions").fetchall() == [{"n": 3}]
    assert found == [{"n": 0}]
    assert {view: seen(reader, view) for view in hidden} == before
    assert reader.execute("SELECT count(*) AS n FROM news.search('Title 5')").fetchall() == [{"n": 1}]


def test_a_dead_letter_of_a_withdrawn_article_shows_nothing_that_it_holds(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    columns = "detail, value, truncated"
    postgres.write_batch(connection, [letter(feed), letter(feed, 2), *feed.incoming(word("withdrawn", 1))])

    rows = reader.execute(f"SELECT {columns} FROM news.dead_letters ORDER BY record_offset".encode()).fetchall()
    write(connection, feed, word("restored", 2))

    assert rows == [
        {"detail": "", "value": b"", "truncated": True},
        {"detail": "Text 2 is bad.", "value": b"Text 1.", "truncated": False},
    ]
    assert reader.execute("SELECT value FROM news.dead_letters").fetchall() == [{"value": b"Text 1."}] * 2


def test_a_copy_of_what_is_withdrawn_keeps_its_text(connection: Connection, reader: Reader, feed: Feed) -> None:
    write(connection, feed, *STORY, word("withdrawn", 30))

    assert reader.execute("SELECT article_id, text, copies FROM news.articles ORDER BY 1").fetchall() == [
        {"article_id": article(2), "text": "Text 3.", "copies": 0},
        {"article_id": article(3), "text": "Text 4.", "copies": 0},
    ]
    assert reader.execute("SELECT copy_of, copied_source FROM news.copies").fetchall() == [
        {"copy_of": article(1), "copied_source": None}
    ]


def test_who_took_it_back_and_why_is_said(connection: Connection, reader: Reader, feed: Feed) -> None:
    write(connection, feed, *STORY, word("withdrawn", 30, reason="Killed by the agency."), word("erased", 31, 2))

    assert reader.execute("SELECT * FROM news.withdrawals ORDER BY 1").fetchall() == [
        {"article_id": article(1), "kind": "withdrawn", "reason": "Killed by the agency.", "withdrawn_at": at(30)},
        {"article_id": article(2), "kind": "erased", "reason": "Taken back.", "withdrawn_at": at(31)},
    ]


def test_the_last_word_by_its_time_stands_whichever_comes_last_and_erased_stands_for_good(
    connection: Connection, reader: Reader
) -> None:
    cases: dict[Sequence[Record], str | None] = {
        (word("withdrawn", 1), word("restored", 2)): None,
        (word("withdrawn", 2), word("restored", 1)): "withdrawn",
        (word("withdrawn", 1), word("restored", 1)): "withdrawn",
        (word("withdrawn", 1), word("restored", 2), word("withdrawn", 3)): "withdrawn",
        (word("erased", 1), word("restored", 2), word("withdrawn", 3)): "erased",
        (word("erased", 1, reason="a"), word("erased", 1, reason="b"), word("restored", 5)): "erased",
        (word("withdrawn", 1, reason="a"), word("withdrawn", 1, reason="b")): "withdrawn",
    }
    for said, expected in cases.items():
        results = []
        for order in itertools.permutations(said):
            for one_by_one in (True, False):
                clear(connection)
                incoming = Feed().incoming(*order)
                for batch in [[i] for i in incoming] if one_by_one else [incoming]:
                    postgres.write_batch(connection, batch)
                results.append(dump(connection)["articles"])
                found = reader.execute("SELECT withdrawn FROM ingest.articles").fetchall()
                assert found == [{"withdrawn": expected}], order
        assert all(result == results[0] for result in results)


def test_an_article_that_is_not_known_yet_is_hidden_when_it_comes(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    write(connection, feed, word("withdrawn", 1))
    write(connection, feed, *STORY)
    hidden = reader.execute("SELECT article_id FROM news.articles ORDER BY 1").fetchall()

    write(connection, feed, word("restored", 2))

    assert hidden == [{"article_id": article(2)}, {"article_id": article(3)}]
    assert reader.execute(
        "SELECT title, source, first_seen_at, last_seen_at FROM news.articles WHERE article_id = %s", [article(1)]
    ).fetchall() == [{"title": "Title 2", "source": "wire", "first_seen_at": at(0), "last_seen_at": at(10)}]


TOLD = """
CREATE FUNCTION pg_temp.told(said text) RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS $$
BEGIN
    RAISE NOTICE '%', said;
    RETURN true;
END
$$
"""


@pytest.mark.parametrize("off", [(), ("indexscan", "bitmapscan"), ("hashjoin", "mergejoin"), ("nestloop",)])
def test_a_condition_of_a_reader_is_shown_nothing_that_is_withdrawn(
    connection: Connection, reader: Reader, feed: Feed, off: tuple[str, ...]
) -> None:
    """A cheap function, or a cast that fails, may be run before the conditions of a view."""
    write(connection, feed, *STORY, word("withdrawn", 30))
    told: list[str] = []
    reader.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    reader.execute(TOLD)
    reader.execute("SET ROLE news_reader")
    for setting in off:
        reader.execute(f"SET enable_{setting} TO off".encode())

    columns = reader.execute(
        "SELECT c.table_name, c.column_name FROM information_schema.columns AS c WHERE c.table_schema = 'news'"
    ).fetchall()
    # Ids say nothing, and names without their article are looked up by an index.
    for column in columns:
        reader.execute(
            f"SELECT FROM news.{column['table_name']} WHERE pg_temp.told({column['column_name']}::text)".encode()
        )

    said = "\n".join(told)
    assert "Text 3." in said
    for secret in ("Text 1.", "Text 2.", "Title 1", "Title 2", "example.org/1"):
        assert secret not in said, secret


def test_a_dead_letter_that_has_only_the_place_of_a_withdrawn_article_shows_nothing_that_it_holds(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    columns = "detail, key, value, truncated"
    postgres.write_batch(connection, [*feed.incoming(*STORY, word("withdrawn", 30)), letter(feed, at_raw=2)])

    hidden = reader.execute(f"SELECT {columns} FROM news.dead_letters".encode()).fetchall()
    write(connection, feed, word("restored", 40))

    assert hidden == [{"detail": "", "key": None, "value": b"", "truncated": True}]
    assert reader.execute("SELECT key, value FROM news.dead_letters").fetchall() == [
        {"key": b"other", "value": b"Text 1."}
    ]


def test_a_name_is_found_as_long_as_an_article_that_is_shown_has_it(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    def found(name: str) -> list[bool]:
        return [row["is_exact"] for row in reader.execute("SELECT * FROM news.find_names(%s)", [name]).fetchall()]

    write(connection, feed, *STORY)
    before = {name: found(name) for name in ("Ada", "Cleo", "Cle")}
    write(connection, feed, word("withdrawn", 30))
    meanwhile = {name: found(name) for name in ("Ada", "Cleo", "Cle")}
    write(connection, feed, word("restored", 40))
    after = {name: found(name) for name in ("Ada", "Cleo", "Cle")}
    write(connection, feed, word("erased", 50))

    assert before == after == {"Ada": [True], "Cleo": [True], "Cle": [False]}
    assert meanwhile == {"Ada": [True], "Cleo": [], "Cle": []}
    assert (found("Ada"), found("Cleo"), found("Cle")) == ([True], [], [])


# Erased.


def stored(reader: Reader) -> str:
    """All rows of all tables that hold what an article says, in one text."""
    tables = ("articles", "versions", "entities", "mentions", "search", "dead_letters")
    rows = [
        row["row"]
        for table in tables
        for row in reader.execute(f"SELECT t::text AS row FROM ingest.{table} AS t".encode()).fetchall()
    ]
    return "\n".join(rows)


def test_of_what_is_erased_nothing_is_stored_but_that_it_was(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, [*feed.incoming(*STORY), letter(feed), letter(feed, 3), letter(feed, at_raw=2)])
    assert "Text 2." in stored(reader)

    write(connection, feed, word("erased", 50, reason="Asked for."))

    after = stored(reader)
    for said in ("Text 1.", "Text 2.", "Title 1", "Title 2", "Author 1", "example.org/1", "Bob", "Cleo", "is bad"):
        assert said not in after.replace("Text 3 is bad", ""), said
    assert reader.execute(
        "SELECT title, url, source, notes, withdrawn, withdrawn_reason FROM ingest.articles WHERE article_id = %s",
        [article(1)],
    ).fetchall() == [
        {"title": "", "url": None, "source": "", "notes": [], "withdrawn": "erased", "withdrawn_reason": "Asked for."}
    ]
    assert reader.execute(
        "SELECT reason, value, key, truncated, length FROM news.dead_letters ORDER BY topic_id, record_offset"
    ).fetchall() == [
        {"reason": "poison", "value": b"", "key": None, "truncated": True, "length": 7},
        {"reason": "poison", "value": b"", "key": None, "truncated": True, "length": 7},
        {
            "reason": "poison",
            "value": b"Text 1.",
            "key": str(article(3)).encode(),
            "truncated": False,
            "length": 7,
        },
    ]
    assert reader.execute("SELECT article_id, text FROM news.articles ORDER BY 1").fetchall() == [
        {"article_id": article(2), "text": "Text 3."},
        {"article_id": article(3), "text": "Text 4."},
    ]
    assert reader.execute("SELECT count(*) AS n FROM news.decisions").fetchall() == [{"n": 4}]


def test_nothing_that_comes_later_brings_an_erased_article_back(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    write(connection, feed, *STORY, word("erased", 50))
    before = stored(reader)
    versions = reader.execute("SELECT * FROM news.article_versions ORDER BY 1").fetchall()

    for late in (
        [decided(NEW, 1), enriched(NEW, 1, enrichment("Ada"))],  # all of it again
        [enriched(REVISION, 2, enrichment("Ada", generation=7, made=900))],  # enriched again
        [decided(decision("redelivery", place=6, text=1, observed=90, of=article(1)), 1)],
        [decided(decision("unchanged", place=7, text=7, observed=95, of=article(1), of_delivery=delivery(2)), 7)],
        [decided(LATE, 8)],
        [enriched(LATE, 8, enrichment("Eve"))],
        [word("restored", 99)],
        [source_state("wire", 1)],
    ):
        write(connection, feed, *late)
    postgres.write_batch(connection, [letter(feed, 1), letter(feed, at_raw=7)])

    after = stored(reader)
    letters = reader.execute("SELECT value FROM news.dead_letters").fetchall()
    connection.execute("DELETE FROM ingest.dead_letters")
    assert letters == [{"value": b""}] * 2
    assert stored(reader) == before != after
    assert reader.execute("SELECT * FROM news.article_versions ORDER BY 1").fetchall() == versions
    assert reader.execute("SELECT kind FROM news.changes ORDER BY change DESC LIMIT 1").fetchall() == [
        {"kind": "erased"}
    ]
    assert reader.execute("SELECT count(*) AS n FROM news.decisions").fetchall() == [{"n": 7}]


def test_a_record_of_an_erased_article_that_cannot_be_stored_keeps_its_bytes_to_itself(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    write(connection, feed, word("erased", 1))
    bad = enriched(NEW, 1, enrichment("A\x00da")).to_bytes()
    incoming = feed.raw(topics.ENRICHED, bad[:-1])  # not even JSON
    keyed = Incoming(
        incoming.topic, incoming.topic_id, incoming.partition, incoming.offset, bad[:-1], str(article(1)).encode()
    )

    postgres.write_batch(connection, [keyed])

    assert reader.execute("SELECT stage, reason, value, key FROM news.dead_letters").fetchall() == [
        {"stage": "sink", "reason": "not-json", "value": b"", "key": None}
    ]


@pytest.mark.parametrize("erased_first", [True, False])
def test_of_two_sinks_that_write_and_erase_at_once_none_brings_it_back(
    database_url: str, connection: Connection, reader: Reader, feed: Feed, erased_first: bool
) -> None:
    write(connection, feed, decided(NEW, 1), enriched(NEW, 1, enrichment("Ada")))
    one = of_partition(1, feed.incoming(decided(REVISION, 2), enriched(REVISION, 2, enrichment("Bob"))))
    other = of_partition(2, feed.incoming(word("erased", 50)))
    first, second = (other, one) if erased_first else (one, other)
    with sink_of(database_url) as slow, sink_of(database_url) as quick, ThreadPoolExecutor() as pool:
        with slow.transaction():
            postgres.write_batch(slow, first)
            waiting = pool.submit(postgres.write_batch, quick, second)
            wait_for(lambda: is_waiting(reader, quick))
        waiting.result(timeout=30)

    assert reader.execute("SELECT text FROM ingest.versions").fetchall() == []
    assert reader.execute("SELECT name FROM ingest.entities").fetchall() == []
    assert "Title" not in stored(reader)


@pytest.mark.parametrize("erased_first", [True, False])
def test_of_two_sinks_that_store_a_dead_letter_and_erase_its_article_at_once_none_keeps_its_bytes(
    database_url: str, reader: Reader, feed: Feed, erased_first: bool
) -> None:
    """The article is not known, so no row of it can be locked."""
    one, other = of_partition(1, [letter(feed)]), of_partition(2, feed.incoming(word("erased", 50)))
    first, second = (other, one) if erased_first else (one, other)
    with sink_of(database_url) as slow, sink_of(database_url) as quick, ThreadPoolExecutor() as pool:
        with slow.transaction():
            postgres.write_batch(slow, first)
            waiting = pool.submit(postgres.write_batch, quick, second)
            wait_for(lambda: is_waiting(reader, quick))
        waiting.result(timeout=30)

    assert reader.execute("SELECT value, key FROM ingest.dead_letters").fetchall() == [{"value": b"", "key": None}]


def test_the_books_balance_after_an_erasure_whatever_was_stored_or_refused(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    """Four texts: one is on its way for ever, as a dead letter; all others are stored."""
    unique, enriched_id = UUID(int=77), UUID(int=98)
    missing = decision("revision", place=9, text=9, observed=60, of=article(1))
    refused = dead_letters.of_record(
        "enrich",
        InvalidRecord(Reason.CRASHED, "It crashed."),
        "articles.unique",
        Coordinates(topic_id=unique, partition=0, offset=1),
        str(article(1)).encode(),
        b"Text 9.",
    )
    incoming = feed.raw(topics.DEAD_LETTER, refused.value, refused.headers())
    keyed = Incoming(
        incoming.topic, incoming.topic_id, 0, incoming.offset, refused.value, refused.key, refused.headers()
    )

    def unstored() -> tuple[int, int]:
        found = queries.counted(connection, RAW_TOPIC, unique, enriched_id, UUID(int=99))
        return found.decided, found.texts - found.stored - found.texts_refused

    postgres.write_batch(connection, [*feed.incoming(*STORY, decided(missing, 9)), keyed])
    before = unstored()
    write(connection, feed, word("erased", 70))
    after = unstored()
    write(connection, feed, enriched(missing, 9, enrichment()))

    assert before == after == unstored() == (5, 0)


def test_no_statement_waits_for_a_lock_that_any_reader_may_take_and_keep() -> None:
    statements_of_ours = (resources.files("sinks") / "sql").iterdir()

    assert [file.name for file in statements_of_ours if "pg_advisory" in file.read_text(encoding="utf-8")] == []
