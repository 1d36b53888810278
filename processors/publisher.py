"""Records -> Kafka, from a step: returns only when the broker has every one of them."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Self

import aiokafka.codec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import BrokerResponseError, KafkaConnectionError, KafkaError, KafkaTimeoutError, NodeNotReadyError

from pipeline import backoff, logs, metrics
from pipeline.errors import SettingError, Unavailable
from pipeline.events import Headers
from pipeline.topics import KIB, MAX_RECORD_BYTES, MIB

log = logs.get(__name__)


class Outgoing(NamedTuple):
    """A record to send."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class Publisher:
    """An idempotent aiokafka producer (Faust's own can be idempotent only in transactions)."""

    def __init__(self, producer: AIOKafkaProducer, stage: str) -> None:
        self._producer = producer
        self._stage = stage

    @classmethod
    async def open(cls, bootstrap_servers: str, stage: str) -> Self:
        """Connect, trying again for as long as the broker is away."""
        if not aiokafka.codec.has_zstd():
            raise SettingError("aiokafka cannot read zstd here: install the packages of requirements/runtime.txt.")
        async for attempt in backoff.attempts(stage):
            with attempt:
                producer = AIOKafkaProducer(
                    bootstrap_servers=bootstrap_servers,
                    enable_idempotence=True,
                    acks="all",
                    compression_type="zstd",
                    linger_ms=0,  # waiting made the signature log slower, not faster
                    # A batch is one request, and the next one waits for its answer: 200 signatures fit into one.
                    max_batch_size=MIB,
                    max_request_size=MAX_RECORD_BYTES + 64 * KIB,
                    request_timeout_ms=40000,
                )
                try:
                    await producer.start()
                except (KafkaConnectionError, KafkaTimeoutError, OSError) as error:
                    await producer.stop()
                    raise Unavailable(f"Kafka does not answer at {bootstrap_servers}.") from error
                return cls(producer, stage)
        raise AssertionError("unreachable: the policy has no end")

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        """Send all; gives their offsets once all in-sync replicas have them.

        Of records that the broker had taken before and no longer knows where (DuplicateSequenceNumber), aiokafka makes
        up offsets that count from -1; whoever needs the true ones must notice.
        A send that failed, or whose outcome is unknown, is repeated for ever: the next stage tells doubles by their id.
        An error that no repetition mends is raised as it is and ends the process.
        """
        offsets: dict[int, int] = {}
        async for attempt in backoff.attempts(self._stage):
            with attempt:
                await self._send_missing(records, offsets)
        for record in records:
            metrics.records_sent.labels(stage=self._stage, topic=record.topic).inc()
        return [offsets[i] for i in range(len(records))]

    async def _send_missing(self, records: Sequence[Outgoing], offsets: dict[int, int]) -> None:
        missing = [i for i in range(len(records)) if i not in offsets]
        try:
            sent = [
                await self._producer.send(
                    records[i].topic, records[i].value, records[i].key, headers=records[i].headers
                )
                for i in missing
            ]
        except (KafkaTimeoutError, KafkaConnectionError) as error:
            raise Unavailable(f"Kafka takes no records: {error}") from error
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        failed: BaseException | None = None
        for i, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failed = outcome
            else:
                offsets[i] = outcome.offset
        if failed is None:
            return
        if isinstance(failed, (KafkaTimeoutError, KafkaConnectionError, NodeNotReadyError)) or _is_retriable(failed):
            raise Unavailable(f"Kafka did not acknowledge a record: {failed!r}") from failed
        raise failed

    async def close(self) -> None:
        """Disconnect; nothing is in flight by now, as every `publish` has returned."""
        await self._producer.stop()


def _is_retriable(error: BaseException) -> bool:
    return isinstance(error, KafkaError) and isinstance(error, BrokerResponseError) and bool(error.retriable)
