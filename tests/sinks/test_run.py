"""The whole sink with a real Kafka and a real PostgreSQL: rows appear once, whatever ends it in between."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from kafka import TopicPartition

from pipeline import broker, crash, topics
from pipeline.errors import Stop
from pipeline.records import Record
from pipeline.settings import Settings
from sinks import run
from tests.sinks.samples import at, decided, decision, enriched, enrichment, source_state, topic_of

pytestmark = pytest.mark.services
PATIENCE_SECONDS = 45


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, _env_file=None)


def publish(bootstrap_servers: str, records: Sequence[Record | tuple[str, bytes]]) -> None:
    with closing(broker.producer(bootstrap_servers)) as producer:
        sent = [
            producer.send(*(r if isinstance(r, tuple) else (topic_of(r), r.to_bytes())), key=b"%d" % n)
            for n, r in enumerate(records)
        ]
        for each in sent:
            each.get(timeout=30)


def story(numbers: range) -> list[Record]:
    records: list[Record] = []
    for n in numbers:
        made = decision("new", place=n, of_article=n, text=n, observed=n)
        records += [decided(made, n), enriched(made, n, enrichment("Ada"))]
    return records


def count(database_url: str, query: str = "SELECT count(*) FROM news.articles") -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0] or 0)


def wait_until(sink: threading.Thread, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        assert sink.is_alive(), "the sink ended"
        time.sleep(0.05)


@contextmanager
def running(kafka: str, database_url: str, settings: Settings) -> Iterator[threading.Thread]:
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run.run(kafka, database_url, settings, stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()
        if errors:
            raise errors[0]  # also instead of "the sink ended", which says less


def committed(kafka: str) -> broker.Offsets:
    with broker.admin(kafka) as client:
        return broker.committed_offsets(client, run.GROUP)


def ends(kafka: str) -> broker.Offsets:
    with broker.admin(kafka) as client:
        states = {n: s for n, s in broker.topic_states(client).items() if n in run.TOPICS}
        return broker.log_offsets(client, states)


def test_records_become_rows_and_a_restart_reads_nothing_twice(
    kafka: str, database_url: str, settings: Settings
) -> None:
    publish(kafka, [*story(range(30)), (topics.DECISIONS, b"no json"), (topics.DEAD_LETTER, b"x")])
    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url) == 30)
        wait_until(sink, lambda: count(database_url, "SELECT count(*) FROM news.dead_letters") == 2)
        wait_until(sink, lambda: committed(kafka) == ends(kafka))
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = connection.execute("SELECT xmin::text, article_id FROM ingest.articles ORDER BY 2").fetchall()

    publish(kafka, story(range(30, 40)))
    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url) == 40)

    with psycopg.connect(database_url) as connection:
        after = connection.execute("SELECT xmin::text, article_id FROM ingest.articles ORDER BY 2").fetchall()
        stored = connection.execute("SELECT sum(next_offset) FROM ingest.positions").fetchone()
    assert after[:30] == before  # not even written again
    assert stored == (82,)


@pytest.mark.parametrize("point", ["sink.before_db_commit", "sink.after_db_commit"])
def test_a_death_round_the_commit_loses_and_doubles_nothing(
    kafka: str, database_url: str, settings: Settings, point: str
) -> None:
    publish(kafka, story(range(20)))
    died = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, threading\n"
            "from pathlib import Path\n"
            "from pipeline.settings import Settings\n"
            "from sinks import run\n"
            "run.run(sys.argv[1], sys.argv[2], Settings(data_dir=Path(sys.argv[3])), threading.Event())\n",
            kafka,
            database_url,
            str(settings.data_dir),
        ],
        env={**os.environ, crash.VARIABLE: point},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert died.returncode == 70
    assert (count(database_url, "SELECT count(*) FROM ingest.decisions") > 0) == (point == "sink.after_db_commit")

    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url) == 20)
        wait_until(sink, lambda: count(database_url, "SELECT sum(next_offset) FROM ingest.positions") == 40)

    assert count(database_url, "SELECT count(*) FROM ingest.decisions") == 20
    assert count(database_url, "SELECT count(*) FROM ingest.mentions") == 40
    assert count(database_url, "SELECT count(*) FROM ingest.dead_letters") == 0


def test_a_database_that_goes_away_is_waited_for(kafka: str, database_url: str, settings: Settings) -> None:
    publish(kafka, story(range(5)))
    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url) == 5)
        with psycopg.connect(database_url, autocommit=True) as other:
            for n in range(5, 30, 5):
                publish(kafka, story(range(n, n + 5)))
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'news sink'"
                )
        wait_until(sink, lambda: count(database_url) == 30)

    assert count(database_url, "SELECT count(*) FROM ingest.dead_letters") == 0


def test_two_sinks_share_the_work_and_one_takes_over_from_the_other(
    kafka: str, database_url: str, settings: Settings
) -> None:
    publish(kafka, story(range(50)))
    with running(kafka, database_url, settings) as sink:
        with running(kafka, database_url, settings) as other:
            publish(kafka, story(range(50, 100)))
            wait_until(other, lambda: count(database_url) == 100)
        publish(kafka, story(range(100, 120)))
        wait_until(sink, lambda: count(database_url) == 120)

    assert count(database_url, "SELECT sum(next_offset) FROM ingest.positions") == 240


def test_a_database_put_back_while_the_sink_runs_is_filled_again(
    kafka: str, database_url: str, settings: Settings
) -> None:
    publish(kafka, story(range(10)))
    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url) == 10)
        with psycopg.connect(database_url) as other:
            tables = "decisions, articles, versions, entities, mentions, search"
            other.execute(f"TRUNCATE {', '.join('ingest.' + table for table in tables.split(', '))}")
            other.execute("UPDATE ingest.positions SET next_offset = 0")
        # Every partition must hear of it: the sink finds out when it writes there again.
        publish(kafka, story(range(10, 60)))
        wait_until(sink, lambda: count(database_url) == 60)


def stopped_by(kafka: str, database_url: str, settings: Settings) -> str:
    with pytest.raises(Stop) as stopped, running(kafka, database_url, settings) as sink:
        sink.join(timeout=PATIENCE_SECONDS)
    return str(stopped.value)


def test_a_place_behind_the_end_of_the_log_stops_the_sink(kafka: str, database_url: str, settings: Settings) -> None:
    publish(kafka, story(range(10)))
    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url) == 10)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE ingest.positions SET next_offset = next_offset + 3 WHERE topic LIKE '%enriched'")

    assert "the database has 3 records more" in stopped_by(kafka, database_url, settings)


def test_records_that_are_gone_unread_stop_the_sink(kafka: str, database_url: str, settings: Settings) -> None:
    publish(kafka, story(range(40)))
    with broker.admin(kafka) as client:
        client.delete_records({TopicPartition(topics.ENRICHED, p): 2 for p in range(4)})

    assert "2 records are gone unread" in stopped_by(kafka, database_url, settings)
    assert count(database_url, "SELECT count(*) FROM ingest.versions") == 0


def test_what_was_said_last_of_a_source_becomes_its_row(kafka: str, database_url: str, settings: Settings) -> None:
    publish(kafka, [source_state("wire", minute) for minute in range(5)])
    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url, "SELECT sum(next_offset) FROM ingest.positions") == 5)

    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT source, changed_at FROM news.sources").fetchall()
    assert found == [("wire", at(4))]


def test_a_topic_that_was_made_again_stops_the_sink(kafka: str, database_url: str, settings: Settings) -> None:
    publish(kafka, story(range(10)))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO ingest.positions (topic_id, partition, topic, next_offset)"
            " VALUES (gen_random_uuid(), 0, 'articles.decisions', 77)"
        )

    assert "another topic than the one the database has read 77 records of" in stopped_by(kafka, database_url, settings)
    assert count(database_url, "SELECT count(*) FROM ingest.decisions") == 0


def test_a_record_that_ends_the_process_three_times_is_set_apart(
    kafka: str, database_url: str, settings: Settings
) -> None:
    publish(kafka, story(range(5)))
    with broker.admin(kafka) as client:
        topic_id = broker.topic_states(client)[topics.DECISIONS].id
    with closing(broker.consumer(kafka)) as consumer:
        parts = [TopicPartition(topics.DECISIONS, p) for p in range(4)]
        victim = next(tp for tp, end in consumer.end_offsets(parts).items() if end > 0)
    journal = settings.data_dir / "journal" / f"sink-{topic_id}-{victim.partition}.json"
    journal.parent.mkdir(parents=True)
    journal.write_text('{"crashes": {"0": 2}, "in_work": [0]}', encoding="utf-8")

    with running(kafka, database_url, settings) as sink:
        wait_until(sink, lambda: count(database_url, "SELECT sum(next_offset) FROM ingest.positions") == 10)

    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT reason, tries, partition, record_offset FROM ingest.dead_letters").fetchall()
    assert found == [("crashed", 3, victim.partition, 0)]
    assert count(database_url, "SELECT count(*) FROM ingest.decisions") == 4
