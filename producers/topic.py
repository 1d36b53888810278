"""Another Kafka topic -> the spool: each value is an object with the fields of JSON lines, or with some mapped to them.

The place in the topic is kept in the transaction of the rows that came from there: a kill at any point loses none and
gives none a second delivery id. What the consumer group has committed follows, for lag tools.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from pipeline import broker, dead_letters, identity, logs, metrics, records
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, SettingError, Stop, Unavailable
from pipeline.records import RawArticle
from producers import deliveries, files
from producers.deliveries import Row
from producers.feed import FeedCount, Progress, silent
from producers.formats import fields, json_lines, naming
from producers.formats.page import Extract
from producers.spool import Spool

Begin = Literal["earliest", "latest"]
#: In a mapping: the record's key, as text.
KEY: Final = "@key"
POLL_MS: Final = 300
MAX_RECORDS: Final = 500
COMMIT_SECONDS: Final = 1.0
CLOSE_TIMEOUT_MS: Final = 2000
#: How often new partitions of a topic that is followed are looked for.
LOOK_SECONDS: Final = 30.0

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class TopicSource:
    """A topic to feed. `group` names who reads it: another one has a place of its own, and starts at `begin`."""

    bootstrap_servers: str
    topic: str
    group: str
    source: str
    names: naming.Names
    begin: Begin = "earliest"


def feed_topic(
    given: TopicSource,
    spool: Spool,
    *,
    follow: bool,
    timeout_seconds: float,
    extract: Extract | None = None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> FeedCount:
    """Feed the topic from where its group was to where it ends now; with `follow` go on until `stop` is set.

    `extract` finds the text in html. Raises SettingError where there is no such topic, Stop where its log no longer
    holds what comes next, Unavailable where the cluster does not answer for `timeout_seconds` (with `follow` only at
    the start).
    """
    feed = _TopicFeed(given, spool, timeout_seconds, extract, progress, stop or threading.Event())
    try:
        feed.run(follow=follow)
    finally:
        feed.close()
    return feed.count


class _TopicFeed:
    def __init__(
        self,
        given: TopicSource,
        spool: Spool,
        timeout_seconds: float,
        extract: Extract | None,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self.count = FeedCount()
        self._given = given
        self._spool = spool
        self._timeout_seconds = timeout_seconds
        self._extract = extract
        self._progress = progress
        self._stop = stop
        self._next: dict[int, int] = {}  # by partition, as the spool has it
        self._committed_at = 0.0
        self._uncommitted: set[int] = set()
        self._moved: set[int] = set()
        self._consumer: KafkaConsumer | None = None

    def run(self, *, follow: bool) -> None:
        ends = self._take_up()
        consumer = self._consumer = broker.consumer(
            self._given.bootstrap_servers,
            group_id=self._given.group,
            client_id="news-feed-topic",
            isolation_level="read_committed",  # what a transaction took back was never said
            max_poll_records=MAX_RECORDS,
        )
        self._assign(consumer)
        with self._explained():
            # Of committed records: those of an open transaction are not waited for.
            found = consumer.end_offsets([self._tp(partition) for partition in ends])
            ends = {tp.partition: offset for tp, offset in found.items()}
        looked_at = came_at = time.monotonic()
        while not self._stop.is_set():
            if not follow and all(self._next[partition] >= end for partition, end in ends.items()):
                return
            with self._explained():
                polled = consumer.poll(POLL_MS)
                places = {tp.partition: consumer.position(tp) for tp in consumer.assignment()}
            if self._keep(polled, places):
                came_at = time.monotonic()
            self._commit(consumer)
            now = time.monotonic()
            if not follow and now - came_at > self._timeout_seconds:
                raise Unavailable(f"Nothing came from {self._given.topic} for {self._timeout_seconds:.0f} s.")
            if follow and now - looked_at > LOOK_SECONDS:
                looked_at = now
                if len(consumer.partitions_for_topic(self._given.topic) or ()) > len(self._next):
                    self._take_up()
                    self._assign(consumer)

    def close(self) -> None:
        """Tell Kafka how far this is, if it listens."""
        if self._consumer is None:
            return
        try:
            if self._moved:
                self._consumer.commit(self._offsets(self._moved), timeout_ms=CLOSE_TIMEOUT_MS)
        except KafkaError as error:
            log.info("group offsets not committed at the end", error=str(error))
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)

    def _take_up(self) -> dict[int, int]:
        """Find the place in each partition, and keep those that are new; gives where the partitions end.

        Raises Stop where a place is not in the log.
        """
        given = self._given
        with broker.admin(given.bootstrap_servers, self._timeout_seconds) as client, self._explained():
            state = broker.topic_states(client).get(given.topic)
            if state is None:
                raise SettingError(f"There is no topic {given.topic} at {given.bootstrap_servers}.")
            states = {given.topic: state}
            starts = {p: o for (_, p), o in broker.log_offsets(client, states, start=True).items()}
            ends = {p: o for (_, p), o in broker.log_offsets(client, states).items()}
        topic_id = str(state.id)
        where = {"reader": given.group, "topic": given.topic}
        first_places = starts if given.begin == "earliest" else ends

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(_sql("topic_schema"))
            known = {row[0] for row in connection.execute(_sql("read_topic_places"), where)}
            for partition in starts.keys() - known:
                # What a topic got while it was followed is read from its start.
                place = starts[partition] if known else first_places[partition]
                values = {**where, "partition": partition, "topic_id": topic_id, "next_offset": place}
                connection.execute(_sql("begin_topic_place"), values)

        self._spool.append([], also=keep)
        for partition, stored_id, place in self._spool.select(_sql("read_topic_places"), where):
            if stored_id != topic_id:
                raise self._stop_at(f"{given.topic} is not the topic that was read before: it was made anew")
            if partition not in starts or not starts[partition] <= place <= ends[partition]:
                start, end = starts.get(partition, 0), ends.get(partition, 0)
                gone = f"; {start - place:,} records are gone" if start > place else ""
                raise self._stop_at(
                    f"{given.topic} partition {partition} was read up to {place:,} and holds {start:,} to {end:,}{gone}"
                )
            self._next[partition] = place
        return ends

    def _stop_at(self, what: str) -> Stop:
        return Stop(f"{what}. To read what it has now, give another --group, and --from.")

    def _assign(self, consumer: KafkaConsumer) -> None:
        # All partitions, by hand: there is one place for each, in this spool, so nobody else may have a part of them.
        consumer.assign([self._tp(partition) for partition in self._next])
        for partition, offset in self._next.items():
            consumer.seek(self._tp(partition), offset)

    def _keep(self, polled: Mapping[TopicPartition, Sequence[Any]], places: Mapping[int, int]) -> bool:
        """Put what came on disk, with the places behind it; whether anything came."""
        moved = {p: place for p, place in places.items() if place is not None and place != self._next[p]}
        if not moved:
            return False
        kept: list[tuple[RawArticle | DeadLetter, Row]] = []
        dropped = 0
        for record in (record for found in polled.values() for record in found):
            if record.value is None:
                dropped += 1
            else:
                kept.append(self._delivery(record))

        def move(connection: sqlite3.Connection) -> None:
            for partition, place in moved.items():
                values = {
                    "reader": self._given.group,
                    "topic": self._given.topic,
                    "partition": partition,
                    "before": self._next[partition],
                    "next_offset": place,
                }
                if connection.execute(_sql("move_topic_place"), values).rowcount != 1:
                    raise Stop(
                        f"Another process feeds {self._given.topic} as {self._given.group} into this spool: "
                        "end one of the two, or give one another --group."
                    )

        if not self._spool.append([row for _, row in kept], stop=self._stop, also=move):
            return False  # asked to stop before there was room: read again next time
        self._next.update(moved)
        self._uncommitted.update(moved)
        self._moved.update(moved)
        for what, _ in kept:
            if isinstance(what, DeadLetter):
                self.count.dead_lettered += 1
                metrics.dead_letters.labels(stage="producers", reason=what.reason.value).inc()
            else:
                self.count.accepted += 1
        if dropped:
            self.count.left_out += dropped
            metrics.records_dropped.labels(stage="producers", reason="tombstone").inc(dropped)
        self._progress(self.count, None)
        return True

    def _delivery(self, record: Any) -> tuple[RawArticle | DeadLetter, Row]:
        try:
            given: Mapping[str, Any] = json_lines.read_object(record.value)
            if KEY in self._given.names.values():
                given = {**given, KEY: record.key.decode("utf-8", "backslashreplace") if record.key else None}
            now = datetime.now(UTC)
            article = fields.article(
                naming.ours(given, self._given.names),
                delivery_id=identity.new_delivery_id(),
                source=self._given.source,
                observed_at=_time(record.timestamp, now),
                now=now,
                extract=self._extract,
            )
            return article, deliveries.row_of_article(article, deliveries.value_of(article), "topic")
        except InvalidRecord as error:
            origin = f"kafka://{record.topic}/{record.partition}/{record.offset}"
            letter = dead_letters.of_source(error, origin, record.value)
            return letter, deliveries.row_of_dead_letter(letter)

    def _commit(self, consumer: KafkaConsumer) -> None:
        if not self._uncommitted or time.monotonic() - self._committed_at < COMMIT_SECONDS:
            return
        self._committed_at = time.monotonic()
        try:
            consumer.commit_async(self._offsets(self._uncommitted), callback=_committed)
            self._uncommitted.clear()
        except KafkaError as error:
            log.info("group offsets not committed", error=str(error))

    def _offsets(self, partitions: Iterable[int]) -> dict[TopicPartition, OffsetAndMetadata]:
        return {self._tp(p): OffsetAndMetadata(self._next[p], "", -1) for p in partitions}

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._given.topic, partition)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with broker.explained(self._given.bootstrap_servers):
                yield
        except KafkaError as error:  # no longer in the log, no right to read it, a packing that is not known here
            raise Stop(f"{self._given.topic} cannot be read: {str(error) or type(error).__name__}.") from error


def check_source(source: str) -> str:
    """The name, if it can be one. Raises SettingError."""
    if not 0 < len(source.strip()) <= files.MAX_SOURCE:
        raise SettingError(f"The source must have 1 to {files.MAX_SOURCE} characters; it is {source!r}.")
    return source


def _committed(_: object, answer: object) -> None:
    if isinstance(answer, Exception):
        log.info("group offsets not committed", error=str(answer))


def _time(milliseconds: int | None, now: datetime) -> datetime:
    """The time of a record; now for one that has none, or none that can be."""
    try:
        found = datetime.fromtimestamp((milliseconds or 0) / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return min(found, now) if milliseconds is not None and milliseconds > 0 and found >= records.EARLIEST else now


@cache
def _sql(name: str) -> str:
    return (resources.files("producers") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
