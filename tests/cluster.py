"""What a test asks of a real Kafka: put records on a topic, read all of it, see what a group has acknowledged."""

import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from kafka import TopicPartition

from pipeline import broker, cleaning
from pipeline.records import FORGET_KEY, VERDICTS_KEY, Decision, Forget, Signature, Verdict, Verdicts
from pipeline.topics import SIGNATURES
from processors import entry
from processors.signature_index import SignatureIndex

DEADLINE_SECONDS: Final = 60
WINDOW_MS: Final = 7 * 86_400_000


def send(bootstrap_servers: str, topic: str, values: Sequence[bytes], partition: int = 0) -> None:
    """Put these values on one partition, in order."""
    producer = broker.producer(bootstrap_servers)
    try:
        for value in values:
            producer.send(topic, value, partition=partition)
        producer.flush(DEADLINE_SECONDS)
    finally:
        producer.close()


def records_on(bootstrap_servers: str, topic: str) -> list[Any]:
    """Everything on a topic, partition by partition."""
    client = broker.consumer(bootstrap_servers, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, p) for p in client.partitions_for_topic(topic)]
        client.assign(partitions)
        ends = client.end_offsets(partitions)
        client.seek_to_beginning(*partitions)
        found: list[Any] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(client.position(p) < ends[p] for p in partitions):
            assert time.monotonic() < deadline
            for batch in client.poll(timeout_ms=200).values():
                found += batch
        return found
    finally:
        client.close()


def values_on(bootstrap_servers: str, topic: str) -> list[bytes]:
    return [record.value for record in records_on(bootstrap_servers, topic)]


def signatures_on(bootstrap_servers: str) -> list[Any]:
    """The signatures in the signature log, without the verdicts about them, and without what is to be forgotten."""
    return [r for r in records_on(bootstrap_servers, SIGNATURES) if r.key not in (VERDICTS_KEY, FORGET_KEY)]


def forgotten_on(bootstrap_servers: str) -> list[UUID]:
    """The articles that the signature log says to forget."""
    told = [r.value for r in records_on(bootstrap_servers, SIGNATURES) if r.key == FORGET_KEY]
    return [Forget.from_bytes(value).article_id for value in told]


def verdicts_on(bootstrap_servers: str) -> list[Verdict]:
    """The verdicts in the signature log."""
    told = [r.value for r in records_on(bootstrap_servers, SIGNATURES) if r.key == VERDICTS_KEY]
    return [verdict for value in told for verdict in Verdicts.from_bytes(value).verdicts]


def replayed(bootstrap_servers: str, log_id: UUID | None = None) -> list[Decision]:
    """The decisions of an index that reads all of the log from its beginning but the verdicts."""
    with broker.admin(bootstrap_servers) as client:
        found_id = broker.topic_states(client)[SIGNATURES].id
    known = SignatureIndex(log_id or found_id, cleaning.load_rules().version, WINDOW_MS)
    made: list[Decision] = []
    for r in records_on(bootstrap_servers, SIGNATURES):
        if r.key == FORGET_KEY:
            known.forget(entry.read_forget(r.value, r.offset, r.timestamp))
        elif r.key != VERDICTS_KEY:
            made.append(known.apply(Signature.from_bytes(r.value), r.offset, r.timestamp).decision)
    return made


def shorten(bootstrap_servers: str, topic: str, begin: int) -> None:
    """Delete the first records of a topic with one partition, as its retention does."""
    with broker.admin(bootstrap_servers) as client:
        client.delete_records({TopicPartition(topic, 0): begin})


def size_of(bootstrap_servers: str, *topics: str) -> int:
    """How many records stand on these topics."""
    with broker.admin(bootstrap_servers) as client:
        states = {name: state for name, state in broker.topic_states(client).items() if name in topics}
        ends, starts = broker.log_offsets(client, states), broker.log_offsets(client, states, start=True)
    return sum(ends.values()) - sum(starts.values())


def acknowledged(bootstrap_servers: str, group: str) -> int:
    """How many records a group has acknowledged, of all its partitions."""
    with broker.admin(bootstrap_servers) as client:
        return sum(broker.committed_offsets(client, group).values())
