"""The embedded broker, started for real in a fresh folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from ops.embedded import kafka
from ops.embedded.kafka import EmbeddedKafka
from pipeline.errors import SettingError, Stop, Unavailable

pytestmark = pytest.mark.embedded

REPOSITORY = Path(__file__).parents[2]
SUPERVISOR = """
import sys, time
from pathlib import Path
from ops.embedded.kafka import EmbeddedKafka

broker = EmbeddedKafka(Path(sys.argv[1]), Path(sys.argv[2]))
broker.prepare(lambda *_: None)
broker.start()
broker.wait_ready()
print(broker.pid, flush=True)
time.sleep(600)
"""


def no_progress(label: str, done: int, total: int) -> None: ...


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    cache = kafka.user_cache_folder(os.environ)
    try:
        kafka.fetch_jars(cache, no_progress)
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return cache


@pytest.fixture
def run_broker(tmp_path: Path, cache_dir: Path) -> Iterator[Callable[[], EmbeddedKafka]]:
    """Each call starts a broker, always on the same data folder."""
    brokers = []

    def run() -> EmbeddedKafka:
        broker = EmbeddedKafka(tmp_path / "kafka", cache_dir)
        broker.prepare(no_progress)
        brokers.append(broker)
        broker.start()
        broker.wait_ready()
        return broker

    yield run
    for broker in brokers:
        broker.stop()


def make_topic(broker: EmbeddedKafka, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    admin.close()


def send(broker: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", max_request_size=9 * 1024 * 1024)
    producer.send(topic, value).get(timeout=30)
    producer.close()


def read_first(broker: EmbeddedKafka, topic: str) -> bytes:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap_servers,
        group_id="readers",
        auto_offset_reset="earliest",
        consumer_timeout_ms=30_000,
    )
    value: bytes = next(consumer).value
    consumer.close()
    return value


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_ready_broker_makes_a_topic_at_once_and_takes_an_article_of_8_mib(run_broker):
    broker = run_broker()

    make_topic(broker, "articles.raw")
    send(broker, "articles.raw", b"x" * 8 * 1024 * 1024)

    assert len(read_first(broker, "articles.raw")) == 8 * 1024 * 1024


def test_records_survive_kill_9_and_the_port_stays(run_broker):
    first = run_broker()
    make_topic(first, "articles.raw")
    send(first, "articles.raw", b"kept")

    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: first.poll() is not None)
    again = run_broker()

    assert first.poll() == -signal.SIGKILL
    assert again.bootstrap_servers == first.bootstrap_servers
    assert read_first(again, "articles.raw") == b"kept"


def test_records_survive_other_ports_when_the_remembered_ones_are_taken(run_broker, tmp_path):
    first = run_broker()
    make_topic(first, "articles.raw")
    send(first, "articles.raw", b"kept")
    first.stop()
    ports = json.loads((tmp_path / "kafka" / "ports.json").read_text())

    with socket.create_server(("127.0.0.1", ports["broker"])), socket.create_server(("127.0.0.1", ports["controller"])):
        again = run_broker()

        assert again.bootstrap_servers != first.bootstrap_servers
        assert read_first(again, "articles.raw") == b"kept"


def test_an_asked_port_that_is_in_use_is_a_setting_error_that_names_it(tmp_path, cache_dir):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        broker = EmbeddedKafka(tmp_path / "kafka", cache_dir, port=port)

        with pytest.raises(SettingError, match=str(port)):
            broker.prepare(no_progress)


def test_the_broker_ends_when_its_supervisor_is_killed_and_the_next_one_takes_over(run_broker, tmp_path, cache_dir):
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "kafka"), str(cache_dir)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        broker_pid = int(supervisor.stdout.readline())
        supervisor.kill()
        supervisor.wait()

        next_broker = run_broker()

    assert has_ended(broker_pid)
    assert next_broker.pid != broker_pid


def test_a_second_supervisor_of_a_data_folder_is_stopped(run_broker, tmp_path, cache_dir):
    run_broker()

    with pytest.raises(Stop, match="already runs"):
        EmbeddedKafka(tmp_path / "kafka", cache_dir).prepare(no_progress)


def test_stop_leaves_no_process(run_broker):
    broker = run_broker()
    pid = broker.pid

    broker.stop()

    assert has_ended(pid)
    assert broker.pid is None
    assert broker.poll() is not None


def test_a_broker_that_cannot_start_says_where_its_log_is_and_how_it_ends(tmp_path, cache_dir):
    broker = EmbeddedKafka(tmp_path / "kafka", cache_dir)
    broker.prepare(no_progress)
    (tmp_path / "kafka" / "server.properties").write_text("process.roles=nonsense\n")

    broker.start()

    with pytest.raises(Unavailable, match=r"broker\.log[\s\S]*nonsense"):
        broker.wait_ready()


def test_a_damaged_jar_is_found_and_fetched_again(tmp_path, cache_dir):
    copy = kafka.jar_folder(tmp_path)
    copy.mkdir()
    for path in kafka.jar_folder(cache_dir).iterdir():
        if path.is_file():
            (copy / path.name).hardlink_to(path)
    damaged = copy / "slf4j-api-1.7.36.jar"
    damaged.unlink()
    damaged.write_bytes(b"not a jar")

    problems = kafka.verify_jars(tmp_path)
    kafka.fetch_jars(tmp_path, no_progress)

    assert problems == [f"{damaged} is damaged: its SHA-256 is not the committed one."]
    assert kafka.verify_jars(tmp_path) == []


def test_without_a_network_the_error_names_the_jar_and_what_to_do(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(Unavailable, match=r"\.jar, a part of Kafka 4\.3\.1.*Try again with a network"):
        kafka.fetch_jars(tmp_path, no_progress)


def test_the_jar_list_is_sorted_and_exact():
    lines = [line for line in kafka.JAR_LIST.read_text().splitlines() if not line.startswith("#")]

    assert lines == sorted(lines)
    assert len({jar.file_name for jar in kafka.read_jar_list()}) == len(lines) == 46
    assert all(len(jar.sha256) == 64 for jar in kafka.read_jar_list())
