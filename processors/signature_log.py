"""articles.signatures <-> the replica of this worker: append, wait until it came round, read the decision.

The topic has one partition, so its offsets are an order that all workers agree on; the replica applies it strictly in
that order. A batch waits for its own records: behind or without a broker that is back-pressure, never a guess.

With its outcomes a worker appends the verdicts of its batch. A replica that starts takes them as they are: they may
hang on records that have left the log since (docs/decisions/0008-verdicts-in-the-log.md).

What was erased is forgotten by a record of the log too, so that all replicas forget it at the same place
(docs/decisions/0018-forgotten-by-the-log.md).
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, cast
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from pipeline import backoff, events, logs, metrics, topics
from pipeline.errors import InvalidRecord, Stop, Unavailable
from pipeline.records import FORGET_KEY, VERDICTS_KEY, Decision, Signature, Verdict, Verdicts
from pipeline.records import Forget as ForgetRecord
from processors import entry
from processors.decisions import Applied
from processors.entry import Entry, Forget
from processors.publisher import Outgoing, Publisher
from processors.signature_index import SignatureIndex
from processors.window import NO_ROW

log = logs.get(__name__)

LOG: Final = TopicPartition(topics.SIGNATURES, 0)
#: A record whose verdict does not come within so many records is decided by the replica itself.
HOLD_RECORDS: Final = 10_000
_POLL_MS: Final = 1000
_PROGRESS_SECONDS: Final = 2.0
_SOURCE: Final = "/processors/deduplicate"


class Decided(NamedTuple):
    """A batch with its place in the order: what each delivery is, and the record that tells other replicas."""

    decisions: list[Decision]
    verdicts: Outgoing


class SignatureLog:
    """One worker's view of the log. `open`, then `decide` batches; `follow` runs beside it until cancelled."""

    def __init__(self, consumer: AIOKafkaConsumer, publisher: Publisher, index: SignatureIndex) -> None:
        self._consumer = consumer
        self._publisher = publisher
        self._index = index
        self._next = 0  # offset of the next record to apply
        self._moved = asyncio.Condition()
        self._following = False
        self._latest: deque[tuple[int, int]] = deque(maxlen=HOLD_RECORDS)  # (offset, row), decided here
        self._erased: set[bytes] = set()

    @classmethod
    async def open(
        cls,
        bootstrap_servers: str,
        publisher: Publisher,
        log_id: UUID,
        rules_version: int,
        window_ms: int,
        keep_ms: int,
        folder: Path | None = None,
    ) -> "SignatureLog":
        """Connect and apply what the log holds of the last `keep_ms` (2 W + lag), saying how far it is.

        `folder` is where the index keeps its files while the process lives.
        """
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
        replica = cls(consumer, publisher, SignatureIndex(log_id, rules_version, window_ms, folder))
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
        held = _Held()
        while self._next < end:
            read = await self._read()
            self._apply(held.take(read, self._next >= end))
            self._measure()
            if time.monotonic() - said > _PROGRESS_SECONDS:
                said = time.monotonic()
                log.info("replaying the signature log", done=self._next - first, of=end - first)

    @property
    def deliveries_known(self) -> int:
        """How many deliveries the replica knows."""
        return len(self._index)

    async def follow(self) -> None:
        """Apply the log as it grows, for ever. Raises Stop when going on would guess or forget."""
        while True:
            read = await self._read()
            applied = self._apply([what for what in read if not isinstance(what, Verdict)])
            metrics.replays.inc(sum(a.replay for a in applied))
            for kind, count in Counter(a.kind for a in applied if not a.replay).items():
                metrics.decisions.labels(kind=kind).inc(count)
            self._compare([v for v in read if isinstance(v, Verdict)])
            self._measure()
            async with self._moved:
                self._moved.notify_all()
            if self._erased:  # a worker that did not know of the erasure yet may have let its text in
                live = self._index.window.live
                await self._forget(self._erased & {self._index.article(a.row) for a in applied if a.row >= live})

    def _apply(self, read: Sequence[Entry | Forget]) -> list[Applied]:
        """Take the next records of the log, and remember what this replica decided itself."""
        applied: list[Applied] = []
        for is_forget, records in groupby(read, lambda what: isinstance(what, Forget)):
            if is_forget:
                for forget in records:
                    self._index.forget(cast("Forget", forget))
                    metrics.forgets.inc()
                continue
            entries = cast("list[Entry]", list(records))
            here = self._index.apply_all(entries)
            self._latest += [
                (e.log_offset, a.row) for e, a in zip(entries, here, strict=True) if e.verdict is None and not a.replay
            ]
            applied += here
        return applied

    async def erase(self, articles: Iterable[UUID]) -> None:
        """These articles were erased: nothing of their texts stays in the index of any worker, nor comes into it.

        Returns when the log has what says so.
        """
        erased = {article.bytes for article in articles}
        self._erased |= erased
        await self._forget(erased)

    async def _forget(self, articles: Iterable[bytes]) -> None:
        held = self._index.holding(sorted(articles))
        if held:
            await self._publisher.publish([_forget_record(article) for article in held])

    async def _read(self) -> list[Entry | Forget | Verdict]:
        """The next records of the log, in order."""
        try:
            batches = await self._consumer.getmany(LOG, timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError as error:
            raise Stop(
                f"{topics.SIGNATURES} no longer holds offset {self._next}, which this worker reads next: the log was "
                "shortened or made anew, and decisions without it would be guesses. Start the worker again: it replays "
                "what there is; check the topic's retention (docs/operations.md)."
            ) from error
        found: list[Entry | Forget | Verdict] = []
        for record in batches.get(LOG, ()):
            found += _parsed(record)
            self._next = record.offset + 1
        return found

    def _measure(self) -> None:
        metrics.index_entries.set(len(self._index))
        metrics.index_bytes.labels(where="memory").set(self._index.window.memory_bytes)
        metrics.index_bytes.labels(where="files").set(self._index.window.file_bytes)

    def _compare(self, verdicts: Sequence[Verdict]) -> None:
        """Another worker that decides otherwise would send other outcomes: better to stop and say so."""
        if not verdicts:
            return
        rows = dict(self._latest)
        for verdict in verdicts:
            row = rows.get(verdict.offset)
            if row is not None and row >= self._index.window.live and not self._index.says(row, verdict):
                raise Stop(
                    f"Another worker decided {topics.SIGNATURES} offset {verdict.offset} as {verdict.kind}, and this "
                    "one otherwise. Do all workers run the same version? Start this one again: it takes what the log "
                    "says; `news decisions verify` shows what differs."
                )

    async def decide(self, signatures: Sequence[Signature]) -> Decided:
        """Give these deliveries their place in the order; returns what each is, once this replica has passed them."""
        began = time.monotonic()
        # The log knows for the window only that an article was erased: what comes later is told so before it.
        erased = sorted(self._erased & {s.article_id.bytes for s in signatures})
        unknown = [_forget_record(article) for article in erased if not self._index.is_forgotten(article)]
        appended = await self._append(
            [
                *unknown,
                *(
                    Outgoing(
                        topics.SIGNATURES,
                        str(s.article_id).encode(),
                        s.to_bytes(),
                        events.headers(s.delivery_id, topics.SIGNATURES, _SOURCE),
                    )
                    for s in signatures
                ),
            ]
        )
        offsets = appended[len(unknown) :]
        highest = max(offsets)
        async with self._moved:
            await self._moved.wait_for(lambda: self._next > highest)
        metrics.log_wait_seconds.observe(time.monotonic() - began)
        rows = self._index.rows(signatures)
        missing = [s for s, row in zip(signatures, rows, strict=True) if row == NO_ROW]
        if missing:
            raise Stop(
                f"The signature log has no decision about raw offset {missing[0].raw.offset} after the replica passed "
                "it. Was the log made anew while this worker ran? Start the worker again."
            )
        verdicts = [
            self._index.verdict(row, s, place)
            for s, row, offset in zip(signatures, rows, offsets, strict=True)
            # Of a record that was appended again after a crash, nobody has told the verdict at its first place.
            for place in sorted({offset, self._index.window.row(row).log_offset})
        ]
        head = events.headers(signatures[0].delivery_id, topics.SIGNATURES, _SOURCE)
        return Decided(
            [self._index.decision(row, s) for s, row in zip(signatures, rows, strict=True)],
            Outgoing(topics.SIGNATURES, VERDICTS_KEY, Verdicts(verdicts=tuple(verdicts)).to_bytes(), head),
        )

    async def _append(self, records: Sequence[Outgoing]) -> list[int]:
        """Their places in the log."""
        end = self._next  # whatever is appended from now on stands here or later
        offsets = await self._publisher.publish(records)
        if min(offsets) < end:
            # They are in the log, and the broker does not know where. Once more: replays, which change nothing.
            log.warning("appending a batch to the signature log again: the broker does not say where it stands")
            offsets = await self._publisher.publish(records)
        return offsets

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()
        self._index.close()


class _Held:
    """Records that wait for their verdict, which stands a little later in the log, or for those before them."""

    def __init__(self) -> None:
        self._entries: deque[Entry | Forget] = deque()
        self._verdicts: dict[int, Verdict] = {}

    def take(self, read: Sequence[Entry | Forget | Verdict], is_end: bool) -> list[Entry | Forget]:
        """Add what was read; returns, in order, what can be applied: all at the end of the log."""
        for what in read:
            if isinstance(what, Verdict):
                self._verdicts[what.offset] = what
            else:
                self._entries.append(what)
        ready: list[Entry | Forget] = []
        while self._entries:
            first = self._entries[0]
            if isinstance(first, Entry):
                verdict = self._verdicts.pop(first.log_offset, None)
                if verdict is None and not is_end and len(self._entries) <= HOLD_RECORDS:
                    break
                first = first._replace(verdict=verdict)
            self._entries.popleft()
            ready.append(first)
        return ready


def _forget_record(article: bytes) -> Outgoing:
    value = ForgetRecord(article_id=UUID(bytes=article)).to_bytes()
    return Outgoing(topics.SIGNATURES, FORGET_KEY, value, events.headers(uuid4(), topics.SIGNATURES, _SOURCE))


def _parsed(record: ConsumerRecord) -> Sequence[Entry | Forget | Verdict]:
    try:
        if record.key == FORGET_KEY:
            return [entry.read_forget(record.value, record.offset, record.timestamp)]
        if record.key == VERDICTS_KEY:
            return entry.read_verdicts(record.value).verdicts
        return [entry.read(record.value, record.offset, record.timestamp)]
    except InvalidRecord as error:
        raise Stop(
            f"{topics.SIGNATURES} offset {record.offset} cannot be read ({error.detail}): a worker that passes it "
            "by would decide otherwise than the others. Is a newer version of the pipeline writing to this log?"
        ) from error
