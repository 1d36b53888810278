"""SIGKILL in mid-load, for each stage and each service: nothing lost, nothing doubled, the same decisions as ever.

One running instance, a fresh batch of articles for each kill. What must come of a batch is worked out here from its
lines alone; what the decisions must be, from the signature log alone.
"""

import json
import logging
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipeline import broker, cleaning, topics
from pipeline.records import VERDICTS_KEY, Signature
from pipeline.settings import Settings
from processors.signature_index import SignatureIndex
from tests import load
from tests.running import DRAIN_SECONDS, Instance, until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(900)]

ARTICLES: Final = 500
SHARES: Final = {"copies": 0.04, "revisions": 0.04, "redeliveries": 0.04, "broken": 0.016}
#: So much is fed before the kill; the rest comes while the victim is away or coming back.
FIRST_PART: Final = 0.6
STAGES: Final = ("producers", "deduplicate", "enrich", "sink")
SCENARIOS: Final = ("deduplicate", "enrich", "sink", "kafka", "postgres")
DAY_MS: Final = 86_400_000
SIGNATURE_LOG: Final = TopicPartition(topics.SIGNATURES, 0)

log = logging.getLogger(__name__)


@dataclass
class Expected:
    """What must come of the lines of one batch: a small reckoning of its own, with none of the pipeline's code."""

    kinds: list[str] = field(default_factory=list)  # of the decided lines, in order
    copy_of: dict[str, str] = field(default_factory=dict)  # URL -> URL
    current: dict[str, tuple[str, str]] = field(default_factory=dict)  # URL -> title and body
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # (stage, reason)

    @property
    def texts(self) -> int:
        return self.kinds.count("new") + self.kinds.count("revision")

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> "Expected":
        expected = cls()
        observed: dict[str, str] = {}
        first_with: dict[tuple[str, str], str] = {}
        versions: set[tuple[str, tuple[str, str]]] = set()
        for line in lines:
            try:
                article = json.loads(line)
            except UnicodeDecodeError:
                expected.refused["producers", "not-utf-8"] += 1
            except json.JSONDecodeError:
                expected.refused["producers", "not-json"] += 1
            else:
                if not isinstance(article, dict):
                    expected.refused["producers", "wrong-shape"] += 1
                elif "body" not in article:
                    expected.refused["producers", "no-text"] += 1
                elif article["body"].startswith("Leave a Reply"):
                    expected.refused["deduplicate", "no-text"] += 1
                else:
                    url, text = article["url"], (article["title"], article["body"])
                    is_newest = article["observed_at"] > observed.get(url, "")
                    if (url, text) in versions:
                        kind = "redelivery"
                    elif url in expected.current:
                        kind = "revision"
                    elif text in first_with:
                        kind = "copy"
                        expected.copy_of[url] = first_with[text]
                    else:
                        kind = "new"
                    if kind in ("new", "revision"):
                        first_with.setdefault(text, url)
                    versions.add((url, text))
                    if is_newest:
                        observed[url], expected.current[url] = article["observed_at"], text
                    expected.kinds.append(kind)
        return expected


class Batch(NamedTuple):
    """Lines that belong to one kill, under a source of their own."""

    source: str
    lines: list[bytes]
    expected: Expected

    @property
    def sources(self) -> list[str]:
        return [self.source, f"copy.{self.source}"]

    @classmethod
    def of(cls, name: str, seed: int) -> "Batch":
        source = f"{name}.example"
        lines = load.lines(ARTICLES, seed=seed, source=source, **SHARES)
        return cls(source, lines, Expected.of(lines))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("kills")
    (folder / "no-seeds").mkdir()
    # A feed that finds Kafka killed must have the patience to see it come back on a busy machine.
    instance = Instance(folder, NEWS_KAFKA__START_TIMEOUT_SECONDS="120")
    try:
        instance.start("--seeds", str(folder / "no-seeds"))
        yield instance
    finally:
        instance.remove()


# How far a batch is.


def end_of_log(consumer: KafkaConsumer) -> int:
    """Records ever appended to the signature log."""
    return int(consumer.end_offsets([SIGNATURE_LOG])[SIGNATURE_LOG])


def count_enriched(instance: Instance, batch: Batch) -> int:
    return int(
        instance.value(
            "SELECT count(*) FROM news.article_versions WHERE source = ANY(%s) AND enriched_at IS NOT NULL",
            batch.sources,
        )
    )


@contextmanager
def meter(instance: Instance, victim: str, batch: Batch) -> Iterator[Callable[[], float]]:
    """How much of the batch has passed: by the rows; for deduplicate, which is far ahead of them, by its log."""
    if victim != "deduplicate":
        yield lambda: count_enriched(instance, batch) / batch.expected.texts
        return
    with closing(broker.consumer(instance.run()["bootstrap_servers"])) as consumer:
        before = end_of_log(consumer)
        yield lambda: (end_of_log(consumer) - before) / len(batch.expected.kinds)


def wait_for_a_transaction(instance: Instance) -> None:
    """Wait until the sink is in the middle of one: a row that was just seen means that one has just ended."""
    query = "SELECT FROM pg_stat_activity WHERE application_name = 'news sink' AND xact_start IS NOT NULL"
    with instance.database() as connection:
        until("the sink writes", lambda: connection.execute(query).rowcount, pause_seconds=0.001)


# Feeding.


def start_feeding(instance: Instance, lines: Sequence[bytes], name: str) -> "subprocess.Popen[str]":
    path = instance.folder / f"{name}.jsonl"
    path.write_bytes(b"".join(lines))
    return instance.news_in_background("feed", "jsonl", str(path))


def finish_feeding(feeding: "subprocess.Popen[str]", lines: Sequence[bytes]) -> None:
    _, said = feeding.communicate(timeout=DRAIN_SECONDS)
    by_producers = sum(count for (stage, _), count in Expected.of(lines).refused.items() if stage == "producers")
    assert feeding.returncode == (3 if by_producers else 0), said
    assert f"{len(lines) - by_producers} accepted, {by_producers} dead letters" in said


def feed_and_kill(instance: Instance, batch: Batch, kills: Sequence[tuple[str, float]]) -> None:
    """Feed the first part, kill each victim once that share of the batch has passed, and feed the rest."""
    restarts = {stage: instance.restarts(stage) for stage in STAGES}
    half = int(len(batch.lines) * FIRST_PART)
    first, rest = batch.lines[:half], batch.lines[half:]
    began, dead = time.monotonic(), {}
    with ExitStack() as stack:
        meters = {victim: stack.enter_context(meter(instance, victim, batch)) for victim, _ in kills}
        feeding = start_feeding(instance, first, f"{batch.source}-first")
        for victim, share in kills:
            passed = meters[victim]
            until(f"{share:.0%} of the batch is there", lambda p=passed, s=share: p() >= s, pause_seconds=0.005)
            there = passed()
            if victim in ("sink", "postgres"):
                wait_for_a_transaction(instance)
            dead[victim] = instance.kill(victim)
            log.info("%s killed after %.1f s at %.0f %%", victim, time.monotonic() - began, 100 * there)
            assert share <= there <= 0.8, f"{victim} was not killed in mid-load"
    feeding_rest = start_feeding(instance, rest, f"{batch.source}-rest")
    finish_feeding(feeding, first)
    finish_feeding(feeding_rest, rest)
    for victim, pid in dead.items():
        instance.wait_restarted(victim, pid)
    instance.wait_balanced()
    log.info("%d lines drained in %.1f s", len(batch.lines), time.monotonic() - began)
    # Whoever was not killed has waited for those that were.
    assert {stage: instance.restarts(stage) - restarts[stage] for stage in STAGES} == {
        stage: int(stage in dead) for stage in STAGES
    }, instance.err()


# What must hold afterwards.


def assert_nothing_is_lost(instance: Instance, batch: Batch) -> None:
    stored = instance.rows("SELECT url, title, raw FROM news.articles WHERE source = ANY(%s)", batch.sources)
    decided = instance.rows(
        "SELECT delivery_id, kind FROM news.decisions WHERE source = ANY(%s) ORDER BY raw_partition, raw_offset",
        batch.sources,
    )
    first_of_delivery: dict[Any, str] = {}
    for row in decided:
        # A send whose answer was lost with the broker stands on articles.raw twice, under one delivery id.
        if row["delivery_id"] in first_of_delivery:
            assert row["kind"] == "redelivery", row
        first_of_delivery.setdefault(row["delivery_id"], row["kind"])

    assert {row["url"]: (row["title"], row["raw"]) for row in stored} == batch.expected.current
    assert list(first_of_delivery.values()) == batch.expected.kinds
    copies = instance.rows(
        "SELECT c.url, o.url AS original FROM news.articles AS c JOIN news.articles AS o ON o.article_id = c.copy_of "
        "WHERE c.source = ANY(%s)",
        batch.sources,
    )
    assert {row["url"]: row["original"] for row in copies} == batch.expected.copy_of
    assert count_enriched(instance, batch) == batch.expected.texts


def assert_nothing_is_doubled(instance: Instance) -> None:
    books = instance.balance()
    (counts,) = instance.rows(
        """
        SELECT
            (SELECT count(*) FROM news.decisions) AS decisions,
            (SELECT count(DISTINCT (raw_topic_id, raw_partition, raw_offset)) FROM news.decisions) AS places,
            (SELECT count(DISTINCT delivery_id) FROM news.decisions WHERE kind IN ('new', 'copy', 'revision'))
                AS with_text,
            (SELECT count(*) FROM news.article_versions) AS versions,
            (SELECT count(DISTINCT delivery_id) FROM news.article_versions) AS versions_apart,
            (SELECT count(*) FROM (
                SELECT FROM news.decisions WHERE kind = 'new' GROUP BY article_id HAVING count(*) > 1
            ) AS twice) AS twice_new,
            (SELECT count(*) FROM (
                SELECT FROM news.mentions GROUP BY article_id, start_offset HAVING count(*) > 1
            ) AS twice) AS twice_mentioned,
            (SELECT count(*) FROM (
                SELECT FROM news.articles GROUP BY url HAVING count(*) > 1
            ) AS twice) AS twice_stored
        """
    )

    assert books["verdict"] == "balanced"
    assert books["decided"] + books["refused"] == books["delivered"]
    assert counts["decisions"] == counts["places"] == books["decided"]
    assert counts["versions"] == counts["versions_apart"] == counts["with_text"]
    assert (counts["twice_new"], counts["twice_mentioned"], counts["twice_stored"]) == (0, 0, 0)


def assert_decisions_are_those_of_the_log(instance: Instance) -> None:
    decided_again = decide_offline(instance)
    stored = {
        (row["raw_topic_id"], row["raw_partition"], row["raw_offset"]): (
            row["kind"],
            row["method"],
            row["article_id"],
            row["version_id"],
            row["of_article"],
            row["of_version"],
            row["of_delivery"],
            row["log_offset"],
        )
        for row in instance.rows("SELECT * FROM news.decisions")
    }

    assert stored == decided_again


def decide_offline(instance: Instance) -> dict[tuple[object, ...], tuple[object, ...]]:
    """The decisions by raw coordinates, from nothing but the log."""
    bootstrap_servers = instance.run()["bootstrap_servers"]
    with broker.admin(bootstrap_servers) as client:
        log_id = broker.topic_states(client)[topics.SIGNATURES].id
    window_ms = int(Settings().dedup.window_days * DAY_MS)
    index = SignatureIndex(log_id, cleaning.load_rules().version, window_ms)
    decisions: dict[tuple[object, ...], tuple[object, ...]] = {}
    replays = 0
    with closing(broker.consumer(bootstrap_servers)) as consumer:
        consumer.assign([SIGNATURE_LOG])
        consumer.seek_to_beginning(SIGNATURE_LOG)
        end = end_of_log(consumer)
        while consumer.position(SIGNATURE_LOG) < end:
            for record in consumer.poll(timeout_ms=1000).get(SIGNATURE_LOG, ()):
                if record.key == VERDICTS_KEY:
                    continue
                signature = Signature.from_bytes(record.value)
                d = index.apply(signature, record.offset, record.timestamp).decision
                raw = (d.raw.topic_id, d.raw.partition, d.raw.offset)
                said = (
                    d.kind,
                    d.method,
                    d.article_id,
                    d.version_id,
                    d.of,
                    d.of_version,
                    d.of_delivery,
                    d.log_offset,
                )
                replays += raw in decisions
                # A replay (a crash between append and outcome) repeats the decision.
                assert decisions.setdefault(raw, said) == said
    log.info("%d decisions, %d replays in the signature log", len(decisions), replays)
    return decisions


def count_dead_letters(instance: Instance) -> Counter[tuple[str, str]]:
    rows = instance.rows("SELECT stage, reason, count(*) FROM news.dead_letters GROUP BY stage, reason")
    return Counter({(row["stage"], row["reason"]): row["count"] for row in rows})


def assert_all_holds(instance: Instance, batch: Batch, dead_letters_before: Counter[tuple[str, str]]) -> None:
    assert count_dead_letters(instance) - dead_letters_before == batch.expected.refused
    assert_nothing_is_lost(instance, batch)
    assert_nothing_is_doubled(instance)
    assert_decisions_are_those_of_the_log(instance)


# The kills.


@pytest.mark.parametrize("victim", SCENARIOS)
def test_a_kill_in_mid_load_loses_and_doubles_nothing(instance: Instance, victim: str) -> None:
    batch = Batch.of(f"{victim}-killed", seed=SCENARIOS.index(victim))
    dead_letters = count_dead_letters(instance)

    feed_and_kill(instance, batch, [(victim, 0.2)])

    assert_all_holds(instance, batch, dead_letters)


def test_everything_killed_in_one_load_loses_and_doubles_nothing(instance: Instance) -> None:
    batch = Batch.of("all-killed", seed=100)
    dead_letters = count_dead_letters(instance)

    # The sink after enrich: without it no row would come that says how far enrich is. Then three at once.
    kills = [("deduplicate", 0.2), ("enrich", 0.2), ("sink", 0.25), ("kafka", 0.25), ("postgres", 0.25)]
    feed_and_kill(instance, batch, kills)

    assert_all_holds(instance, batch, dead_letters)


def test_the_load_has_every_kind_and_every_poison(tmp_path: Path) -> None:
    expected = Batch.of("any", seed=1).expected

    assert Counter(expected.kinds) == {"new": 500, "copy": 20, "revision": 20, "redelivery": 20}
    assert expected.refused == {
        ("producers", "not-json"): 2,
        ("producers", "no-text"): 2,
        ("producers", "wrong-shape"): 2,
        ("deduplicate", "no-text"): 2,
    }
