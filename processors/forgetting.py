"""articles.withdrawals -> what was erased, told to the signature log: no worker's index holds anything of it any more.

Each worker reads the whole topic when it starts, without a group, and goes on as it grows. What it tells the log hangs
on what its own replica holds, so it may be told again after a crash, and by each worker once: that changes nothing.
"""

from typing import Final, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from pipeline import backoff, logs, topics
from pipeline.errors import InvalidRecord, Stop, Unavailable
from pipeline.records import Withdrawal
from processors.signature_log import SignatureLog

log = logs.get(__name__)

_POLL_MS: Final = 1000


class Forgetting:
    """What one worker knows of erased articles. `open`; `follow` runs beside the step until cancelled."""

    def __init__(self, consumer: AIOKafkaConsumer, signatures: SignatureLog) -> None:
        self._consumer = consumer
        self._signatures = signatures

    @classmethod
    async def open(cls, bootstrap_servers: str, partitions: int, signatures: SignatureLog) -> Self:
        """Connect, and tell the log of all that was erased up to now."""
        async for attempt in backoff.attempts("deduplicate"):
            with attempt:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=bootstrap_servers,
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                )
                try:
                    await consumer.start()
                except (KafkaConnectionError, OSError) as error:
                    await consumer.stop()
                    raise Unavailable(f"Kafka does not answer at {bootstrap_servers}.") from error
        opened = cls(consumer, signatures)
        try:
            await opened._catch_up([TopicPartition(topics.WITHDRAWALS, n) for n in range(partitions)])
        except BaseException:
            await opened.close()
            raise
        return opened

    async def _catch_up(self, parts: list[TopicPartition]) -> None:
        self._consumer.assign(parts)
        for part, start in (await self._consumer.beginning_offsets(parts)).items():
            self._consumer.seek(part, start)
        left = {
            part: end
            for part, end in (await self._consumer.end_offsets(parts)).items()
            if await self._consumer.position(part) < end
        }
        erased: set[UUID] = set()
        while left:
            erased |= await self._read()
            left = {part: end for part, end in left.items() if await self._consumer.position(part) < end}
        await self._signatures.erase(erased)

    async def follow(self) -> None:
        """Tell the log of what is erased from now on, for ever. Raises Stop when records are gone unread."""
        while True:
            erased = await self._read()
            if erased:
                await self._signatures.erase(erased)

    async def _read(self) -> set[UUID]:
        """Which articles the next records erase."""
        try:
            batches = await self._consumer.getmany(timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError as error:
            raise Stop(
                f"{topics.WITHDRAWALS} no longer holds what this worker reads next: it was shortened or made anew. "
                "Start the worker again: it reads what there is."
            ) from error
        return {article for records in batches.values() for record in records for article in _erased(record)}

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()


def _erased(record: ConsumerRecord) -> list[UUID]:
    try:
        withdrawal = Withdrawal.from_bytes(record.value)
    except InvalidRecord as error:  # the sink makes it a dead letter
        log.warning(
            "a withdrawal cannot be read",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            why=error.detail,
        )
        return []
    return [withdrawal.article_id] if withdrawal.kind == "erased" else []
