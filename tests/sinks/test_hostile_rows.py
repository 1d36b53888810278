"""Records that no database likes, among usual ones: what can be stored is, what cannot is set apart alone."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from pipeline import dead_letters, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates, EnrichedArticle, Enrichment, Entity, Mention
from sinks import postgres
from sinks.database import Connection
from sinks.rows import Incoming
from tests.sinks import samples
from tests.sinks.samples import (
    Feed,
    article,
    as_owner,
    at,
    body,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    metadata,
    source_state,
)

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

MEGABYTE = 1_000_000
HOSTILE = 20


def neighbours(feed: Feed, numbers: Sequence[int]) -> list[Incoming]:
    """Usual articles, each with its decision."""
    made = [decision("new", place=n, of_article=n, text=n, observed=n) for n in numbers]
    return [
        incoming
        for n, each in zip(numbers, made, strict=True)
        for incoming in feed.incoming(decided(each, n), enriched(each, n, enrichment(f"Name {n}")))
    ]


def write_among_neighbours(connection: Connection, feed: Feed, *hostile: Incoming) -> postgres.Written:
    """One batch: two usual articles before (in the order of the topics), the hostile records, two after."""
    before = neighbours(feed, [1, 2])
    moved = [Incoming(i.topic, i.topic_id, 0, next(feed.offsets[i.topic]), i.value, i.key, i.headers) for i in hostile]
    return postgres.write_batch(connection, [*before, *moved, *neighbours(feed, [3, 4])])


def assert_neighbours_are_written(connection: Connection) -> None:
    shown = connection.execute("SELECT title FROM news.articles WHERE title LIKE 'Title _' ORDER BY title").fetchall()
    assert [title for (title,) in shown] == ["Title 1", "Title 2", "Title 3", "Title 4"]
    mentions = connection.execute("SELECT count(*) FROM news.mentions WHERE name LIKE 'Name _'").fetchone()
    assert mentions == (8,)


def assert_set_apart(connection: Connection, hostile: Sequence[Incoming], reason: str) -> None:
    """Each hostile record is a dead letter with its own bytes, the others are rows, and the places are behind all."""
    assert_neighbours_are_written(connection)
    letters = connection.execute("SELECT reason, value FROM news.dead_letters ORDER BY topic, record_offset").fetchall()
    by_topic = sorted(hostile, key=lambda incoming: incoming.topic)
    assert letters == [(reason, incoming.value) for incoming in by_topic]
    assert places(connection) == {
        topic: 4 + sum(incoming.topic == topic for incoming in hostile) for topic in (topics.DECISIONS, topics.ENRICHED)
    }


def places(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT topic, next_offset FROM ingest.positions").fetchall())


def hostile_article(**changes: Any) -> EnrichedArticle:
    """The record of article 20 with some of its metadata, body or enrichment changed."""
    made = decision("new", place=HOSTILE, of_article=HOSTILE, text=HOSTILE, observed=0)
    record = enriched(made, HOSTILE, enrichment("Ada"))
    for part in ("metadata", "body", "enrichment"):
        of_part = {name: value for name, value in changes.items() if name in type(getattr(record, part)).model_fields}
        record = record.model_copy(update={part: getattr(record, part).model_copy(update=of_part)})
    return record


def incoming_of(record: EnrichedArticle) -> Incoming:
    return Incoming(topics.ENRICHED, samples.TOPIC_IDS[topics.ENRICHED], 0, 0, record.to_bytes(), b"key")


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "a\x00b"},
        {"url": "https://example.org/\x00"},
        {"byline": "\x00"},
        {"notes": ("fine", "a\x00b")},
        {"text": "a\x00b"},
        {"raw": "a\x00b"},
        {"content_hash": "\x00" * 64},
        {"language": "e\x00n"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_nul_in_any_text_sets_that_record_apart(connection: Connection, feed: Feed, changes: dict[str, Any]) -> None:
    bad = incoming_of(hostile_article(**changes))

    write_among_neighbours(connection, feed, bad)

    assert_set_apart(connection, [bad], "row-refused")


@pytest.mark.parametrize("where", [b'"Title 20"', b'"Text 20."', b'"Ada"'], ids=["title", "text", "name"])
@pytest.mark.parametrize("half", [rb"\ud83d", rb"\udc00"], ids=["high", "low"])
def test_half_of_a_surrogate_pair_sets_that_record_apart(
    connection: Connection, feed: Feed, where: bytes, half: bytes
) -> None:
    value = hostile_article().to_bytes().replace(where, where[:-1] + half + b'"')
    bad = Incoming(topics.ENRICHED, samples.TOPIC_IDS[topics.ENRICHED], 0, 0, value, b"key")

    write_among_neighbours(connection, feed, bad)

    assert_set_apart(connection, [bad], "not-json")


def test_what_is_no_text_in_utf_8_sets_that_record_apart(connection: Connection, feed: Feed) -> None:
    """A surrogate as three bytes, as a careless writer encodes it."""
    value = hostile_article().to_bytes().replace(b"Title 20", b"Title \xed\xa0\xbd")
    bad = Incoming(topics.ENRICHED, samples.TOPIC_IDS[topics.ENRICHED], 0, 0, value, b"key")

    write_among_neighbours(connection, feed, bad)

    assert_set_apart(connection, [bad], "not-utf-8")


LARGE_TEXTS = {
    "one word": "w" * MEGABYTE,
    "one word of four-byte characters": "\N{GRINNING FACE}" * (MEGABYTE // 4),
    "one word of letters outside of ASCII": "ж" * (MEGABYTE // 2),
    "words that are all different": " ".join(f"w{n:06d}" for n in range(2 * MEGABYTE // 8)),
    "one letter and a space": "a " * (MEGABYTE // 2),
    "full stops": "." * MEGABYTE,
    "angle brackets": "<a " * (MEGABYTE // 3),
    "one address": "https://example.org/" + "a/" * (MEGABYTE // 2),
    "hyphens": "-".join(["ab"] * (MEGABYTE // 3)),
}


@pytest.mark.parametrize("text", LARGE_TEXTS.values(), ids=LARGE_TEXTS)
def test_a_text_of_a_megabyte_is_stored_whole(connection: Connection, feed: Feed, text: str) -> None:
    """Whatever the index of words can take of it."""
    written = write_among_neighbours(connection, feed, incoming_of(hostile_article(text=text, raw=text)))

    stored = connection.execute("SELECT text, raw FROM news.articles WHERE article_id = %s", [article(HOSTILE)])
    assert stored.fetchall() == [(text, text)]
    assert written.dead_letters == []
    assert_neighbours_are_written(connection)


@pytest.mark.parametrize("text", ["t" * 10_000, "t " * 5_000, "%_\\" * 3_000, "' OR 1=1; --"])
def test_a_title_may_be_anything(connection: Connection, feed: Feed, text: str) -> None:
    written = write_among_neighbours(connection, feed, incoming_of(hostile_article(title=text, byline=text[:2000])))

    stored = connection.execute("SELECT title, byline FROM news.articles WHERE article_id = %s", [article(HOSTILE)])
    assert stored.fetchall() == [(text, text[:2000])]
    assert written.dead_letters == []


def test_an_address_of_eight_thousand_characters_is_stored(connection: Connection, feed: Feed) -> None:
    url = "https://example.org/" + "".join(chr(0x4E00 + n) for n in range(7_980))  # nothing that compresses well

    written = write_among_neighbours(connection, feed, incoming_of(hostile_article(url=url)))

    assert connection.execute("SELECT url FROM news.articles WHERE article_id = %s", [article(HOSTILE)]).fetchall() == [
        (url,)
    ]
    assert written.dead_letters == []


def many_names(count: int) -> Enrichment:
    """An enrichment of so many names, each mentioned once."""
    entities = tuple(
        Entity(
            name=f"Name of {n:05d}",
            label="PERSON",
            count=1,
            mentions=(Mention(text=f"Name of {n:05d}", start=n, end=n + 1, raw_start=n, raw_end=n + 1),),
        )
        for n in range(count)
    )
    return enrichment().model_copy(update={"entities": entities})


def test_an_article_with_ten_thousand_names_is_stored_with_all_of_them(connection: Connection, feed: Feed) -> None:
    made = decision("new", place=HOSTILE, of_article=HOSTILE, text=HOSTILE, observed=0)

    written = write_among_neighbours(connection, feed, incoming_of(enriched(made, HOSTILE, many_names(10_000))))

    counts = "SELECT (SELECT count(*) FROM news.{} WHERE article_id = %s)"
    for view in ("article_entities", "mentions"):
        assert connection.execute(counts.format(view), [article(HOSTILE)]).fetchone() == (10_000,)
    assert written.dead_letters == []
    assert_neighbours_are_written(connection)


def test_ten_thousand_names_give_way_to_a_newer_enrichment(connection: Connection, feed: Feed) -> None:
    made = decision("new", place=HOSTILE, of_article=HOSTILE, text=HOSTILE, observed=0)
    postgres.write_batch(connection, feed.incoming(decided(made, HOSTILE), enriched(made, HOSTILE, many_names(10_000))))

    postgres.write_batch(connection, feed.incoming(enriched(made, HOSTILE, enrichment("Ada", generation=1, made=300))))

    assert connection.execute("SELECT name FROM news.article_entities").fetchall() == [("Ada",)]


DATES_OUT_OF_REACH = [
    "-0043-03-15T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "10000-01-01T00:00:00Z",
    "+12026-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "infinity",
    "2026-03-01T12:00:00",  # at what place on earth?
]


DATES = {
    "published_at": "metadata",
    "updated_at": "metadata",
    "observed_at": "decision",
    "decided_at": "decision",
    "enriched_at": "enrichment",
}


@pytest.mark.parametrize("date", DATES_OUT_OF_REACH)
def test_a_date_that_no_column_takes_sets_that_record_apart(connection: Connection, feed: Feed, date: str) -> None:
    bad = []
    for field, part in DATES.items():
        record = json.loads(hostile_article().to_bytes())
        record[part][field] = date
        value = json.dumps(record).encode()
        bad.append(Incoming(topics.ENRICHED, samples.TOPIC_IDS[topics.ENRICHED], 0, 0, value, b"key"))

    write_among_neighbours(connection, feed, *bad)

    assert_set_apart(connection, bad, "wrong-shape")


@pytest.mark.parametrize("date", ["0001-01-02T00:00:00+00:00", "9999-12-30T00:00:00+00:00"])
def test_the_first_and_the_last_day_are_stored_and_can_be_read(connection: Connection, feed: Feed, date: str) -> None:
    record = json.loads(hostile_article().to_bytes())
    record["metadata"] |= {"published_at": date, "updated_at": date}
    record["decision"] |= {"observed_at": date, "decided_at": date}
    record["enrichment"] |= {"enriched_at": date}
    at_the_end = EnrichedArticle.from_bytes(json.dumps(record).encode())

    written = write_among_neighbours(connection, feed, incoming_of(at_the_end))

    assert written.dead_letters == []
    columns = "published_at, updated_at, first_seen_at, last_seen_at, content_changed_at"
    (found,) = connection.execute(
        f"SELECT {columns} FROM news.articles WHERE article_id = %s", [article(HOSTILE)]
    ).fetchall()
    assert [each.isoformat() for each in found] == [date] * 5
    (day,) = connection.execute("SELECT day::text FROM news.entity_days WHERE name = 'Ada'").fetchall()
    assert day == (date[:10],)


def test_the_same_key_twice_in_one_batch_is_one_row(connection: Connection, feed: Feed) -> None:
    """Of every table: the last state, the newest generation, the first of what never changes."""
    new = decision("new", place=1, text=1, observed=0)
    again = decision("revision", place=2, text=2, observed=5)
    letter = dead_letters.of_record(
        "enrich",
        InvalidRecord(Reason.POISON, "Bad."),
        topics.UNIQUE,
        Coordinates(topic_id=samples.RAW_TOPIC, partition=0, offset=7),
        b"k",
        b"value",
    )

    written = postgres.write_batch(
        connection,
        [
            *feed.incoming(decided(new, 1), decided(new, 1), decided(again, 2), decided(again, 2)),
            *feed.incoming(
                enriched(new, 1, enrichment("Ada", generation=1, made=300)),
                enriched(new, 1, enrichment("Bob")),
                enriched(new, 1, enrichment("Cleo", generation=1, made=301)),
                enriched(new, 1, enrichment("Dora", generation=1, made=300)),
                enriched(again, 2, enrichment("Ada", "Ada")),
                enriched(again, 2, enrichment("Ada", "Ada")),
            ),
            *feed.incoming(*(source_state("wire", minute) for minute in (3, 9, 9, 5))),
            *(feed.raw(topics.DEAD_LETTER, letter.value, letter.headers()) for _ in range(3)),
        ],
    )

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    assert written.dead_letters == []
    assert rows("SELECT raw_offset, kind FROM news.decisions ORDER BY 1") == [(1, "new"), (2, "revision")]
    assert rows("SELECT delivery_id, generation FROM news.article_versions ORDER BY 1") == [
        (delivery(1), 1),
        (delivery(2), 0),
    ]
    assert rows("SELECT title, versions FROM news.articles") == [("Title 2", 2)]
    assert rows(
        "SELECT name FROM ingest.entities WHERE delivery_id = (SELECT min(delivery_id::text)::uuid"
        " FROM ingest.versions)"
    ) == [("Ada",)]
    assert rows("SELECT changed_at FROM news.sources WHERE source = 'wire'") == [(at(9),)]
    assert rows("SELECT id FROM news.dead_letters") == [(letter.id,)]
    assert rows("SELECT kind, delivery_id FROM news.changes ORDER BY change") == [
        ("new", delivery(1)),
        ("revision", delivery(2)),
    ]


CHECKS = {
    "decisions": "CHECK (article_id <> '{article}')",
    "articles": "CHECK (article_id <> '{article}')",
    "versions": "CHECK (article_id <> '{article}')",
    "entities": "CHECK (name <> 'Ada')",
    "mentions": "CHECK (text <> 'Ada')",
    "entity_register": "CHECK (name <> 'ada')",
}


@pytest.mark.parametrize("table", CHECKS)
def test_a_row_that_violates_a_check_of_any_table_sets_its_record_apart(
    connection: Connection, feed: Feed, table: str
) -> None:
    check = CHECKS[table].format(article=article(HOSTILE))
    as_owner(connection, f"ALTER TABLE ingest.{table} ADD CONSTRAINT hostile {check}")
    made = decision("new", place=HOSTILE, of_article=HOSTILE, text=HOSTILE, observed=0)
    of_decision, of_version = Feed().incoming(decided(made, HOSTILE), enriched(made, HOSTILE, enrichment("Ada")))

    write_among_neighbours(connection, feed, of_decision, of_version)

    refused = {"decisions": [of_decision], "articles": [of_decision, of_version]}.get(table, [of_version])
    assert_neighbours_are_written(connection)
    letters = connection.execute("SELECT reason, value FROM news.dead_letters ORDER BY topic").fetchall()
    assert letters == [("row-refused", incoming.value) for incoming in refused]
    assert places(connection) == {topics.DECISIONS: 5, topics.ENRICHED: 5}


def test_many_bad_records_in_a_large_batch_are_each_set_apart(connection: Connection, feed: Feed) -> None:
    numbers = range(100, 164)
    made = {n: decision("new", place=n, of_article=n, text=n, observed=n) for n in numbers}
    bad = {101, 102, 117, 140, 163}
    batch = feed.incoming(*(decided(made[n], n) for n in numbers))
    batch += feed.incoming(
        *(
            EnrichedArticle(
                decision=made[n],
                metadata=metadata(n).model_copy(update={"title": "a\x00b"}) if n in bad else metadata(n),
                body=body(n),
                enrichment=enrichment("Ada"),
            )
            for n in numbers
        )
    )

    written = postgres.write_batch(connection, batch)

    assert {letter.record_offset for letter in written.dead_letters} == {n - 100 for n in bad}
    shown = connection.execute("SELECT article_id FROM news.articles").fetchall()
    assert {article_id for (article_id,) in shown} == {article(n) for n in numbers if n not in bad}
    assert connection.execute("SELECT count(*) FROM news.decisions").fetchone() == (64,)
    assert connection.execute("SELECT count(*), max(change) FROM news.changes").fetchone() == (59, 59)
