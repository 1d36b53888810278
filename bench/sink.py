"""A full topic -> rows: the sink beside its PostgreSQL on two cores, and flat rows beside rivals; publish -> visible.

    .venv/bin/python -m bench.sink --rounds 3

Everything is embedded on loopback and ends with the program; articles are made first, without models: 400 words, 15
names, 40 mentions (bench/sinks/load.py). Each round, in turn:

- the sink (`news run sink`) writes decisions and enriched articles into the whole contract, all indexes included, of a
  fresh database, with --stored articles in it; from when it is ready to its last commit;
- five writers put the same articles, flat, from one topic into a flat table each: our way (one transaction with the
  place in Kafka), `executemany`, a commit for each row, and Debezium's JDBC sink in a standalone worker of Kafka
  Connect, with JDBC batches and with its one statement over arrays; from the first commit to the last, so that no
  start-up counts, the rows of the first commit left out.

Then the sink gets half of the load that it had, evenly: a reader of the change feed says when each article is visible.
Commit times are PostgreSQL's own (track_commit_timestamp). Where there are more than two cores, all of it is held to
two. The first run fetches the rival's jars (85 MB) into the user's cache.
"""

import argparse
import contextlib
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import psutil
import psycopg

from bench.sinks import connect, flat, load
from ops.embedded.kafka import EmbeddedKafka, user_cache_folder
from ops.embedded.postgres import EmbeddedPostgres
from pipeline import broker, readiness, topics
from pipeline.settings import Settings
from sinks import database, migrate, postgres, rows

GOAL_ARTICLES: Final = 400
GOAL_FLAT: Final = 2_000
GOAL_VISIBLE_SECONDS: Final = 1.0
FLAT: Final = "bench.flat"
BATCH: Final = 250
#: Where what is stored before the rounds stood, and what comes after them: places that no other article has.
STORED_OFFSET: Final = 1_000_000_000
LATER_OFFSET: Final = 2_000_000_000
PATIENCE_SECONDS: Final = 600
CORES: Final = 2


class Services(NamedTuple):
    """What runs beside the writers."""

    kafka: str
    postgres: EmbeddedPostgres
    folder: Path

    @property
    def url(self) -> str:
        """The server's own database, where the flat tables lie."""
        return self.postgres.url

    def database(self, name: str) -> str:
        """Another one of it."""
        return self.url.rpartition("/")[0] + "/" + name


class Speed(NamedTuple):
    """Articles a second, and the CPU seconds of a thousand of them: the writer's and PostgreSQL's."""

    rate: float
    writer_cpu: float
    postgres_cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=4_000, help="for the sink, in each round")
    parser.add_argument("--flat-articles", type=int, default=20_000, help="for each flat writer, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stored", type=int, default=0, help="articles that are in the database before")
    parser.add_argument("--latency-seconds", type=int, default=30, help="0: not measured")
    parser.add_argument("--no-rivals", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    arguments.flat_articles = max(arguments.articles, arguments.flat_articles)
    if len(os.sched_getaffinity(0)) > CORES:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as name, services(Path(name)) as running:
        prepare(running, arguments.stored)
        size = publish(running.kafka, arguments.articles, arguments.flat_articles)
        print(
            f"{len(os.sched_getaffinity(0))} cores; {arguments.articles:,} articles of {size / 1000:.1f} kB, "
            f"{arguments.flat_articles:,} flat ones; {arguments.stored:,} stored before",
            flush=True,
        )
        found: dict[str, list[Speed]] = {}
        for number in range(arguments.rounds):
            say(found, "sink, full contract", whole(running, arguments.articles, number))
            if not arguments.no_rivals:
                for writer, work in rivals(running, arguments.flat_articles, number).items():
                    say(found, writer, work())
        print()
        for writer, speeds in found.items():
            print(summary(writer, speeds))
        if arguments.latency_seconds:
            load_of_half = statistics.median(speed.rate for speed in found["sink, full contract"]) / 2
            print(visible(running, load_of_half, arguments.latency_seconds))


def say(found: dict[str, list[Speed]], writer: str, speed: Speed) -> None:
    """Note a figure, and print it."""
    found.setdefault(writer, []).append(speed)
    print(f"  {writer:<28} {speed.rate:8,.0f}/s", flush=True)


def summary(writer: str, speeds: Sequence[Speed]) -> str:
    """The median and the range of a writer, its goal beside it."""
    rates = [speed.rate for speed in speeds]
    goal = {"sink, full contract": GOAL_ARTICLES, "ours, flat": GOAL_FLAT}.get(writer)
    return (
        f"{writer:<28} median {statistics.median(rates):8,.0f} articles/s   {min(rates):,.0f} - {max(rates):,.0f}   "
        f"CPU ms an article: writer {statistics.median(s.writer_cpu for s in speeds):.2f}, "
        f"PostgreSQL {statistics.median(s.postgres_cpu for s in speeds):.2f}" + (f"   goal >= {goal:,}" if goal else "")
    )


# The services.


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """A broker with the declared topics and the flat one, and a server that remembers when what was committed."""
    with ExitStack() as stack:
        kafka = EmbeddedKafka(folder / "kafka", user_cache_folder(os.environ), port=None)
        server = EmbeddedPostgres(folder / "postgres", folder)
        for service in (kafka, server):
            service.prepare(lambda *_: None)
            service.start()
            stack.callback(service.stop)
        for service in (kafka, server):
            service.wait_ready()
        execute(server.url, "ALTER SYSTEM SET track_commit_timestamp = on")
        server.stop()
        server.start()
        server.wait_ready()
        with broker.admin(kafka.bootstrap_servers) as admin:
            ours = topics.declared(7, 1)
            flat_topic = topics.Topic(FLAT, "flat articles of the bench", None, partitions=1)
            broker.apply(admin, [*ours, flat_topic], Settings().kafka.partitions, 1)
        yield Services(kafka.bootstrap_servers, server, folder)


def prepare(running: Services, stored: int) -> None:
    """A database `template` with the schema and so many articles, of a topic that nobody reads."""
    execute(running.url, "CREATE DATABASE template")
    url = running.database("template")
    migrate.migrate(url)
    elsewhere = {topics.DECISIONS: UUID(int=11), topics.ENRICHED: UUID(int=12)}
    with closing(database.connect(url, PATIENCE_SECONDS)) as connection:
        for begin in range(0, stored, BATCH):
            made = load.articles(min(BATCH, stored - begin), seed=1000 + begin, first_offset=STORED_OFFSET + begin)
            batch = [
                rows.Incoming(topic, elsewhere[topic], 0, begin + number, value, article.key)
                for number, article in enumerate(made)
                for topic, value in ((topics.DECISIONS, article.decided), (topics.ENRICHED, article.enriched))
            ]
            postgres.write_batch(connection, batch)
        connection.execute("DELETE FROM ingest.positions")
    execute(url, "VACUUM ANALYZE")


def publish(kafka: str, articles: int, flat_articles: int) -> float:
    """So many articles for the sink, and so many flat ones, the same; gives the mean bytes of one as enriched."""
    size = 0
    with closing(broker.producer(kafka)) as producer:
        for number, article in enumerate(load.articles(flat_articles, seed=1)):
            if number < articles:
                producer.send(topics.DECISIONS, article.decided, key=article.key)
                producer.send(topics.ENRICHED, article.enriched, key=article.key)
                size += len(article.enriched)
            producer.send(FLAT, article.flat, key=article.key)
        producer.flush()
    return size / articles


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """One statement on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# The sink.


@contextmanager
def sink(running: Services, url: str, name: str) -> Iterator[tuple[psutil.Process, float]]:
    """`news run sink`, ready; with when it was."""
    data = running.folder / name
    ready = data / "ready"
    data.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NEWS_")}
    given = {"NEWS_DATA_DIR": str(data), "NEWS_KAFKA__BOOTSTRAP_SERVERS": running.kafka, "NEWS_DATABASE__URL": url}
    given[readiness.VARIABLE] = str(ready)
    process = psutil.Popen([sys.executable, "-m", "ops", "run", "sink"], env=kept | given, stdin=subprocess.DEVNULL)
    try:
        until("the sink is ready", ready.exists, process)
        yield process, ready.stat().st_mtime
    finally:
        process.terminate()
        process.wait(60)


def whole(running: Services, count: int, number: int) -> Speed:
    """All articles into a fresh database; from when the sink is ready to its last commit."""
    name = f"whole_{number}"
    execute(running.url, f"CREATE DATABASE {name} TEMPLATE template")
    execute(running.url, "CHECKPOINT")
    url = running.database(name)
    last = "SELECT sum(next_offset), extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) FROM ingest.positions"
    before = cpu_of_postgres(running)
    with sink(running, url, name) as (process, began), psycopg.connect(url, autocommit=True) as connection:
        started = cpu_of(process)
        until("all is written", lambda: (written(connection, last)[0] or 0) >= 2 * count, process)
        ended = float(written(connection, last)[1])
        cpu = cpu_of(process) - started
        stored = written(connection, f"SELECT count(*) FROM ingest.versions WHERE log_offset < {STORED_OFFSET}")
    used = cpu_of_postgres(running) - before
    assert stored == (count,), f"{stored[0]} of {count} articles are stored"
    execute(running.url, f"DROP DATABASE {name} WITH (FORCE)")
    return Speed(count / (ended - began), cpu / count * 1000, used / count * 1000)


def written(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    """The one row of a query."""
    (row,) = connection.execute(query).fetchall()
    return tuple(row)


def until(what: str, look: Callable[[], Any], process: Any) -> None:
    """Look ten times a second until it is so; raises RuntimeError when the process has ended before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        if process.poll() is not None:
            raise RuntimeError(f"a process ended with {process.poll()} before {what}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {PATIENCE_SECONDS} s: {what}")
        time.sleep(0.1)


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_of_postgres(running: Services) -> float:
    """CPU seconds of the server so far, with the sessions that have ended."""
    postmaster = psutil.Process(running.postgres.pid)
    ended = postmaster.cpu_times()
    total = cpu_of(postmaster) + ended.children_user + ended.children_system
    for child in postmaster.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            total += cpu_of(child)
    return float(total)


# Flat rows.


def rivals(running: Services, count: int, number: int) -> dict[str, Callable[[], Speed]]:
    """The flat writers, by name, ours first."""

    def python(way: str) -> Callable[[], Speed]:
        table = f"flat_{way}_{number}"
        return lambda: into_table(running, count, table, lambda _: python_writer(running, way, table))

    def debezium(unnest: bool) -> Callable[[], Speed]:
        table = f"flat_debezium_{'unnest' if unnest else 'batches'}_{number}"
        return lambda: into_table(
            running,
            count,
            table,
            lambda _: connect.worker(
                running.folder / table,
                user_cache_folder(os.environ),
                running.kafka,
                running.url,
                FLAT,
                table,
                unnest=unnest,
            ),
        )

    return {
        "ours, flat": python("ours"),
        "executemany": python("executemany"),
        "row by row": python("rows"),
        "Debezium, JDBC batches": debezium(unnest=False),
        "Debezium, unnest": debezium(unnest=True),
    }


@contextmanager
def python_writer(running: Services, way: str, table: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One of bench/sinks/flat.py."""
    where = ["--kafka", running.kafka, "--database", running.url, "--topic", FLAT, "--table", table]
    process = subprocess.Popen([sys.executable, "-m", "bench.sinks.flat", way, *where], stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def into_table(running: Services, count: int, table: str, start: Callable[[str], Any]) -> Speed:
    """All flat articles into a fresh table; from the first commit to the last."""
    execute(running.url, flat.TABLE.format(table=table))
    execute(running.url, "CHECKPOINT")
    before = cpu_of_postgres(running)
    with start(table) as process, psycopg.connect(running.url, autocommit=True) as connection:
        watched = psutil.Process(process.pid)
        some = f"SELECT EXISTS (SELECT FROM {table})"
        until("the first row is there", lambda: written(connection, some)[0], process)
        began = cpu_of(watched)
        many = f"SELECT count(*) FROM {table}"
        until("all rows are there", lambda: written(connection, many)[0] >= count, process)
        cpu = cpu_of(watched) - began
        later, seconds = written(
            connection,
            f"WITH commits AS (SELECT pg_xact_commit_timestamp(xmin) AS at FROM {table}) "
            "SELECT count(*) FILTER (WHERE at > (SELECT min(at) FROM commits)), "
            "extract(epoch FROM max(at) - min(at)) FROM commits",
        )
    used = cpu_of_postgres(running) - before
    execute(running.url, f"DROP TABLE {table}")
    return Speed(later / float(seconds), cpu / later * 1000, used / count * 1000)


# Publish -> visible.


def visible(running: Services, rate: float, seconds: int) -> str:
    """An even load: when each article was sent, and when a reader of the change feed saw it."""
    count = int(rate * seconds)
    execute(running.url, "CREATE DATABASE latency TEMPLATE template")
    url = running.database("latency")
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    with sink(running, url, "latency") as (process, _), psycopg.connect(url, autocommit=True) as connection:
        before = "SELECT coalesce(sum(next_offset), 0) FROM ingest.positions"
        there = log_end(running.kafka)
        until("what was there is written", lambda: written(connection, before)[0] >= there, process)
        (after,) = written(connection, "SELECT last FROM news.change_range")
        publisher = context.Process(target=publish_evenly, args=(running.kafka, rate, count, theirs), daemon=True)
        publisher.start()
        theirs.close()
        seen = watch(connection, after, count)
        sent: dict[str, float] = ours.recv()
        publisher.join()
    waits = sorted(seen[delivery] - sent[delivery] for delivery in sent)
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return (
        f"publish -> visible, {count} articles at {rate:,.0f}/s: p50 {cuts[49]:.3f} s   p95 {cuts[94]:.3f} s   "
        f"p99 {cuts[98]:.3f} s   longest {waits[-1]:.3f} s   goal p95 < {GOAL_VISIBLE_SECONDS:g} s"
    )


def log_end(kafka: str) -> int:
    """How many records stand on the topics of the sink."""
    with broker.admin(kafka) as client:
        states = {n: s for n, s in broker.topic_states(client).items() if n in (topics.DECISIONS, topics.ENRICHED)}
        return sum(broker.log_offsets(client, states).values())


def publish_evenly(kafka: str, rate: float, count: int, tell: Connection) -> None:
    """A process of its own: each article when its time has come; tells when that was, by delivery id."""
    made = list(load.articles(count, seed=2, first_offset=LATER_OFFSET))
    sent: dict[str, float] = {}
    with closing(broker.producer(kafka)) as producer:
        began = time.time() + 0.5
        for number, article in enumerate(made):
            time.sleep(max(0.0, began + number / rate - time.time()))
            sent[article.delivery_id] = time.time()
            producer.send(topics.DECISIONS, article.decided, key=article.key)
            producer.send(topics.ENRICHED, article.enriched, key=article.key)
        producer.flush()
    tell.send(sent)


def watch(connection: psycopg.Connection[Any], after: int, count: int) -> dict[str, float]:
    """When each delivery was seen by who listens, and reads the changes whenever it is called."""
    seen: dict[str, float] = {}
    connection.execute("LISTEN news_changed")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(seen) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(seen)} of {count} articles were seen")
        for _ in connection.notifies(timeout=1, stop_after=1):
            pass
        found = connection.execute("SELECT change, delivery_id FROM news.read_changes(%s, 10000)", [after]).fetchall()
        now = time.time()
        for change, delivery in found:
            after = max(after, change)
            seen.setdefault(str(delivery), now)
    return seen


if __name__ == "__main__":
    main()
