"""docs/sql.md is what a migrated database says of itself, and what it tells readers to type works."""

import re
import subprocess
from typing import Final

import psycopg
import pytest

from ops import psql
from sinks import contract
from sinks.contract import Column, Contract, Function, Relation
from tests.docs.sql_page import PAGE
from tests.running import clean_environment

SHOWN: Final = Contract(
    [
        Relation("zebras", "view", "Striped"),
        Relation("articles", "view", "One row an article"),
        Relation("found", "row", None),
    ],
    [
        Column("articles", "title", "text", "Headline; a | <b>"),
        Column("articles", "seen", "timestamp with time zone", None),
        Column("zebras", "stripes", "money", "How many"),
        Column("found", "score", "real", "The higher the better"),
    ],
    [Function("search", "words text DEFAULT ''::text", "SETOF news.found", None, ["text", "regconfig"])],
)


def test_what_readers_would_miss_is_said() -> None:
    assert list(contract.problems(SHOWN)) == [
        "column news.zebras.stripes is money: no plain type",
        "column news.articles.seen has no comment",
        "row news.found has no comment",
        "column news.found.score is real: no plain type",
        "function news.search(words text DEFAULT ''::text) has no comment",
        "function news.search(words text DEFAULT ''::text) has regconfig: no plain type",
    ]


def test_the_page_has_what_one_looks_for_first_first() -> None:
    lines = contract.page(SHOWN).splitlines()

    assert lines[0] == "# The SQL contract"
    assert [line for line in lines if line.startswith("### ")] == [
        "### news.articles",
        "### news.zebras",
        "### news.search",
    ]
    assert "One row an article." in lines
    assert "| `title` | text | Headline; a \\| \\<b> |" in lines
    assert "| `seen` | timestamptz |  |" in lines
    called = lines.index("news.search(words text DEFAULT '')")
    assert lines.index("| `score` | real | The higher the better |") > called


@pytest.mark.services
def test_everything_in_schema_news_has_a_comment_and_a_plain_type(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = contract.read(connection)

    assert list(contract.problems(found)) == []
    assert {relation.name for relation in found.relations} >= {"articles", "changes", "copies"}


@pytest.mark.services
def test_the_page_is_that_of_this_version(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        wanted = contract.page(contract.read(connection))

    assert PAGE.read_text(encoding="utf-8") == wanted, "run make docs"


def statements() -> list[str]:
    """The blocks of SQL in what is written by hand."""
    return re.findall(r"^ *```sql\n(.*?)^ *```", contract.page(Contract([], [], [])), re.MULTILINE | re.DOTALL)


@pytest.mark.services
def test_the_login_of_the_page_can_be_made(database_url: str) -> None:
    (making,) = [block for block in statements() if "CREATE ROLE" in block]

    with psycopg.connect(database_url) as connection:
        connection.execute(making.encode())
        found = connection.execute("SELECT pg_has_role('bob', 'news_reader', 'USAGE')").fetchone()
        connection.rollback()  # roles belong to the whole server

    assert found == (True,)


@pytest.mark.services
def test_the_statements_of_the_page_run(database_url: str) -> None:
    variables = {"position": "0", "first_seen_at": "2026-01-01", "article_id": "00000000-0000-0000-0000-000000000000"}
    text = "\n".join(block for block in statements() if "CREATE ROLE" not in block)
    program = psql.find_psql()
    assert program is not None

    done = subprocess.run(
        [program, "-X", "-v", "ON_ERROR_STOP=1", *(f"--set={k}={v}" for k, v in variables.items())],
        env=clean_environment(**psql.environment(database_url, {"role": "news_reader"})),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert text.count("news.") >= 4
