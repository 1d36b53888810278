"""`news search`: a table for people, JSON and CSV for programs."""

import csv
import json

import pytest
from typer.testing import CliRunner

from ops.cli import app
from sinks import database, postgres
from tests.sinks.samples import Feed, decided, decision, enriched, enrichment

pytestmark = pytest.mark.services

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    records = []
    for n in (1, 2, 3):
        made = decision("new", place=n, of_article=n, text=n, observed=n)
        records += [decided(made, n), enriched(made, n, enrichment("Bob" if n < 3 else "Ada"))]
    connection = database.connect(database_url, 30)
    postgres.write_batch(connection, Feed().incoming(*records))
    connection.close()
    monkeypatch.setenv("NEWS_DATABASE__URL", database_url)


def test_words_and_filters_give_json_lines() -> None:
    result = RUNNER.invoke(app, ["search", "title", "-2", "--entity", "bob", "--source", "wire", "--json"])

    assert result.exit_code == 2  # -2 looks like an option: words that begin with a hyphen stand behind --

    result = RUNNER.invoke(app, ["search", "--entity", "bob", "--source", "wire", "--json", "--", "title", "-2"])
    assert [json.loads(line)["title"] for line in result.stdout.splitlines()] == ["Title 1"]


def test_a_phrase_that_the_shell_unquoted_is_a_phrase() -> None:
    found = RUNNER.invoke(app, ["search", "title 3", "--json"]).stdout
    none = RUNNER.invoke(app, ["search", "3 title", "--json"]).stdout

    assert json.loads(found)["title"] == "Title 3"
    assert none == ""


def test_csv_has_all_columns() -> None:
    result = RUNNER.invoke(app, ["search", "text", "--until", "2026-03-01T12:02:30Z", "--csv", "-n", "1"])

    (row,) = csv.DictReader(result.stdout.splitlines())
    assert row["title"] in ("Title 1", "Title 2")
    assert row["headline"].startswith("<mark>Text</mark>")


def test_pages_go_on_behind_a_row() -> None:
    first = json.loads(RUNNER.invoke(app, ["search", "-n", "1", "--json"]).stdout)
    rest = RUNNER.invoke(app, ["search", "--after", first["after"], "--json"]).stdout

    assert [first["title"], *(json.loads(line)["title"] for line in rest.splitlines())] == [
        "Title 3",
        "Title 2",
        "Title 1",
    ]


def test_a_table_shows_the_words_in_brackets() -> None:
    result = RUNNER.invoke(app, ["search", "text"])

    assert "[Text] 1." in result.stdout


def test_a_forged_after_is_said() -> None:
    result = RUNNER.invoke(app, ["search", "--after", "x"])

    assert "after is nothing that news.search gave" in str(result.exception)
