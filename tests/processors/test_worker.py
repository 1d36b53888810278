"""The stages as processes: what they acknowledge, and what stands on the topics after they died at every point."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import broker, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import Reason
from pipeline.records import Coordinates, DecidedArticle, EnrichedArticle, RawArticle, UniqueArticle
from tests.cluster import acknowledged, records_on, replayed, send, signatures_on, size_of, values_on, verdicts_on
from tests.fixtures.kafka import make_topics_afresh
from tests.pipeline.samples import BODY, DECISION, METADATA, raw_article
from tests.processors import stories
from tests.running import REPOSITORY, clean_environment, until

# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
pytestmark = [
    pytest.mark.services,
    pytest.mark.usefixtures("sockets_collected"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

END_SECONDS = 90
BUG = 70


class Stages:
    """Starts stages on one data folder, each in a process of its own."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        self.ready = folder / "ready"

    @contextmanager
    def started(self, *command: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        self.ready.unlink(missing_ok=True)
        given = {
            "NEWS_KAFKA__BOOTSTRAP_SERVERS": self.kafka,
            "NEWS_DATA_DIR": str(self.folder),
            "NEWS_READY_FILE": str(self.ready),
            "NEWS_NLP__PROCESSES": "1",
        }
        with (self.folder / "log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=REPOSITORY,
                env=clean_environment(**given, **variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(END_SECONDS)

    def ends_by_itself(self, stage: str, **variables: str) -> int:
        """The exit status of a stage that is told to do what ends it."""
        with self.started("ops", "run", stage, **variables) as process:
            return process.wait(END_SECONDS)

    def runs_until_acknowledged(self, stage: str, records: int) -> None:
        """A stage that does its work and is then asked to end."""
        with self.started("ops", "run", stage) as process:
            until(
                f"{stage} has acknowledged {records}",
                lambda: process.poll() is not None or acknowledged(self.kafka, f"news.{stage}") == records,
                END_SECONDS,
                pause_seconds=0.2,
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_SECONDS) == 0, self.said()
            assert self.ready.read_text(encoding="ascii") == str(process.pid)

    def said(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")


@pytest.fixture
def stages(kafka: str, tmp_path: Path) -> Stages:
    return Stages(kafka, tmp_path)


LONG = "The ferry sank near Bergen at noon. " * 10
RAW = [
    raw_article(delivery_id=UUID(int=1), url="http://a.example/1", body=LONG),
    raw_article(delivery_id=UUID(int=2), url="http://b.example/1", body=LONG, source="b"),
    raw_article(delivery_id=UUID(int=3), url="http://a.example/1", body=LONG + "New."),
    raw_article(delivery_id=UUID(int=3), url="http://a.example/1", body=LONG + "New."),
    raw_article(delivery_id=UUID(int=5), url="http://a.example/5", body="Another text."),
]
KINDS = {0: "new", 1: "copy", 2: "revision", 3: "redelivery", 4: "new"}


def values_of(articles: Sequence[RawArticle]) -> list[bytes]:
    return [article.to_bytes() for article in articles]


def journal_in_the_way(kafka: str, folder: Path) -> Path:
    """Something that no stage expects, so that writing its journal is a bug: a folder where a file shall be."""
    with broker.admin(kafka) as client:
        topic_id = broker.topic_states(client)[topics.RAW].id
    in_the_way = folder / "journal" / f"deduplicate-{topic_id}-0.new"
    in_the_way.mkdir(parents=True)
    return in_the_way


def test_deduplicate_that_dies_at_every_point_loses_nothing_and_decides_the_same(stages: Stages) -> None:
    kafka = stages.kafka
    send(kafka, topics.RAW, [*values_of(RAW), b"{bad"])
    in_the_way = journal_in_the_way(kafka, stages.folder)

    # An exception in the body of the agent: the process ends and has acknowledged nothing.
    assert stages.ends_by_itself("deduplicate") == BUG
    assert "a bug ends the process before anything is acknowledged" in stages.said()
    assert acknowledged(kafka, "news.deduplicate") == 0
    assert size_of(kafka, topics.SIGNATURES, topics.DECISIONS, topics.UNIQUE) == 0
    in_the_way.rmdir()

    # The log has the signatures, and nobody has heard of it.
    assert stages.ends_by_itself("deduplicate", NEWS_TEST_CRASH_AT="deduplicate.after_append") == BUG
    assert acknowledged(kafka, "news.deduplicate") == 0
    assert 1 <= len(signatures_on(kafka)) <= 5, "as many as were waiting when it looked"
    assert size_of(kafka, topics.DECISIONS, topics.UNIQUE, topics.DEAD_LETTER) == 0

    # The broker has the outcomes, and they are not acknowledged.
    assert stages.ends_by_itself("deduplicate", NEWS_TEST_CRASH_AT="deduplicate.after_publish") == BUG
    assert acknowledged(kafka, "news.deduplicate") == 0
    assert 1 <= size_of(kafka, topics.DECISIONS) <= 5

    stages.runs_until_acknowledged("deduplicate", 6)

    decided = [DecidedArticle.from_bytes(value).decision for value in values_on(kafka, topics.DECISIONS)]
    assert {d.raw.offset: d.kind for d in decided} == KINDS
    assert len(decided) > 5, "what was told before the crash is told again"
    assert len({d.to_bytes() for d in decided}) == 5, "and told the same"
    unique = {UniqueArticle.from_bytes(value).decision.raw.offset for value in values_on(kafka, topics.UNIQUE)}
    assert unique == {0, 2, 4}
    assert set(values_on(kafka, topics.DEAD_LETTER)) == {b"{bad"}
    assert {d.to_bytes() for d in decided} == {d.to_bytes() for d in replayed(kafka)}, "as an offline replay says"


WORKERS_RAW_PARTITIONS = 4
TEXTS = (*map(stories.paragraphs, (stories.LIGHTHOUSE, stories.HARVEST, stories.FERRY_IN_GERMAN)), ["A short item."])


def crowd(deliveries: int) -> list[RawArticle]:
    """Deliveries rich in copies, near copies, revisions and redeliveries: few texts, told again by many."""
    return [
        raw_article(
            delivery_id=UUID(int=1 + n),
            url=f"http://o{n % 6}.example/{n % 70}",
            source=f"outlet {n % 6}",
            body=stories.joined(TEXTS[n % 4][n % 5 // 4 :] + [f"Edition {n % 3}."] * (n % 2)),
        )
        for n in range(deliveries)
    ]


@pytest.mark.parametrize(
    ("workers", "dies_at"),
    [(2, "deduplicate.after_append"), (4, None)],
    ids=["one of two, before anybody has heard of its batch", "one of four, wherever it is"],
)
def test_workers_of_which_one_dies_decide_as_one_that_reads_the_log_alone(
    kafka: str, tmp_path: Path, workers: int, dies_at: str | None
) -> None:
    make_topics_afresh(kafka, WORKERS_RAW_PARTITIONS)
    articles = crowd(300)

    def feed(some: Sequence[RawArticle]) -> None:
        for partition in range(WORKERS_RAW_PARTITIONS):
            send(kafka, topics.RAW, values_of(some[partition::WORKERS_RAW_PARTITIONS]), partition)

    with ExitStack() as stack:
        started = []
        for n in range(workers):
            (folder := tmp_path / str(n)).mkdir()
            one = Stages(kafka, folder)
            variables = {"NEWS_KAFKA__RAW_PARTITIONS": str(WORKERS_RAW_PARTITIONS)}
            if n == 0 and dies_at is not None:
                variables["NEWS_TEST_CRASH_AT"] = dies_at
            started.append((one, stack.enter_context(one.started("ops", "run", "deduplicate", **variables))))
        until("all have their place in the group", lambda: all(one.ready.exists() for one, _ in started), END_SECONDS)

        feed(articles[:200])
        until("they are at work", lambda: len(signatures_on(kafka)) > 20, END_SECONDS)
        victim = started[0][1]
        if dies_at is None:
            victim.kill()
        feed(articles[200:])
        victim.wait(END_SECONDS)
        until(
            "the others have acknowledged everything",
            lambda: acknowledged(kafka, "news.deduplicate") == len(articles),
            END_SECONDS,
            pause_seconds=0.2,
        )
        assert [process.poll() for _, process in started[1:]] == [None] * (workers - 1), started[1][0].said()

    decided = [DecidedArticle.from_bytes(value).decision for value in values_on(kafka, topics.DECISIONS)]
    offline = replayed(kafka)
    contents = {d.to_bytes() for d in decided}
    assert len({(d.raw.partition, d.raw.offset) for d in decided}) == len(articles)
    assert len(contents) == len(articles), "one delivery, one decision, however often it is told"
    assert contents == {d.to_bytes() for d in offline}
    assert {(d.kind, d.method) for d in offline} >= {
        ("new", None),
        ("copy", "exact"),
        ("copy", "near"),
        ("revision", "url"),
    }
    by_offset = dict(zip((r.offset for r in signatures_on(kafka)), offline, strict=True))
    verdicts = verdicts_on(kafka)
    assert {v.offset: (v.kind, v.of, v.score) for v in verdicts} == {
        v.offset: ((d := by_offset[v.offset]).kind, d.of, d.score) for v in verdicts
    }
    if dies_at is not None:
        assert len(by_offset) > len(articles), "what it appended was appended again"
    assert {by_offset[v.offset].delivery_id for v in verdicts} == {article.delivery_id for article in articles}


def unique_article(text: str) -> bytes:
    body = BODY.model_copy(update={"raw": text, "text": text, "removed": ()})
    return UniqueArticle(decision=DECISION, metadata=METADATA, body=body).to_bytes()


def test_enrich_that_dies_before_and_after_publishing_loses_nothing(stages: Stages) -> None:
    kafka = stages.kafka
    texts = ["They met in Oslo.", "They met in Bergen.", "They met in Paris."]
    send(kafka, topics.UNIQUE, [*(unique_article(text) for text in texts), b"{bad"])

    assert stages.ends_by_itself("enrich", NEWS_TEST_CRASH_AT="enrich.before_publish") == BUG
    assert (acknowledged(kafka, "news.enrich"), size_of(kafka, topics.ENRICHED, topics.DEAD_LETTER)) == (0, 0)

    assert stages.ends_by_itself("enrich", NEWS_TEST_CRASH_AT="enrich.after_publish") == BUG
    assert acknowledged(kafka, "news.enrich") == 0
    assert 1 <= size_of(kafka, topics.ENRICHED, topics.DEAD_LETTER) <= 4, "as many as were waiting when it looked"

    stages.runs_until_acknowledged("enrich", 4)

    found = [EnrichedArticle.from_bytes(value) for value in values_on(kafka, topics.ENRICHED)]
    assert {e.body.raw for e in found} == set(texts)
    assert {e.enrichment.entities[0].name for e in found} == {"Oslo", "Bergen", "Paris"}
    at = Coordinates(topic_id=UUID(int=0), partition=0, offset=0)
    dead = [DeadLetter.from_kafka(r.key, r.value, r.headers, at) for r in records_on(kafka, topics.DEAD_LETTER)]
    assert {(letter.reason, letter.value) for letter in dead} == {(Reason.NOT_JSON, b"{bad")}
    assert len({letter.id for letter in dead}) == 1, "doubles fall together"


def test_an_agent_without_the_guard_acknowledges_what_it_failed_on(stages: Stages) -> None:
    """The negative control: were this to fail, Faust has changed and the guard may go.

    It acknowledges the batch that it had in hand; the restarted agent may never see what was waiting behind it.
    """
    send(stages.kafka, topics.RAW, values_of(RAW))

    with stages.started("tests.processors.unguarded", stages.kafka, str(stages.folder)) as process:
        until(
            "the loss",
            lambda: process.poll() is not None or acknowledged(stages.kafka, "news.unguarded") > 0,
            END_SECONDS,
            pause_seconds=0.2,
        )
        assert process.poll() is None, stages.said()


def test_a_stage_that_is_asked_to_end_before_it_has_work_ends_well(stages: Stages) -> None:
    with stages.started("ops", "run", "deduplicate") as process:
        until("it is ready", lambda: process.poll() is not None or stages.ready.exists(), END_SECONDS)
        process.send_signal(signal.SIGTERM)

        assert process.wait(END_SECONDS) == 0, stages.said()
