"""Record bytes in, record bytes out; and the event loop has nothing to do with them."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.journal import CrashJournal
from pipeline.records import (
    Coordinates,
    EnrichedArticle,
    Enrichment,
    Entity,
    Mention,
    StaleArticle,
    Target,
    UniqueArticle,
)
from pipeline.settings import NlpSettings
from pipeline.topics import MIB
from processors import articles, provenance
from processors.articles import Again, Dropped, Enriched, Fresh, Refused
from processors.enrich import Enrich
from processors.incoming import Incoming
from processors.nlp import Work
from processors.pool import NlpPool
from processors.publisher import Outgoing
from tests.pipeline.samples import BODY, DECISION, METADATA

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIGURATION = provenance.Configuration({"en": {"entities": "names-1"}}, {"rules": "1"})
CONFIG = CONFIGURATION.digest
FEWER = provenance.Configuration({}, {"rules": "1"})


class Names:
    """Models that find as many mentions as they are told; POISON raises."""

    def __init__(self, mentions: int = 1) -> None:
        self._mentions = mentions

    def enrich(self, works: Sequence[Work]) -> list[Enrichment]:
        if any("POISON" in work.text for work in works):
            raise IndexError("a bug")
        mention = Mention(text="Oslo", start=0, end=4, raw_start=0, raw_end=4)
        oslo = Entity(name="Oslo", label="GPE", count=self._mentions, mentions=(mention,) * self._mentions)
        return [
            Enrichment(language="en", entities=(oslo,), models={"entities": "names-1"}, enriched_at=NOON) for _ in works
        ]


def load(settings: NlpSettings) -> Names:
    return Names(5000)


def unique(text: str = "Oslo.", **fields: object) -> UniqueArticle:
    body = BODY.model_copy(update={"raw": text, "text": text, "removed": ()})
    return UniqueArticle(decision=DECISION, metadata=METADATA, body=body, **fields)  # type: ignore[arg-type]


def stale(config: str | None, generation: int = 7) -> bytes:
    given = unique()
    return StaleArticle(**{**dict(given), "generation": generation, "config": config}).to_bytes()


def read(outcome: object) -> EnrichedArticle:
    assert isinstance(outcome, Enriched)
    return EnrichedArticle.from_bytes(outcome.value)


def test_an_article_comes_back_as_it_was_with_its_names() -> None:
    given = unique()

    (outcome,) = Fresh(CONFIGURATION)(Names(), [given.to_bytes()])

    found = read(outcome)
    assert (found.decision, found.metadata, found.body) == (given.decision, given.metadata, given.body)
    assert [entity.name for entity in found.enrichment.entities] == ["Oslo"]
    assert (found.enrichment.models, found.enrichment.generation) == ({"entities": "names-1"}, 0)
    assert isinstance(outcome, Enriched)
    assert outcome.key == str(DECISION.article_id).encode()
    assert outcome.event_id == DECISION.delivery_id


def test_what_is_no_article_is_refused_and_its_neighbours_are_enriched() -> None:
    outcomes = Fresh(CONFIGURATION)(Names(), [b"{bad", unique().to_bytes(), None])

    assert [type(outcome) for outcome in outcomes] == [Refused, Enriched, Refused]
    assert [o.reason for o in outcomes if isinstance(o, Refused)] == [Reason.NOT_JSON, Reason.EMPTY]


@pytest.mark.parametrize(
    ("config", "done"),
    [(CONFIG, True), (None, True), ("newer or older", False), (FEWER.digest, False)],
)
def test_a_stale_version_is_done_by_the_configuration_that_it_was_sent_for(config: str | None, done: bool) -> None:
    (outcome,) = Again(CONFIGURATION)(Names(), [stale(config)])

    assert isinstance(outcome, Enriched if done else Dropped)
    if done:
        assert read(outcome).enrichment.generation == 7


def test_targets_without_an_answer_are_kept_for_the_next_time() -> None:
    asked = unique(targets=(Target(start=0, end=4),)).to_bytes()

    (outcome,) = Fresh(CONFIGURATION)(Names(), [asked])
    blank = Fresh(CONFIGURATION).without_names(asked, "poison")

    for found in (read(outcome), read(blank)):
        assert [(t.start, t.end, t.sentiment) for t in found.enrichment.targets] == [(0, 4, None)]
    assert read(blank).enrichment.reason == "poison"
    assert (read(blank).enrichment.language, read(blank).enrichment.models) == ("en", CONFIGURATION.of("en"))


def test_names_that_no_record_can_hold_are_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(articles, "MAX_RECORD_BYTES", 80_000)

    (outcome,) = Fresh(CONFIGURATION)(Names(5000), [unique().to_bytes()])

    found = read(outcome)
    assert found.enrichment.entities == ()
    assert "the limit is" in (found.enrichment.reason or "")


class Kept:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def publish(self, records: Sequence[Outgoing]) -> list[int]:
        self.records += records
        return list(range(len(records)))


def incoming(topic: str, *values: bytes) -> list[Incoming]:
    return [
        Incoming(topic, Coordinates(topic_id=UUID(int=5), partition=0, offset=i), b"k", value, [])
        for i, value in enumerate(values)
    ]


async def test_articles_of_a_megabyte_and_poison_do_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    pool, kept = NlpPool(NlpSettings(processes=2), load), Kept()
    step = Enrich(pool, kept, CrashJournal(tmp_path, "enrich", "x"), Fresh(CONFIGURATION))  # type: ignore[arg-type]
    text = "They met in Oslo on Monday. " * (MIB // 28)
    values = [unique(text).to_bytes()] * 4 + [unique(text + "POISON").to_bytes(), b"{bad"]

    work = asyncio.ensure_future(step.take(incoming(topics.UNIQUE, *values)))
    longest, last = 0.0, time.thread_time()
    while not work.done():
        await asyncio.sleep(0.001)
        # CPU time of this thread: what other processes take from a busy machine does not count.
        longest, last = max(longest, time.thread_time() - last), time.thread_time()
    await work
    pool.close()

    assert longest < 0.1
    by_topic = [record.topic for record in kept.records]
    assert (by_topic.count(topics.ENRICHED), by_topic.count(topics.DEAD_LETTER)) == (5, 2)


async def test_a_stale_version_that_is_poison_keeps_its_names_and_is_a_dead_letter(tmp_path: Path) -> None:
    pool, kept = NlpPool(NlpSettings(processes=1), load), Kept()
    step = Enrich(pool, kept, CrashJournal(tmp_path, "enrich", "x"), Again(CONFIGURATION))  # type: ignore[arg-type]
    given = unique("POISON")
    value = StaleArticle(**{**dict(given), "generation": 1, "config": CONFIG}).to_bytes()

    await step.take(incoming(topics.REENRICH, value))
    pool.close()

    (letter,) = kept.records
    assert letter.topic == topics.DEAD_LETTER
    assert dict(letter.headers)["dl-reason"] == b"poison"


def test_a_refusal_is_an_error_again_on_the_other_side() -> None:
    error = Refused(Reason.EMPTY, "The record has no value.").error()

    assert isinstance(error, InvalidRecord)
    assert (error.reason, error.detail) == (Reason.EMPTY, "The record has no value.")
