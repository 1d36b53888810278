"""What the command line asks, on a database with a short story in it."""

from uuid import UUID

import pytest

from pipeline import dead_letters, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates
from sinks import postgres, queries
from sinks.database import Connection
from tests.sinks import samples
from tests.sinks.samples import Feed, decided, decision, enriched, enrichment

pytestmark = pytest.mark.services


@pytest.fixture
def stored(connection: Connection, feed: Feed) -> Connection:
    records = []
    for n in range(1, 6):
        made = decision("new", place=n, of_article=n, text=n, observed=n)
        names = ("Ada Lovelace", "Bob") if n % 2 else ("Bob",)
        records += [decided(made, n), enriched(made, n, enrichment(*names))]
    waiting = decision("revision", place=9, of_article=1, text=9, observed=90)
    postgres.write_batch(connection, feed.incoming(*records, decided(waiting, 9)))
    return connection


def test_the_books_count_places_on_articles_raw_once(stored: Connection, feed: Feed) -> None:
    place = Coordinates(topic_id=samples.RAW_TOPIC, partition=0, offset=50)
    error = InvalidRecord(Reason.NOT_JSON, "Not JSON.")
    letters = [
        dead_letters.of_record("deduplicate", error, topics.RAW, place, None, b"{"),
        dead_letters.of_record("enrich", error, topics.UNIQUE, place, None, b"{"),
        dead_letters.of_source(error, "a.txt", b"{"),
    ]
    postgres.write_batch(stored, [feed.raw(topics.DEAD_LETTER, x.value, x.headers()) for x in (*letters, *letters)])

    counted = queries.counted(stored, samples.RAW_TOPIC, UUID(int=97), UUID(int=98), UUID(int=99))
    assert counted == queries.Counted(decided=6, refused=1, texts=6, stored=5, texts_refused=0, decisions_refused=0)
    elsewhere = queries.counted(stored, UUID(int=91), UUID(int=92), UUID(int=93), UUID(int=94))
    assert elsewhere == queries.Counted(0, 0, 0, 0, 0, 0)
    assert [(p.topic, p.next_offset) for p in queries.stored_positions(stored)] == [
        ("articles.dead-letter", 6),
        ("articles.decisions", 6),
        ("articles.enriched", 5),
    ]
