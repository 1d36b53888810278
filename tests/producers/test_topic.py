import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaProducer, TopicPartition

from pipeline import broker, topics
from pipeline.errors import SettingError, Stop, Unavailable
from pipeline.records import RawArticle
from producers import topic
from producers.feed import FeedCount
from producers.formats import naming
from producers.spool import Spool, Spooled
from producers.topic import TopicSource

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("sockets_collected")]

MAX_BYTES = 1024**3
TIMEOUT_SECONDS = 30
AT = datetime(2026, 2, 1, 10, 30, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        yield spool


@pytest.fixture(scope="module")
def writer(kafka_server: str) -> Iterator[KafkaProducer]:
    writer = broker.producer(kafka_server)
    yield writer
    writer.close()


@pytest.fixture
def cms(kafka_server: str) -> str:
    """A topic of somebody else with two partitions."""
    name = f"cms.{uuid.uuid4()}"
    make(kafka_server, name)
    return name


def make(kafka_server: str, name: str) -> None:
    with broker.admin(kafka_server) as client:
        client.create_topics({name: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)


def write(writer: KafkaProducer, name: str, *values: bytes | None, key: bytes | None = None) -> None:
    sent = [
        writer.send(name, value, key=key, partition=i % 2, timestamp_ms=int(AT.timestamp() * 1000))
        for i, value in enumerate(values)
    ]
    for future in sent:
        future.get(TIMEOUT_SECONDS)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def value_of(body: str) -> bytes:
    return json.dumps({"body": body}).encode()


def source_of(kafka_server: str, name: str, **others: object) -> TopicSource:
    given = {"group": f"news.feed.{name}", "source": "cms", "names": naming.OURS, **others}
    return TopicSource(kafka_server, name, **given)  # type: ignore[arg-type]


def fed(spool: Spool, source: TopicSource) -> FeedCount:
    return topic.feed_topic(source, spool, follow=False, timeout_seconds=TIMEOUT_SECONDS)


def rows_in(spool: Spool) -> list[Spooled]:
    return spool.read_after(0, 10**6, 10**12)


def bodies_in(spool: Spool) -> list[str]:
    return sorted(RawArticle.from_bytes(s.row.value).body for s in rows_in(spool) if s.row.topic == topics.RAW)


def test_a_topic_is_fed_to_its_end_and_then_goes_on_from_there(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    source = source_of(kafka_server, cms)
    write(writer, cms, value_of("one"), value_of("two"), value_of("three"))
    counts = [fed(spool, source), fed(spool, source)]
    write(writer, cms, value_of("four"))
    counts.append(fed(spool, source))

    assert counts == [FeedCount(accepted=3), FeedCount(), FeedCount(accepted=1)]
    assert bodies_in(spool) == ["four", "one", "three", "two"]
    article = RawArticle.from_bytes(rows_in(spool)[0].row.value)
    assert (article.source, article.source_item_id, article.observed_at) == ("cms", None, AT)
    with broker.admin(kafka_server) as client:
        committed = broker.committed_offsets(client, source.group)
    assert committed == {(cms, 0): 3, (cms, 1): 1}


def test_their_fields_are_mapped_and_the_key_may_be_the_own_id(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    value = {"doc": {"head": "A", "text": "Text."}, "link": "https://a.example/1", "updated": "2026-02-01"}
    write(writer, cms, json.dumps(value).encode(), key=b"doc-7")

    names = naming.parse(["title=doc.head,body=doc.text,url=link", "updated_at=updated", f"id={topic.KEY}"])
    fed(spool, source_of(kafka_server, cms, names=names))

    article = RawArticle.from_bytes(rows_in(spool)[0].row.value)
    assert (article.title, article.body, article.url, article.source_item_id) == (
        "A", "Text.", "https://a.example/1", "doc-7",
    )  # fmt: skip
    assert article.updated_at == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_bad_record_is_a_dead_letter_with_its_place_and_an_empty_one_is_left_out(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    write(writer, cms, b"{", None, b"[]", value_of("one"), b"\xff", b'{"title": "no text"}', key=b"k")

    count = fed(spool, source_of(kafka_server, cms))

    assert count == FeedCount(accepted=1, dead_lettered=4, left_out=1)
    headers = [dict(s.row.headers) for s in rows_in(spool) if s.row.topic == topics.DEAD_LETTER]
    assert {(h["dl-origin"].decode(), h["dl-reason"].decode()) for h in headers} == {
        (f"kafka://{cms}/0/0", "not-json"),
        (f"kafka://{cms}/0/1", "wrong-shape"),
        (f"kafka://{cms}/0/2", "not-utf-8"),
        (f"kafka://{cms}/1/2", "no-text"),
    }


def test_another_group_begins_where_it_is_told(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    write(writer, cms, value_of("old"), value_of("old, too"))
    late = source_of(kafka_server, cms, group="late", begin="latest")

    counts = [fed(spool, late), fed(spool, source_of(kafka_server, cms, group="early"))]
    write(writer, cms, value_of("new"))
    counts.append(fed(spool, late))

    assert [count.accepted for count in counts] == [0, 2, 1]


def test_what_a_transaction_took_back_is_not_fed(kafka_server: str, cms: str, spool: Spool) -> None:
    writer = KafkaProducer(bootstrap_servers=kafka_server, transactional_id=f"test-{cms}", acks="all")
    writer.init_transactions()
    for body, is_kept in (("kept", True), ("taken back", False)):
        writer.begin_transaction()
        writer.send(cms, value_of(body), partition=0)
        if is_kept:
            writer.commit_transaction()
        else:
            writer.abort_transaction()
    writer.close()

    count = fed(spool, source_of(kafka_server, cms))

    assert count == FeedCount(accepted=1)
    assert bodies_in(spool) == ["kept"]


def test_a_topic_that_was_made_anew_stops_and_says_what_to_do(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    write(writer, cms, value_of("one"))
    fed(spool, source_of(kafka_server, cms))
    with broker.admin(kafka_server) as client:
        client.delete_topics([cms])
        eventually(lambda: cms not in broker.topic_states(client))
    make(kafka_server, cms)

    with pytest.raises(Stop, match=r"made anew.*--group"):
        fed(spool, source_of(kafka_server, cms))


def test_records_that_are_gone_from_the_log_stop_with_their_number(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    source = source_of(kafka_server, cms)
    write(writer, cms, value_of("one"))
    fed(spool, source)
    write(writer, cms, value_of("two"), value_of("x"), value_of("three"), value_of("x"))
    with broker.admin(kafka_server) as client:
        client.delete_records({TopicPartition(cms, 0): 3})

    with pytest.raises(Stop, match="2 records are gone"):
        fed(spool, source)


def test_a_topic_that_is_not_there_is_said(kafka_server: str, spool: Spool) -> None:
    with pytest.raises(SettingError, match="There is no topic nowhere"):
        fed(spool, source_of(kafka_server, "nowhere"))


def test_a_cluster_that_does_not_answer_is_said(spool: Spool) -> None:
    with pytest.raises(Unavailable):
        topic.feed_topic(source_of("127.0.0.1:9", "x"), spool, follow=False, timeout_seconds=1)


def test_a_topic_is_followed_until_the_end_is_asked_for(
    kafka_server: str, writer: KafkaProducer, cms: str, spool: Spool
) -> None:
    stop = threading.Event()

    def follow() -> None:
        with spool.another() as own:
            source = source_of(kafka_server, cms)
            topic.feed_topic(source, own, follow=True, timeout_seconds=TIMEOUT_SECONDS, stop=stop)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        for i in range(3):
            write(writer, cms, value_of(f"text {i}"))
            eventually(lambda i=i: len(bodies_in(spool)) == i + 1)  # type: ignore[misc]
    finally:
        stop.set()
        thread.join(TIMEOUT_SECONDS)
    assert not thread.is_alive()


FEED = """
import sys
from pathlib import Path
from producers.spool import Spool
from producers.topic import TopicSource, feed_topic
source = TopicSource(sys.argv[1], sys.argv[2], "group", "cms", {})
feed_topic(source, Spool(Path(sys.argv[3]), 1 << 30), follow=False, timeout_seconds=30)
"""


def test_a_kill_while_feeding_loses_nothing_and_gives_no_second_id(
    kafka_server: str, writer: KafkaProducer, cms: str, tmp_path: Path
) -> None:
    bodies = sorted(f"text {i}" for i in range(3 * topic.MAX_RECORDS))
    write(writer, cms, *map(value_of, bodies))
    command = [sys.executable, "-c", FEED, kafka_server, cms, str(tmp_path / "spool")]

    # The first transaction keeps the places to begin at.
    killed = subprocess.run(command, check=False, env={**os.environ, "NEWS_TEST_CRASH_AT": "producers.after_spool:2"})
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        kept = bodies_in(spool)
    subprocess.run(command, check=True)

    assert killed.returncode == 70
    assert 0 < len(kept) < len(bodies)
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        assert bodies_in(spool) == bodies
