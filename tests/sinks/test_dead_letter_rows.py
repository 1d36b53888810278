"""What cannot be read or stored, and what other stages set apart -> dead letters, on a real PostgreSQL."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline import dead_letters, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates, Record
from sinks import postgres
from sinks.database import Connection
from tests.sinks import samples
from tests.sinks.samples import Feed, decided, decision, enriched, enrichment, source_state
from tests.sinks.story import COPY, NEW
from tests.sinks.tables import dump

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


def test_what_cannot_be_read_becomes_a_dead_letter_beside_its_neighbours(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    written = postgres.write_batch(
        connection,
        [
            *feed.incoming(decided(NEW, 1)),
            feed.raw(topics.DECISIONS, b"{"),
            feed.raw(topics.DECISIONS, None),
            *feed.incoming(decided(COPY, 6)),  # without its text
        ],
    )

    assert written.records == 4
    assert reader.execute(
        "SELECT stage, reason, topic, record_offset, value FROM news.dead_letters ORDER BY record_offset"
    ).fetchall() == [
        {"stage": "sink", "reason": "not-json", "topic": topics.DECISIONS, "record_offset": 1, "value": b"{"},
        {"stage": "sink", "reason": "empty", "topic": topics.DECISIONS, "record_offset": 2, "value": b""},
        {
            "stage": "sink",
            "reason": "wrong-shape",
            "topic": topics.DECISIONS,
            "record_offset": 3,
            "value": decided(COPY, 6).to_bytes(),
        },
    ]
    assert len(dump(connection)["decisions"]) == 1


def with_nul() -> Record:
    found = enrichment("Ada").model_copy(update={"reason": "a\x00b"})
    return enriched(decision("new", place=20, of_article=7, text=20, observed=0), 20, found)


def with_nul_in_a_mention() -> Record:
    return enriched(decision("new", place=20, of_article=7, text=20, observed=0), 20, enrichment("A\x00da"))


def with_nul_in_json() -> Record:
    found = enrichment("Ada").model_copy(update={"models": {"ner": "a\x00b"}})
    return enriched(decision("new", place=20, of_article=7, text=20, observed=0), 20, found)


def with_a_number_too_large() -> Record:
    found = enrichment("Ada").model_copy(update={"generation": 2**40})
    return enriched(decision("new", place=20, of_article=7, text=20, observed=0), 20, found)


@pytest.mark.parametrize(
    "bad", [with_nul, with_nul_in_a_mention, with_nul_in_json, with_a_number_too_large], ids=lambda bad: bad.__name__
)
def test_a_row_that_postgresql_refuses_is_set_apart_and_its_neighbours_are_written(
    connection: Connection, reader: Reader, feed: Feed, bad: Any
) -> None:
    good = [
        enriched(decision("new", place=n, of_article=10 + n, text=n, observed=n), n, enrichment("Ada"))
        for n in range(10)
    ]

    written = postgres.write_batch(connection, feed.incoming(*good[:6], bad(), *good[6:]))

    assert [letter.reason for letter in written.dead_letters] == ["row-refused"]
    assert reader.execute("SELECT stage, reason, record_offset, value FROM news.dead_letters").fetchall() == [
        {"stage": "sink", "reason": "row-refused", "record_offset": 6, "value": bad().to_bytes()}
    ]
    assert reader.execute("SELECT count(*) AS n FROM news.articles").fetchall() == [{"n": 10}]
    assert reader.execute("SELECT count(*) AS n FROM news.mentions").fetchall() == [{"n": 20}]
    assert reader.execute("SELECT next_offset FROM ingest.positions").fetchall() == [{"next_offset": 11}]


def test_a_state_that_cannot_be_read_is_a_dead_letter_beside_its_neighbours(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    no_time = source_state("late", 1).to_bytes().replace(b"2026-03-01", b"2026-33-01")
    written = postgres.write_batch(
        connection,
        [
            *feed.incoming(source_state("wire", 1)),
            feed.raw(topics.SOURCES, None),
            feed.raw(topics.SOURCES, no_time),
            *feed.incoming(source_state("site", 1)),
        ],
    )

    assert [(letter.reason, letter.record_offset) for letter in written.dead_letters] == [
        ("empty", 1),
        ("wrong-shape", 2),
    ]
    assert reader.execute("SELECT source FROM news.sources ORDER BY 1").fetchall() == [
        {"source": "site"},
        {"source": "wire"},
    ]


def test_dead_letters_of_other_stages_are_rows_once(connection: Connection, reader: Reader, feed: Feed) -> None:
    place = Coordinates(topic_id=samples.RAW_TOPIC, partition=2, offset=7)
    letter = dead_letters.of_record(
        "deduplicate", InvalidRecord(Reason.NOT_JSON, "Not JSON."), topics.RAW, place, b"k", b"{"
    )

    for _ in range(2):
        postgres.write_batch(
            connection, [feed.raw(topics.DEAD_LETTER, letter.value, letter.headers()) for _ in range(2)]
        )

    rows = reader.execute("SELECT * FROM news.dead_letters").fetchall()
    assert len(rows) == 1
    assert rows[0]["id"] == letter.id
    assert (rows[0]["topic_id"], rows[0]["partition"], rows[0]["record_offset"]) == (samples.RAW_TOPIC, 2, 7)
    assert (rows[0]["stage"], rows[0]["reason"], rows[0]["value"]) == ("deduplicate", "not-json", b"{")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("dl-id", b"no id"), ("dl-topic", b"a\x00b"), ("dl-worker", b"\x00"), ("dl-stage", b"\xff\x00")],
        [("dl-length", b"9" * 30), ("dl-tries", b"9" * 30)],
        [("dl-length", b"9" * 5000)],
        [("dl-topic-id", str(UUID(int=1)).encode()), ("dl-partition", b"9" * 30), ("dl-offset", b"9" * 30)],
        [("dl-failed-at", b"0001-01-01T00:00:00+14:00")],
    ],
    ids=["none", "nul", "large", "larger", "place", "time"],
)
def test_no_dead_letter_is_too_odd_to_be_kept(
    connection: Connection, reader: Reader, feed: Feed, headers: list[tuple[str, bytes]]
) -> None:
    postgres.write_batch(connection, [feed.raw(topics.DEAD_LETTER, b"\x00bytes", headers)])

    assert reader.execute("SELECT value FROM news.dead_letters").fetchall() == [{"value": b"\x00bytes"}]


def test_the_sinks_own_dead_letter_is_the_same_again_on_a_replay(connection: Connection, feed: Feed) -> None:
    bad = feed.raw(topics.ENRICHED, b"[]")
    postgres.write_batch(connection, [bad])
    connection.execute("UPDATE ingest.positions SET next_offset = 0")

    postgres.write_batch(connection, [bad])

    assert len(dump(connection)["dead_letters"]) == 1
