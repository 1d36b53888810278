"""Records -> rows on a real PostgreSQL."""

import itertools
import random
import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline import dead_letters, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates, Details, Record
from sinks import postgres
from sinks.database import Connection
from tests.sinks import samples
from tests.sinks.samples import (
    Feed,
    article,
    as_owner,
    at,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    source_state,
    version,
)

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

TABLES = (
    "decisions",
    "articles",
    "versions",
    "entity_register",
    "entities",
    "mentions",
    "search",
    "dead_letters",
    "sources",
)


def dump(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table as text, in a fixed order; times of writing and places in Kafka left out."""

    def rows(table: str) -> list[str]:
        left_out = "{ingested_at,failed_at,worker,told}"
        query = f"SELECT (to_jsonb(t) - '{left_out}'::text[])::text FROM ingest.{table} t ORDER BY 1"
        return [row[0] for row in connection.execute(query).fetchall()]

    return {table: rows(table) for table in TABLES}


def clear(connection: Connection) -> None:
    as_owner(connection, f"TRUNCATE {', '.join('ingest.' + table for table in (*TABLES, 'positions', 'changes'))}")
    connection.execute("UPDATE ingest.change_counter SET last = 0")


NEW = decision("new", place=0, text=1, observed=0)
REVISION = decision("revision", place=1, text=2, observed=10)
UNCHANGED = decision(
    "unchanged", place=2, text=3, observed=20, of_version=version(2), of_delivery=delivery(1), of=article(1)
)
REDELIVERY = decision("redelivery", place=3, text=3, observed=25)
RETURN = decision("revision", place=4, text=1, observed=30)
BACKFILL = decision("revision", place=5, text=5, observed=-60)
COPY = decision(
    "copy",
    place=6,
    of_article=2,
    text=6,
    observed=5,
    of=article(1),
    of_version=version(2),
    of_delivery=delivery(1),
    method="near",
    score=0.9,
    threshold=0.45,
    source="site",
)
COPY_REVISED = decision("revision", place=7, of_article=2, text=7, observed=50, same_text_as=article(1), source="site")

STORY: tuple[Record, ...] = (
    decided(NEW, 1),
    enriched(NEW, 1, enrichment("Ada", "Bob")),
    decided(REVISION, 2),
    enriched(REVISION, 2, enrichment("Ada", "Cleo")),
    decided(UNCHANGED, 3),
    decided(REDELIVERY, 3),
    decided(RETURN, 1),
    enriched(RETURN, 1, enrichment("Ada", "Bob", made=201)),
    decided(BACKFILL, 5),
    enriched(BACKFILL, 5, enrichment("Dora")),
    decided(COPY, 6, with_body=True),
    decided(COPY_REVISED, 7),
    enriched(COPY_REVISED, 7, enrichment("Eve")),
    enriched(REVISION, 2, enrichment("Finn", generation=1, made=300)),
    enriched(REVISION, 2, enrichment("Gus", generation=2, made=400)),
    enriched(REVISION, 2, enrichment("Late", generation=1, made=500)),
    source_state("wire", 10, failures=2, state="failing", reason="It does not answer."),
    source_state("wire", 30, alarm="quiet", alarm_since=at(-900)),
    source_state("wire", 20),
    source_state("never", 5),
)


def test_a_new_article_is_one_row_with_its_names(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(decided(NEW, 1), enriched(NEW, 1, enrichment("Ada"))))

    assert reader.execute("SELECT * FROM news.articles").fetchall() == [
        {
            "article_id": article(1),
            "version_id": version(1),
            "source": "wire",
            "url": "https://example.org/1",
            "title": "Title 1",
            "byline": "Author 1",
            "text": "Text 1.",
            "raw": "Text 1.\nSubscribe now",
            "language": "en",
            "published_at": None,
            "updated_at": None,
            "first_seen_at": at(0),
            "last_seen_at": at(0),
            "content_changed_at": at(0),
            "sentiment_label": "negative",
            "sentiment_score": -0.25,
            "copy_of": None,
            "versions": 1,
            "categories": ["Category 1", "News"],
            "enclosures": [{"url": "https://example.org/1.jpg", "type": "image/jpeg", "length": 1}],
            "published_at_from": "page",
            "extractor": "extractor 1",
            "flags": ["paywall"],
            "copies": 0,
            "raw_topic_id": samples.RAW_TOPIC,
            "raw_partition": 0,
            "raw_offset": 0,
            "delivery_id": delivery(0),
        }
    ]
    assert reader.execute("SELECT name, label, count, sentiment_score FROM news.article_entities").fetchall() == [
        {"name": "Ada", "label": "PERSON", "count": 2, "sentiment_score": 0.5}
    ]
    assert reader.execute("SELECT name, start_offset, raw_end FROM news.mentions ORDER BY 2").fetchall() == [
        {"name": "Ada", "start_offset": 0, "raw_end": 4},
        {"name": "Ada", "start_offset": 5, "raw_end": 6},
    ]


def test_the_text_that_stands_is_kept_while_its_revision_is_enriched(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection, feed.incoming(decided(NEW, 1), enriched(NEW, 1, enrichment("Ada")), decided(REVISION, 2))
    )
    before = reader.execute("SELECT title, text, last_seen_at FROM news.articles").fetchall()

    postgres.write_batch(connection, feed.incoming(enriched(REVISION, 2, enrichment())))

    assert before == [{"title": "Title 1", "text": "Text 1.", "last_seen_at": at(10)}]
    assert reader.execute("SELECT title, text, versions FROM news.articles").fetchall() == [
        {"title": "Title 2", "text": "Text 2.", "versions": 2}
    ]


def test_an_unchanged_delivery_brings_its_metadata_and_leaves_the_text(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection,
        feed.incoming(decided(REVISION, 2), enriched(REVISION, 2, enrichment()), decided(UNCHANGED, 3)),
    )

    assert reader.execute(
        "SELECT title, byline, text, version_id, last_seen_at, content_changed_at FROM news.articles"
    ).fetchall() == [
        {
            "title": "Title 3",
            "byline": "Author 3",
            "text": "Text 2.",
            "version_id": version(2),
            "last_seen_at": at(20),
            "content_changed_at": at(10),
        }
    ]


DETAILS = "SELECT categories, enclosures, published_at_from, extractor, flags FROM news."
NO_DETAILS = {"categories": [], "enclosures": [], "published_at_from": None, "extractor": None, "flags": []}


def test_an_article_says_what_its_newest_delivery_says_but_of_its_text_what_came_with_that(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection, feed.incoming(decided(REVISION, 2), enriched(REVISION, 2, enrichment()), decided(UNCHANGED, 3))
    )

    assert reader.execute(f"{DETAILS}article_versions").fetchall() == [NO_DETAILS]
    assert reader.execute(f"{DETAILS}articles").fetchall() == [
        NO_DETAILS
        | {
            "categories": ["Category 3", "News"],
            "enclosures": [{"url": "https://example.org/3.jpg", "type": "image/jpeg", "length": 3}],
            "published_at_from": "page",
        }
    ]


def test_what_says_nothing_more_of_itself_has_empty_columns(connection: Connection, reader: Reader, feed: Feed) -> None:
    made = [
        record.model_copy(update={"metadata": record.metadata.model_copy(update={"details": Details()})})
        for record in (decided(NEW, 1), enriched(NEW, 1, enrichment()))
    ]
    postgres.write_batch(connection, feed.incoming(*made))

    assert reader.execute(f"{DETAILS}articles").fetchall() == [NO_DETAILS]


def test_a_redelivery_leaves_only_its_decision(connection: Connection, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(decided(NEW, 1), enriched(NEW, 1, enrichment("Ada"))))
    before = dump(connection)

    postgres.write_batch(connection, feed.incoming(decided(REDELIVERY, 9)))

    after = dump(connection)
    assert len(after.pop("decisions")) == len(before.pop("decisions")) + 1
    assert after == before


def test_a_late_backfill_never_becomes_the_newest(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(
        connection,
        feed.incoming(
            decided(NEW, 1),
            enriched(NEW, 1, enrichment()),
            decided(BACKFILL, 5),
            enriched(BACKFILL, 5, enrichment("Dora")),
        ),
    )

    assert reader.execute("SELECT text, first_seen_at, last_seen_at, versions FROM news.articles").fetchall() == [
        {"text": "Text 1.", "first_seen_at": at(-60), "last_seen_at": at(0), "versions": 2}
    ]


def test_a_copy_has_its_own_text_and_the_names_of_its_original(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection,
        feed.incoming(
            decided(COPY, 6, with_body=True), decided(REVISION, 2), enriched(REVISION, 2, enrichment("Cleo"))
        ),
    )

    assert reader.execute(
        "SELECT text, copy_of, sentiment_label FROM news.articles WHERE article_id = %s", [article(2)]
    ).fetchall() == [{"text": "Text 6.", "copy_of": article(1), "sentiment_label": "negative"}]
    assert reader.execute(
        "SELECT name, copy_of FROM news.article_entities WHERE article_id = %s", [article(2)]
    ).fetchall() == [{"name": "Cleo", "copy_of": article(1)}]
    assert reader.execute("SELECT name, articles, mentions FROM news.entities").fetchall() == [
        {"name": "Cleo", "articles": 1, "mentions": 2}
    ]
    assert reader.execute("SELECT copy_of, original, method, score FROM news.copies").fetchall() == [
        {"copy_of": article(1), "original": article(1), "method": "near", "score": 0.9}
    ]


def test_two_articles_with_each_others_text_do_not_send_the_copies_round_in_circles(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    one = decision("revision", place=1, of_article=1, text=1, observed=1, same_text_as=article(2))
    two = decision("revision", place=2, of_article=2, text=2, observed=2, same_text_as=article(1))
    postgres.write_batch(connection, feed.incoming(enriched(one, 1, enrichment()), enriched(two, 2, enrichment())))

    assert reader.execute("SELECT article_id, original FROM news.copies ORDER BY 1").fetchall() == [
        {"article_id": article(1), "original": article(1)},
        {"article_id": article(2), "original": article(1)},
    ]


def test_a_newer_enrichment_replaces_all_names_and_an_older_one_none(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    def names() -> list[str]:
        return [str(row["name"]) for row in reader.execute("SELECT name FROM news.mentions").fetchall()]

    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Ada", "Bob"))))
    first = names()
    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Cleo", generation=2, made=300))))
    second = names()
    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Dora", generation=1, made=400))))
    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Eve", generation=2, made=500))))

    assert first == ["Ada", "Ada", "Bob", "Bob"]
    assert second == names() == ["Cleo", "Cleo"]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_any_repetition_end_in_the_same_rows(connection: Connection, seed: int) -> None:
    postgres.write_batch(connection, Feed().incoming(*STORY))
    expected = dump(connection)
    assert len(expected["decisions"]) == 8
    assert len(expected["versions"]) == 6

    chance = random.Random(seed)
    for _ in range(4):
        clear(connection)
        feed = Feed()
        records = [*STORY, *chance.sample(STORY, 8)]
        chance.shuffle(records)
        while records:
            size = chance.randint(1, 6)
            batch, records = records[:size], records[size:]
            postgres.write_batch(connection, feed.incoming(*batch))
        assert dump(connection) == expected, f"seed {seed}"


def test_every_order_of_the_deliveries_of_one_moment_has_one_newest(connection: Connection) -> None:
    same_moment = [
        decided(decision("new", place=3, text=1, observed=0), 1),
        decided(decision("revision", place=9, text=2, observed=0), 2),
        decided(decision("revision", place=1, text=3, observed=0, log_id=UUID(int=5), decided_at=at(999)), 3),
    ]
    results = []
    for order in itertools.permutations(same_moment):
        clear(connection)
        feed = Feed()
        for record in order:
            postgres.write_batch(connection, feed.incoming(record))
        results.append(dump(connection))

    assert all(result == results[0] for result in results)
    assert '"title": "Title 3"' in results[0]["articles"][0]  # the later log by its time, though its offset is lower


def test_without_its_guard_the_newest_would_be_whatever_came_last(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the permutation test sees a missing guard."""
    from sinks import statements

    load = statements.load
    monkeypatch.setattr(
        statements,
        "load",
        lambda name: (
            re.sub(rb"WHERE\n.*(?=RETURNING)", b"", load(name), flags=re.DOTALL)
            if name == "upsert_articles"
            else load(name)
        ),
    )
    dumps = []
    for records in (STORY, tuple(reversed(STORY))):
        clear(connection)
        for record in Feed().incoming(*records):
            postgres.write_batch(connection, [record])
        dumps.append(dump(connection)["articles"])

    assert dumps[0] != dumps[1]


def test_records_below_the_stored_position_are_left_out(connection: Connection, feed: Feed) -> None:
    batch = feed.incoming(*STORY)
    first = postgres.write_batch(connection, batch)
    before = dump(connection)

    again = postgres.write_batch(connection, batch)

    assert first.records == len(STORY)
    assert again.records == 0
    assert dump(connection) == before


def test_a_database_that_was_put_back_is_noticed(connection: Connection, feed: Feed) -> None:
    batch = feed.incoming(decided(NEW, 1))
    place = batch[0].place

    with pytest.raises(postgres.PositionMoved):
        postgres.write_batch(connection, batch, {place: 5})

    assert dump(connection)["decisions"] == []


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


def test_a_name_of_any_length_is_stored(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Ä" * 5000, "Ä" * 6000))))

    assert reader.execute("SELECT length(name) AS n FROM news.article_entities").fetchall() == [{"n": 500}, {"n": 500}]


def test_an_error_that_is_no_records_doing_undoes_all(connection: Connection, feed: Feed) -> None:
    as_owner(connection, "ALTER TABLE ingest.mentions RENAME COLUMN raw_end TO other")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        postgres.write_batch(connection, feed.incoming(*STORY))

    assert connection.execute("SELECT count(*) FROM ingest.positions").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM ingest.dead_letters").fetchone() == (0,)


def test_a_source_is_shown_with_what_it_delivered_and_how_it_is_polled(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection,
        feed.incoming(
            decided(NEW, 1),
            decided(COPY, 6, with_body=True),
            source_state("wire", 9, state="failing", why="timeout", reason="Too slow.", failures=3, known_share=0.5),
            source_state("never", 9, alarm="empty", alarm_since=at(2), entries=0, expected_gap_seconds=21600),
        ),
    )

    columns = "source, deliveries, copies, first_seen_at, state, why, failures, known_share, alarm, alarm_since"
    rows = reader.execute(f"SELECT {columns} FROM news.sources ORDER BY 1").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("never", 0, 0, None, "ok", None, 0, None, "empty", at(2)),
        ("site", 1, 1, at(5), None, None, None, None, None, None),
        ("wire", 1, 0, at(0), "failing", "timeout", 3, 0.5, None, None),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])), ids=str)
def test_what_was_said_last_of_a_source_counts_in_whatever_order_it_comes(
    connection: Connection, reader: Reader, order: tuple[int, ...]
) -> None:
    said = [source_state("wire", minute, entries=minute) for minute in order]
    together = Feed().incoming(*said)
    postgres.write_batch(connection, together)
    first = reader.execute("SELECT entries FROM news.sources").fetchall()
    as_owner(connection, "TRUNCATE ingest.sources, ingest.positions")
    for record in together:
        postgres.write_batch(connection, [record])

    assert first == reader.execute("SELECT entries FROM news.sources").fetchall() == [{"entries": 3}]


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


def test_a_log_of_states_may_have_gaps(connection: Connection, feed: Feed) -> None:
    first, _, third = feed.incoming(*(source_state("wire", minute) for minute in (1, 2, 3)))
    postgres.write_batch(connection, [first])

    written = postgres.write_batch(connection, [third], {third.place: 1})

    assert written.positions == {third.place: 3}


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


def test_the_books_can_be_read(connection: Connection, reader: Reader, feed: Feed) -> None:
    letter = DeadLetter(UUID(int=9), "enrich", Reason.POISON, "Bad.", b"x", failed_at=at(0))
    postgres.write_batch(
        connection, [*feed.incoming(*STORY), feed.raw(topics.DEAD_LETTER, letter.value, letter.headers())]
    )

    counts = reader.execute(
        "SELECT what, source, kind, sum(count)::int AS n FROM news.balance GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()

    assert [tuple(row.values()) for row in counts] == [
        ("dead-letter", "enrich", "poison", 1),
        ("decision", "site", "copy", 1),
        ("decision", "site", "revision", 1),
        ("decision", "wire", "new", 1),
        ("decision", "wire", "redelivery", 1),
        ("decision", "wire", "revision", 3),
        ("decision", "wire", "unchanged", 1),
        ("version", "site", "copy", 1),
        ("version", "site", "revision", 1),
        ("version", "wire", "new", 1),
        ("version", "wire", "revision", 3),
    ]
    assert [tuple(row.values())[:4] for row in reader.execute("SELECT * FROM news.sources ORDER BY 1").fetchall()] == [
        ("never", 0, 0, 0),
        ("site", 2, 1, 1),
        ("wire", 6, 1, 0),
    ]
