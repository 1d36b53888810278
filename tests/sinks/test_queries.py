"""What the command line asks, on a database with a short story in it."""

from uuid import UUID

import pytest

from pipeline import dead_letters, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates
from sinks import postgres, queries
from sinks.database import Connection
from tests.sinks import samples
from tests.sinks.samples import Feed, article, decided, decision, enriched, enrichment

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


@pytest.mark.parametrize(
    ("words", "entity", "found"),
    [
        ((), None, [5, 4, 3, 2, 1]),
        (("title 4",), None, [4]),
        (("LOVELACE", "title"), None, [5, 3, 1]),
        (("lovelace", "nobody"), None, []),
        ((), "ada", [5, 3, 1]),
        (("title 2",), "ada", []),
        (("%",), None, []),
    ],
)
def test_articles_are_found_by_words_and_names(
    stored: Connection, words: tuple[str, ...], entity: str | None, found: list[int]
) -> None:
    lines = queries.latest_articles(stored, words, entity)

    assert [line.article_id for line in lines] == [article(n) for n in found]


def test_the_list_of_articles_is_as_long_as_asked(stored: Connection) -> None:
    assert [line.title for line in queries.latest_articles(stored, limit=2)] == ["Title 5", "Title 4"]


def test_names_are_counted(stored: Connection) -> None:
    assert [(e.name, e.label, e.articles, e.mentions) for e in queries.top_entities(stored)] == [
        ("Bob", "PERSON", 5, 10),
        ("Ada Lovelace", "PERSON", 3, 6),
    ]
    assert [e.name for e in queries.top_entities(stored, word="love")] == ["Ada Lovelace"]
    assert queries.top_entities(stored, label="ORG") == []


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
