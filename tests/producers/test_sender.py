import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ops.embedded.kafka import EmbeddedKafka
from pipeline import topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import NewsError, Reason, Unavailable
from pipeline.records import Coordinates, RawArticle
from pipeline.settings import ProducerSettings, Settings
from producers import run, sender
from producers.deliveries import Row
from producers.feed import feed_once
from producers.spool import Spool
from tests.cluster import records_on
from tests.fixtures.kafka import cache_folder, make_topics_afresh, missing

# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
pytestmark = [
    pytest.mark.services,
    pytest.mark.usefixtures("sockets_collected"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

MAX_BYTES = 1024**3
DEADLINE_SECONDS = 60


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        yield spool


def send_all(spool: Spool, bootstrap_servers: str) -> None:
    run.drain(spool, bootstrap_servers, threading.Event(), timeout_seconds=DEADLINE_SECONDS)


def row_of(number: int, key: bytes, value: bytes | None = None) -> Row:
    headers = [("ce_id", str(UUID(int=number)).encode())]
    return Row(topics.RAW, key, value or str(number).encode(), headers, UUID(int=number))


def test_articles_and_dead_letters_arrive_with_keys_and_headers(kafka: str, spool: Spool, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"url": "https://a.example/1", "body": "Text."}\n{"bo\n')
    feed_once([path], "file", None, spool, only_changed=False)

    send_all(spool, kafka)

    (article,) = records_on(kafka, topics.RAW)
    raw = RawArticle.from_bytes(article.value)
    assert raw.body == "Text."
    assert dict(article.headers)["ce_id"] == str(raw.delivery_id).encode()
    (dead,) = records_on(kafka, topics.DEAD_LETTER)
    letter = DeadLetter.from_kafka(
        dead.key, dead.value, dead.headers, Coordinates(topic_id=uuid4(), partition=0, offset=dead.offset)
    )
    assert (letter.reason, letter.value, letter.origin) == (Reason.NOT_JSON, b'{"bo', f"{path}:2")
    assert dead.key == str(letter.id).encode()
    assert spool.held().records == 0


def test_one_article_keeps_its_order_among_many(kafka: str, spool: Spool) -> None:
    rows = [row_of(i, b"same" if i % 3 == 0 else f"key {i}".encode()) for i in range(600)]
    spool.append(rows)

    send_all(spool, kafka)

    found = records_on(kafka, topics.RAW)
    assert sorted(int(record.value) for record in found) == list(range(600))
    assert [int(r.value) for r in found if r.key == b"same"] == list(range(0, 600, 3))
    for partition in {record.partition for record in found}:
        numbers = [int(record.value) for record in found if record.partition == partition]
        assert numbers == sorted(numbers), "and nothing overtakes in a partition"


def test_a_record_that_can_never_be_sent_becomes_a_dead_letter(kafka: str, spool: Spool) -> None:
    large = os.urandom(topics.MAX_RECORD_BYTES + 1)
    spool.append([row_of(1, b"a"), row_of(2, b"a", large), row_of(3, b"a")])

    send_all(spool, kafka)
    send_all(spool, kafka)  # the dead letter came after the last number that the first one waited for

    assert [record.value for record in records_on(kafka, topics.RAW)] == [b"1", b"3"]
    (dead,) = records_on(kafka, topics.DEAD_LETTER)
    headers = dict(dead.headers)
    assert headers["dl-reason"] == b"too-large"
    assert headers["dl-length"] == str(len(large)).encode()
    assert large.startswith(dead.value)


def test_a_row_of_another_process_leaves_at_once(kafka: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    settings = Settings(data_dir=tmp_path, producers=ProducerSettings(stable_seconds=0.05))
    stop = threading.Event()
    thread = threading.Thread(target=run.run, args=(kafka, settings, [inbox], stop))
    thread.start()
    try:
        with run.open_spool(settings) as spool:
            spool.append([row_of(1, b"a")])
            sender.wait_until_sent(spool, 1, threading.Event(), DEADLINE_SECONDS)
            (inbox / "a.txt").write_bytes(b"Text.")
            deadline = time.monotonic() + DEADLINE_SECONDS
            while spool.held().last_seq < 2 or spool.held().records:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)

    assert not thread.is_alive()
    assert len(records_on(kafka, topics.RAW)) == 2


def test_a_broker_that_is_away_keeps_the_rows(spool: Spool) -> None:
    spool.append([row_of(1, b"a")])

    with pytest.raises(Unavailable, match="1 records are safe"):
        run.drain(spool, "127.0.0.1:1", threading.Event(), timeout_seconds=0.5)

    assert spool.held().records == 1


DRAIN = """
import sys, threading
from pathlib import Path
from producers import run
from producers.spool import Spool
run.drain(Spool(Path(sys.argv[1]), 1 << 30), sys.argv[2], threading.Event(), 60)
"""


def test_a_kill_after_sending_sends_again_under_the_same_ids(kafka: str, spool: Spool) -> None:
    rows = [row_of(i, f"key {i % 50}".encode()) for i in range(1000)]
    spool.append(rows)
    command = [sys.executable, "-c", DRAIN, str(spool.folder), kafka]

    killed = subprocess.run(command, check=False, env={**os.environ, "NEWS_TEST_CRASH_AT": "producers.after_send"})
    left = spool.held().records
    subprocess.run(command, check=True)

    assert killed.returncode == 70
    assert left == 1000
    found = records_on(kafka, topics.RAW)
    assert {int(r.value) for r in found} == set(range(1000))
    assert all(dict(r.headers)["ce_id"] == str(UUID(int=int(r.value))).encode() for r in found)
    for key in {row.key for row in rows}:
        assert_in_order([int(r.value) for r in found if r.key == key])


def assert_in_order(numbers: list[int]) -> None:
    """First deliveries come in order; what comes again was there before."""
    seen: list[int] = []
    for number in numbers:
        if number not in seen:
            assert not seen or number > max(seen)
            seen.append(number)


@pytest.mark.embedded
def test_a_broker_that_dies_while_sending_loses_nothing(tmp_path: Path, spool: Spool) -> None:
    server = EmbeddedKafka(tmp_path / "kafka", cache_folder())
    try:
        server.prepare(lambda _what, _done, _of: None)
        server.start()
        server.wait_ready()
    except NewsError as error:
        missing(f"No Kafka for the tests: {error}")
    try:
        make_topics_afresh(server.bootstrap_servers)
        padding = json.dumps("x" * 2000)
        rows = [row_of(i, f"key {i % 300}".encode(), f"[{i}, {padding}]".encode()) for i in range(15_000)]
        spool.append(rows)
        with run.sending(spool, server.bootstrap_servers):
            deadline = time.monotonic() + DEADLINE_SECONDS
            while spool.held().records > 12_000:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            server.stop(timeout_seconds=0)  # killed
            left = spool.held().records
            server.start()
            server.wait_ready()
            sender.wait_until_sent(spool, len(rows), threading.Event(), DEADLINE_SECONDS)
        found = records_on(server.bootstrap_servers, topics.RAW)
    finally:
        server.stop()

    assert 0 < left <= 12_000
    by_key: dict[bytes, list[int]] = {}
    for record in found:
        by_key.setdefault(record.key, []).append(json.loads(record.value)[0])
    assert {n for numbers in by_key.values() for n in numbers} == set(range(len(rows)))
    for numbers in by_key.values():
        assert_in_order(numbers)
