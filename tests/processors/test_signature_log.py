import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.producer.message_accumulator import MessageBatch

from pipeline import cleaning, topics
from pipeline.errors import Stop
from pipeline.journal import CrashJournal
from pipeline.records import (
    VERDICTS_KEY,
    Coordinates,
    DecidedArticle,
    Decision,
    EnrichedArticle,
    RawArticle,
    Signature,
    UniqueArticle,
    Verdict,
    Verdicts,
)
from pipeline.settings import NlpSettings
from processors import provenance, signature_log
from processors.articles import Fresh
from processors.deduplicate import Deduplicate
from processors.enrich import Enrich
from processors.incoming import Incoming
from processors.pool import NlpPool
from processors.publisher import Outgoing, Publisher
from processors.signature_log import LOG, SignatureLog
from tests.cluster import replayed, send, shorten, signatures_on, size_of, values_on
from tests.pipeline.samples import BODY, DECISION, METADATA, raw_article
from tests.processors.deliveries import DAY_MS, LOG_ID, RAW_ID, delivery, index
from tests.running import until

# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
pytestmark = [
    pytest.mark.services,
    pytest.mark.usefixtures("sockets_collected"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

DEADLINE_SECONDS = 60
RULES_VERSION = cleaning.load_rules().version
FERRY = delivery(1, "The ferry sank.", url="news.example/ferry")
COPY = delivery(2, "The ferry sank.", url="mirror.example/ferry", source="mirror")
REVISION = delivery(3, "The ferry did not sink.", url="news.example/ferry")


@pytest.fixture
async def publisher(kafka: str) -> AsyncIterator[Publisher]:
    publisher = await Publisher.open(kafka, "deduplicate")
    yield publisher
    await publisher.close()


async def opened(kafka: str, publisher: Publisher) -> SignatureLog:
    return await SignatureLog.open(kafka, publisher, LOG_ID, RULES_VERSION, 7 * DAY_MS, 15 * DAY_MS)


@asynccontextmanager
async def replica(kafka: str, publisher: Publisher) -> AsyncIterator[SignatureLog]:
    """A worker's view of the log, following it."""
    log = await opened(kafka, publisher)
    following = asyncio.create_task(log.follow())
    try:
        yield log
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await log.close()


def said(decisions: Sequence[Decision]) -> list[tuple[str, int]]:
    return [(decision.kind, decision.log_offset) for decision in decisions]


async def test_deliveries_are_decided_in_the_order_of_the_log(kafka: str, publisher: Publisher) -> None:
    async with replica(kafka, publisher) as log:
        decided = await log.decide([FERRY, COPY])
        later = await log.decide([REVISION])

        assert said([*decided.decisions, *later.decisions]) == [("new", 0), ("copy", 1), ("revision", 2)]
        assert log.deliveries_known == 3
    assert [Signature.from_bytes(value).delivery_id for value in values_on(kafka, topics.SIGNATURES)] == [
        FERRY.delivery_id,
        COPY.delivery_id,
        REVISION.delivery_id,
    ]


async def test_a_worker_that_starts_again_knows_the_log_and_repeats_its_decisions(
    kafka: str, publisher: Publisher
) -> None:
    async with replica(kafka, publisher) as log:
        before = (await log.decide([FERRY, COPY])).decisions

    async with replica(kafka, publisher) as log:
        assert log.deliveries_known == 2
        assert (await log.decide([FERRY, COPY])).decisions == before

    assert size_of(kafka, topics.SIGNATURES) == 4


async def test_two_workers_agree_on_who_was_first(kafka: str, publisher: Publisher) -> None:
    async with replica(kafka, publisher) as one, replica(kafka, publisher) as other:
        decided = await asyncio.gather(one.decide([FERRY]), other.decide([COPY]))

    (first,), (second,) = (d.decisions for d in decided)
    assert sorted([first.kind, second.kind]) == ["copy", "new"]
    assert {first.of, second.of} == {None, first.article_id if first.kind == "new" else second.article_id}


async def test_a_worker_that_is_behind_waits_and_never_guesses(kafka: str, publisher: Publisher) -> None:
    log = await opened(kafka, publisher)
    deciding = asyncio.create_task(log.decide([FERRY]))
    await asyncio.to_thread(until, "the log has the signature", lambda: size_of(kafka, topics.SIGNATURES) == 1)
    assert not deciding.done()

    following = asyncio.create_task(log.follow())

    assert said((await deciding).decisions) == [("new", 0)]
    following.cancel()
    await log.close()


async def test_a_log_that_lost_what_a_worker_reads_next_stops_it(kafka: str, publisher: Publisher) -> None:
    send(kafka, topics.SIGNATURES, [s.to_bytes() for s in (FERRY, COPY, REVISION)])
    shorten(kafka, topics.SIGNATURES, 2)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, auto_offset_reset="none")
    await consumer.start()
    consumer.assign([LOG])
    consumer.seek(LOG, 0)  # where a worker stands that was away for longer than the log is kept
    log = SignatureLog(consumer, publisher, index())

    with pytest.raises(Stop, match="no longer holds offset 0, which this worker reads next"):
        await log.follow()

    await log.close()


async def test_a_worker_that_starts_on_a_shortened_log_takes_what_there_is(kafka: str, publisher: Publisher) -> None:
    send(kafka, topics.SIGNATURES, [s.to_bytes() for s in (FERRY, COPY, REVISION)])
    shorten(kafka, topics.SIGNATURES, 2)

    log = await opened(kafka, publisher)

    assert log.deliveries_known == 1
    await log.close()


async def test_a_batch_of_which_the_broker_forgot_where_it_stands_is_appended_again(
    kafka: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = MessageBatch.done
    answers = [(-1, -1)]  # what aiokafka makes of one DuplicateSequenceNumber: offsets -1, 0, 1 for three records

    def answer(batch: MessageBatch, offset: int, time: int | None = None, start: int | None = None) -> None:
        done(batch, *(answers.pop() if answers else (offset, time)), start)

    other = [delivery(n, f"text {n}", url=f"a.example/{n}") for n in (4, 5, 6)]
    async with replica(kafka, publisher) as log:
        await decided_and_told(log, publisher, FERRY, COPY, REVISION)
        with monkeypatch.context() as patch:
            patch.setattr(MessageBatch, "done", answer)
            decided = await log.decide(other)

    assert answers == []
    assert said(decided.decisions) == [("new", 4), ("new", 5), ("new", 6)]
    told = Verdicts.from_bytes(decided.verdicts.value).verdicts
    assert [v.offset for v in told] == [4, 7, 5, 8, 6, 9], "the verdicts of both places"
    assert size_of(kafka, topics.SIGNATURES) == 10


# What others decided.


async def decided_and_told(log: SignatureLog, publisher: Publisher, *signatures: Signature) -> list[Decision]:
    """As the stage does it: decide, then tell the others."""
    decided = await log.decide(signatures)
    await publisher.publish([decided.verdicts])
    return decided.decisions


async def test_a_worker_that_joins_a_shortened_log_takes_the_verdicts(kafka: str, publisher: Publisher) -> None:
    async with replica(kafka, publisher) as log:
        before = await decided_and_told(log, publisher, FERRY, COPY, REVISION)
    await asyncio.to_thread(shorten, kafka, topics.SIGNATURES, 1)

    async with replica(kafka, publisher) as log:
        again = (await log.decide([COPY, REVISION])).decisions

    assert again == before[1:], "a copy of what it never saw, and a revision of what it never saw"
    assert [decision.kind for decision in again] == ["copy", "revision"]


async def test_a_worker_that_joins_a_shortened_log_without_verdicts_can_only_guess(
    kafka: str, publisher: Publisher
) -> None:
    async with replica(kafka, publisher) as log:
        await log.decide([FERRY, COPY, REVISION])
    await asyncio.to_thread(shorten, kafka, topics.SIGNATURES, 1)

    async with replica(kafka, publisher) as log:
        again = (await log.decide([COPY, REVISION])).decisions

    assert [decision.kind for decision in again] == ["new", "new"], "the negative control"


async def test_a_batch_that_died_before_it_told_has_its_verdicts_at_both_places_afterwards(
    kafka: str, publisher: Publisher
) -> None:
    async with replica(kafka, publisher) as log:
        before = (await log.decide([FERRY, COPY, REVISION])).decisions
    async with replica(kafka, publisher) as log:
        assert await decided_and_told(log, publisher, FERRY, COPY, REVISION) == before
    await asyncio.to_thread(shorten, kafka, topics.SIGNATURES, 1)

    async with replica(kafka, publisher) as log:
        assert (await log.decide([COPY, REVISION])).decisions == before[1:]


async def test_a_verdict_that_differs_from_its_own_stops_the_worker_that_follows(
    kafka: str, publisher: Publisher
) -> None:
    log = await opened(kafka, publisher)
    following = asyncio.create_task(log.follow())
    await log.decide([FERRY, COPY])
    other = Verdicts(verdicts=(Verdict(offset=1, kind="new"),))
    await publisher.publish([Outgoing(topics.SIGNATURES, VERDICTS_KEY, other.to_bytes(), [])])

    with pytest.raises(Stop, match=r"worker decided articles\.signatures offset 1 as new, and this one otherwise"):
        await asyncio.wait_for(following, DEADLINE_SECONDS)

    await log.close()


async def test_a_verdict_that_differs_from_what_it_decided_at_its_start_stops_the_worker_too(
    kafka: str, publisher: Publisher
) -> None:
    await asyncio.to_thread(send, kafka, topics.SIGNATURES, [s.to_bytes() for s in (FERRY, COPY)])
    log = await opened(kafka, publisher)  # nobody had told anything yet
    other = Verdicts(verdicts=(Verdict(offset=1, kind="new"),))
    await publisher.publish([Outgoing(topics.SIGNATURES, VERDICTS_KEY, other.to_bytes(), [])])

    with pytest.raises(Stop, match="offset 1 as new, and this one otherwise"):
        await asyncio.wait_for(log.follow(), DEADLINE_SECONDS)
    await log.close()

    async with replica(kafka, publisher) as log:  # started again, it takes what the log says
        assert [d.kind for d in (await log.decide([FERRY, COPY])).decisions] == ["new", "new"]


async def test_a_copy_of_another_text_is_another_verdict(kafka: str, publisher: Publisher) -> None:
    log = await opened(kafka, publisher)
    following = asyncio.create_task(log.follow())
    await log.decide([FERRY, COPY])
    other = Verdicts(verdicts=(Verdict(offset=1, kind="copy", of=UUID(int=1)),))
    await publisher.publish([Outgoing(topics.SIGNATURES, VERDICTS_KEY, other.to_bytes(), [])])

    with pytest.raises(Stop, match="offset 1 as copy, and this one otherwise"):
        await asyncio.wait_for(following, DEADLINE_SECONDS)

    await log.close()


async def test_verdicts_that_nobody_can_read_stop_the_worker_at_its_start(kafka: str, publisher: Publisher) -> None:
    await publisher.publish([Outgoing(topics.SIGNATURES, VERDICTS_KEY, b'{"verdicts": [{}]}', [])])

    with pytest.raises(Stop, match=r"articles\.signatures offset 0 cannot be read \(verdicts\.0\.offset"):
        await opened(kafka, publisher)


async def test_what_has_no_verdict_at_the_end_of_the_log_is_decided_there(kafka: str, publisher: Publisher) -> None:
    async with replica(kafka, publisher) as log:
        ferry = await decided_and_told(log, publisher, FERRY)
        untold = (await log.decide([COPY, REVISION])).decisions
        again = await decided_and_told(log, publisher, FERRY)

    async with replica(kafka, publisher) as log:
        assert log.deliveries_known == 3
        assert (await log.decide([FERRY, COPY, REVISION])).decisions == [*ferry, *untold]
    assert again == ferry


@pytest.mark.parametrize("hold_records", [0, 1, 2])
async def test_a_verdict_is_not_waited_for_for_ever(
    kafka: str, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, hold_records: int
) -> None:
    later = [delivery(n, f"text {n}", url=f"a.example/{n}") for n in range(10, 16)]
    async with replica(kafka, publisher) as log:
        untold = (await log.decide([FERRY])).decisions
        told = [decision for s in later for decision in await decided_and_told(log, publisher, s)]
    monkeypatch.setattr(signature_log, "HOLD_RECORDS", hold_records)

    async with replica(kafka, publisher) as log:
        assert (await log.decide([FERRY, *later])).decisions == [*untold, *told]


def crowd(deliveries: int) -> list[Signature]:
    """Deliveries rich in copies, revisions and redeliveries, some of them near: each text is delivered by many."""
    found = []
    for n in range(deliveries):
        text, edit = n % 7, n % 3
        found.append(
            delivery(
                n,
                f"text {text}, edit {edit}",
                url=f"o{n % 5}.example/{n % 20}",
                source=f"outlet {n % 5}",
                raw_text=f"text {text}, edit {edit}, as delivered by {n % 4}",
                hour=n % 11,
                shingles=range(1000 * text + edit, 1000 * text + 60 + edit),
                numbers=[edit],
            )
        )
    return found


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_workers_that_decide_at_the_same_time_and_die_agree(
    kafka: str, publisher: Publisher, workers: int
) -> None:
    said: dict[UUID, set[bytes]] = {}
    deliveries = crowd(120)

    async def work(share: Sequence[Signature]) -> None:
        batches = [share[begin : begin + 6] for begin in range(0, len(share), 6)]
        for death in range(2):
            async with replica(kafka, publisher) as log:
                for number, batch in enumerate(batches):
                    decided = await log.decide(batch)
                    for decision in decided.decisions:
                        said.setdefault(decision.delivery_id, set()).add(decision.to_bytes())
                    if death == 0 and number == len(batches) // 2:
                        break  # it dies before it tells; the next begins where nothing is acknowledged
                    await publisher.publish([decided.verdicts])

    await asyncio.gather(*(work(deliveries[n::workers]) for n in range(workers)))

    assert all(len(contents) == 1 for contents in said.values())
    offline = await asyncio.to_thread(replayed, kafka, LOG_ID)
    assert {delivery_id: contents.pop() for delivery_id, contents in said.items()} == {
        decision.delivery_id: decision.to_bytes() for decision in offline
    }
    assert {decision.kind for decision in offline} >= {"new", "copy", "revision"}
    assert len(signatures_on(kafka)) > len(deliveries), "what was appended before the deaths was appended again"


# Records that stop a worker.


async def test_a_record_in_the_log_that_nobody_can_read_stops_the_worker_at_its_start(
    kafka: str, publisher: Publisher
) -> None:
    send(kafka, topics.SIGNATURES, [FERRY.to_bytes(), b"{what"])

    with pytest.raises(Stop, match=r"articles\.signatures offset 1 cannot be read"):
        await opened(kafka, publisher)


async def test_a_record_in_the_log_that_nobody_can_read_stops_the_worker_that_follows(
    kafka: str, publisher: Publisher
) -> None:
    log = await opened(kafka, publisher)
    send(kafka, topics.SIGNATURES, [b"{what"])

    with pytest.raises(Stop, match=r"articles\.signatures offset 0 cannot be read"):
        await log.follow()

    await log.close()


async def test_a_record_of_newer_rules_stops_the_worker(kafka: str, publisher: Publisher) -> None:
    log = await opened(kafka, publisher)
    send(kafka, topics.SIGNATURES, [delivery(1, "-", rules_version=RULES_VERSION + 1).to_bytes()])

    with pytest.raises(Stop, match="update it before it goes on"):
        await log.follow()

    await log.close()


LONG = "The ferry sank near Bergen at noon. " * 10


def raw_record(offset: int, article: RawArticle | bytes, headers: Sequence[tuple[str, bytes]] = ()) -> Incoming:
    at = Coordinates(topic_id=RAW_ID, partition=0, offset=offset)
    value = article if isinstance(article, bytes) else article.to_bytes()
    return Incoming(topics.RAW, at, b"key", value, list(headers))


BATCH = [
    raw_record(0, raw_article(delivery_id=UUID(int=1), url="http://a.example/1", title="Ferry", body=LONG)),
    raw_record(1, b"{bad"),
    raw_record(2, raw_article(delivery_id=UUID(int=2), url="http://b.example/1", title="Ferry", body=LONG, source="b")),
    raw_record(3, raw_article(delivery_id=UUID(int=3), url="http://a.example/1", title="Ferry", body=LONG + "New.")),
    raw_record(4, raw_article(delivery_id=UUID(int=4), url="http://a.example/2", body="Leave a Reply")),
]


async def test_a_batch_goes_in_and_the_broker_has_all_that_follows(
    kafka: str, publisher: Publisher, tmp_path: Path
) -> None:
    async with replica(kafka, publisher) as log:
        step = Deduplicate(log, publisher, CrashJournal(tmp_path, "deduplicate", "id"), cleaning.load_rules())

        await step.take(BATCH)

    decided = [DecidedArticle.from_bytes(value) for value in values_on(kafka, topics.DECISIONS)]
    assert sorted((d.decision.raw.offset, d.decision.kind, d.body is not None) for d in decided) == [
        (0, "new", False),
        (2, "copy", True),
        (3, "revision", False),
    ]
    unique = [UniqueArticle.from_bytes(value) for value in values_on(kafka, topics.UNIQUE)]
    assert sorted(u.decision.raw.offset for u in unique) == [0, 3]
    assert sorted(values_on(kafka, topics.DEAD_LETTER)) == sorted([BATCH[1].value, BATCH[4].value])


async def test_a_batch_that_comes_again_has_the_same_outcomes_sent_again(
    kafka: str, publisher: Publisher, tmp_path: Path
) -> None:
    async with replica(kafka, publisher) as log:
        step = Deduplicate(log, publisher, CrashJournal(tmp_path, "deduplicate", "id"), cleaning.load_rules())

        await step.take(BATCH)
        once = {topic: sorted(values_on(kafka, topic)) for topic in (topics.DECISIONS, topics.UNIQUE)}
        await step.take(BATCH)

    assert len(once[topics.DECISIONS]) == 3
    for topic, values in once.items():
        assert sorted(values_on(kafka, topic)) == sorted(values * 2)


async def test_unique_articles_go_in_and_enriched_ones_come_out_the_poisoned_one_with_its_reason(
    kafka: str, publisher: Publisher, tmp_path: Path, weak_pool: NlpPool
) -> None:
    def unique(offset: int, text: str) -> Incoming:
        body = BODY.model_copy(update={"raw": text, "text": text, "removed": ()})
        article = UniqueArticle(decision=DECISION, metadata=METADATA, body=body)
        return raw_record(offset, b"")._replace(topic=topics.UNIQUE, value=article.to_bytes())

    records = [unique(0, "They met in Oslo."), unique(1, "POISON"), raw_record(2, b"{bad"), unique(3, "In Paris.")]
    step = Enrich(weak_pool, publisher, CrashJournal(tmp_path, "enrich", "id"), Fresh(provenance.of(NlpSettings())))

    await step.take(records)

    found = [EnrichedArticle.from_bytes(value) for value in values_on(kafka, topics.ENRICHED)]
    assert sorted((e.body.raw, [x.name for x in e.enrichment.entities], e.enrichment.reason) for e in found) == [
        ("In Paris.", ["Paris"], None),
        ("POISON", [], "The text ended an NLP process 2 times (it died); it is stored without names."),
        ("They met in Oslo.", ["Oslo"], None),
    ]
    assert sorted(values_on(kafka, topics.DEAD_LETTER)) == sorted([records[1].value, b"{bad"])
