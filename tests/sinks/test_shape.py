"""`news db check`: what it finds in a database, and that the file of what is expected is up to date."""

from pathlib import Path

import psycopg
import pytest

from ops import schema_check
from pipeline.errors import Stop
from sinks import shape
from tests.check_shape import CHANGED

pytestmark = pytest.mark.services


def test_the_file_is_what_the_migrations_make(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        made = shape.text(shape.of(connection))

    assert made == (Path(shape.__file__).parent / shape.FILE).read_text(encoding="utf-8"), CHANGED


def test_a_fresh_schema_is_what_it_should_be(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert schema_check.findings(connection, None) == ([], [])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DROP VIEW news.copies", ["view news.copies: is missing"]),
        ("DROP INDEX ingest.articles_url", ["index ingest.articles_url: is missing"]),
        (
            "CREATE OR REPLACE VIEW news.change_range AS SELECT 0::bigint AS oldest, last FROM ingest.change_counter",
            ["view news.change_range: is another"],
        ),
        (
            "ALTER TABLE ingest.articles DROP CONSTRAINT articles_withdrawn",
            ["constraint ingest.articles.articles_withdrawn: is missing"],
        ),
        ("ALTER TABLE ingest.articles DROP COLUMN decided_at", ["column ingest.articles.decided_at: is missing"]),
        (
            "ALTER TABLE ingest.articles ALTER title DROP NOT NULL",
            ["column ingest.articles.title: is 'text' for 'text NOT NULL'"],
        ),
        ("ALTER TABLE ingest.articles ADD COLUMN mine text", ["column ingest.articles.mine: is not of this version"]),
        ("CREATE TABLE news.mine (number integer PRIMARY KEY)", ["table news.mine: is not of this version"]),
        (
            "ALTER FUNCTION news.read_changes STRICT",
            ["function news.read_changes(bigint,integer): is another"],
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ingest.articles_published'::regclass",
            ["index ingest.articles_published: is not valid"],
        ),
        (
            "REVOKE SELECT ON news.articles FROM news_reader",
            ["role news_reader: `GRANT SELECT ON TABLE news.articles TO news_reader` was not done"],
        ),
        (
            "CREATE PUBLICATION mine; COMMENT ON PUBLICATION mine IS 'made by hand'",
            [],
        ),
    ],
)
def test_each_difference_is_said_in_a_line(database_url: str, change: str, found: list[str]) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(change.encode())
        # What it made belongs to whoever made it: that is another difference, and not looked at here.
        differences = [d for d in schema_check.findings(connection, None).differences if "OWNER TO" not in d.what]
        said = [difference.what for difference in differences if "news.mine" not in difference.what] + [
            difference.what for difference in differences if difference.what.startswith("table news.mine")
        ]

    assert said == found
    assert all(difference.remedy for difference in differences)


@pytest.mark.parametrize(
    "change",
    [
        "DROP VIEW news.copies",
        "DROP INDEX ingest.articles_url",
        "ALTER TABLE ingest.articles DROP CONSTRAINT articles_withdrawn",
        "DROP FUNCTION news.read_changes",
        "ALTER VIEW news.entity_days RESET (security_barrier)",
        "DROP VIEW news.entity_days",
        "REVOKE SELECT ON news.articles FROM news_reader",
    ],
)
def test_the_sql_that_it_prints_puts_it_right(database_url: str, change: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(change.encode())
        for _ in range(2):  # of what was made anew the rights are said by the second
            for difference in schema_check.findings(connection, None).differences:
                assert difference.sql is not None
                connection.execute(difference.sql.encode())

        assert schema_check.findings(connection, None).differences == []


def test_a_reader_checks_as_far_as_it_can_see(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP INDEX ingest.articles_url")
        connection.execute("SET ROLE news_reader")
        found = schema_check.findings(connection, None)

    assert [difference.what for difference in found.differences] == ["index ingest.articles_url: is missing"]
    assert "cannot be seen" in found.notes[0]


def test_a_database_without_a_schema_is_sent_to_migrate(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection, pytest.raises(Stop, match="run `news db migrate`"):
        schema_check.findings(connection, None)
