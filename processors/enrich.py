"""articles.unique -> articles.enriched: names, sentiment and language of each new text."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from pipeline import broker, crash, dead_letters, events, metrics, topics
from pipeline.errors import InvalidRecord
from pipeline.journal import CrashJournal
from pipeline.records import EnrichedArticle, Enrichment, UniqueArticle
from pipeline.settings import Settings
from processors import guard, incoming, nlp, worker
from processors.continuity import Continuity
from processors.incoming import Incoming
from processors.pool import NlpPool
from processors.publisher import Outgoing, Publisher

STAGE: Final = "enrich"
#: A batch is what is waiting, at most so many: about 4 s of work on two cores.
BATCH: Final = 128
WITHIN_SECONDS: Final = 0.01

_SOURCE: Final = "/processors/enrich"


def work_of(article: UniqueArticle) -> nlp.Work:
    """What the models need of an article."""
    return nlp.Work(
        article.metadata.title,
        article.body.text,
        article.body.removed,
        article.metadata.language,
        article.targets,
    )


def enriched(article: UniqueArticle, outcome: Enrichment | InvalidRecord) -> EnrichedArticle:
    """The article with its enrichment, or without one and with the reason: it is stored all the same."""
    if isinstance(outcome, InvalidRecord):
        outcome = Enrichment(reason=outcome.detail, enriched_at=datetime.now(UTC))
    return EnrichedArticle(decision=article.decision, metadata=article.metadata, body=article.body, enrichment=outcome)


@dataclass(frozen=True, slots=True)
class Enrich:
    """The step: a batch goes in, and when it comes back the broker has the enriched articles."""

    pool: NlpPool
    publisher: Publisher
    journal: CrashJournal

    async def take(self, records: Sequence[Incoming]) -> None:
        """Enrich a batch. Returning acknowledges it: what fails for a while is tried again in here, for ever."""
        for part in incoming.parts(records, self.journal):
            articles, dead = incoming.work(STAGE, part, self.journal, lambda r: UniqueArticle.from_bytes(r.value))
            outcomes = await self.pool.enrich([work_of(article) for _, article in articles])  # 1. pure, in the pool
            sent = []
            for (record, article), outcome in zip(articles, outcomes, strict=True):
                key = str(article.decision.article_id).encode()
                head = events.headers(article.decision.delivery_id, topics.ENRICHED, _SOURCE, record.headers)
                sent.append(Outgoing(topics.ENRICHED, key, enriched(article, outcome).to_bytes(), head))
                if isinstance(outcome, InvalidRecord):  # the *enrichment* is dead-lettered, for a replay
                    dead.append(
                        dead_letters.of_record(STAGE, outcome, record.topic, record.at, record.key, record.value)
                    )
            crash.at("enrich.before_publish")
            await self.publisher.publish([*sent, *incoming.dead_letter_records(dead)])  # 2. the broker has them all
            crash.at("enrich.after_publish")


def run(bootstrap_servers: str, settings: Settings, pool: NlpPool) -> NoReturn:
    """Run the stage in the foreground until SIGTERM; `pool` is started.

    Raises Unavailable when the broker or its topics are not there at the start.
    """
    states = broker.require(bootstrap_servers, topics.of(settings), settings.kafka.start_timeout_seconds)
    ids = {name: state.id for name, state in states.items()}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    publisher = loop.run_until_complete(Publisher.open(bootstrap_servers, STAGE))
    step = Enrich(pool, publisher, CrashJournal(settings.data_dir / "journal", STAGE, str(ids[topics.UNIQUE])))
    app = worker.app(STAGE, bootstrap_servers, settings)
    continuity = Continuity(topics.UNIQUE, lambda: worker.committed(app, bootstrap_servers))

    @app.agent(worker.raw_topic(app, topics.UNIQUE), name=STAGE)
    async def enrich(stream):  # type: ignore[no-untyped-def]
        async for batch in stream.take_events(BATCH, within=WITHIN_SECONDS):
            with guard.nothing_escapes(), metrics.batch_seconds.labels(stage=STAGE).time():
                records = [incoming.from_event(event, ids) for event in batch]
                metrics.records_received.labels(stage=STAGE).inc(len(records))
                await continuity.check(records)
                await step.take(records)
            # leaving the body acknowledges: a crash before this line repeats the batch, never loses it

    async def close() -> None:
        pool.close()
        await publisher.close()

    worker.run(app, loop, settings, close=close, continuity=continuity, is_ready=pool.is_warm)
