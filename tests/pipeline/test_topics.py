from uuid import UUID

import pytest

from pipeline import broker, topics
from pipeline.broker import TopicState
from pipeline.records import (
    DecidedArticle,
    EnrichedArticle,
    RawArticle,
    Signature,
    SourceState,
    StaleArticle,
    UniqueArticle,
    Withdrawal,
)
from pipeline.settings import DedupSettings, KafkaSettings, Settings

DECLARED = topics.declared(window_days=7, allowed_lag_days=1)
DAY_MS = 86_400_000


def test_the_declared_topics_and_their_records() -> None:
    assert {topic.name: topic.record for topic in DECLARED} == {
        "articles.raw": RawArticle,
        "articles.signatures": Signature,
        "articles.decisions": DecidedArticle,
        "articles.unique": UniqueArticle,
        "articles.enriched": EnrichedArticle,
        "articles.reenrich": StaleArticle,
        "articles.dead-letter": None,
        "articles.sources": SourceState,
        "articles.withdrawals": Withdrawal,
    }


def test_only_the_states_of_sources_are_compacted_as_a_newer_one_says_all_that_counts() -> None:
    assert {topic.name: topic.partitions for topic in DECLARED if topic.is_compacted} == {"articles.sources": 1}
    assert {topic.config["cleanup.policy"] for topic in DECLARED if not topic.is_compacted} == {"delete"}


def test_unread_records_never_go_because_they_are_old() -> None:
    by_time = {topic.name for topic in DECLARED if topic.config["retention.ms"] != "-1"}

    assert by_time == {"articles.signatures"}


def test_the_signature_log_is_one_order_kept_for_two_windows_and_the_lag() -> None:
    log = next(t for t in topics.declared(window_days=3.5, allowed_lag_days=2) if t.name == topics.SIGNATURES)

    assert (log.partitions, log.is_one_order) == (1, True)
    assert log.config["retention.ms"] == str(9 * DAY_MS)
    assert log.config["retention.bytes"] == "-1"
    assert log.config["message.timestamp.type"] == "LogAppendTime"


def test_the_settings_say_how_long_the_log_is_kept_and_how_wide_raw_is() -> None:
    given = Settings(dedup=DedupSettings(window_days=1, allowed_lag_days=0), kafka=KafkaSettings(raw_partitions=6))

    found = {topic.name: topic for topic in topics.of(given)}

    assert found[topics.SIGNATURES].config["retention.ms"] == str(2 * DAY_MS)
    assert found[topics.RAW].partitions == 6


def cluster(**partitions: int) -> dict[str, TopicState]:
    """All declared topics, with these numbers of partitions where they differ."""
    given = {topic.name: topic.partitions or 4 for topic in DECLARED}
    given |= {f"articles.{name}": number for name, number in partitions.items()}
    return {name: TopicState(name, UUID(int=7), number) for name, number in given.items()}


def test_a_cluster_as_it_must_be_has_no_problem() -> None:
    assert broker.check(cluster(), DECLARED) == []


@pytest.mark.parametrize("topic", ["raw", "decisions", "dead-letter"])
def test_more_partitions_break_no_topic_that_is_no_order(topic: str) -> None:
    assert broker.check(cluster(**{topic: 12}), DECLARED) == []


def test_a_signature_log_of_two_partitions_is_a_problem_with_its_remedy() -> None:
    assert broker.check(cluster(signatures=2), DECLARED) == [
        "articles.signatures has 2 partitions and must have one: its one order is the order everybody agrees on. "
        "Delete the topic and run `news topics apply`."
    ]


def test_each_missing_topic_is_a_problem_with_its_remedy() -> None:
    there = cluster()
    del there["articles.raw"], there["articles.reenrich"]

    assert broker.check(there, DECLARED) == [
        "articles.raw is missing: run `news topics apply`.",
        "articles.reenrich is missing: run `news topics apply`.",
    ]
