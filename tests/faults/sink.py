"""`news run sink` as a process of its own with its log, a PostgreSQL that a test may break, and numbered articles."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from ops.embedded.postgres import EmbeddedPostgres
from pipeline import broker, topics
from pipeline.records import Record
from sinks import migrate
from tests.running import REPOSITORY, clean_environment
from tests.sinks.samples import decided, decision, enriched, enrichment, topic_of

#: For a machine that is busy with other things; nothing waits longer than it has to.
PATIENCE_SECONDS: Final = 180
LOOK_SECONDS: Final = 0.02
APPLICATION: Final = "news sink"


def until(what: str, look: Callable[[], Any]) -> Any:
    """Look until there is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(LOOK_SECONDS)
    return found


class SinkProcess:
    """`news run sink` against these services."""

    def __init__(self, folder: Path, kafka: str, database_url: str, **variables: str) -> None:
        self._log = folder / f"sink-{time.monotonic_ns()}.log"
        self._heard = 0
        given = {
            "NEWS_DATA_DIR": str(folder / "data"),
            "NEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "NEWS_DATABASE__URL": database_url,
            "PYTHONFAULTHANDLER": "1",
            **variables,
        }
        with self._log.open("wb") as stream:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "ops", "run", "sink"],
                cwd=REPOSITORY,
                env=clean_environment(**given),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )

    @property
    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def said(self) -> str:
        """All of its stderr so far, quotation marks as they were before they stood in JSON."""
        return self._log.read_text(encoding="utf-8", errors="replace").replace('\\"', '"')

    def until(self, what: str, look: Callable[[], Any]) -> Any:
        """Look until there is something, as long as it runs."""

        def still() -> Any:
            assert self.is_alive, f"the sink ended with {self._popen.returncode} before {what}"
            return look()

        try:
            return until(what, still)
        except AssertionError as error:
            self._popen.send_signal(signal.SIGABRT)  # it says where each of its threads is
            self._popen.wait()
            error.add_note(f"the sink said:\n{self.said()[-8000:]}")
            raise

    def until_it_says(self, words: str) -> None:
        """Wait for these words in its log, behind those that were waited for before."""
        self.until(f"it says {words!r}", lambda: words in self.said()[self._heard :])
        self._heard = self.said().index(words, self._heard) + len(words)

    def ends(self) -> int:
        """Wait for its end; gives the exit code."""
        return self._popen.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        self._popen.terminate()
        try:
            return self.ends()
        finally:
            self._popen.kill()
            self._popen.wait()


@contextmanager
def running(folder: Path, kafka: str, database_url: str, **variables: str) -> Iterator[SinkProcess]:
    """The sink while the block runs; then it must end in good order, unless it had ended by itself."""
    sink = SinkProcess(folder, kafka, database_url, **variables)
    try:
        yield sink
    finally:
        code = sink.stop() if sink.is_alive else None
    assert code in (0, None), sink.said()[-2000:]


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL of this module alone: it may be stopped, filled, shut out and killed."""

    postgres: EmbeddedPostgres

    @property
    def url(self) -> str:
        """Of its own database, for what a superuser does to the others."""
        return self.postgres.url

    def revive(self) -> None:
        """Start it again if a test has left it dead."""
        if self.postgres.poll() is not None:
            self.postgres.start()
            self.postgres.wait_ready()

    def database(self, name: str) -> str:
        """The URL of one of its databases."""
        return self.url.rpartition("/")[0] + "/" + name

    def execute(self, statement: str, *names: str) -> list[tuple[Any, ...]]:
        """Do one statement on its own database, names put in for {}."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return cursor.fetchall() if cursor.description else []

    def setting(self, name: str, value: str) -> None:
        """Change a setting that needs no restart; an empty value is the default again."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            change = sql.SQL("ALTER SYSTEM SET {} = {}" if value else "ALTER SYSTEM RESET {}")
            connection.execute(change.format(*[sql.Identifier(name), sql.Literal(value)][: 1 + bool(value)]))
            connection.execute("SELECT pg_reload_conf()")

    def sessions(self, condition: str = "true") -> list[int]:
        """The process ids of the sink's sessions for which this holds in pg_stat_activity."""
        query = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{APPLICATION}' AND {condition}"
        return [pid for (pid,) in self.execute(query)]

    def end_sessions(self) -> None:
        """As a restart of the server or an administrator would."""
        query = (
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'"
        )
        self.execute(query)


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """An embedded PostgreSQL with a database `template` that has the schema."""
    postgres = EmbeddedPostgres(folder, folder)
    postgres.prepare(lambda *_: None)
    postgres.start()
    try:
        postgres.wait_ready()
        made = Server(postgres)
        made.execute("CREATE DATABASE template")
        migrate.migrate(made.database("template"))
        yield made
    finally:
        postgres.stop()
        shutil.rmtree(postgres.location, ignore_errors=True)  # not in the temporary folder when root runs this


def story(numbers: range, sentence: str = "") -> list[Record]:
    """For each number a new article with its decision; `sentence` makes its name larger."""
    records: list[Record] = []
    for n in numbers:
        made = decision("new", place=n, of_article=n, text=n, observed=n)
        whole = enriched(made, n, enrichment("Ada"))
        if sentence:
            whole = whole.model_copy(update={"body": whole.body.model_copy(update={"text": f"{n} {sentence}"})})
        records += [decided(made, n), whole]
    return records


def publish(kafka: str, records: Sequence[Record]) -> None:
    """Put them on their topics; gives back when the broker has them."""
    with closing(broker.producer(kafka)) as producer:
        sent = [producer.send(topic_of(r), r.to_bytes(), key=b"%d" % n) for n, r in enumerate(records)]
        for each in sent:
            each.get(timeout=60)


def count(database_url: str, query: str = "SELECT count(*) FROM news.articles") -> int:
    """One number; -1 while the database does not answer."""
    try:
        with psycopg.connect(database_url) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError:
        return -1
    return int(row[0] or 0) if row else 0


def assert_written_once(kafka: str, database_url: str, articles: int) -> None:
    """So many articles, each exactly once in every table, nothing set apart, and the places at the ends of the logs."""
    counts = {
        view: count(database_url, f"SELECT count(*) FROM news.{view}")
        for view in ("articles", "article_versions", "decisions", "article_entities", "mentions", "dead_letters")
    }
    assert counts == {
        "articles": articles,
        "article_versions": articles,
        "decisions": articles,
        "article_entities": articles,
        "mentions": 2 * articles,
        "dead_letters": 0,
    }
    dense = "SELECT count(*) FROM news.changes AS c JOIN generate_series(1, %d) AS n ON c.change = n"
    assert count(database_url, dense % articles) == articles
    assert count(database_url, "SELECT count(*) FROM news.changes") == articles
    with broker.admin(kafka) as client:
        states = {n: s for n, s in broker.topic_states(client).items() if n in (topics.DECISIONS, topics.ENRICHED)}
        ends = broker.log_offsets(client, states)
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("SELECT topic, partition, next_offset FROM ingest.positions").fetchall()
    assert {(topic, partition): offset for topic, partition, offset in stored} == {
        place: end for place, end in ends.items() if end > 0
    }
