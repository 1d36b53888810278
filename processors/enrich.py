"""articles.unique -> articles.enriched: names, sentiment and language of each new text."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

from pipeline import broker, crash, dead_letters, events, logs, metrics, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord
from pipeline.journal import CrashJournal
from pipeline.settings import Settings
from processors import articles, guard, incoming, provenance, worker
from processors.again import Again, Live
from processors.articles import Dropped, Enriched, Outcome, Refused, work_of
from processors.continuity import Continuity
from processors.incoming import Incoming
from processors.pool import NlpPool
from processors.publisher import Outgoing, Publisher

__all__ = ["BATCH", "STAGE", "Enrich", "run", "work_of"]

log = logs.get(__name__)

STAGE: Final = "enrich"
#: A batch is what is waiting, at most so many: about 4 s of work on two cores.
BATCH: Final = 128
WITHIN_SECONDS: Final = 0.01

_SOURCE: Final = "/processors/enrich"

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Enrich:
    """The step: a batch goes in, and when it comes back the broker has the enriched articles.

    `task` says what the records are: new texts, or stored versions to be done again.
    """

    pool: NlpPool
    publisher: Publisher
    journal: CrashJournal
    task: articles.Task

    async def take(self, records: Sequence[Incoming]) -> None:
        """Enrich a batch. Returning acknowledges it: what fails for a while is tried again in here, for ever."""
        for part in incoming.parts(records, self.journal):
            values = [record.value for record in part]
            sizes = [len(value or b"") for value in values]
            outcomes = await self.pool.map(self.task, values, sizes)  # 1. pure, in the pool: from bytes to bytes
            sent, dead = await self._sorted(part, outcomes)
            crash.at("enrich.before_publish")
            await self.publisher.publish([*sent, *incoming.dead_letter_records(dead)])  # 2. the broker has them all
            crash.at("enrich.after_publish")

    async def _sorted(
        self, records: Sequence[Incoming], outcomes: Sequence[Outcome | InvalidRecord]
    ) -> tuple[list[Outgoing], list[DeadLetter]]:
        """What is to be sent: the articles, and the dead letters of what is none or has killed its process."""
        poison = {record.at: outcome for record, outcome in _pairs(records, outcomes, InvalidRecord)}
        # In a thread: this is the one place where the worker itself reads a text, and it may be a long one.
        blank, dead = await asyncio.to_thread(
            incoming.work,
            STAGE,
            [record for record in records if record.at in poison],
            self.journal,
            lambda record: self.task.without_names(record.value, poison[record.at].detail),
        )
        done = _pairs(records, outcomes, Enriched) + [(record, found) for record, found in blank if found is not None]
        # The article goes on without names; its *enrichment* is dead-lettered, for a replay.
        errors = [(record, poison[record.at]) for record, _ in blank]
        errors += [(record, refused.error()) for record, refused in _pairs(records, outcomes, Refused)]
        dead += [dead_letters.of_record(STAGE, e, r.topic, r.at, r.key, r.value) for r, e in errors]
        if dropped := _pairs(records, outcomes, Dropped):
            metrics.records_dropped.labels(stage=STAGE, reason="other-configuration").inc(len(dropped))
            log.warning("dropped", topic=dropped[0][0].topic, records=len(dropped), why=dropped[0][1].why)
        return [_outgoing(record, enriched) for record, enriched in done], dead


def _pairs(records: Sequence[Incoming], outcomes: Sequence[object], kind: type[Kind]) -> list[tuple[Incoming, Kind]]:
    return [(record, found) for record, found in zip(records, outcomes, strict=True) if isinstance(found, kind)]


def _outgoing(record: Incoming, enriched: Enriched) -> Outgoing:
    head = events.headers(enriched.event_id, topics.ENRICHED, _SOURCE, record.headers)
    return Outgoing(topics.ENRICHED, enriched.key, enriched.value, head)


def run(bootstrap_servers: str, settings: Settings, pool: NlpPool) -> NoReturn:
    """Run the stage in the foreground until SIGTERM; `pool` is started.

    Raises Unavailable when the broker or its topics are not there at the start.
    """
    states = broker.require(bootstrap_servers, topics.of(settings), settings.kafka.start_timeout_seconds)
    ids = {name: state.id for name, state in states.items()}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    publisher = loop.run_until_complete(Publisher.open(bootstrap_servers, STAGE))
    journals = settings.data_dir / "journal"
    configuration = provenance.of(settings.nlp)
    step = Enrich(
        pool, publisher, CrashJournal(journals, STAGE, str(ids[topics.UNIQUE])), articles.Fresh(configuration)
    )
    app = worker.app(STAGE, bootstrap_servers, settings)
    continuity = Continuity(topics.UNIQUE, lambda: worker.committed(app, bootstrap_servers))
    live = Live(bootstrap_servers, str(app.conf.id))
    app.on_partitions_assigned.connect(live.assigned, weak=False)
    once_more = Enrich(
        pool, publisher, CrashJournal(journals, STAGE, str(ids[topics.REENRICH])), articles.Again(configuration)
    )
    again = Again(bootstrap_servers, ids[topics.REENRICH], once_more.take, live)

    @app.agent(worker.raw_topic(app, topics.UNIQUE), name=STAGE)
    async def enrich(stream):  # type: ignore[no-untyped-def]
        async for batch in stream.take_events(BATCH, within=WITHIN_SECONDS):
            with guard.nothing_escapes(), metrics.batch_seconds.labels(stage=STAGE).time():
                records = [incoming.from_event(event, ids) for event in batch]
                metrics.records_received.labels(stage=STAGE).inc(len(records))
                await continuity.check(records)
                with live.at_work(records):
                    await step.take(records)
            # leaving the body acknowledges: a crash before this line repeats the batch, never loses it

    async def is_ready() -> None:
        await pool.is_warm()
        again.start()

    async def close() -> None:
        await again.stop()
        pool.close()
        await publisher.close()

    worker.run(app, loop, settings, close=close, continuity=continuity, is_ready=is_ready)
