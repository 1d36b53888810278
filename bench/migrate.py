"""How long migrations keep others from the tables: a database of an earlier version, written to and read meanwhile.

`python -m bench.migrate [--articles 1000000] [--from 0007_sources]` makes an embedded PostgreSQL and fills it by plain
SQL (an article, a version and a decision each; texts of 60 words, small ones: locks do not depend on their length). It
is migrated while a writer stores an article in each transaction, its place first, as a sink does, a reader looks one
up, and a third session writes down every lock on our tables that others have to wait for. Prints goal beside result.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from ops.embedded.postgres import EmbeddedPostgres
from sinks import backfill, migrate, schema

GOAL_SECONDS: Final = 1.0
SAMPLE_SECONDS: Final = 0.005
#: Those that INSERT, UPDATE and DELETE (ROW EXCLUSIVE) wait for, and the one that SELECT waits for.
BLOCKING: Final = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
_FILL: Final = """
INSERT INTO ingest.articles (article_id, current_delivery, observed_at, log_id, log_offset, decided_at, first_seen_at,
    source, url, title, notes)
SELECT md5('a' || n)::uuid, md5('d' || n)::uuid, m, md5('log')::uuid, n, m, m, 'source ' || n % 100,
    'https://example.org/' || n, 'Title ' || n, '{{}}'
FROM (SELECT n, '2026-01-01Z'::timestamptz + n * interval '1 second' AS m FROM generate_series({0}, {1}) AS n) AS rows;
INSERT INTO ingest.versions (delivery_id, article_id, version_id, kind, observed_at, log_id, log_offset, decided_at,
    source, title, notes, text, removed, content_hash, entities_of, generation, language)
SELECT md5('d' || n)::uuid, md5('a' || n)::uuid, md5('v' || n)::uuid, 'new', m, md5('log')::uuid, n, m,
    'source ' || n % 100, 'Title ' || n, '{{}}', repeat('word' || n % 977 || ' ', 60), '[]', '', md5('d' || n)::uuid, 0,
    'en'
FROM (SELECT n, '2026-01-01Z'::timestamptz + n * interval '1 second' AS m FROM generate_series({0}, {1}) AS n) AS rows;
INSERT INTO ingest.decisions (raw_topic_id, raw_partition, raw_offset, delivery_id, article_id, version_id, kind,
    rules_version, log_id, log_offset, decided_at, observed_at, source)
SELECT md5('raw')::uuid, 0, n, md5('d' || n)::uuid, md5('a' || n)::uuid, md5('v' || n)::uuid, 'new', 1,
    md5('log')::uuid, n, m, m, 'source ' || n % 100
FROM (SELECT n, '2026-01-01Z'::timestamptz + n * interval '1 second' AS m FROM generate_series({0}, {1}) AS n) AS rows;
"""
_LOCKS: Final = """
SELECT c.oid::regclass::text, l.mode, l.pid
FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
WHERE l.granted AND l.mode = ANY(%s) AND c.relkind IN ('r', 'p', 'v') AND l.pid <> pg_backend_pid()
    AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('ingest', 'news'))
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Locks:
    """Every lock that others wait for, and for how long it was seen."""

    def __init__(self) -> None:
        self.longest: dict[tuple[str, str], float] = {}
        self._since: dict[tuple[str, str, int], float] = {}
        self.samples = 0

    def look(self, connection: psycopg.Connection[Any]) -> None:
        """Once: what is held now."""
        now = time.monotonic()
        held = set(connection.execute(_LOCKS, [list(BLOCKING)]).fetchall())
        self._since = {lock: self._since.get(lock, now) for lock in held}
        for (table, mode, pid), since in self._since.items():
            key = (table, mode)
            self.longest[key] = max(self.longest.get(key, 0.0), now - since + SAMPLE_SECONDS)
            assert pid
        self.samples += 1


def fill(url: str, articles: int) -> None:
    """The rows of an earlier version; new tables as every database has had them: with statistics."""
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(1, articles + 1, 50_000):
            connection.execute(_FILL.format(first, min(first + 49_999, articles)).encode())
        connection.execute(
            "INSERT INTO ingest.positions (topic_id, partition, topic, next_offset) VALUES (md5('t')::uuid, 0, 't', 0)"
        )
        connection.execute("VACUUM ANALYZE")


def longest_wait(
    url: str, stop: threading.Event, once: Callable[[psycopg.Connection[Any], int], object]
) -> list[float]:
    """Do it again and again; how long each time took."""
    waits: list[float] = []
    # Not prepared: a prepared SELECT * is refused once when its view has got new columns.
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        while not stop.is_set():
            began = time.monotonic()
            try:
                once(connection, len(waits))
            except psycopg.Error as error:  # each is a fault of the migration
                say(f"REFUSED: {str(error).splitlines()[0]}")
            waits.append(time.monotonic() - began)
            stop.wait(0.001)
    return waits


def main() -> None:
    """Fill, migrate beside the others, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--from", dest="head", default="0007_sources", choices=list(schema.revisions()))
    parser.add_argument(
        "--backfill", action="store_true", help="index for search too, beside the same writer and reader"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder), Path(folder))
        server.prepare(lambda *_: None)
        server.start()
        try:
            server.wait_ready()
            measure(server.url, given.articles, given.head, index=given.backfill)
        finally:
            server.stop()


def measure(url: str, articles: int, head: str, *, index: bool) -> None:
    """All of it, on an empty database."""
    everything = schema.revisions()
    schema.revisions = lambda: {name: sql for name, sql in everything.items() if name <= head}
    migrate.migrate(url)
    schema.revisions = lambda: everything
    began = time.monotonic()
    fill(url, articles)
    say(f"{articles:,} articles, versions and decisions at {head}, made in {time.monotonic() - began:.0f} s")

    stop, locks, waits = threading.Event(), Locks(), dict[str, list[float]]()

    def write(connection: psycopg.Connection[Any], number: int) -> None:
        with connection.transaction():
            connection.execute("SELECT FROM ingest.positions FOR UPDATE")
            connection.execute(_FILL.format(articles + number + 1, articles + number + 1).encode())

    def read(connection: psycopg.Connection[Any], number: int) -> None:
        wanted = f"a{1 + number * 7919 % articles}"
        connection.execute("SELECT * FROM news.articles WHERE article_id = md5(%s)::uuid", [wanted]).fetchall()

    def sample() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                locks.look(connection)
                stop.wait(SAMPLE_SECONDS)

    threads = [
        threading.Thread(target=lambda: waits.update(writer=longest_wait(url, stop, write))),
        threading.Thread(target=lambda: waits.update(reader=longest_wait(url, stop, read))),
        threading.Thread(target=sample),
    ]
    for thread in threads:
        thread.start()
    time.sleep(1)  # what they take while nothing else goes on
    took = {}
    try:
        for name in [name for name in everything if name > head]:
            schema.revisions = lambda name=name: {n: sql for n, sql in everything.items() if n <= name}
            began = time.monotonic()
            migrate.migrate(url, say=say)
            took[name] = time.monotonic() - began
        if index:
            began = time.monotonic()
            backfill.index_all(url, say)
            took["backfill of search"] = time.monotonic() - began
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        schema.revisions = lambda: everything
    for name, seconds in took.items():
        say(f"  {name:<32}{seconds:8.2f} s")
    say(f"locks that others wait for ({locks.samples:,} looks, {SAMPLE_SECONDS * 1000:.0f} ms between them)")
    for (table, mode), seconds in sorted(locks.longest.items(), key=lambda item: -item[1])[:8]:
        say(f"  {table + ' ' + mode:<56}{seconds:8.3f} s")
    results = {"longest lock on a table": max(locks.longest.values(), default=0.0)}
    results |= {f"longest wait of the {who}": max(each) for who, each in waits.items()}
    for what, seconds in results.items():
        verdict = "reached" if seconds < GOAL_SECONDS else "MISSED"
        say(f"{what:<32}goal < {GOAL_SECONDS:.0f} s   result {seconds:.3f} s   {verdict}")
    say(f"(writer {len(waits['writer']):,} transactions, reader {len(waits['reader']):,} queries)")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
