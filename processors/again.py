"""articles.reenrich -> articles.enriched: stored versions once more, while no new article waits.

A consumer of its own beside Faust's, with a group of its own: in one consumer a channel that is full holds up all the
others, so versions that wait for hours would hold up the new articles. While new ones wait nothing is asked of it: its
heartbeats go on in the background, it holds a few records that it fetched ahead, and with a poll interval of days its
place in the group stays its own. (pause() and resume() would do no more, and forget themselves at each rebalance.)
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pipeline import backoff, broker, logs, metrics, topics
from pipeline.errors import Stop, Unavailable
from pipeline.records import Coordinates
from pipeline.topics import KIB, MIB
from processors import guard
from processors.continuity import Continuity
from processors.incoming import Incoming

log = logs.get(__name__)

STAGE: Final = "reenrich"
GROUP: Final = "news.reenrich"
#: A new article that comes meanwhile waits for so many at most.
BATCH: Final = 8
#: How often to look whether new articles still wait.
LOOK_SECONDS: Final = 0.1
POLL_MS: Final = 1000
#: The batch in work may end when the stage does; one that takes longer comes again.
STOP_SECONDS: Final = 10.0

Take = Callable[[Sequence[Incoming]], Awaitable[None]]


class Live:
    """Whether a new article waits for this worker: in its hands, fetched, or in the log behind its place."""

    def __init__(self, bootstrap_servers: str, group: str) -> None:
        self._bootstrap = bootstrap_servers
        self._group = group
        self._observer: AIOKafkaConsumer | None = None
        self._assigned: frozenset[int] = frozenset()
        self._next: dict[int, int] = {}  # behind what is done, or at least what the group has committed
        self._batches = 0

    async def assigned(self, _app: object, assigned: Iterable[Any], **_: object) -> None:
        """The partitions of articles.unique that are this worker's from now on."""
        self._assigned = frozenset(tp.partition for tp in assigned if tp.topic == topics.UNIQUE)
        self._next.clear()

    @contextmanager
    def at_work(self, records: Sequence[Incoming]) -> Iterator[None]:
        """New articles are in work inside the block, and done behind it."""
        self._batches += 1
        yield
        self._batches -= 1
        for at in (record.at for record in records):
            self._next[at.partition] = max(self._next.get(at.partition, 0), at.offset + 1)

    async def open(self) -> None:
        """Connect. Raises Unavailable."""
        # In the group of the new articles only to ask where it stands: it subscribes to nothing and so never joins.
        self._observer = await _started(
            AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=self._group, enable_auto_commit=False)
        )

    async def waits(self) -> bool:
        """Whether one waits now; also while the broker cannot be asked."""
        if self._batches or self._observer is None:
            return True
        places = [TopicPartition(topics.UNIQUE, partition) for partition in self._assigned]
        try:
            ends = await self._observer.end_offsets(places) if places else {}
            for place in places:
                if ends[place] > self._next.get(place.partition, 0):
                    # Perhaps it was done before this worker had the partition, and then only the group knows.
                    committed = await self._observer.committed(place) or 0
                    self._next[place.partition] = max(self._next.get(place.partition, 0), committed)
        except KafkaError as error:
            log.info("the lag of new articles is not known", error=repr(error))
            return True
        return bool(self._batches) or any(ends[place] > self._next.get(place.partition, 0) for place in places)

    async def none_waits(self) -> None:
        """Come back when none does."""
        while await self.waits():
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Disconnect."""
        if self._observer is not None:
            await self._observer.stop()


class Again:
    """Reads the topic beside the agent, on the same event loop."""

    def __init__(self, bootstrap_servers: str, topic_id: UUID, take: Take, live: Live) -> None:
        self._bootstrap = bootstrap_servers
        self._topic_id = topic_id
        self._take = take
        self._live = live
        self._continuity = Continuity(topics.REENRICH, self._committed)
        self._next: dict[int, int] = {}
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; an error ends the process, as one of the agent does."""
        self._task = guard.watched(self._run(), STAGE)

    async def stop(self) -> None:
        """End: the batch in work is finished if that takes seconds, else it comes again."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        consumer: AIOKafkaConsumer | None = None
        try:
            async for attempt in backoff.attempts(STAGE):
                with attempt:
                    await self._live.open()
                    consumer = await self._open()
            while consumer is not None and not self._stopping.is_set():
                await self._take_some(consumer)
        finally:
            if consumer is not None:
                await consumer.stop()
            await self._live.close()

    async def _take_some(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
        records = [self._incoming(record) for batch in fetched.values() for record in batch]
        if not records:
            return
        if not await self._undisturbed():
            return  # asked to end, and nothing was begun
        metrics.records_received.labels(stage=STAGE).inc(len(records))
        if any(record.at.offset < self._next.get(record.at.partition, 0) for record in records):
            self._continuity.forget()  # it goes back: is this still the same topic?
        await self._continuity.check(records)
        with metrics.batch_seconds.labels(stage=STAGE).time():
            await self._take(records)  # 1. the broker has the outcomes
        for at in (record.at for record in records):
            self._next[at.partition] = at.offset + 1
        await self._acknowledge(consumer, {record.at.partition for record in records})  # 2. a crash before repeats them

    async def _undisturbed(self) -> bool:
        """Wait until no new article waits; False when the stage shall end first."""
        quiet = asyncio.ensure_future(self._live.none_waits())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({quiet, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if quiet.done():
                quiet.result()  # what went wrong in there is no silence
            return quiet.done() and not self._stopping.is_set()
        finally:
            quiet.cancel()
            stopping.cancel()

    async def _acknowledge(self, consumer: AIOKafkaConsumer, partitions: Iterable[int]) -> None:
        offsets = {TopicPartition(topics.REENRICH, partition): self._next[partition] for partition in partitions}
        try:
            await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:  # given away meanwhile: done twice, to the same end
            log.info("group offsets not committed", error=repr(error))
        except KafkaError as error:
            if not error.retriable:
                raise
            log.info("group offsets not committed", error=repr(error))

    async def _open(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # and _continuity stops where that is a jump
            max_poll_interval_ms=int(timedelta(days=7).total_seconds() * 1000),
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=30_000,
            request_timeout_ms=40_000,
            max_partition_fetch_bytes=1 * MIB + 64 * KIB,  # a larger record comes alone
        )
        consumer.subscribe([topics.REENRICH], listener=_Rebalances(self._continuity, self._next))
        return await _started(consumer)

    def _incoming(self, record: Any) -> Incoming:
        at = Coordinates(topic_id=self._topic_id, partition=record.partition, offset=record.offset)
        return Incoming(record.topic, at, record.key, record.value, list(record.headers))

    def _committed(self) -> broker.Offsets:
        """What the group has committed, of the topic that this worker knows; waits while the broker is away."""

        def ask() -> broker.Offsets:
            with broker.admin(self._bootstrap) as client:
                state = broker.topic_states(client).get(topics.REENRICH)
                if state is None or state.id != self._topic_id:
                    raise Stop(f"{topics.REENRICH} was deleted or made anew while it was read: start this stage again.")
                return broker.committed_offsets(client, GROUP)

        return backoff.forever(STAGE, ask)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Somebody else may have gone on meanwhile."""

    def __init__(self, continuity: Continuity, following: dict[int, int]) -> None:
        self._continuity = continuity
        self._following = following

    def on_partitions_revoked(self, revoked: object) -> None:
        pass

    def on_partitions_assigned(self, assigned: object) -> None:
        self._continuity.forget()
        self._following.clear()


async def _started(consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await consumer.stop()
        if isinstance(error, KafkaError) and not error.retriable:
            raise
        raise Unavailable(f"Kafka does not answer: {error!r}") from error
    return consumer
