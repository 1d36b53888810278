"""`news articles`, `article`, `entities` and `--csv`: what a person sees, and what a program reads."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from ops.commands import common
from ops.commands import reading as commands
from ops.moments import moment
from ops.psql import arguments, environment, is_interactive
from pipeline.errors import SettingError
from sinks import database, postgres
from tests.running import Outcome, run_news
from tests.sinks.samples import Feed, article, decided, decision, delivery, enriched, enrichment, version

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("2026-03-01", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01T12:00+02:00", "2026-03-01T10:00:00+00:00"),
        ("7d", "2026-03-01T12:00:00+00:00"),
        ("36h", "2026-03-07T00:00:00+00:00"),
        ("2w", "2026-02-22T12:00:00+00:00"),
    ],
)
def test_a_moment_is_a_date_a_time_or_an_age(given: str | None, expected: str | None) -> None:
    found = moment("--since", given, NOW)

    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize("given", ["", "yesterday", "7", "7y", "999999w", "2026-13-01"])
def test_what_is_no_moment_is_refused(given: str) -> None:
    with pytest.raises(SettingError, match="--since is a date or a time"):
        moment("--since", given, NOW)


def test_a_table_as_csv_has_a_header_and_quotes_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": UUID(int=1), "title": 'a "b", c\nd', "at": NOW, "n": None, "list": ["ä", "b"], "more": 1},
        {"id": UUID(int=2), "title": "=1+1", "at": None, "n": 0.5, "list": [], "more": 2},
    ]

    common.show(rows, ("id", "title"), as_json=False, as_csv=True, fields=("id", "title", "at", "n", "list"))
    common.show([], ("id", "title"), as_json=False, as_csv=True)

    assert capsys.readouterr().out == (
        "id,title,at,n,list\r\n"
        '00000000-0000-0000-0000-000000000001,"a ""b"", c\nd",2026-03-08T12:00:00Z,,"[""ä"", ""b""]"\r\n'
        "00000000-0000-0000-0000-000000000002,=1+1,,0.5,[]\r\n"
        "id,title\r\n"
    )


def test_json_or_csv_and_not_both() -> None:
    with pytest.raises(SettingError, match="not both"):
        common.show([], ("id",), as_json=True, as_csv=True)


def listed(**fields: Any) -> dict[str, Any]:
    return {
        "article_id": UUID(int=7),
        "title": "Landslide blocks the Bergen railway for at least two days",
        "source": "northline",
        "published_at": NOW,
        "sentiment_label": "negative",
        "copy_of": None,
        "versions": 1,
        **fields,
    }


def drawn(rows: list[dict[str, Any]], width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(commands.listing(rows, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_list_fits_into_a_narrow_terminal() -> None:
    lines = drawn([listed(versions=3, copy_of=UUID(int=8)), listed(title="\x1b[2J", source="a" * 40)], 72)

    assert lines == [
        "published         source            title",
        "2026-03-08 12:00  northline         Landslide blocks the Bergen railway",
        "                                    for at least two days",
        "                                    00000000-0000-0000-0000-000000000007",
        "                                    · negative · copy · 3 versions",
        "2026-03-08 12:00  aaaaaaaaaaaaaaa…   [2J",
        "                                    00000000-0000-0000-0000-000000000007",
        "                                    · negative",
    ]


def test_a_wide_terminal_has_a_line_for_each() -> None:
    lines = drawn([listed()], 180)

    assert len(lines) == 2
    assert lines[1].endswith("1  00000000-0000-0000-0000-000000000007")


def test_a_reader_s_shell_says_that_it_is_one() -> None:
    assert arguments(["-x"]) == ["-v", "PROMPT1=%/ (reader)%R%x%# ", "-v", "PROMPT2=%/ (reader)%R%x%# ", "-x"]
    assert [is_interactive(given) for given in ([], ["-x"], ["-c", "\\d"], ["-cselect 1"], ["--file=a.sql"])] == [
        True,
        True,
        False,
        False,
        False,
    ]


# On a real PostgreSQL.


@pytest.fixture
def stored(database_url: str) -> str:
    made = decision("new", place=1, of_article=1, text=1, observed=1)
    copied = {"of": article(1), "of_version": version(1), "of_delivery": delivery(1), "method": "exact"}
    copy = decision("copy", place=2, of_article=2, text=2, observed=2, source="mirror", **copied)
    records = [decided(made, 1), enriched(made, 1, enrichment("Ada Lovelace")), decided(copy, 2, with_body=True)]
    connection = database.connect(database_url, 30)
    postgres.write_batch(connection, Feed().incoming(*records))
    connection.close()
    return database_url


def news(stored: str, tmp_path: Path, *arguments: str) -> Outcome:
    outcome = run_news(*arguments, NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored)
    assert outcome.status == 0, outcome
    return outcome


@pytest.mark.services
def test_articles_are_listed_for_people_and_for_programs(stored: str, tmp_path: Path) -> None:
    table = news(stored, tmp_path, "articles", "lovelace", "--no-copies").out.splitlines()
    as_csv = list(csv.DictReader(io.StringIO(news(stored, tmp_path, "articles", "--csv").out)))
    none = news(stored, tmp_path, "articles", "nobody", "--csv").out
    (with_text,) = news(stored, tmp_path, "articles", "--copies", "--text", "--json").rows()

    assert [line.split()[-1] for line in table] == ["article_id", str(article(1))]
    assert [(row["article_id"], row["copy_of"], row["first_seen_at"]) for row in as_csv] == [
        (str(article(2)), str(article(1)), "2026-03-01T12:02:00Z"),
        (str(article(1)), "", "2026-03-01T12:01:00Z"),
    ]
    assert none.rstrip("\r\n").split(",") == list(as_csv[0])
    assert [name for name in with_text if name not in ("text", "raw")] == list(as_csv[0])
    assert with_text["text"] == "Text 2."


@pytest.mark.services
def test_one_article_is_shown_whole(stored: str, tmp_path: Path) -> None:
    page = news(stored, tmp_path, "article", "https://example.org/1").out
    (row,) = news(stored, tmp_path, "article", str(article(2)), "--json").rows()

    assert [line.rstrip() for line in page.splitlines()] == [
        "Title 1",
        "source      wire · Author 1",
        "url         https://example.org/1",
        "first seen  2026-03-01 12:01",
        "this text   since 2026-03-01 12:01, 1 version",
        "language    en",
        "sentiment   negative (-0.25)",
        "copies      1",
        "flags       paywall",
        "names       Ada Lovelace (PERSON ×2, positive (+0.50))",
        f"id          {article(1)}",
        "",
        "Text 1.",
    ]
    assert (row["copy_of"], [name["name"] for name in row["entities"]]) == (str(article(1)), ["Ada Lovelace"])


@pytest.mark.services
def test_names_are_counted_by_period_and_by_day(stored: str, tmp_path: Path) -> None:
    (period,) = news(stored, tmp_path, "entities", "ada", "--since", "2026-03-01", "--json").rows()
    days = news(stored, tmp_path, "entities", "--since", "2026-03-01", "--days", "--csv").out
    wrong = run_news("entities", "--days", NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored)

    assert (period["name"], period["articles"], period["mentions"]) == ("Ada Lovelace", 1, 2)
    assert days.splitlines()[1].startswith("2026-03-01,Ada Lovelace,PERSON,1,2,0.5,")
    assert (wrong.status, "want --since" in " ".join(wrong.err.split())) == (2, True)


def test_the_reader_s_shell_connects_as_the_url_says() -> None:
    url = (
        "postgresql://ann:p%40ss@db.example:5433/news?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem"
        "&sslkey=/k.pem&sslcrl=/crl.pem&channel_binding=require&gssencmode=disable&target_session_attrs=read-write"
        "&hostaddr=192.0.2.1&passfile=/pass&service=s&options=-c%20jit%3Doff%20-c%20role%3Dpostgres"
    )

    assert environment(url, {"role": "news_reader"}) == {
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "ann",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "news",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.pem",
        "PGSSLCERT": "/c.pem",
        "PGSSLKEY": "/k.pem",
        "PGSSLCRL": "/crl.pem",
        "PGCHANNELBINDING": "require",
        "PGGSSENCMODE": "disable",
        "PGTARGETSESSIONATTRS": "read-write",
        "PGHOSTADDR": "192.0.2.1",
        "PGPASSFILE": "/pass",
        "PGSERVICE": "s",
        "PGOPTIONS": "-c jit=off -c role=postgres -c search_path=news,public -c role=news_reader",
    }


@pytest.mark.services
def test_the_reader_s_shell_answers_and_describes(stored: str, tmp_path: Path) -> None:
    count = news(stored, tmp_path, "db", "psql", "-Atc", "SELECT count(*) FROM articles")
    described = news(stored, tmp_path, "db", "psql", "-c", "\\d articles")
    refused = run_news("db", "psql", "-c", "SELECT FROM ingest.articles", NEWS_DATA_DIR=str(tmp_path),
                       NEWS_DATABASE__URL=stored)  # fmt: skip

    assert count.out == "2\n"
    assert "first_seen_at" in described.out
    assert "permission denied for schema ingest" in refused.err
