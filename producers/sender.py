"""Spool -> Kafka: in order, one unacknowledged record per key, again and again until the broker has it.

The order of things is the guarantee:
    1. a row is read from the spool and sent; a later row of its key, and all behind that, wait for its acknowledgement
    2. the broker acknowledges: every in-sync replica has the record
    3. the row is deleted; a kill before this sends it again, under the same delivery id
Whatever goes wrong in between (a failed send, an unknown outcome, a broken client) ends the same way: the client is
closed, memory is emptied, and sending starts again from what the spool holds.
"""

import queue
import random
import threading
import time
from collections import deque
from functools import cache, partial
from typing import Any, Final

from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from pipeline import broker, crash, dead_letters, logs, metrics, readiness, topics
from pipeline.errors import InvalidRecord, Reason, Unavailable
from producers import deliveries
from producers.spool import Held, SenderLock, Spool, Spooled

STAGE: Final = "producers"
MAX_IN_FLIGHT: Final = 2000
MAX_IN_FLIGHT_BYTES: Final = 32 * topics.MIB
READ_AT_LEAST: Final = 100
DELETE_AT_ONCE: Final = 500
DELETE_WITHIN_SECONDS: Final = 0.02
POLL_SECONDS: Final = 0.01
#: How often a process that waits for its turn looks whether the other has ended.
TURN_SECONDS: Final = 0.2
METADATA_SECONDS: Final = 5
CLOSE_SECONDS: Final = 5
#: The client gives a record up after 120 s and says so; one that says nothing for longer is broken.
SILENT_CLIENT_SECONDS: Final = 180
SAY_AFTER_SECONDS: Final = 5
SAY_AGAIN_SECONDS: Final = 30
HELD_METRIC_SECONDS: Final = 0.5

_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
_log = logs.get(__name__)

Result = tuple[Spooled, BaseException | None]


class _Restart(Exception):
    """The client is not to be relied on any more: make a new one and send what the spool holds."""


class Sender:
    """Sends what is in a spool; takes its turn if another process sends already."""

    def __init__(self, spool: Spool, bootstrap_servers: str) -> None:
        self._spool = spool
        self._bootstrap_servers = bootstrap_servers
        self._voice = _Voice(bootstrap_servers)
        self._held_at = float("-inf")
        spool.relax()

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set; a broker that is away is waited for."""
        lock = SenderLock(self._spool.folder)
        while not lock.try_take():
            if stop.wait(TURN_SECONDS):
                return
        tries = 0
        try:
            while not stop.is_set():
                flight: _Flight | None = None
                try:
                    flight = _Flight(self._spool, self._bootstrap_servers, self._voice)
                    self._send(flight, stop)
                except (Unavailable, _Restart) as error:
                    if flight is not None and flight.has_delivered:
                        tries = 0
                    tries += 1
                    self._voice.away(error, self._held())
                finally:
                    if flight is not None:
                        flight.close()
                if not stop.is_set():
                    metrics.retries.labels(stage=STAGE).inc()
                    stop.wait(min(5.0, 0.1 * 2 ** min(tries - 1, 10)) * random.uniform(0.8, 1.2))  # noqa: S311
        finally:
            lock.give_back()
            self._voice.nothing_waits()
            self._held()

    def _send(self, flight: "_Flight", stop: threading.Event) -> None:
        while not stop.is_set():
            flight.load()
            flight.send()
            flight.collect(POLL_SECONDS)
            if flight.is_idle:  # away or not, nothing waits for it
                self._voice.nothing_waits()
            if time.monotonic() - self._held_at > HELD_METRIC_SECONDS:
                held = self._held()
                if flight.silent_seconds > SAY_AFTER_SECONDS:
                    self._voice.away(f"no acknowledgement for {flight.silent_seconds:.0f} s", held)

    def _held(self) -> Held:
        held = self._spool.held()
        metrics.spool_records.set(held.records)
        self._held_at = time.monotonic()
        return held


class _Flight:
    """One client and what it has in flight. After any doubt it is closed, and another one begins from the spool."""

    def __init__(self, spool: Spool, bootstrap_servers: str, voice: "_Voice") -> None:
        self._spool = spool
        self._voice = voice
        self._producer: Any = broker.producer(bootstrap_servers)
        # The default is a minute, in which nothing could stop this thread.
        self._producer.config["max_block_ms"] = METADATA_SECONDS * 1000
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._ready: deque[Spooled] = deque()
        self._keys_in_flight: set[bytes] = set()
        self._acknowledged: list[Spooled] = []
        self._delete_by = float("inf")
        self._last_seq = 0
        self._loaded = self._loaded_bytes = self._in_flight = 0
        self._version = -1
        self._there_is_more = True
        self._heard_at = time.monotonic()
        self.has_delivered = False

    @property
    def silent_seconds(self) -> float:
        """For how long the broker has acknowledged nothing though something is in flight."""
        return time.monotonic() - self._heard_at if self._in_flight else 0.0

    @property
    def is_idle(self) -> bool:
        """Whether all that was in the spool at the last look is acknowledged."""
        return not self._loaded

    def load(self) -> None:
        """Read the next rows from the spool, as far as the limits allow."""
        room = MAX_IN_FLIGHT - self._loaded
        room_bytes = MAX_IN_FLIGHT_BYTES - self._loaded_bytes
        if room_bytes <= 0 or room < (READ_AT_LEAST if self._loaded else 1):
            return
        version = self._spool.version()  # before reading: what comes in between is seen next time
        if not self._there_is_more and version == self._version:
            return
        rows = self._spool.read_after(self._last_seq, room, room_bytes)
        self._version = version
        self._there_is_more = len(rows) == room or sum(row.size for row in rows) >= room_bytes
        for spooled in rows:
            self._last_seq = spooled.seq
            self._loaded += 1
            self._loaded_bytes += spooled.size
            self._ready.append(spooled)

    def send(self) -> None:
        """Hand what may go to the client: up to the first row whose key is in flight, for nothing overtakes."""
        if self._ready and not self._in_flight:
            self._heard_at = time.monotonic()
        while self._ready and self._ready[0].row.key not in self._keys_in_flight:
            spooled = self._ready.popleft()
            row = spooled.row
            self._keys_in_flight.add(row.key)
            try:
                future = self._producer.send(row.topic, row.value, row.key, row.headers)
            except _TOO_LARGE as error:
                self._results.put((spooled, error))
                self._in_flight += 1
                continue
            except (KafkaError, AssertionError, ValueError) as error:  # ValueError: the topic is gone
                raise _Restart(
                    f"{type(error).__name__}: {error} (if {row.topic} is not there: `news topics apply`)"
                ) from error
            self._in_flight += 1
            future.add_callback(partial(_acknowledge, self._results, spooled))
            future.add_errback(partial(_fail, self._results, spooled))

    def collect(self, timeout_seconds: float) -> None:
        """Take what the client has heard from the broker, and forget what is safe there."""
        try:
            result = self._results.get(timeout=timeout_seconds) if self._results.empty() else self._results.get()
            while True:
                self._take(result)
                result = self._results.get_nowait()
        except queue.Empty:
            pass
        if len(self._acknowledged) >= DELETE_AT_ONCE or time.monotonic() >= self._delete_by or not self._loaded:
            self._delete()
        if self.silent_seconds > SILENT_CLIENT_SECONDS:
            raise _Restart("the client said nothing for too long")

    def close(self) -> None:
        """Give the client a moment for what is in flight, then end it; what was acknowledged is deleted."""
        try:
            self._producer.close(timeout=CLOSE_SECONDS if self.silent_seconds < 1 else 0.2)
        except KafkaError:
            # close() gives up here with its thread alive, which could send a record after its successor has.
            self._producer._sender.force_close()
            self._producer._sender.join(CLOSE_SECONDS)
            try:
                self._producer.close(timeout=1)
            except KafkaError as error:
                _log.warning("the Kafka client did not close", error=str(error))
        while True:
            try:
                spooled, failure = self._results.get_nowait()
            except queue.Empty:
                break
            if failure is None:
                self._acknowledged.append(spooled)
        self._delete()

    def _take(self, result: Result) -> None:
        spooled, error = result
        self._in_flight -= 1
        if error is None:
            self._heard_at = time.monotonic()
            self.has_delivered = True
            self._voice.back()
            _sent(spooled.row.topic).inc()
            if not self._acknowledged:
                self._delete_by = self._heard_at + DELETE_WITHIN_SECONDS
            self._acknowledged.append(spooled)
        elif isinstance(error, _TOO_LARGE):
            self._spool.replace(spooled, _refused(spooled, error))
            self._there_is_more = True  # our own change does not show in the version
        else:
            raise _Restart(f"{type(error).__name__}: {error}") from error
        self._loaded -= 1
        self._loaded_bytes -= spooled.size
        self._keys_in_flight.discard(spooled.row.key)

    def _delete(self) -> None:
        if self._acknowledged:
            crash.at("producers.after_send")
            self._spool.delete(self._acknowledged)
        self._acknowledged = []
        self._delete_by = float("inf")


class _Voice:
    """Says once that the broker is away, again from time to time, and once that it is back; so does the readiness."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._said_at: float | None = None
        self._waits = False

    def away(self, why: object, held: Held) -> None:
        self._waits = True
        readiness.waits(self, f"Kafka at {self._servers} takes no records; they wait in the spool: {why}")
        now = time.monotonic()
        if self._said_at is None or now - self._said_at > SAY_AGAIN_SECONDS:
            self._said_at = now
            _log.warning(
                "Kafka does not take records: they wait in the spool",
                bootstrap_servers=self._servers,
                records=held.records,
                bytes=held.bytes,
                why=str(why),
            )

    def nothing_waits(self) -> None:
        if self._waits:  # asked a hundred times a second
            self._waits = False
            readiness.goes_on(self)

    def back(self) -> None:
        self.nothing_waits()
        if self._said_at is not None:
            self._said_at = None
            _log.info("Kafka takes records again", bootstrap_servers=self._servers)


@cache  # a label is looked up under a lock
def _sent(topic: str) -> Any:
    return metrics.records_sent.labels(stage=STAGE, topic=topic)


def _acknowledge(results: "queue.SimpleQueue[Result]", spooled: Spooled, _metadata: object) -> None:
    results.put((spooled, None))


def _fail(results: "queue.SimpleQueue[Result]", spooled: Spooled, error: BaseException) -> None:
    results.put((spooled, error))


def _refused(spooled: Spooled, error: BaseException) -> deliveries.Row:
    row = spooled.row
    if row.topic == topics.DEAD_LETTER:  # never a dead letter of a dead letter: the same one, with less of its bytes
        kept = row.value[: min(dead_letters.BEGINNING_BYTES, len(row.value) // 2)]
        return deliveries.Row(row.topic, row.key, kept, row.headers, row.delivery_id)
    refusal = InvalidRecord(Reason.TOO_LARGE, f"The broker refuses a record of {len(row.value):,} bytes: {error}")
    metrics.dead_letters.labels(stage=STAGE, reason=refusal.reason.value).inc()
    return deliveries.row_of_dead_letter(dead_letters.of_source(refusal, f"delivery {row.delivery_id}", row.value))


def wait_until_sent(spool: Spool, last_seq: int, stop: threading.Event, timeout_seconds: float | None) -> None:
    """Wait until the broker has every row up to `last_seq`, whoever sends them.

    Returns early when `stop` is set. Raises Unavailable when `timeout_seconds` pass without a single row leaving.
    """
    left_at, first = time.monotonic(), spool.first_seq()
    while first is not None and first <= last_seq:
        if stop.wait(POLL_SECONDS):
            return
        now_first = spool.first_seq()
        if now_first != first:
            left_at, first = time.monotonic(), now_first
        elif timeout_seconds is not None and time.monotonic() - left_at > timeout_seconds:
            waiting = spool.held().records
            raise Unavailable(
                f"Kafka took no record for {timeout_seconds:.0f} s. {waiting:,} records are safe in {spool.folder} and "
                "are sent as soon as a producer runs and Kafka answers (NEWS_KAFKA__BOOTSTRAP_SERVERS)."
            )
