"""What the command line asks of the contract, as a reader, on a database with a short story in it."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from pipeline.errors import SettingError
from sinks import database, postgres, reading
from sinks.database import Connection
from sinks.reading import Names, Wanted
from tests.sinks.samples import Feed, article, at, decided, decision, delivery, enriched, enrichment, version

pytestmark = pytest.mark.services


@pytest.fixture
def stored(connection: Connection, feed: Feed, database_url: str) -> Iterator[Connection]:
    """Five articles, a copy of the fifth, and a revision of the first that is still to be enriched; as a reader."""
    records = []
    for n in range(1, 6):
        made = decision("new", place=n, of_article=n, text=n, observed=n, source="wire" if n < 4 else "paper")
        names = ("Ada Lovelace", "Bob") if n % 2 else ("Bob",)
        records += [decided(made, n), enriched(made, n, enrichment(*names))]
    copied = {"of": article(5), "of_version": version(5), "of_delivery": delivery(5), "method": "exact"}
    copy = decision("copy", place=6, of_article=6, text=6, observed=6, source="mirror", **copied)
    waiting = decision("revision", place=9, of_article=1, text=9, observed=90)
    postgres.write_batch(connection, feed.incoming(*records, decided(copy, 6, with_body=True), decided(waiting, 9)))
    reader = database.connect_as_reader(database_url, database.reader_limits(30), "tests")
    yield reader
    reader.close()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [6, 5, 4, 3, 2, 1]),
        (Wanted(words=("title 4",)), [4]),
        (Wanted(words=("LOVELACE", "title")), [6, 5, 3, 1]),
        (Wanted(words=("lovelace", "nobody")), []),
        (Wanted(words=("%",)), []),
        (Wanted(words=("_itle",)), []),
        (Wanted(words=("\\",)), []),
        (Wanted(words=("' OR true --",)), []),
        (Wanted(entity="ada"), [6, 5, 3, 1]),
        (Wanted(entity="ADA  lovelace"), [6, 5, 3, 1]),
        (Wanted(words=("title 2",), entity="ada"), []),
        (Wanted(source="paper"), [5, 4]),
        (Wanted(source="pape"), []),
        (Wanted(language="EN"), [6, 5, 4, 3, 2, 1]),
        (Wanted(language="nb"), []),
        (Wanted(sentiment="negative"), [6, 5, 4, 3, 2, 1]),
        (Wanted(sentiment="positive"), []),
        (Wanted(since=at(2), until=at(4)), [3, 2]),
        (Wanted(copies=True), [6]),
        (Wanted(copies=False, source="paper"), [5, 4]),
        (Wanted(after=article(3)), [2, 1]),
        (Wanted(after=article(3), entity="Bob"), [2, 1]),
    ],
)
def test_articles_are_found_newest_first(stored: Connection, wanted: Wanted, found: list[int]) -> None:
    rows = reading.articles(stored, wanted, 20)

    assert [row["article_id"] for row in rows] == [article(n) for n in found]


def test_the_list_of_articles_is_as_long_as_asked_and_goes_on_behind_its_last(stored: Connection) -> None:
    first = reading.articles(stored, Wanted(), 4)
    second = reading.articles(stored, Wanted(after=first[-1]["article_id"]), 4)

    assert [row["title"] for row in first] == ["Title 6", "Title 5", "Title 4", "Title 3"]
    assert [row["title"] for row in second] == ["Title 2", "Title 1"]


def test_nothing_comes_behind_an_article_that_is_not_there(stored: Connection) -> None:
    with pytest.raises(SettingError, match="no article"):
        reading.articles(stored, Wanted(after=article(99)), 20)


def test_a_row_has_all_columns_of_the_view_the_texts_only_where_asked_for(stored: Connection) -> None:
    (row,) = reading.articles(stored, Wanted(words=("title 4",)), 1, with_text=True)
    (without,) = reading.articles(stored, Wanted(words=("title 4",)), 1)
    shown = reading.article(stored, article(4))

    assert shown is not None
    names = shown.pop("entities")
    assert row == shown
    assert without == {name: value for name, value in shown.items() if name not in ("text", "raw")}
    assert [(name["name"], name["count"]) for name in names] == [("Bob", 2)]


def test_an_article_is_meant_by_its_id_a_delivery_a_version_or_its_address(stored: Connection) -> None:
    assert reading.meant(stored, article(2)) == article(2)
    assert reading.meant(stored, delivery(2)) == article(2)
    assert reading.meant(stored, version(2)) == article(2)
    assert reading.meant(stored, article(99)) is None
    assert reading.at(stored, ["https://example.org/2"]) == article(2)
    assert reading.at(stored, ["https://example.org/99"]) is None


def test_names_are_counted(stored: Connection) -> None:
    found = reading.entities(stored, Names(), 20)

    assert [(e["name"], e["label"], e["articles"], e["mentions"]) for e in found] == [
        ("Bob", "PERSON", 5, 10),
        ("Ada Lovelace", "PERSON", 3, 6),
    ]
    assert [e["name"] for e in reading.entities(stored, Names(part="love"), 20)] == ["Ada Lovelace"]
    assert reading.entities(stored, Names(label="ORG"), 20) == []


def test_names_are_counted_by_day(stored: Connection) -> None:
    day = at(0).date()

    total = reading.entities_of_days(stored, Names(), day, None, 1, by_day=False)
    daily = reading.entities_of_days(stored, Names(part="ada"), day, day, 20, by_day=True)

    assert [(e["name"], e["articles"], e["mentions"], e["sentiment_score"]) for e in total] == [("Bob", 5, 10, 0.5)]
    assert [(e["day"], e["name"], e["articles"]) for e in daily] == [(date(2026, 3, 1), "Ada Lovelace", 3)]
    assert reading.entities_of_days(stored, Names(), day + timedelta(days=1), None, 20, by_day=False) == []


def test_the_stored_texts_of_an_article_come_oldest_first(
    connection: Connection, feed: Feed, stored: Connection
) -> None:
    again = decision("revision", place=20, of_article=2, text=20, observed=200)
    postgres.write_batch(connection, feed.incoming(decided(again, 20), enriched(again, 20, enrichment())))

    found = reading.versions(stored, article(2))

    assert [(v.delivery_id, v.kind, v.is_current, v.title) for v in found] == [
        (delivery(2), "new", False, "Title 2"),
        (delivery(20), "revision", True, "Title 20"),
    ]
    assert reading.text(stored, delivery(20)) == ("Title 20", "Text 20.")
