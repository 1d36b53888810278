"""The readers in examples/readers get each article, revision and copy exactly once, whatever ends whom in between.

Records go onto the topics as the stages before the sink write them; all else is real, and runs in processes of its own.
"""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from examples.readers import follow
from pipeline import broker
from pipeline.records import Kind, Record
from sinks import postgres
from sinks.database import Connection
from tests.running import END_SECONDS, REPOSITORY, clean_environment, until
from tests.sinks.samples import (
    Feed,
    article,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    topic_of,
    version,
    word,
)

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

READERS: Final = REPOSITORY / "examples" / "readers"
ARTICLES: Final = 300
Happened = tuple[str, str]  # kind, delivery


class Story:
    """Articles, each followed by a copy or a revision for some, numbered as they stand on articles.raw."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.happened: list[Happened] = []

    def tell(self, kind: Kind, of_article: int, text: int, **fields: Any) -> None:
        place = len(self.happened)
        made = decision(kind, place=place, of_article=of_article, text=text, observed=place, **fields)
        self.records.append(decided(made, text, with_body=kind == "copy"))
        if kind != "copy":
            self.records.append(enriched(made, text, enrichment("Ada")))
        self.happened.append((kind, str(made.delivery_id)))


def story() -> Story:
    told = Story()
    for n in range(ARTICLES):
        told.tell("new", n, n)
        if n % 3 == 0:
            told.tell("copy", 10_000 + n, 10_000 + n, of=article(n), of_version=version(n), of_delivery=delivery(n))
        if n % 4 == 0:
            told.tell("revision", n, 20_000 + n)
    return told


@pytest.fixture
def reader_url(database_url: str) -> Iterator[str]:
    """A login of its own with nothing but the role news_reader, and a schema for its own tables."""
    name = f"reader_{uuid4().hex}"
    login = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret' IN ROLE news_reader").format(login))
        owner.execute(sql.SQL("CREATE SCHEMA mine AUTHORIZATION {}").format(login))
    try:
        parts: dict[str, Any] = {**conninfo_to_dict(database_url), "user": name, "password": "secret"}
        yield make_conninfo("", **parts)
    finally:
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
            owner.execute(sql.SQL("DROP OWNED BY {}").format(login))
            owner.execute(sql.SQL("DROP ROLE {}").format(login))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(follow.open_file(str(tmp_path / "articles.sqlite"))) as opened:
        yield opened


@contextmanager
def running(*command: str, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended, one way or the other."""
    process = subprocess.Popen(command, cwd=REPOSITORY, env=clean_environment(**variables), stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(END_SECONDS)


def publish(bootstrap_servers: str, records: Sequence[Record]) -> None:
    with closing(broker.producer(bootstrap_servers)) as producer:
        for sent in [producer.send(topic_of(r), r.to_bytes(), key=b"%d" % n) for n, r in enumerate(records)]:
            sent.get(timeout=30)


def happened_in(file: Path) -> list[tuple[int, str, str]]:
    with closing(sqlite3.connect(file, timeout=30)) as opened:
        try:
            return opened.execute("SELECT change, kind, delivery_id FROM happened ORDER BY change").fetchall()
        except sqlite3.OperationalError:  # the reader has not made it yet
            return []


def all_rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_each_article_revision_and_copy_comes_once_through_ends_of_sink_and_reader(
    kafka: str, database_url: str, reader_url: str, tmp_path: Path
) -> None:
    told = story()
    third = len(told.records) // 3
    own = tmp_path / "articles.sqlite"
    with psycopg.connect(reader_url, autocommit=True) as connection:
        connection.execute((READERS / "take_changes.sql").read_bytes())

    def sink() -> Any:
        return running(
            sys.executable, "-m", "ops", "run", "sink",
            NEWS_DATA_DIR=str(tmp_path / "data"), NEWS_KAFKA__BOOTSTRAP_SERVERS=kafka, NEWS_DATABASE__URL=database_url,
        )  # fmt: skip

    def reader() -> Any:
        return running(sys.executable, str(READERS / "follow.py"), reader_url, str(own))

    def take_changes() -> None:
        """What a timer would run."""
        with psycopg.connect(reader_url, autocommit=True) as connection:
            connection.execute("CALL mine.take_changes(100)")

    publish(kafka, told.records[:third])
    with reader() as first_reader:
        with sink() as first_sink:
            until("the reader has begun", lambda: len(happened_in(own)) > 50)
            seen = len(happened_in(own))
            publish(kafka, told.records[third : 2 * third])
            until("the sink goes on", lambda: len(happened_in(own)) > seen)
            first_sink.kill()
            first_sink.wait(END_SECONDS)
        take_changes()
        with sink() as second_sink:
            before = len(happened_in(own))
            publish(kafka, told.records[2 * third :])
            until("the second sink goes on", lambda: len(happened_in(own)) > before)
            first_reader.kill()
            first_reader.wait(END_SECONDS)
            second_sink.send_signal(signal.SIGTERM)
            assert second_sink.wait(END_SECONDS) == 0
    with sink(), reader():
        until("the reader has it all", lambda: len(happened_in(own)) >= len(told.happened))
        take_changes()

    expected = sorted(told.happened)
    by_file = happened_in(own)
    by_table = all_rows(reader_url, "SELECT change, kind, delivery_id::text FROM mine.happened ORDER BY change")
    for done in (by_file, by_table):
        assert [change for change, _, _ in done] == list(range(1, len(expected) + 1))
        assert sorted((kind, delivery_id) for _, kind, delivery_id in done) == expected
    with closing(sqlite3.connect(own)) as opened:
        mine = opened.execute("SELECT article_id, title, text FROM articles ORDER BY 1").fetchall()
    theirs = all_rows(reader_url, "SELECT article_id::text, title, text FROM news.articles ORDER BY 1")
    tables = all_rows(reader_url, "SELECT article_id::text, title, text FROM mine.articles ORDER BY 1")
    assert len(theirs) == ARTICLES + ARTICLES // 3
    assert mine == theirs
    assert tables == theirs


# The reader in Python, step by step; rows are written by the sink's own function.


def write(connection: Connection, feed: Feed, told: Story) -> None:
    postgres.write_batch(connection, feed.incoming(*told.records))


def short_story(*kinds: Kind) -> Story:
    told = Story()
    for number, kind in enumerate(kinds):
        told.tell(kind, 1, number)
    return told


def test_what_fails_half_way_leaves_nothing_behind_and_is_done_again(
    connection: Connection, feed: Feed, reader_url: str, file: sqlite3.Connection
) -> None:
    write(connection, feed, short_story("new", "revision"))
    file.execute("CREATE TRIGGER dies BEFORE UPDATE ON position BEGIN SELECT RAISE(ABORT, 'the power went'); END")

    with psycopg.connect(reader_url, autocommit=True) as news:
        with pytest.raises(sqlite3.IntegrityError, match="the power went"):
            follow.take_changes(news, file)
        assert file.execute("SELECT count(*) FROM happened").fetchone() == (0,)
        file.execute("DROP TRIGGER dies")
        done = [follow.take_changes(news, file), follow.take_changes(news, file)]

    assert done == [2, 0]
    assert file.execute("SELECT change, kind FROM happened").fetchall() == [(1, "new"), (2, "revision")]
    assert file.execute("SELECT title FROM articles").fetchall() == [("Title 1",)]


def forget_changes_before(connection: Connection, oldest: int) -> None:
    """As retention does."""
    connection.execute("DELETE FROM ingest.changes WHERE change < %s", [oldest])
    connection.execute("UPDATE ingest.change_counter SET oldest = %s", [oldest])


def test_a_reader_behind_retention_takes_all_articles_and_goes_on_from_there(
    connection: Connection, feed: Feed, reader_url: str, file: sqlite3.Connection
) -> None:
    write(connection, feed, short_story("new", "revision", "revision"))
    forget_changes_before(connection, 3)

    with psycopg.connect(reader_url, autocommit=True) as news:
        with pytest.raises(psycopg.Error, match="changes 1 to 2 are no longer kept"):
            follow.take_changes(news, file)
        follow.start_anew(news, file)
        done = follow.take_changes(news, file)

    assert done == 0
    assert file.execute("SELECT change FROM position").fetchall() == [(3,)]
    assert file.execute("SELECT title FROM articles").fetchall() == [("Title 2",)]


def test_the_reader_in_sql_starts_anew_where_changes_are_gone_or_the_database_is_an_older_one(
    connection: Connection, feed: Feed, reader_url: str
) -> None:
    write(connection, feed, short_story("new", "revision", "revision"))
    forget_changes_before(connection, 3)

    with psycopg.connect(reader_url, autocommit=True) as news:
        news.execute((READERS / "take_changes.sql").read_bytes())
        news.execute("CALL mine.take_changes()")
        behind = news.execute("SELECT change, title FROM mine.position, mine.articles").fetchall()
        news.execute("UPDATE mine.position SET change = 1000")
        news.execute("UPDATE mine.articles SET title = 'of another time'")
        news.execute("CALL mine.take_changes()")
        ahead = news.execute("SELECT change, title FROM mine.position, mine.articles").fetchall()
        happened = news.execute("SELECT count(*) FROM mine.happened").fetchone()

    assert behind == ahead == [(3, "Title 2")]
    assert happened == (0,)


def restore_backup_with_changes_to(connection: Connection, last: int) -> None:
    """What a reader sees of it: numbers above `last` were never given out, and will be."""
    connection.execute("DELETE FROM ingest.changes WHERE change > %s", [last])
    connection.execute("UPDATE ingest.change_counter SET last = %s", [last])


def test_readers_of_a_database_that_was_restored_take_what_comes_under_numbers_that_they_have_seen(
    connection: Connection, feed: Feed, reader_url: str, file: sqlite3.Connection
) -> None:
    write(connection, feed, short_story("new", "revision", "revision"))
    after = Story()
    after.happened.extend([("", "")] * 3)  # places that are taken
    after.tell("new", 2, 4)

    with psycopg.connect(reader_url, autocommit=True) as news:
        news.execute((READERS / "take_changes.sql").read_bytes())
        news.execute("CALL mine.take_changes()")
        follow.take_changes(news, file)
        restore_backup_with_changes_to(connection, 1)
        news.execute("CALL mine.take_changes()")
        with pytest.raises(psycopg.Error, match="change 3 was never given out here"):
            follow.take_changes(news, file)
        follow.start_anew(news, file)
        write(connection, feed, after)
        news.execute("CALL mine.take_changes()")
        done = follow.take_changes(news, file)
        by_table = news.execute("SELECT change, kind, article_id::text FROM mine.happened ORDER BY change").fetchall()

    by_file = file.execute("SELECT change, kind, article_id FROM happened ORDER BY change").fetchall()
    assert done == 1
    assert by_table == by_file == [(1, "new", str(article(1))), (2, "new", str(article(2)))]


def test_an_article_that_is_taken_back_leaves_the_readers_too(
    connection: Connection, feed: Feed, reader_url: str, file: sqlite3.Connection
) -> None:
    write(connection, feed, short_story("new"))

    with psycopg.connect(reader_url, autocommit=True) as news:
        news.execute((READERS / "take_changes.sql").read_bytes())
        follow.take_changes(news, file)
        news.execute("CALL mine.take_changes()")
        before = news.execute("SELECT count(*) FROM mine.articles").fetchone()
        postgres.write_batch(connection, feed.incoming(word("withdrawn", 1)))
        follow.take_changes(news, file)
        news.execute("CALL mine.take_changes()")
        after = news.execute("SELECT count(*) FROM mine.articles").fetchone()

    assert (before, after) == ((1,), (0,))
    assert file.execute("SELECT count(*) FROM articles").fetchone() == (0,)
    assert file.execute("SELECT kind FROM happened ORDER BY change").fetchall() == [("new",), ("withdrawn",)]
