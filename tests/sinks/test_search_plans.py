"""At 50,000 articles no question reads the whole table, and few rows are read for one page."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sinks import articles, statements
from sinks.articles import Wanted
from tests.fixtures.database import clone

pytestmark = pytest.mark.services

ROWS = 50_000
TABLES = ("ingest.search", "ingest.articles", "ingest.versions", "ingest.entities")
#: Words by Zipf's law: word1 stands in nearly all, word20000 in hardly any; 40 an article.
FILL = f"""
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.rank(n bigint, salt integer, most integer) RETURNS integer LANGUAGE sql AS $$
    SELECT floor(exp((hashint8extended(n, salt) & 1048575) / 1048576.0 * ln(most)))::integer
$$;
CREATE TEMPORARY TABLE made AS
SELECT
    md5('article ' || n)::uuid AS id,
    '2026-09-01 00:00:00+00'::timestamptz + n * interval '1 minute' AS seen,
    'source ' || pg_temp.rank(n, 1, 100) AS source,
    'Title ' || n || ' of word' || pg_temp.rank(n, 2, 20000) AS title,
    (SELECT string_agg('word' || pg_temp.rank(n, 10 + k, 20000), ' ') FROM generate_series(1, 40) AS k) AS body,
    CASE n % 5 WHEN 0 THEN 'de' ELSE 'en' END AS language,
    md5('name ' || pg_temp.rank(n, 3, 2000))::uuid AS name
FROM generate_series(1, {ROWS}) AS n;
INSERT INTO ingest.articles (
    article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at, source, title, notes
)
SELECT id, id, seen, id, 0, seen, seen, source, title, '{{}}' FROM made;
INSERT INTO ingest.versions (
    delivery_id, article_id, version_id, kind, observed_at, log_id, log_offset, decided_at, source, title, notes, text,
    removed, content_hash, declared_language
)
SELECT id, id, id, 'new', seen, id, 0, seen, source, title, '{{}}', body, '[]', '', language FROM made;
INSERT INTO ingest.search (
    article_id, inputs, first_seen_at, source, language, sentiment_label, configuration, title, terms, vector
)
SELECT
    id, 0, seen, source, language, 'neutral', c.name, title,
    ingest.time_terms(seen) || ARRAY['s:' || source, 'l:' || language, 'p:neutral', ingest.name_term(made.name)],
    ingest.search_vector(c.name::regconfig, title, NULL, body)
FROM made
CROSS JOIN LATERAL (
    SELECT CASE language WHEN 'de' THEN 'ingest.german' ELSE 'ingest.english' END AS name
) AS c;
UPDATE ingest.search_languages SET is_used = true WHERE language IN ('en', 'de');
SET session_replication_role = origin;
"""


@pytest.fixture(scope="module")
def many(database_server: str, _template: str) -> Iterator[psycopg.Connection[Any]]:
    """A database of 50,000 articles, for all tests of this file: they only read."""
    with clone(database_server, _template) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("VACUUM (ANALYZE) ingest.search, ingest.articles, ingest.versions")
        yield connection


def scans(connection: psycopg.Connection[Any], table: str) -> tuple[int, int]:
    """Sequential scans of this session that are not reported yet, and rows that it fetched through indexes."""
    row = connection.execute(
        "SELECT seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relid = %s::regclass", [table]
    ).fetchone()
    assert row is not None
    return row


NAME = "(md5('name 1')::uuid)::text"


@pytest.mark.parametrize(
    ("question", "most_rows"),
    [
        ("'word1'", 6_000),
        ("'word30'", 8_000),
        ("'word15000'", 2_000),
        ("'nobody'", 2_000),
        ("'word1 word2'", 8_000),
        ("'word1 -word2'", 8_000),
        ("'-word1'", 8_000),
        ("'word100 or word15000'", 8_000),
        ("'\"word1 word2\"'", 20_000),
        ("'word1', since => '2026-09-10', until => '2026-09-11'", 6_000),
        ("'word30', source => 'source 3'", 6_000),
        ("'word1', source => 'source 90'", 6_000),
        (f"'word1', entity => {NAME}", 8_000),
        ("'word30', language => 'de'", 8_000),
        ("'word1', sentiment => 'neutral'", 6_000),
        ("'word1', sentiment => 'negative'", 2_000),
        ("NULL", 4_000),
        ("NULL, source => 'source 3'", 4_000),
        ("NULL, source => 'source 90'", 4_000),
        (f"NULL, entity => {NAME}", 4_000),
        ("NULL, language => 'de'", 4_000),
        ("NULL, until => '2026-09-03'", 4_000),
    ],
)
def test_no_question_reads_the_whole_table(many: psycopg.Connection[Any], question: str, most_rows: int) -> None:
    with many.transaction():
        before = {table: scans(many, table) for table in TABLES}
        many.execute(f"SELECT * FROM news.search({question})").fetchall()

        for table in TABLES:
            sequential, fetched = scans(many, table)
            assert sequential == before[table][0], table
            assert fetched - before[table][1] <= most_rows, table


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(q="word15000"), Wanted(q="of word1"), Wanted(source="source 3", q="Title 77")]
)
def test_no_page_of_articles_reads_the_whole_table(many: psycopg.Connection[Any], wanted: Wanted) -> None:
    with many.transaction():
        before = [scans(many, table)[0] for table in TABLES]
        articles.page(many, wanted, None, 21)

        assert [scans(many, table)[0] for table in TABLES] == before


def test_indexing_what_is_indexed_reads_no_table_whole(many: psycopg.Connection[Any]) -> None:
    ids = [row[0] for row in many.execute("SELECT article_id FROM ingest.articles LIMIT 100")]

    with many.transaction(force_rollback=True):
        before = [scans(many, table)[0] for table in TABLES]
        many.execute(statements.load("index_articles"), {"article_ids": ids})

        assert [scans(many, table)[0] for table in TABLES] == before
