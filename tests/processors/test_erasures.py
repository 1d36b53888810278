"""Withdrawals on a real Kafka -> what the signature log is told, and what every worker holds afterwards."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

import pytest
from aiokafka import TopicPartition

from pipeline import cleaning, topics
from pipeline.errors import Stop
from pipeline.records import FORGET_KEY, Decision, Forget, Signature, Withdrawal, WithdrawalKind
from processors.forgetting import Forgetting
from processors.publisher import Outgoing, Publisher
from processors.signature_log import SignatureLog
from tests.cluster import forgotten_on, replayed, send, shorten, size_of
from tests.processors.deliveries import DAY_MS, LOG_ID, delivery
from tests.running import until

# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
pytestmark = [
    pytest.mark.services,
    pytest.mark.usefixtures("sockets_collected"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

DEADLINE_SECONDS: Final = 60
RULES_VERSION = cleaning.load_rules().version
SHINGLES = [n * 2**24 for n in range(100)]
FERRY = delivery(1, "The ferry sank.", url="wire.example/ferry", shingles=SHINGLES)
COPY = delivery(2, "The ferry sank.", url="mirror.example/ferry", source="mirror", shingles=SHINGLES)
CORRECTED = delivery(3, "The ferry did not sink.", url="wire.example/ferry", shingles=SHINGLES[:90])
OTHER = delivery(4, "Fish is dear.", url="wire.example/fish")
LATER = delivery(5, "The ferry sank.", url="echo.example/ferry", source="echo", shingles=SHINGLES)


class Worker(NamedTuple):
    """What one deduplicate worker has."""

    signatures: SignatureLog
    forgetting: Forgetting

    def holds(self, article: UUID) -> bool:
        return bool(self.signatures._index.holding([article.bytes]))


@pytest.fixture
async def publisher(kafka: str) -> AsyncIterator[Publisher]:
    publisher = await Publisher.open(kafka, "deduplicate")
    yield publisher
    await publisher.close()


@asynccontextmanager
async def worker(kafka: str, publisher: Publisher, *, hears: bool = True) -> AsyncIterator[Worker]:
    """A worker in full; where it does not hear, withdrawals that come later have not reached it yet."""
    signatures = await SignatureLog.open(kafka, publisher, LOG_ID, RULES_VERSION, 7 * DAY_MS, 15 * DAY_MS)
    forgetting = await Forgetting.open(kafka, 1, signatures)
    beside = [asyncio.create_task(signatures.follow())]
    if hears:
        beside.append(asyncio.create_task(forgetting.follow()))
    try:
        yield Worker(signatures, forgetting)
    finally:
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await forgetting.close()
        await signatures.close()


def withdrawal(article: UUID, kind: WithdrawalKind) -> bytes:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Withdrawal(article_id=article, kind=kind, reason="a court order", at=at).to_bytes()


async def say(kafka: str, *values: bytes) -> None:
    await asyncio.to_thread(send, kafka, topics.WITHDRAWALS, values)


async def decided(to: Worker, *signatures: Signature) -> list[Decision]:
    return (await asyncio.wait_for(to.signatures.decide(signatures), DEADLINE_SECONDS)).decisions


async def wait(what: str, holds: Sequence[Worker], article: UUID) -> None:
    await asyncio.to_thread(until, what, lambda: not any(w.holds(article) for w in holds), DEADLINE_SECONDS)


async def test_what_is_erased_leaves_the_index_of_every_worker(kafka: str, publisher: Publisher) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(worker(kafka, publisher)) for _ in range(2)]
        before = await decided(one, FERRY, COPY, OTHER)
        assert one.holds(FERRY.article_id)

        await say(kafka, withdrawal(FERRY.article_id, "erased"))
        await wait("both have forgotten it", [one, other], FERRY.article_id)
        after = await decided(other, CORRECTED, LATER)

        assert [d.kind for d in before] == ["new", "copy", "new"]
        assert [(d.kind, d.of) for d in after] == [("redelivery", FERRY.article_id), ("new", None)]
        assert one.holds(OTHER.article_id)
    assert set(forgotten_on(kafka)) == {FERRY.article_id}
    assert replayed(kafka, LOG_ID) == [*before, *after]


async def test_what_is_withdrawn_or_restored_stays_in_the_index(kafka: str, publisher: Publisher) -> None:
    words = [withdrawal(OTHER.article_id, "withdrawn"), withdrawal(OTHER.article_id, "restored")]
    async with worker(kafka, publisher) as alone:
        await decided(alone, FERRY, OTHER)
        await say(kafka, *words, b"{what", withdrawal(FERRY.article_id, "erased"))
        await wait("the last of them is read", [alone], FERRY.article_id)

        assert alone.holds(OTHER.article_id)
    assert set(forgotten_on(kafka)) == {FERRY.article_id}


async def test_a_worker_that_starts_tells_of_what_was_erased_meanwhile_and_only_where_it_must(
    kafka: str, publisher: Publisher
) -> None:
    async with worker(kafka, publisher) as first:
        await decided(first, FERRY, OTHER)
    await say(kafka, withdrawal(FERRY.article_id, "erased"), withdrawal(UUID(int=77), "erased"))

    async with worker(kafka, publisher) as second:
        await wait("it has forgotten it", [second], FERRY.article_id)
    told = size_of(kafka, topics.SIGNATURES)
    async with worker(kafka, publisher) as third:
        assert not third.holds(FERRY.article_id)

    assert forgotten_on(kafka) == [FERRY.article_id]
    assert size_of(kafka, topics.SIGNATURES) == told


async def test_an_article_that_was_erased_in_advance_is_told_to_the_log_before_it_comes(
    kafka: str, publisher: Publisher
) -> None:
    await say(kafka, withdrawal(FERRY.article_id, "erased"))

    async with worker(kafka, publisher) as alone:
        decisions = [*await decided(alone, FERRY, OTHER), *await decided(alone, CORRECTED, LATER)]

        assert not alone.holds(FERRY.article_id)
    assert [d.kind for d in decisions] == ["redelivery", "new", "redelivery", "new"]
    assert forgotten_on(kafka) == [FERRY.article_id]
    assert replayed(kafka, LOG_ID) == decisions


async def test_what_a_worker_lets_in_that_has_not_heard_of_it_another_one_forgets(
    kafka: str, publisher: Publisher
) -> None:
    async with worker(kafka, publisher, hears=False) as deaf:
        await say(kafka, withdrawal(FERRY.article_id, "erased"))
        async with worker(kafka, publisher) as hearing:
            (let_in,) = await decided(deaf, FERRY)
            await wait("both have forgotten it", [deaf, hearing], FERRY.article_id)

    assert let_in.kind == "new"
    assert forgotten_on(kafka) == [FERRY.article_id]


async def test_withdrawals_that_are_gone_unread_stop_the_worker(kafka: str, publisher: Publisher) -> None:
    async with worker(kafka, publisher, hears=False) as alone:
        await say(kafka, *[withdrawal(UUID(int=n), "withdrawn") for n in range(3)])
        await asyncio.to_thread(shorten, kafka, topics.WITHDRAWALS, 2)
        alone.forgetting._consumer.seek(TopicPartition(topics.WITHDRAWALS, 0), 0)  # what it has fetched does not count

        with pytest.raises(Stop, match=r"articles.withdrawals no longer holds what this worker reads next"):
            await asyncio.wait_for(alone.forgetting.follow(), DEADLINE_SECONDS)


async def test_a_log_with_such_a_record_that_cannot_be_read_stops_the_worker(kafka: str, publisher: Publisher) -> None:
    await publisher.publish([Outgoing(topics.SIGNATURES, FORGET_KEY, b'{"article_id": 7}', [])])

    with pytest.raises(Stop, match=r"articles.signatures offset 0 cannot be read \(article_id: "):
        await SignatureLog.open(kafka, publisher, LOG_ID, RULES_VERSION, 7 * DAY_MS, 15 * DAY_MS)


async def test_a_replica_that_starts_forgets_at_the_place_where_the_others_did(
    kafka: str, publisher: Publisher
) -> None:
    async with worker(kafka, publisher) as one:
        first = (await one.signatures.decide([FERRY, COPY])).verdicts
        told = Outgoing(topics.SIGNATURES, FORGET_KEY, Forget(article_id=FERRY.article_id).to_bytes(), [])
        await publisher.publish([first, told])
        again = await one.signatures.decide([LATER])
        await publisher.publish([again.verdicts])

        async with worker(kafka, publisher) as late:
            assert not late.holds(FERRY.article_id)
            sixth = delivery(6, "The ferry sank.", url="sixth.example/ferry", source="sixth", shingles=SHINGLES)
            (decision,) = await decided(late, sixth)

    assert [d.kind for d in again.decisions] == ["new"]
    assert (decision.kind, decision.of) == ("copy", LATER.article_id)
