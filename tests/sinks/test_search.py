"""news.search: what readers ask of it, on a database with a few articles in it."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from pipeline.errors import SettingError
from pipeline.records import Body, Record, Withdrawal
from sinks import postgres, search, statements
from sinks.database import Connection
from sinks.search import Question
from tests.sinks import samples
from tests.sinks.samples import Feed, article, at, decision, enriched, enrichment, version

pytestmark = pytest.mark.services

Write = Callable[..., None]


def story(
    number: int, title: str, text: str, *names: str, source: str = "wire", language: str = "en", **fields: Any
) -> list[Record]:
    """Article `number`, observed in that minute: its decision and its enrichment."""
    kind = fields.pop("kind", "new")
    made = decision(
        kind,
        place=fields.pop("place", number),
        of_article=number,
        text=fields.pop("text_number", number),
        observed=fields.pop("observed", number),
        source=source,
        **fields,
    )
    found = enrichment(*names).model_copy(update={"language": language})
    record = enriched(made, number, found)
    metadata = record.metadata.model_copy(update={"title": title, "byline": "By Ada Author"})
    body = Body(raw=text, text=text, removed=(), content_hash=f"{number:064x}")
    whole = record.model_copy(update={"metadata": metadata, "body": body})
    return [samples.decided(made, number).model_copy(update={"metadata": metadata}), whole]


@pytest.fixture
def write(connection: Connection, feed: Feed) -> Write:
    def write(*stories: list[Record]) -> None:
        postgres.write_batch(connection, feed.incoming(*(record for each in stories for record in each)))

    return write


@pytest.fixture
def stored(connection: Connection, write: Write) -> Connection:
    write(
        story(1, "Flood in Valencia", "The river rose. Ministers promised help.", "Pedro Sánchez", source="wire"),
        story(2, "Ministers meet", "They spoke of the flood and of nothing else.", "Bob", source="paper"),
        story(
            3, "Wahlen in Österreich", "Die Häuser der Wähler blieben leer.", "Bob", source="blatt", language="de-AT"
        ),
        story(4, "Football", "The river plate team won the derby.", source="wire"),
    )
    return connection


def numbers(found: Sequence[search.Found]) -> list[int]:
    return [each.article_id.int - 1000 for each in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("flood", [1, 2]),  # in the title before in the text
        ("FLOODS", [1, 2]),
        ("flood minister", [2, 1]),  # each has one of them in the title; the newer is the shorter
        ("flood -minister", []),
        ('"river rose"', [1]),
        ('"rose river"', []),
        ("football or valencia", [4, 1]),
        ("author", [4, 2, 3, 1]),  # the byline; the shorter first
        ("the", []),  # in each text, and a word that English and German leave out or do not know
        ("unheard", []),
        ("haus wahl", [3]),
        ("hauser wähler", [3]),
        ("osterreich", [3]),
        ("Häusern", [3]),
    ],
)
def test_articles_are_found_by_words_in_the_forms_of_their_language(
    stored: Connection, words: str, found: list[int]
) -> None:
    assert numbers(search.search(stored, Question(words))) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [4, 3, 2, 1]),
        ({"words": "   "}, [4, 3, 2, 1]),
        ({"source": "wire"}, [4, 1]),
        ({"entity": "bob"}, [3, 2]),
        ({"entity": "PEDRO  SÁNCHEZ"}, [1]),
        ({"entity": "nchez"}, [1]),
        ({"entity": "nobody"}, []),
        ({"entity": str(UUID(int=1))}, []),
        ({"entity": "%"}, []),
        ({"language": "de"}, [3]),
        ({"language": "DE-at"}, [3]),
        ({"language": "fr"}, []),
        ({"sentiment": "negative"}, [4, 3, 2, 1]),
        ({"sentiment": "positive"}, []),
        ({"since": at(2), "until": at(4)}, [3, 2]),
        ({"since": at(9)}, []),
        ({"words": "river", "source": "wire", "since": at(2)}, [4]),
        ({"words": "flood", "entity": "bob", "sentiment": "negative", "language": "en"}, [2]),
    ],
)
def test_articles_are_found_by_filters_newest_first(
    stored: Connection, filters: dict[str, Any], found: list[int]
) -> None:
    assert numbers(search.search(stored, Question(**filters))) == found


def test_the_headline_is_html_with_the_words_marked_and_all_else_escaped(connection: Connection, write: Write) -> None:
    write(story(1, "<b>T</b>", "AT&T 1 < 2 <script>alert(1)</script> floods\x02\x03 <mark>x</mark> <"))

    (found,) = search.search(connection, Question("flood"))

    assert "<mark>floods</mark>" in found.headline
    assert found.headline.replace("<mark>", "").replace("</mark>", "").count("<") == 0
    assert "AT&amp;T 1 &lt; 2" in found.headline
    assert found.title == "<b>T</b>"


def test_a_headline_shows_words_far_down_in_the_text(connection: Connection, write: Write) -> None:
    write(story(1, "Long", "Nothing to see here. " * 500 + "Then came the meteorite. " + "All quiet. " * 500))

    (found,) = search.search(connection, Question("meteorite"))

    assert "<mark>meteorite</mark>" in found.headline


def test_pages_go_on_behind_a_row_whatever_comes_meanwhile(connection: Connection, write: Write) -> None:
    write(*(story(n, "Flood", f"Nothing but water {'and water ' * n}") for n in range(1, 8)))
    whole = numbers(search.search(connection, Question("flood")))

    first = search.search(connection, Question("flood"), limit=3)
    write(story(9, "Flood flood flood", "Flood."))
    second = search.search(connection, Question("flood"), limit=3, after=first[-1].after)
    third = search.search(connection, Question("flood"), limit=3, after=second[-1].after)

    assert numbers([*first, *second, *third]) == whole
    assert search.search(connection, Question("flood"), after=third[-1].after) == []


def test_pages_without_words_go_on_behind_a_row(stored: Connection, write: Write) -> None:
    first = search.search(stored, Question(), limit=2)
    write(story(9, "New", "New."))

    second = search.search(stored, Question(), limit=5, after=first[-1].after)

    assert numbers(first) == [4, 3]
    assert numbers(second) == [2, 1]


def test_more_than_a_thousand_are_ranked_in_blocks_and_all_are_given(connection: Connection, write: Write) -> None:
    write(story(1, "Flood", "Water."))
    multiply(connection, 1, 2500)
    given: list[UUID] = []
    after = None
    while page := search.search(connection, Question("flood"), 700, after):
        assert all(found.is_cut for found in page)
        given += [found.article_id for found in page]
        after = page[-1].after

    assert len(given) == len(set(given)) == 2501


def multiply(connection: Connection, number: int, times: int) -> None:
    """So many more articles like this one, each a second older than the one before."""
    ids = [uuid4() for _ in range(times)]
    with connection.transaction():
        for table in ("articles", "versions"):
            columns = [
                name
                for (name,) in connection.execute(
                    "SELECT attname FROM pg_attribute "
                    "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                    [f"ingest.{table}"],
                )
            ]
            taken = {"article_id": "n.id", "delivery_id": "n.id", "current_delivery": "n.id", "entities_of": "n.id"}
            taken["first_seen_at"] = "t.first_seen_at - n.place * interval '1 second'"
            connection.execute(
                f"INSERT INTO ingest.{table} ({', '.join(columns)}) "
                f"SELECT {', '.join(taken.get(c, 't.' + c) for c in columns)} FROM ingest.{table} AS t "
                "CROSS JOIN unnest(%s::uuid[]) WITH ORDINALITY AS n (id, place) WHERE t.article_id = %s",
                [ids, article(number)],
            )
        connection.execute(statements.load("index_articles"), {"article_ids": ids})


def test_up_to_a_thousand_is_not_cut(stored: Connection) -> None:
    assert [found.is_cut for found in search.search(stored, Question("flood"))] == [False, False]
    assert search.search(stored, Question())[0].is_cut is None


def test_a_revision_is_found_by_its_own_words_only(connection: Connection, write: Write) -> None:
    write(story(1, "Flood", "Water."))

    write(story(1, "Fire", "Flames.", kind="revision", place=2, text_number=2, observed=5))

    assert search.search(connection, Question("flood")) == []
    assert numbers(search.search(connection, Question("flames"))) == [1]


def test_what_is_taken_back_is_not_found_until_it_is_restored(connection: Connection, write: Write) -> None:
    write(story(1, "Flood", "Water."))
    say = [Withdrawal(article_id=article(1), kind="withdrawn", reason="kill", at=at(10))]
    back = [Withdrawal(article_id=article(1), kind="restored", reason="sorry", at=at(11))]

    write(say)
    gone = search.search(connection, Question("flood"))
    write(back)

    assert gone == []
    assert numbers(search.search(connection, Question("flood"))) == [1]


def test_an_article_that_came_again_unchanged_is_not_indexed_again(connection: Connection, write: Write) -> None:
    write(story(1, "Flood", "Water."))
    before = connection.execute("SELECT xmin, inputs FROM ingest.search").fetchall()

    write(story(1, "Flood", "Water.", place=2))

    assert connection.execute("SELECT xmin, inputs FROM ingest.search").fetchall() == before


def test_a_copy_is_found_by_the_names_of_its_original_whichever_came_first(
    connection: Connection, feed: Feed, write: Write
) -> None:
    original = decision("new", place=1, of_article=1, text=1, observed=1)
    copied = decision(
        "copy",
        place=2,
        of_article=2,
        text=2,
        observed=2,
        of=article(1),
        of_version=version(1),
        of_delivery=original.delivery_id,
    )
    postgres.write_batch(connection, feed.incoming(samples.decided(copied, 2, with_body=True)))
    postgres.write_batch(
        connection, feed.incoming(samples.decided(original, 1), enriched(original, 1, enrichment("Ada Lovelace")))
    )

    assert numbers(search.search(connection, Question("text", entity="ada lovelace"))) == [2, 1]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "a_" * 500_000,
        "<!--" * 250_000,
        "./" * 500_000,
        "~/" * 500_000,
        "a-1." * 250_000,
        "é" * 500_000,
        " ".join(f"word{n}" for n in range(200_000))[:1_100_000],
        " ".join(f"{n:x}" for n in range(170_000)),
    ],
    ids=["one word", "underscores", "comments", "paths", "homes", "versions", "accents", "distinct words", "numbers"],
)
def test_a_huge_text_is_indexed_as_far_as_it_goes(connection: Connection, write: Write, text: str) -> None:
    write(story(1, "Flood", "Beginning. " + text))

    assert numbers(search.search(connection, Question("flood beginning"))) == [1]
    assert connection.execute("SELECT count(*) FROM ingest.dead_letters").fetchone() == (0,)


@pytest.mark.parametrize(
    "words",
    [
        '"',
        '"""',
        "-",
        "- - -",
        "or or or",
        "()&|!<->",
        "\\",
        "'; DROP SCHEMA news; --",
        "\u202e\u200d\ufeff\U0010ffff",
        "-flood",
        "or " * 1300,
        "a " * 1900,
        '"' + "a " * 1900 + '"',
        "a_" * 1900,
        "-a " * 1300,
        "x" * 3900,
        "%",
    ],
)
def test_any_words_give_an_answer(stored: Connection, words: str) -> None:
    assert len(search.search(stored, Question(words))) <= 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"words": "x" * 4001}, "words are longer than 4000 bytes"),
        ({"sentiment": "glad"}, "sentiment is negative, neutral or positive"),
        ({"limit": 0}, "limit is a number from 1 to 1000"),
        ({"limit": -1}, "limit is a number from 1 to 1000"),
        ({"limit": 1001}, "limit is a number from 1 to 1000"),
        ({"after": ""}, "after is nothing that news.search gave"),
        ({"after": "x"}, "after is nothing that news.search gave"),
        ({"after": "é" * 5000}, "after is nothing that news.search gave"),
        ({"after": "MS8yLzMvNC81LzYvNy84"}, "after is nothing that news.search gave"),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(stored: Connection, arguments: dict[str, Any], said: str) -> None:
    question = Question(**{name: value for name, value in arguments.items() if name in ("words", "sentiment")})
    others = {name: value for name, value in arguments.items() if name in ("limit", "after")}

    with pytest.raises(SettingError, match=said):
        search.search(stored, question, **others)


def test_after_belongs_to_its_search(stored: Connection) -> None:
    (first, _) = search.search(stored, Question("flood"))

    with pytest.raises(SettingError, match="after belongs to another search"):
        search.search(stored, Question("river"), after=first.after)


def test_times_at_the_end_of_the_calendar_are_no_trouble(stored: Connection) -> None:
    for since, until in (("-infinity", "infinity"), ("4713-01-01 BC", "294276-01-01"), ("infinity", "-infinity")):
        row = stored.execute(
            "SELECT count(*) FROM news.search('flood', since => %s, until => %s)", [since, until]
        ).fetchone()
        assert row == ((0,) if since == "infinity" else (2,))


def test_a_reader_searches_and_sees_no_tables(stored: Connection, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE news_reader")

        assert connection.execute("SELECT count(*) FROM news.search('flood', entity => 'bob')").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM news.titles WHERE title ILIKE '%floo%'").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM ingest.search")


def test_nobody_else_may_search(stored: Connection) -> None:
    for function in ("news.search", "news.find_names"):
        row = stored.execute(
            "SELECT has_function_privilege('public', p.oid, 'EXECUTE') FROM pg_proc AS p WHERE p.oid = %s::regproc",
            [function],
        ).fetchone()
        assert row == (False,)
