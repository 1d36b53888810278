"""The records that follow from a decision: decision in, records out."""

from typing import get_args

import pytest

from pipeline import cleaning, topics
from pipeline.records import DecidedArticle, Decision, Kind, Target, UniqueArticle
from processors import deduplicate, fingerprint
from tests.pipeline.samples import DECISION, HERE, raw_article

TRACE = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
PREPARED = fingerprint.prepare(
    raw_article(title="Ferry sinks", targets=(Target(start=0, end=3),)), HERE, cleaning.load_rules()
)

TOPICS_OF = {
    "new": [topics.DECISIONS, topics.UNIQUE],
    "revision": [topics.DECISIONS, topics.UNIQUE],
    "copy": [topics.DECISIONS],
    "unchanged": [topics.DECISIONS],
    "redelivery": [topics.DECISIONS],
}


def decided(kind: str) -> Decision:
    return Decision.model_validate({**DECISION.model_dump(), "kind": kind})


def test_the_table_knows_every_kind() -> None:
    assert set(TOPICS_OF) == set(get_args(Kind))


@pytest.mark.parametrize(("kind", "expected"), TOPICS_OF.items())
def test_every_decision_is_told_and_only_a_new_text_goes_on(kind: str, expected: list[str]) -> None:
    records = deduplicate.outcomes(PREPARED, decided(kind), [])

    assert [record.topic for record in records] == expected
    assert {record.key for record in records} == {str(DECISION.article_id).encode()}


@pytest.mark.parametrize("kind", TOPICS_OF)
def test_the_text_of_a_copy_goes_with_its_decision_for_no_other_topic_carries_it(kind: str) -> None:
    told, *others = deduplicate.outcomes(PREPARED, decided(kind), [])

    article = DecidedArticle.from_bytes(told.value)
    assert (article.decision, article.metadata) == (decided(kind), PREPARED.metadata)
    assert article.body == (PREPARED.body if kind == "copy" else None)
    for other in others:
        unique = UniqueArticle.from_bytes(other.value)
        assert (unique.decision, unique.body, unique.targets) == (
            decided(kind),
            PREPARED.body,
            (Target(start=0, end=3),),
        )


def test_the_records_carry_the_id_of_their_delivery_and_its_trace() -> None:
    for record in deduplicate.outcomes(PREPARED, decided("new"), TRACE):
        headers = dict(record.headers)
        assert headers["ce_id"] == str(DECISION.delivery_id).encode()
        assert headers["ce_type"] == record.topic.encode()
        assert headers["traceparent"] == TRACE[0][1]
