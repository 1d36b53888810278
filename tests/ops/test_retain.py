"""`news db retain` and what `news status` says of tables: on a real PostgreSQL, without Kafka."""

from pathlib import Path

import psycopg
import pytest

from ops import status
from pipeline.settings import Settings
from sinks import sizes
from tests import seeded
from tests.running import Outcome, run_news
from tests.sinks.samples import decided, decision, enriched, enrichment

pytestmark = pytest.mark.services

OLD = decision("new", place=0, text=1, observed=0)  # of March 2026


def retain(database_url: str, folder: Path, *arguments: str, **variables: str) -> Outcome:
    given = {"NEWS_DATABASE__URL": database_url, "NEWS_DATA_DIR": str(folder), **variables}
    return run_news("db", "retain", "--json", *arguments, **given)


def test_retain_counts_what_would_go_and_then_removes_it(database_url: str, tmp_path: Path) -> None:
    seeded.store(database_url, [decided(OLD, 1), enriched(OLD, 1, enrichment("Ada"))])

    dry = retain(database_url, tmp_path, "--dry-run", NEWS_RETENTION__ARTICLES_DAYS="30")
    done = retain(database_url, tmp_path, NEWS_RETENTION__ARTICLES_DAYS="30")
    again = retain(database_url, tmp_path, NEWS_RETENTION__ARTICLES_DAYS="30")

    assert [(r["rule"], r["table"], r["rows"]) for r in dry.rows()] == [
        ("articles", "articles", 1),
        ("articles", "versions", 1),
    ]
    assert {r["table"]: r["rows"] for r in done.rows()} == {
        "articles": 1,
        "decisions": 1,
        "entities": 1,
        "mentions": 2,
        "versions": 1,
    }
    assert (again.status, again.rows()) == (0, [])


def test_retain_without_a_setting_says_which_there_are(database_url: str, tmp_path: Path) -> None:
    outcome = retain(database_url, tmp_path)

    assert outcome.status == 2
    assert "NEWS_RETENTION__*" in outcome.err


def test_retain_waits_for_no_other_that_is_at_it(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE ingest.retention SET holder = 'sink-1', held_until = now() + interval '1 minute'")

    outcome = retain(database_url, tmp_path, NEWS_RETENTION__ARTICLES_DAYS="30")

    assert outcome.status == 69
    assert "sink-1" in outcome.err


def test_less_than_deduplication_looks_back_is_no_setting(database_url: str, tmp_path: Path) -> None:
    outcome = retain(database_url, tmp_path, NEWS_RETENTION__COPIES_DAYS="7")

    assert outcome.status == 2
    assert "NEWS_RETENTION__COPIES_DAYS: at least 8" in outcome.err


def test_status_says_what_the_tables_take(database_url: str, tmp_path: Path) -> None:
    seeded.store(database_url, [decided(OLD, 1), enriched(OLD, 1, enrichment("Ada"))])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    settings = Settings(data_dir=tmp_path, database={"url": database_url})

    found, growth = status.tables(settings)

    by_name = {each.table: each for each in found}
    assert (by_name["mentions"].rows, by_name["versions"].rows) == (2, 1)
    assert all(each.bytes == each.table_bytes + each.index_bytes for each in found)
    assert growth is None  # all of it came within an hour
    first, second = status.in_words(found, growth)
    assert first.startswith("PostgreSQL holds ")
    assert found[0].table in second
    shown = run_news("status", "--tables", "--json", NEWS_DATABASE__URL=database_url, NEWS_DATA_DIR=str(tmp_path))
    assert [row["table"] for row in shown.rows()] == [each.table for each in found]
    shown = run_news("status", "--tables", "--json", NEWS_DATABASE__URL=database_url, NEWS_DATA_DIR=str(tmp_path))
    assert [row["table"] for row in shown.rows()] == [each.table for each in found]


def test_status_says_nothing_of_tables_where_postgresql_is_away(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database={"url": "postgresql://news@127.0.0.1:1/news"})

    assert status.tables(settings) == ((), None)
    assert list(status.in_words((), None)) == []


def test_what_comes_in_a_day_is_said_by_the_changes_of_the_last_one(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE ingest.change_counter SET last = 300")
        connection.execute(  # one an hour for 200 hours, then 100 in the last four
            "INSERT INTO ingest.changes (change, kind, changed_at, article_id)"
            " SELECT n, 'new', timestamptz '2026-03-01 00:00+00' + CASE"
            " WHEN n <= 200 THEN n * interval '1 hour' ELSE interval '200 hours' + (n - 200) * interval '144 s' END,"
            " gen_random_uuid() FROM generate_series(1, 300) AS n"
        )

        assert sizes.changes_a_day(connection) == 121  # 100, and the 21 of the 20 hours before them
