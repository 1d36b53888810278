"""The queries in examples/queries answer on the seeds, as a reader who may see nothing but the contract."""

import csv
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from ops import psql
from tests.examples import seeds
from tests.fixtures.database import clone
from tests.running import REPOSITORY, clean_environment

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

FOLDER: Final = REPOSITORY / "examples" / "queries"
QUERIES: Final = sorted(file.stem for file in FOLDER.glob("*.sql"))
#: The seeds are of 2026 and do not grow older by themselves: what asks for the last days is asked for more of them.
ASKED: Final = {
    "most_named": {"days": "100000"},
    "quick_corrections": {"minutes": "720"},
}
Row = dict[str, str]
Ask = Callable[..., list[Row]]


@pytest.fixture(scope="module")
def seeded(database_server: str, _template: str) -> Iterator[str]:
    """A database with all seeds, names and sentiment too."""
    with clone(database_server, _template) as url:
        seeds.fill(url)
        yield url


@pytest.fixture
def ask(seeded: str) -> Ask:
    """The rows of a query on the seeds."""
    return lambda query, **variables: answer(seeded, query, **{**ASKED.get(query, {}), **variables})


def answer(url: str, query: str, **variables: str) -> list[Row]:
    """What psql prints for a query, with these variables."""
    program = psql.find_psql()
    assert program is not None
    set_variables = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
    environment = psql.environment(url, {"role": "news_reader", "timezone": "UTC"})
    done = subprocess.run(
        [program, "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", *set_variables, "-f", str(FOLDER / f"{query}.sql")],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{query}: {done.stderr}"
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_has_rows_on_the_seeds(query: str, ask: Ask) -> None:
    assert ask(query)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_has_no_error_on_an_empty_database(query: str, database_url: str) -> None:
    answer(database_url, query)


def test_each_query_says_what_it_answers_and_is_in_the_table() -> None:
    listed = re.findall(r"^\| \[(\w+)\.sql\]\(\1\.sql\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)

    assert sorted(listed) == QUERIES
    for query in QUERIES:
        text = (FOLDER / f"{query}.sql").read_text()
        first, variables = text.splitlines()[0], re.findall(r"\\if :\{\?(\w+)\}", text)
        about = " ".join(line for line in text.splitlines() if line.startswith("-- "))
        assert first.startswith("-- "), query
        assert "ingest." not in text, query
        assert [name for name in variables if f"{name}: " not in about] == [], query


def values(rows: list[Row], *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


REEF: Final = "Scientists chart Ireland's longest cold-water coral reef off Donegal"
BRIDGE: Final = "Jammed swing bridge cuts Dutch town in two"
CEASE_FIRE: Final = "Blinken Meets With Netanyahu In Renewed Push For Gaza Cease-Fire"


def test_who_copies_whom_and_how_fast(ask: Ask) -> None:
    rows = ask("who_copies_whom")

    assert values(rows, "source", "copied_source", "copies", "reworded", "median_minutes") == [
        ("islandherald.example", "coastalwire.example", "1", "0", "97.7"),
        ("canaljournal.example", "coastalwire.example", "1", "1", "907.8"),
        ("quaygazette.example", "coastalwire.example", "1", "1", "1149.5"),
    ]
    assert len(ask("who_copies_whom", since="2026-11-01")) == 1


def test_who_had_a_story_first_and_who_took_it_over(ask: Ask) -> None:
    assert values(ask("most_copied"), "title", "copies", "taken_over_by", "until_the_last") == [
        (REEF, "2", "{islandherald.example,quaygazette.example}", "19:09:28"),
        (BRIDGE, "1", "{canaljournal.example}", "15:07:45"),
    ]
    assert len(ask("most_copied", most="1")) == 1


def test_how_much_a_source_has_from_others_and_for_itself(ask: Ask) -> None:
    shares = values(ask("copy_share"), "source", "articles", "copies", "copy_percent")
    alone = {row["source"]: row for row in ask("exclusives")}

    assert shares[:3] == [
        ("canaljournal.example", "1", "1", "100.0"),
        ("quaygazette.example", "1", "1", "100.0"),
        ("islandherald.example", "2", "1", "50.0"),
    ]
    assert values([alone["coastalwire.example"]], "articles", "exclusives", "repeated_by_others") == [("3", "1", "2")]


def test_what_was_changed_and_how_soon(ask: Ask) -> None:
    assert values(ask("most_changed"), "source", "version", "observed_at", "characters_added", "is_current") == [
        ("dourochronicle.example", "1", "2026-11-10 10:20:16+00", "", "f"),
        ("dourochronicle.example", "2", "2026-11-12 10:20:15+00", "177", "t"),
        ("northline.example", "1", "2026-10-13 08:02:11+00", "", "f"),
        ("northline.example", "2", "2026-10-13 19:32:40+00", "265", "t"),
    ]
    assert values(ask("quick_corrections"), "source", "changed_after", "has_another_title") == [
        ("northline.example", "11:30:29", "f")
    ]
    assert ask("quick_corrections", minutes="60") == []


def test_what_only_looks_like_a_copy(ask: Ask) -> None:
    assert values(ask("near_misses"), "guard", "score", "title", "its_title") == [
        ("boilerplate", "0.56", "Chinley's choir sings again", "A second doctor for Hayfield"),
        ("template", "0.62", "Fish auction: Hanstholm, Wednesday", "Fish auction: Hanstholm, Tuesday"),
    ]


def test_who_is_named_how_and_with_whom(ask: Ask) -> None:
    assert values(ask("newest_about"), "title", "name", "mentions") == [(CEASE_FIRE, "Antony Blinken", "15")]
    assert len(ask("newest_about", name="eleni vassara")) == 2
    assert ask("newest_about", name="Anna Lind") == []
    assert "Eleni Vassara" in [row["name"] for row in ask("most_named")]
    assert ("Hamas", "ORG") in values(ask("named_together"), "name", "label")
    assert values(ask("sentiment_by_day"), "name", "day", "articles", "mentions") == [
        ("Antony Blinken", "2026-11-16", "1", "15")
    ]
    assert {row["sentiment_label"] for row in ask("evidence")} == {"negative"}
    assert all("Hamas" in row["sentence"] for row in ask("evidence")[:1])


def test_a_name_stands_between_the_words_around_it(ask: Ask) -> None:
    first, *others = ask("in_context", around="20")

    assert values([first], "start_offset", "before", "words", "behind") == [
        ("24", " Secretary of State ", "Antony Blinken", " met with Israeli Pr")
    ]
    assert {row["words"] for row in others} == {"Blinken"}


def test_what_could_never_become_an_article(ask: Ask) -> None:
    assert values(ask("dead_letters"), "stage", "reason", "records") == [
        ("producers", "wrong-shape", "2"),
        ("deduplicate", "no-text", "1"),
        ("producers", "empty", "1"),
        ("producers", "no-text", "1"),
        ("producers", "not-json", "1"),
        ("producers", "not-utf-8", "1"),
    ]


def test_the_books_of_a_day(ask: Ask) -> None:
    (day,) = [row for row in ask("books") if row["day"] == "2026-11-17"]

    assert values([day], "deliveries", "repeats", "new", "revisions", "copies") == [("33", "3", "25", "2", "3")]


def test_languages_and_hours(ask: Ask) -> None:
    languages = values(ask("languages"), "source", "language", "with_sentiment")
    utc, berlin = (ask("hour_profile", zone=zone) for zone in ("UTC", "Europe/Berlin"))

    assert ("pleissebote.example", "de", "0") in languages
    assert ("diariodelalomas.example", "es", "0") in languages
    assert values(utc, "hour", "articles")[:3] == [("6", "2"), ("7", "2"), ("8", "2")]
    assert utc[0]["bar"] != ""
    assert [row["hour"] for row in utc] != [row["hour"] for row in berlin]


def test_what_cleaning_cuts(ask: Ask) -> None:
    cut = {row["rule"]: row["most_often"] for row in ask("cut_away")}

    assert cut["voa-signature"] == "The VOA is the Voice of America"


def test_the_newest_changes_stand_on_top(ask: Ask) -> None:
    changes = ask("latest_changes")

    assert [int(row["change"]) for row in changes] == list(range(30, 0, -1))
    assert len(ask("latest_changes", most="5")) == 5


def test_words_are_found_and_marked(ask: Ask) -> None:
    rows = ask("search")

    assert {(row["source"], row["is_copy"]) for row in rows} == {
        ("coastalwire.example", "f"),
        ("islandherald.example", "t"),
        ("quaygazette.example", "t"),
    }
    assert "<mark>reef</mark>" in rows[0]["headline"]
    assert len(ask("search", most="1")) == 1
