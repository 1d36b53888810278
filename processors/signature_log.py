"""articles.signatures <-> the replica of this worker: append, wait until it came round, read the decision.

The topic has one partition, so its offsets are an order that all workers agree on; the replica applies it strictly in
that order. A batch waits for its own records: behind or without a broker that is back-pressure, never a guess.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from pipeline import backoff, events, logs, metrics, topics
from pipeline.errors import InvalidRecord, Stop, Unavailable
from pipeline.records import Decision, Signature
from processors.decisions import SignatureIndex
from processors.publisher import Outgoing, Publisher

log = logs.get(__name__)

LOG: Final = TopicPartition(topics.SIGNATURES, 0)
_POLL_MS: Final = 1000
_PROGRESS_SECONDS: Final = 2.0


class SignatureLog:
    """One worker's view of the log. `open`, then `decide` batches; `follow` runs beside it until cancelled."""

    def __init__(self, consumer: AIOKafkaConsumer, publisher: Publisher, index: SignatureIndex) -> None:
        self._consumer = consumer
        self._publisher = publisher
        self._index = index
        self._next = 0  # offset of the next record to apply
        self._moved = asyncio.Condition()
        self._following = False

    @classmethod
    async def open(
        cls,
        bootstrap_servers: str,
        publisher: Publisher,
        log_id: UUID,
        rules_version: int,
        window_ms: int,
        keep_ms: int,
    ) -> "SignatureLog":
        """Connect and apply what the log holds of the last `keep_ms` (2 W + lag), saying how far it is."""
        async for attempt in backoff.attempts("deduplicate"):
            with attempt:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=bootstrap_servers,
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    fetch_max_bytes=50 * topics.MIB,
                    max_partition_fetch_bytes=16 * topics.MIB,
                )
                try:
                    await consumer.start()
                except (KafkaConnectionError, OSError) as error:
                    await consumer.stop()
                    raise Unavailable(f"Kafka does not answer at {bootstrap_servers}.") from error
                consumer.assign([LOG])
        replica = cls(consumer, publisher, SignatureIndex(log_id, rules_version, window_ms))
        try:
            await replica._replay(keep_ms)
        except BaseException:
            await replica.close()
            raise
        return replica

    async def _replay(self, keep_ms: int) -> None:
        oldest = int(time.time() * 1000) - keep_ms
        start = (await self._consumer.beginning_offsets([LOG]))[LOG]
        end = (await self._consumer.end_offsets([LOG]))[LOG]
        found = (await self._consumer.offsets_for_times({LOG: oldest}))[LOG]
        self._next = first = max(start, found.offset) if found is not None else end
        self._consumer.seek(LOG, self._next)
        said = time.monotonic()
        while self._next < end:
            await self._apply_next()
            if time.monotonic() - said > _PROGRESS_SECONDS:
                said = time.monotonic()
                log.info("replaying the signature log", done=self._next - first, of=end - first)

    @property
    def articles_known(self) -> int:
        """How many articles the replica knows."""
        return len(self._index)

    async def follow(self) -> None:
        """Apply the log as it grows, for ever. Raises Stop when going on would guess or forget."""
        self._following = True
        while True:
            await self._apply_next()

    async def _apply_next(self) -> None:
        try:
            batches = await self._consumer.getmany(LOG, timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError as error:
            raise Stop(
                f"{topics.SIGNATURES} no longer holds offset {self._next}, which this worker reads next: the log was "
                "shortened or made anew, and decisions without it would be guesses. Start the worker again: it replays "
                "what there is; check the topic's retention (docs/operations.md)."
            ) from error
        for record in batches.get(LOG, ()):
            self._apply(record)
        metrics.index_entries.set(len(self._index))
        async with self._moved:
            self._moved.notify_all()

    def _apply(self, record: ConsumerRecord) -> None:
        try:
            signature = Signature.from_bytes(record.value)
        except InvalidRecord as error:
            raise Stop(
                f"{topics.SIGNATURES} offset {record.offset} cannot be read ({error.detail}): a worker that passes it "
                "by would decide otherwise than the others. Is a newer version of the pipeline writing to this log?"
            ) from error
        outcome = self._index.apply(signature, record.offset, record.timestamp)
        self._next = record.offset + 1
        if self._following:
            (metrics.replays if outcome.replay else metrics.decisions.labels(kind=outcome.decision.kind)).inc()

    async def decide(self, signatures: Sequence[Signature]) -> list[Decision]:
        """Give these deliveries their place in the order; returns what each is, once this replica has passed them."""
        began = time.monotonic()
        offsets = await self._publisher.publish(
            [
                Outgoing(
                    topics.SIGNATURES,
                    str(s.article_id).encode(),
                    s.to_bytes(),
                    events.headers(s.delivery_id, topics.SIGNATURES, "/processors/deduplicate"),
                )
                for s in signatures
            ]
        )
        highest = max(offsets)
        async with self._moved:
            await self._moved.wait_for(lambda: self._next > highest)
        metrics.log_wait_seconds.observe(time.monotonic() - began)
        decisions = [self._index.outcome(s) for s in signatures]
        missing = [s for s, decision in zip(signatures, decisions, strict=True) if decision is None]
        if missing:
            raise Stop(
                f"The signature log has no decision about raw offset {missing[0].raw.offset} after the replica passed "
                "it. Was the log made anew while this worker ran? Start the worker again."
            )
        return [decision for decision in decisions if decision is not None]

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()
