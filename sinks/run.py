"""Decisions, enriched articles, dead letters, states of sources -> PostgreSQL: the loop of `news run sink`."""

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError

from pipeline import backoff, broker, logs, metrics, readiness, topics
from pipeline.errors import InvalidRecord, Unavailable
from pipeline.journal import CrashJournal
from pipeline.settings import Settings
from sinks import postgres, preparing, queries, retention, schema
from sinks.database import STATEMENT_SHARE, Connection, Database, Refused
from sinks.parts import Parts
from sinks.positions import Log, reading_offset
from sinks.rows import DeadLetterRow, Incoming, Partition, Prepared

GROUP: Final = "news.sink"
TOPICS: Final = (topics.DECISIONS, topics.ENRICHED, topics.DEAD_LETTER, topics.SOURCES, topics.WITHDRAWALS)
MAX_RECORDS: Final = 500
POLL_TIMEOUT_MS: Final = 300
COMMIT_RETRY_SECONDS: Final = 1.0
#: So many more objects made than freed: a batch has some hundred thousand.
COLLECT_AFTER: Final = 1_000_000
CLOSE_TIMEOUT_MS: Final = 2000

log = logs.get(__name__)
Result = TypeVar("Result")


class Stopped(Exception):
    """The caller asked to end while a service was away: nothing was acknowledged."""


def run(bootstrap_servers: str, database_url: str, settings: Settings, stop: threading.Event) -> None:
    """Write what is on the topics until `stop` is set, then leave the group.

    Raises Unavailable when a service does not answer at the start; later it is waited for. Raises Stop where going on
    would skip or double; any other exception is a bug, and nothing of the batch in work has been written.
    """
    declared = topics.declared(settings.dedup.window_days, settings.dedup.allowed_lag_days)
    timeout = settings.kafka.start_timeout_seconds
    database = Database(database_url, settings.database.transaction_timeout_seconds)
    with closing(database):
        _wait_for(database, timeout, stop)
        broker.require(bootstrap_servers, [t for t in declared if t.name in TOPICS], timeout, stop)
        if stop.is_set():
            return
        consumer = broker.consumer(
            bootstrap_servers,
            group_id=GROUP,
            client_id="news-sink",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            # How long others wait in a rebalance for one that is in a transaction, and how long one that waits for
            # PostgreSQL keeps its partitions: kafka-python joins again at the next poll, and the locks do the rest.
            max_poll_interval_ms=int(max(60, 2 * settings.database.transaction_timeout_seconds) * 1000),
            max_poll_records=MAX_RECORDS,
        )
        sink = ArticleSink(consumer, database, bootstrap_servers, settings, stop)
        try:
            with _rarely_collected(), retention.beside(database_url, settings.retention, settings.database):
                sink.run()
        except Stopped:
            log.warning("ended while a service was away; nothing was acknowledged")
        finally:
            sink.close()


def _wait_for(database: Database, timeout_seconds: float, stop: threading.Event) -> None:
    deadline = time.monotonic() + timeout_seconds
    try:
        while not stop.is_set():
            try:
                database.run(schema.check_schema)
            except Unavailable as error:
                if isinstance(error, Refused) or time.monotonic() > deadline:
                    raise
                readiness.waits(database, str(error))
                stop.wait(0.2)
            else:
                return
    finally:
        readiness.goes_on(database)


class ArticleSink(ConsumerRebalanceListener):  # type: ignore[misc]
    """One member of the group. The places in the database are the truth; Kafka's are for lag tools."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        database: Database,
        bootstrap_servers: str,
        settings: Settings,
        stop: threading.Event,
    ) -> None:
        self._consumer = consumer
        self._database = database
        self._transaction_timeout_seconds = settings.database.transaction_timeout_seconds
        self._bootstrap_servers = bootstrap_servers
        self._journal_folder = settings.data_dir / "journal"
        self._journals: dict[str, CrashJournal] = {}  # by topic
        self._topic_ids: dict[str, UUID] = {}
        self._stop = stop
        self._joined = self._ready = False
        self._assigned: set[TopicPartition] = set()  # ours, place not looked up yet: paused
        self._next: dict[TopicPartition, int] = {}  # ours, and where we read on
        self._to_commit: dict[TopicPartition, int] = {}
        self._commit_sent_at = 0.0
        self._lock = threading.Lock()  # kafka-python calls the listener from its own thread
        # One batch is written while the next is read and prepared: PostgreSQL and this process have a core each.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write")
        self._in_work: tuple[Future[list[DeadLetterRow]], dict[TopicPartition, int]] | None = None  # and what is behind
        self._ended = threading.Event()

    def run(self) -> None:
        """Poll, write, until asked to stop."""
        self._consumer.subscribe(list(TOPICS), listener=self)
        while not self._stop.is_set():
            polled = self._patiently(self._poll)
            readiness.coordinator(self, is_known=self._consumer._coordinator.coordinator_id is not None)
            if self._assigned:
                self._patiently(self._take_over)
            if self._joined and not self._ready:  # a member beyond the number of partitions is ready too
                readiness.mark()
                self._ready = True
            if polled:
                self._handle(polled)
            else:
                self._finish()
            self._commit()
        self._finish()

    def close(self) -> None:
        """Let the batch in work end, tell Kafka how far we are, if it listens, and leave the group."""
        self._ended.set()
        self._writer.shutdown()
        try:
            if self._to_commit:
                self._consumer.commit(_offsets(self._to_commit), timeout_ms=CLOSE_TIMEOUT_MS)
        except KafkaError as error:
            log.info("group offsets not committed at the end", error=str(error))
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)

    # Called by kafka-python, on its own thread: nothing here may wait.

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Keep the new partitions still until the database has said where to read on."""
        with self._lock:
            self._joined = True
            for partition in assigned:
                # Any offset will do while paused: without one the same poll would take Kafka's, or fail.
                self._consumer.seek(partition, 0)
                self._consumer.pause(partition)
                self._assigned.add(partition)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget them; every batch is complete, so there is nothing to flush."""
        with self._lock:
            for partition in revoked:
                self._assigned.discard(partition)
                self._next.pop(partition, None)
                self._to_commit.pop(partition, None)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """As revoked: a batch in work is still right, the lock on the place sorts it out."""
        self.on_partitions_revoked(lost)

    # The steps of the loop, each to be repeated when it raises Unavailable.

    def _patiently(self, work: Callable[[], Result]) -> Result:
        def unless_stopped() -> Result:
            if self._stop.is_set() or self._ended.is_set():
                raise Stopped
            return work()

        return backoff.forever(preparing.STAGE, unless_stopped)

    def _poll(self) -> dict[TopicPartition, list[Any]]:
        try:
            with broker.explained(self._bootstrap_servers):
                polled: dict[TopicPartition, list[Any]] = self._consumer.poll(POLL_TIMEOUT_MS)
                return polled
        except (OffsetOutOfRangeError, NoOffsetForPartitionError, LogTruncationError):
            # The log changed under us: ask the database and the cluster again; that says what is missing.
            self._start_over()
            return {}

    def _start_over(self) -> None:
        with self._lock:
            self._next.clear()
            self._to_commit.clear()
        self.on_partitions_assigned(self._consumer.assignment())

    def _take_over(self) -> None:
        """Read on where the database is. Raises Stop when that is not in the log."""
        self._finish()  # its places are not those of a batch that is in work
        with self._lock:
            assigned = set(self._assigned)
        with broker.admin(self._bootstrap_servers) as client, broker.explained(self._bootstrap_servers):
            states = {n: s for n, s in broker.topic_states(client).items() if n in TOPICS}
            starts = broker.log_offsets(client, states, start=True)
            ends = broker.log_offsets(client, states)
        ids = {name: UUID(str(state.id)) for name, state in states.items()}  # kafka-python gives text
        stored = self._database.run(queries.stored_positions)
        found: dict[TopicPartition, int] = {}
        for tp in assigned:
            if (tp.topic, tp.partition) not in ends:
                raise Unavailable(f"Kafka has no {tp.topic} partition {tp.partition} at this moment.")
            place = (tp.topic, tp.partition)
            part = Log(tp.topic, ids[tp.topic], tp.partition, starts[place], ends[place], tp.topic == topics.SOURCES)
            found[tp] = reading_offset(part, stored)
        with self._lock:
            self._topic_ids = ids
            for name, topic_id in ids.items():
                self._journals[name] = CrashJournal(self._journal_folder, preparing.STAGE, str(topic_id))
            for tp in assigned & self._assigned:
                self._consumer.seek(tp, found[tp])
                self._consumer.resume(tp)
                self._next[tp] = self._to_commit[tp] = found[tp]
                self._assigned.discard(tp)

    def _handle(self, polled: dict[TopicPartition, list[Any]]) -> None:
        """Prepare a batch while the one before is written, then hand it over."""
        with self._lock:
            owned = [tp for tp in polled if tp in self._next]
        incoming = [self._incoming(tp, record) for tp in owned for record in polled[tp]]
        metrics.records_received.labels(stage=preparing.STAGE).inc(len(incoming))
        began = time.perf_counter()
        prepared = self._prepare(incoming)
        self._finish()
        with self._lock:
            # Only now: the batch before may have told that the database is further back, or a partition is gone.
            starts = {tp: self._next[tp] for tp in owned if tp in self._next}
            ends = {tp: polled[tp][-1].offset + 1 for tp in starts}
            self._next.update(ends)
        at = {(self._topic_ids[tp.topic], tp.partition): start for tp, start in starts.items()}
        prepared = [p for p in prepared if p.incoming.place in at]
        if prepared:
            self._in_work = self._writer.submit(self._write, prepared, at, began), ends

    def _write(self, prepared: Sequence[Prepared], at: Mapping[Partition, int], began: float) -> list[DeadLetterRow]:
        """On the thread of the writer: all parts of a batch, one after the other."""
        letters: list[DeadLetterRow] = []
        parts = Parts(prepared, at)
        while parts:
            letters += self._patiently(partial(self._write_next, parts)).dead_letters
            parts.written()
        metrics.batch_seconds.labels(stage=preparing.STAGE).observe(time.perf_counter() - began)
        return letters

    def _write_next(self, parts: Parts) -> postgres.Written:
        began = time.monotonic()
        try:
            return self._database.run(partial(_write_part, parts.next, parts.reached))
        except Unavailable:
            # The server ends a statement before this side cuts the connection: it may be busy, and not away.
            if time.monotonic() - began >= STATEMENT_SHARE * self._transaction_timeout_seconds:
                parts.halve()
            raise

    def _finish(self) -> None:
        """Wait until the batch in work is written. Raises what its writing raised."""
        if self._in_work is None:
            return
        (writing, ends), self._in_work = self._in_work, None
        try:
            letters = writing.result()
        except postgres.PositionMoved:
            log.warning("the database is further back than this process: reading on from its places")
            self._start_over()
            return
        for letter in letters:
            log.warning(
                "dead letter",
                reason=letter.reason,
                detail=letter.detail,
                topic=letter.topic,
                partition=letter.partition,
                offset=letter.record_offset,
            )
        with self._lock:
            self._to_commit.update({tp: end for tp, end in ends.items() if tp in self._next})

    def _incoming(self, tp: TopicPartition, record: Any) -> Incoming:
        return Incoming(
            tp.topic, self._topic_ids[tp.topic], tp.partition, record.offset, record.value, record.key, record.headers
        )

    def _prepare(self, incoming: Sequence[Incoming]) -> list[Prepared]:
        """The pure part, inside the crash journal; a suspect is taken alone, so that the next death names it."""
        suspects = [i for i in incoming if self._journals[i.topic].is_suspect(i.partition, i.offset)]
        others = [i for i in incoming if i not in suspects] if suspects else list(incoming)
        prepared: list[Prepared] = []
        for group in (others, *([suspect] for suspect in suspects)):
            by_topic: dict[str, list[tuple[int, int]]] = {}
            for i in group:
                by_topic.setdefault(i.topic, []).append((i.partition, i.offset))
            for topic, places in by_topic.items():
                self._journals[topic].begin(places)
            prepared += [self._prepare_one(i) for i in group]
            for topic, places in by_topic.items():
                self._journals[topic].end(places)
        return prepared

    def _prepare_one(self, incoming: Incoming) -> Prepared:
        journal = self._journals[incoming.topic]
        try:
            journal.check(incoming.partition, incoming.offset)
        except InvalidRecord as error:
            return preparing.dead(incoming, error, journal.crashes(incoming.partition, incoming.offset))
        return preparing.prepare(incoming)

    def _commit(self) -> None:
        """Tell Kafka, without waiting; what it did not take is sent again with the next."""
        with self._lock:
            offsets = dict(self._to_commit)
        if not offsets or time.monotonic() - self._commit_sent_at < COMMIT_RETRY_SECONDS:
            return
        self._commit_sent_at = time.monotonic()
        try:
            self._consumer.commit_async(_offsets(offsets), callback=lambda _, answer: self._committed(offsets, answer))
        except KafkaError as error:
            log.info("group offsets not committed", error=str(error))

    def _committed(self, offsets: dict[TopicPartition, int], answer: object) -> None:
        if isinstance(answer, Exception):
            log.info("group offsets not committed", error=str(answer))
            return
        with self._lock:
            for tp, offset in offsets.items():
                if self._to_commit.get(tp) == offset:
                    del self._to_commit[tp]


def _write_part(part: Sequence[Prepared], at: Mapping[Partition, int], connection: Connection) -> postgres.Written:
    return postgres.write(connection, part, at)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Records and rows are trees: each is freed with its batch, and the collector would go through all of them for
    nothing, hundreds of times a batch. That took a third of what Python does here."""
    usual = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _offsets(offsets: dict[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}
