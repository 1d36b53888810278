"""kafka-python clients with the settings that were measured, and the questions asked of a cluster.

Errors become ours at this door: Unavailable when the cluster does not answer, SettingError where its topics are wrong.
"""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import crc32c  # noqa: F401  kafka-python checksums at 2.8 MB/s without it, and says nothing
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
    RetriableError,
    UnknownTopicOrPartitionError,
)
from kafka.partitioner import DefaultPartitioner

from pipeline import readiness
from pipeline.errors import SettingError, Unavailable
from pipeline.topics import MAX_RAW_BYTES, MAX_RECORD_BYTES, Topic

POLL_SECONDS: Final = 0.05
#: How long a fresh cluster may take to make its topic of group offsets.
COORDINATOR_SECONDS: Final = 10.0
#: With kafka-python's 30 s a client stays silent for up to 23 s after the broker is back.
_RECONNECT: Final = {"reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": 1000}


@contextmanager
def explained(bootstrap_servers: str) -> Iterator[None]:
    """Turn errors of a cluster that does not answer into Unavailable, naming the setting."""
    try:
        yield
    except (RetriableError, OSError) as error:
        why = _unknown_hosts(bootstrap_servers) or str(error) or type(error)
        raise Unavailable(
            f"Kafka does not answer at {bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS): {why}"
        ) from error


def _unknown_hosts(bootstrap_servers: str) -> str:
    """A word about the hosts if none of them has an address: the client says no more than that it timed out."""
    hosts = [server.strip().rpartition(":")[0].strip("[]") for server in bootstrap_servers.split(",")]
    for host in hosts:
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            continue
        return ""
    return f"there is no host {' and no host '.join(hosts)}"


@contextmanager
def admin(bootstrap_servers: str, timeout_seconds: float = 10) -> Iterator[KafkaAdminClient]:
    """An admin client. Raises Unavailable when nothing answers within `timeout_seconds`."""
    milliseconds = int(timeout_seconds * 1000)
    with explained(bootstrap_servers):
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers,
            bootstrap_timeout_ms=milliseconds,
            request_timeout_ms=max(milliseconds, 5000),
            **_RECONNECT,
        )
        with closing(client):
            yield client


class _Partitioner(DefaultPartitioner):  # type: ignore[misc]
    """The default one, which hashes in Python, asked only where there is a choice."""

    def partition(self, topic: str, key: object, serialized_key: bytes | None, *others: Any) -> int:
        *_, cluster = others
        if serialized_key is not None and cluster.partitions_for_topic(topic) == {0}:
            return 0
        chosen: int = super().partition(topic, key, serialized_key, *others)
        return chosen


def producer(bootstrap_servers: str) -> KafkaProducer:
    """An idempotent producer: every acknowledgement means that all in-sync replicas have the record."""
    with explained(bootstrap_servers):
        return KafkaProducer(
            bootstrap_servers=bootstrap_servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            batch_size=262144,
            compression_type="zstd",
            delivery_timeout_ms=120000,
            request_timeout_ms=30000,
            max_request_size=MAX_RECORD_BYTES,
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=5000,
            partitioner=_Partitioner(),
            **_RECONNECT,
        )


def consumer(bootstrap_servers: str, group_id: str | None = None, **settings: Any) -> KafkaConsumer:
    """A consumer that never commits by itself and never jumps: a position outside the log is an error."""
    defaults: dict[str, Any] = {
        "auto_offset_reset": "none",
        "enable_auto_commit": False,
        "fetch_max_wait_ms": 500,
        "max_partition_fetch_bytes": MAX_RECORD_BYTES + MAX_RAW_BYTES,
        "allow_auto_create_topics": False,
        "exclude_internal_topics": True,
        "bootstrap_timeout_ms": 5000,
    }
    with explained(bootstrap_servers):
        return KafkaConsumer(
            bootstrap_servers=bootstrap_servers, group_id=group_id, **{**defaults, **settings}, **_RECONNECT
        )


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it."""

    name: str
    id: UUID
    partitions: int


def topic_states(client: KafkaAdminClient) -> dict[str, TopicState]:
    """All topics of the cluster by name."""
    return {
        t["name"]: TopicState(t["name"], UUID(str(t["topic_id"])), len(t["partitions"]))
        for t in client.describe_topics()
        if t["error_code"] == 0
    }


def apply(client: KafkaAdminClient, topics: Sequence[Topic], partitions: int, replication_factor: int) -> list[str]:
    """Create the topics that are not there; gives their names. An existing topic is never changed here."""
    there = topic_states(client)
    missing = {
        topic.name: {
            "num_partitions": topic.partitions or partitions,
            "replication_factor": replication_factor,
            "configs": {
                "max.message.bytes": str(topic.max_record_bytes + 64 * 1024),  # a batch has a head of its own
                "min.insync.replicas": str(max(1, replication_factor - 1)),
                **topic.config,
            },
        }
        for topic in topics
        if topic.name not in there
    }
    if missing:
        client.create_topics(missing, wait_for_metadata=True)
    return list(missing)


def check(states: dict[str, TopicState], topics: Sequence[Topic]) -> list[str]:
    """What is wrong with the topics of a cluster, one sentence each."""
    problems = [f"{t.name} is missing: run `news topics apply`." for t in topics if t.name not in states]
    problems += [
        f"{t.name} has {states[t.name].partitions} partitions and must have one: its one order is the order "
        "everybody agrees on. Delete the topic and run `news topics apply`."
        for t in topics
        if t.name in states and t.is_one_order and states[t.name].partitions != 1
    ]
    return problems


def require(
    bootstrap_servers: str, topics: Sequence[Topic], timeout_seconds: float, stop: threading.Event | None = None
) -> dict[str, TopicState]:
    """Wait until the cluster answers and has the topics; gives none when `stop` is set before.

    Meanwhile the stage says what it waits for (pipeline/readiness.py). Raises Unavailable (no answer, or topics
    missing, for `timeout_seconds`) or SettingError (a topic is not as it must be).
    """
    try:
        return _required(bootstrap_servers, topics, time.monotonic() + timeout_seconds, stop or threading.Event())
    finally:
        readiness.goes_on(require)


def _required(
    bootstrap_servers: str, topics: Sequence[Topic], deadline: float, stop: threading.Event
) -> dict[str, TopicState]:
    while True:
        _wait_for_a_listener(bootstrap_servers, deadline, stop)
        if stop.is_set():
            return {}
        left = deadline - time.monotonic()
        try:
            with admin(bootstrap_servers, timeout_seconds=max(1, min(left, 5))) as client:
                states = topic_states(client)
        except Unavailable as error:
            if left <= 0:
                raise
            readiness.waits(require, str(error))
            continue
        problems = check(states, topics)
        if not problems:
            return states
        if all(t.name in states for t in topics):
            raise SettingError(" ".join(problems))
        missing = f"Kafka at {bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS): {' '.join(problems)}"
        if left <= 0:
            raise Unavailable(missing)
        readiness.waits(require, missing)
        stop.wait(POLL_SECONDS)  # somebody creates the topics meanwhile


def _wait_for_a_listener(bootstrap_servers: str, deadline: float, stop: threading.Event) -> None:
    """Wait until one of the addresses takes a connection; a client that comes too early backs off and is late."""
    while time.monotonic() < deadline and not stop.is_set():
        for address in bootstrap_servers.split(","):
            host, _, port = address.strip().rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
            except ValueError:
                raise SettingError(f"NEWS_KAFKA__BOOTSTRAP_SERVERS: {address!r} is not host:port.") from None
            except OSError:
                continue
            return
        readiness.waits(require, f"Kafka does not answer at {bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS)")
        stop.wait(POLL_SECONDS)


Offsets = dict[tuple[str, int], int]


def log_offsets(client: KafkaAdminClient, states: dict[str, TopicState], *, start: bool = False) -> Offsets:
    """The end (or start) offset of every partition of these topics."""
    spec = OffsetSpec.EARLIEST if start else OffsetSpec.LATEST
    asked = {TopicPartition(s.name, p): spec for s in states.values() for p in range(s.partitions)}
    return (
        {(tp.topic, tp.partition): o.offset for tp, o in client.list_partition_offsets(asked).items()} if asked else {}
    )


def committed_offsets(client: KafkaAdminClient, group: str) -> Offsets:
    """What a consumer group has committed; empty for a group that never did."""
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            offsets = client.list_group_offsets({group: None})[group]
        except UnknownTopicOrPartitionError:
            return {}
        except (
            CoordinatorNotAvailableError,
            CoordinatorLoadInProgressError,
            NotCoordinatorError,
        ):  # made when first asked for a group
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
            continue
        return {(tp.topic, tp.partition): o.offset for tp, o in offsets.items() if o.offset >= 0}
