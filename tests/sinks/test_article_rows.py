"""Decided and enriched articles -> what readers see of them, on a real PostgreSQL."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline import topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import Reason
from pipeline.records import Details
from sinks import postgres
from sinks.database import Connection
from tests.sinks import samples
from tests.sinks.samples import Feed, article, at, decided, decision, delivery, enriched, enrichment, version
from tests.sinks.story import BACKFILL, COPY, NEW, REDELIVERY, REVISION, STORY, UNCHANGED
from tests.sinks.tables import dump

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


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


def test_a_name_of_any_length_is_stored(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(enriched(NEW, 1, enrichment("Ä" * 5000, "Ä" * 6000))))

    assert reader.execute("SELECT length(name) AS n FROM news.article_entities").fetchall() == [{"n": 500}, {"n": 500}]


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
