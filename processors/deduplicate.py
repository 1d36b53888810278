"""articles.raw -> articles.decisions and articles.unique: say what each delivery is, let each text through once.

Beside it: articles.withdrawals -> articles.signatures, so that erased texts leave the index.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from pipeline import broker, cleaning, crash, events, logs, metrics, topics
from pipeline.dead_letters import DeadLetter
from pipeline.journal import CrashJournal
from pipeline.records import DecidedArticle, Decision, RawArticle, UniqueArticle
from pipeline.settings import Settings
from processors import fingerprint, guard, incoming, worker
from processors.continuity import Continuity
from processors.fingerprint import Prepared
from processors.forgetting import Forgetting
from processors.incoming import Incoming
from processors.publisher import Outgoing, Publisher
from processors.signature_log import SignatureLog

STAGE: Final = "deduplicate"
#: A batch is what is waiting, at most so many; nothing waits longer than this for more.
BATCH: Final = 200
WITHIN_SECONDS: Final = 0.01
DAY_MS: Final = 86_400_000

_SOURCE: Final = "/processors/deduplicate"


def outcomes(delivery: Prepared, decision: Decision, trace: events.Headers) -> list[Outgoing]:
    """The records that follow from a decision: one for every delivery, one more for a text to enrich."""
    key = str(decision.article_id).encode()
    decided = DecidedArticle(
        decision=decision, metadata=delivery.metadata, body=delivery.body if decision.kind == "copy" else None
    )
    head = events.headers(decision.delivery_id, topics.DECISIONS, _SOURCE, trace)
    records = [Outgoing(topics.DECISIONS, key, decided.to_bytes(), head)]
    if decision.kind in ("new", "revision"):
        unique = UniqueArticle(
            decision=decision, metadata=delivery.metadata, body=delivery.body, targets=delivery.article.targets
        )
        head = events.headers(decision.delivery_id, topics.UNIQUE, _SOURCE, trace)
        records.append(Outgoing(topics.UNIQUE, key, unique.to_bytes(), head))
    return records


@dataclass(frozen=True, slots=True)
class Deduplicate:
    """The step: a batch goes in, and when it comes back the broker has all that follows from it."""

    signatures: SignatureLog
    publisher: Publisher
    journal: CrashJournal
    rules: cleaning.Rules

    async def take(self, records: Sequence[Incoming]) -> None:
        """Decide a batch. Returning acknowledges it: what fails for a while is tried again in here, for ever."""
        for part in incoming.parts(records, self.journal):
            prepared, dead = await asyncio.to_thread(self._prepare, part)  # 1. pure: clean, fingerprint
            sent = incoming.dead_letter_records(dead)
            if prepared:
                decided = await self.signatures.decide([p.signature for _, p in prepared])
                #                                                            2. the log has their place in the order
                crash.at("deduplicate.after_append")
                for (record, delivery), decision in zip(prepared, decided.decisions, strict=True):
                    sent += outcomes(delivery, decision, record.headers)
                sent.append(decided.verdicts)
            await self.publisher.publish(sent)  # 3. the broker has every outcome; a crash before repeats them all
            crash.at("deduplicate.after_publish")

    def _prepare(self, part: Sequence[Incoming]) -> tuple[list[tuple[Incoming, Prepared]], list[DeadLetter]]:
        def prepare(record: Incoming) -> Prepared:
            return fingerprint.prepare(RawArticle.from_bytes(record.value), record.at, self.rules)

        return incoming.work(STAGE, part, self.journal, prepare)


def run(bootstrap_servers: str, settings: Settings) -> NoReturn:
    """Run the stage in the foreground until SIGTERM.

    Raises Unavailable when the broker or its topics are not there at the start, Stop when they are not as they must be.
    """
    log = logs.get(__name__)
    declared = topics.of(settings)
    states = broker.require(bootstrap_servers, declared, settings.kafka.start_timeout_seconds)
    ids = {name: state.id for name, state in states.items()}
    window_ms = int(settings.dedup.window_days * DAY_MS)
    keep_ms = 2 * window_ms + int(settings.dedup.allowed_lag_days * DAY_MS)
    rules = cleaning.load_rules()
    journal = CrashJournal(settings.data_dir / "journal", STAGE, str(ids[topics.RAW]))

    folder = settings.data_dir / "index"
    folder.mkdir(parents=True, exist_ok=True)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def open_step() -> tuple[Deduplicate, Forgetting, list[asyncio.Task[None]]]:
        publisher = await Publisher.open(bootstrap_servers, STAGE)
        signatures = await SignatureLog.open(
            bootstrap_servers, publisher, ids[topics.SIGNATURES], rules.version, window_ms, keep_ms, folder
        )
        forgetting = await Forgetting.open(bootstrap_servers, states[topics.WITHDRAWALS].partitions, signatures)
        beside = [
            guard.watched(signatures.follow(), "signature log"),
            guard.watched(forgetting.follow(), "forgetting"),
        ]
        return Deduplicate(signatures, publisher, journal, rules), forgetting, beside

    # The replica first, the group after: no partition waits for a replay.
    step, forgetting, beside = loop.run_until_complete(open_step())
    app = worker.app(STAGE, bootstrap_servers, settings)
    continuity = Continuity(topics.RAW, lambda: worker.committed(app, bootstrap_servers))

    @app.agent(worker.raw_topic(app, topics.RAW), name=STAGE)
    async def deduplicate(stream):  # type: ignore[no-untyped-def]
        async for batch in stream.take_events(BATCH, within=WITHIN_SECONDS):
            with guard.nothing_escapes(), metrics.batch_seconds.labels(stage=STAGE).time():
                records = [incoming.from_event(event, ids) for event in batch]
                metrics.records_received.labels(stage=STAGE).inc(len(records))
                await continuity.check(records)
                await step.take(records)
            # leaving the body acknowledges: a crash before this line repeats the batch, never loses it

    async def close() -> None:
        for following in beside:
            following.cancel()
        await forgetting.close()
        await step.signatures.close()
        await step.publisher.close()

    log.info("the replica is up to date", deliveries_known=step.signatures.deliveries_known)
    worker.run(app, loop, settings, close=close, continuity=continuity)
