"""Re-enrichment on a real Kafka and PostgreSQL: rows that are stale get the names of now, and new articles go first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from kafka import TopicPartition
from psycopg.rows import dict_row

from pipeline import topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import Reason
from pipeline.records import Coordinates, Decision, EnrichedArticle, Enrichment, StaleArticle, UniqueArticle
from pipeline.settings import NlpSettings
from processors import provenance
from processors.again import BATCH, GROUP, Again, Live
from processors.incoming import Incoming
from sinks import database, postgres
from tests.cluster import acknowledged, records_on, send, shorten, size_of, values_on
from tests.pipeline.samples import BODY, DECISION, METADATA
from tests.processors.test_worker import BUG, END_SECONDS, Stages
from tests.running import run_news, until
from tests.sinks.samples import Feed, decided, enriched, enrichment
from tests.sinks.samples import decision as stored_decision

# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
pytestmark = [
    pytest.mark.services,
    pytest.mark.usefixtures("sockets_collected"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

_CONFIGURATION = provenance.of(NlpSettings())
NOW = _CONFIGURATION.digests["en"]
ASKED = _CONFIGURATION.digest
TOWNS = ["Oslo", "Bergen", "Paris", "London", "Madrid"]


@pytest.fixture
def stages(kafka: str, tmp_path: Path) -> Stages:
    return Stages(kafka, tmp_path)


def decision(number: int) -> Decision:
    return DECISION.model_copy(update={"delivery_id": UUID(int=number), "article_id": UUID(int=10_000 + number)})


def stale(number: int, text: str, generation: int = 1, config: str | None = ASKED) -> bytes:
    body = BODY.model_copy(update={"raw": text, "text": text, "removed": ()})
    return StaleArticle(
        decision=decision(number), metadata=METADATA, body=body, generation=generation, config=config
    ).to_bytes()


def fresh(number: int, text: str) -> bytes:
    body = BODY.model_copy(update={"raw": text, "text": text, "removed": ()})
    return UniqueArticle(decision=decision(number), metadata=METADATA, body=body).to_bytes()


def results(kafka: str) -> dict[int, EnrichedArticle]:
    found = [EnrichedArticle.from_bytes(value) for value in values_on(kafka, topics.ENRICHED)]
    return {article.decision.delivery_id.int: article for article in found}


def dead_letters(kafka: str) -> list[DeadLetter]:
    at = Coordinates(topic_id=UUID(int=0), partition=0, offset=0)
    return [DeadLetter.from_kafka(r.key, r.value, r.headers, at) for r in records_on(kafka, topics.DEAD_LETTER)]


@contextmanager
def enriching(stages: Stages, **variables: str) -> Iterator[Any]:
    """The stage, ready; it must end well when it is asked to."""
    with stages.started("ops", "run", "enrich", **variables) as process:
        until("enrich is ready", lambda: process.poll() is not None or stages.ready.exists(), END_SECONDS)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_SECONDS) == 0, stages.said()


def wait_acknowledged(stages: Stages, count: int, group: str = GROUP) -> None:
    until(
        f"{group} has acknowledged {count}",
        lambda: acknowledged(stages.kafka, group) == count,
        END_SECONDS,
        pause_seconds=0.2,
    )


def test_stale_versions_are_enriched_again_and_what_cannot_be_is_a_dead_letter(stages: Stages) -> None:
    values = [
        stale(1, "They met in Oslo.", generation=3),
        b"{bad",
        stale(2, "They met in Bergen.", config="of another worker"),
        stale(3, "They met in Paris.", config=None),
        fresh(4, "They met in London."),  # no generation: not a record of this topic
    ]
    send(stages.kafka, topics.REENRICH, values)

    with enriching(stages):
        wait_acknowledged(stages, len(values))

    found = results(stages.kafka)
    assert {number: a.enrichment.entities[0].name for number, a in found.items()} == {1: "Oslo", 3: "Paris"}
    assert {number: a.enrichment.generation for number, a in found.items()} == {1: 3, 3: 1}
    assert {a.enrichment.models[provenance.CONFIG] for a in found.values()} == {NOW}
    assert sorted((letter.stage, letter.topic, letter.reason) for letter in dead_letters(stages.kafka)) == [
        ("enrich", topics.REENRICH, Reason.NOT_JSON),
        ("enrich", topics.REENRICH, Reason.WRONG_SHAPE),
    ]
    assert '"event": "dropped"' in stages.said()


def test_a_worker_that_dies_at_every_point_loses_no_version(stages: Stages) -> None:
    send(stages.kafka, topics.REENRICH, [stale(n, f"They met in {TOWNS[n % 5]}.") for n in range(40)])

    for point in ("enrich.before_publish", "enrich.after_publish"):
        assert stages.ends_by_itself("enrich", NEWS_TEST_CRASH_AT=point) == BUG
    assert acknowledged(stages.kafka, GROUP) == 0, "nothing is acknowledged before the broker has the outcome"
    with stages.started("ops", "run", "enrich") as process:
        until("it is in the middle", lambda: size_of(stages.kafka, topics.ENRICHED) > BATCH, END_SECONDS)
        process.kill()  # -9
    with enriching(stages):
        wait_acknowledged(stages, 40)

    found = results(stages.kafka)
    assert {n: article.enrichment.entities[0].name for n, article in found.items()} == {
        n: TOWNS[n % 5] for n in range(40)
    }
    assert dead_letters(stages.kafka) == []


def test_new_articles_go_first_while_versions_wait_to_be_enriched_again(stages: Stages) -> None:
    """Two hundred wait; a new article that comes among them is there after a batch of eight, and so are forty."""
    kafka, long = stages.kafka, " They met in Oslo on Monday and spoke of ferries and fish." * 40
    send(kafka, topics.REENRICH, [stale(n, TOWNS[n % 5] + "." + long) for n in range(200)])

    with enriching(stages):
        until("some are done", lambda: size_of(kafka, topics.ENRICHED) >= 2 * BATCH, END_SECONDS)
        before = size_of(kafka, topics.ENRICHED)
        send(kafka, topics.UNIQUE, [fresh(1000 + n, "They met in Bergen." + long) for n in range(40)])
        wait_acknowledged(stages, 40, "news.enrich")
        order = [EnrichedArticle.from_bytes(r.value) for r in sorted(records_on(kafka, topics.ENRICHED), key=_time)]
        wait_acknowledged(stages, 200)

    numbers = [article.decision.delivery_id.int for article in order]
    live = [place for place, number in enumerate(numbers) if number >= 1000]
    between = [number for number in numbers[live[0] : live[-1]] if number < 1000]
    assert len(between) <= BATCH, "one batch was in work when they came"
    assert before < 200, "or this test says nothing"
    assert len(results(kafka)) == 240


def _time(record: Any) -> int:
    return int(record.timestamp)


def test_versions_that_were_deleted_unread_stop_the_stage(stages: Stages) -> None:

    send(stages.kafka, topics.REENRICH, [stale(n, "They met in Oslo.") for n in range(4)])
    shorten(stages.kafka, topics.REENRICH, 3)

    assert stages.ends_by_itself("enrich") == 1
    assert "3 records of articles.reenrich partition 0 were deleted before they were read" in stages.said()


class Broken(Live):
    """Something that is wrong and no trouble of Kafka."""

    async def waits(self) -> bool:
        raise KeyError("a bug")


async def test_an_error_while_it_waits_for_silence_is_no_silence() -> None:
    async def take(records: object) -> None:
        raise AssertionError("nothing may be taken")

    again = Again("nowhere:1", UUID(int=0), take, Broken("nowhere:1", "news.enrich"))

    with pytest.raises(KeyError):
        await again._undisturbed()


async def test_live_work_waits_when_it_is_in_hand_or_behind_the_place_of_the_group(kafka: str) -> None:
    live = Live(kafka, "news.enrich")
    await live.open()
    try:
        await live.assigned(None, [TopicPartition(topics.UNIQUE, p) for p in range(4)])
        assert not await live.waits(), "nothing was ever sent"

        send(kafka, topics.UNIQUE, [fresh(1, "x"), fresh(2, "y")])
        assert await live.waits(), "two records stand in the log"

        at = Coordinates(topic_id=UUID(int=0), partition=0, offset=1)
        with live.at_work([Incoming(topics.UNIQUE, at, None, b"", [])]):
            assert await live.waits(), "they are in hand"
        assert not await live.waits(), "they are done, whether that is committed or not"

        await live.assigned(None, [TopicPartition(topics.UNIQUE, 3)])
        assert not await live.waits(), "another worker has what waits"
        await live.assigned(None, [TopicPartition(topics.UNIQUE, 0)])
        assert await live.waits(), "nobody has committed it"
    finally:
        await live.close()


STORED = [(n, stored_decision("new", place=n, of_article=n, text=n, observed=n, method=None)) for n in range(12)]


def seed(url: str) -> None:
    """Rows as an older configuration left them: every article speaks of Ada."""
    connection = database.connect(url, 30)
    feed = Feed()
    for n, made in STORED:
        old = enrichment("Ada").model_copy(update={"models": {"config": "before"}})
        if n == 11:
            old = Enrichment(
                language="de",
                reason="no model for the language 'de'",
                models=_CONFIGURATION.of("de"),
                enriched_at=old.enriched_at,
            )
        text = f"They met in {TOWNS[n % 5]} on Monday."
        found = enriched(made, n, old)
        body = found.body.model_copy(update={"raw": text, "text": text, "removed": ()})
        said = found.metadata.model_copy(update={"language": "en"})  # too short for a detector
        record = found.model_copy(update={"body": body, "metadata": said})
        postgres.write_batch(connection, feed.incoming(decided(made, n), record))
    connection.execute("DELETE FROM ingest.positions")  # of topics that were never there
    connection.close()


def test_news_reenrich_replaces_the_names_of_stale_rows_and_leaves_the_rest(
    stages: Stages, database_url: str, tmp_path: Path
) -> None:
    kafka = stages.kafka
    seed(database_url)
    services = {
        "NEWS_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "NEWS_DATABASE__URL": database_url,
        "NEWS_DATA_DIR": str(tmp_path),
    }
    (tmp_path / "sink").mkdir()
    sink = Stages(kafka, tmp_path / "sink")

    dry = run_news("reenrich", "--dry-run", "--json", **services)
    assert dry.status == 0, dry.err
    assert [(r["config"], r["language"], r["texts"], r["stale"]) for r in dry.rows()] == [
        ("before", "en", 11, 11),
        (_CONFIGURATION.digest_of_others, "de", 1, 0),
    ]
    assert NOW in dry.err
    assert size_of(kafka, topics.REENRICH) == 0
    assert run_news("reenrich", "--where", "colour=red", **services).status == 2

    sent = run_news("reenrich", "--where", "source=wire", "--json", **services)
    assert sent.rows() == [{"sent": 11}], sent.err
    with (
        sink.started("ops", "run", "sink", NEWS_DATABASE__URL=database_url),
        enriching(stages),
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as db,
    ):
        rows = until("the rows are new", lambda: _all_new(db), END_SECONDS)

    assert [row["names"] for row in rows] == [[TOWNS[n % 5]] for n in range(11)]
    again = run_news("reenrich", "--dry-run", "--json", **services)
    assert [(r["config"], r["texts"], r["stale"]) for r in again.rows()] == [
        (NOW, 11, 0),
        (_CONFIGURATION.digest_of_others, 1, 0),
    ]


def _all_new(db: "psycopg.Connection[dict[str, Any]]") -> list[dict[str, Any]] | None:
    (count,) = db.execute("SELECT count(*) AS articles FROM news.articles").fetchall()
    assert count["articles"] == len(STORED)
    rows = db.execute(
        "SELECT generation, array_agg(DISTINCT e.name) AS names FROM ingest.versions"
        " JOIN ingest.entities AS e USING (delivery_id) WHERE enrich_reason IS NULL"
        " GROUP BY delivery_id, generation ORDER BY delivery_id"
    ).fetchall()
    assert all((row["generation"] == 0) == ("Ada" in row["names"]) for row in rows), "names change with the generation"
    return rows if all(row["generation"] == 1 for row in rows) else None
