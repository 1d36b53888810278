"""Where a delivery is, at every stage from the spool to the row, on a real Kafka and a real PostgreSQL."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ops import whereabouts
from pipeline import broker, dead_letters, events, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Decision, Record
from processors.fingerprint import Prepared
from processors.signature_index import SignatureIndex
from producers import deliveries as rows
from producers.spool import Spool
from sinks import database, postgres
from tests import seeded
from tests.running import Outcome, run_news
from tests.sinks.samples import Feed

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("sockets_collected")]

URL = "https://www.northline.example/norway/landslide-blocks-bergen-railway"

Ask = Callable[..., Outcome]


@pytest.fixture
def ask(kafka: str, database_url: str, tmp_path: Path) -> Ask:
    """`news where`, for machines."""

    def where(what: object, status: int = 0) -> Outcome:
        services = {"NEWS_KAFKA__BOOTSTRAP_SERVERS": kafka, "NEWS_DATABASE__URL": database_url}
        outcome = run_news("where", str(what), "--json", NEWS_DATA_DIR=str(tmp_path), **services)
        assert outcome.status == status, outcome
        return outcome

    return where


@pytest.fixture
def delivery() -> Prepared:
    return seeded.deliveries()[0]


def decided(delivery: Prepared) -> Decision:
    return SignatureIndex(UUID(int=1), delivery.signature.rules_version, 1000).apply(delivery.signature, 0, 1).decision


def send(kafka: str, topic: str, record: Record, decision: Decision) -> None:
    with closing(broker.producer(kafka)) as producer:
        head = events.headers(decision.delivery_id, topic, "/tests")
        producer.send(topic, record.to_bytes(), key=str(decision.article_id).encode(), headers=head).get(timeout=30)


def places(outcome: Outcome) -> list[tuple[Any, ...]]:
    return [(row["where"], row["detail"].partition(":")[0]) for row in outcome.rows()]


def test_in_the_spool(ask: Ask, delivery: Prepared, tmp_path: Path) -> None:
    article = delivery.article
    with Spool(tmp_path / "spool", 10**6) as spool:
        spool.append([rows.row_of_article(article, rows.value_of(article))])

    for what in (article.delivery_id, URL):
        assert places(ask(what)) == [("spooled", "not acknowledged by Kafka yet")]


def test_on_raw_and_not_decided(ask: Ask, delivery: Prepared, kafka: str) -> None:
    send(kafka, topics.RAW, delivery.article, decided(delivery))

    for what in (delivery.article.delivery_id, URL):
        assert places(ask(what)) == [("in Kafka", "waits for deduplicate")]


def test_what_is_not_decided_cannot_be_explained_and_its_place_is_named(
    delivery: Prepared, kafka: str, database_url: str, tmp_path: Path
) -> None:
    send(kafka, topics.RAW, delivery.article, decided(delivery))
    services = {"NEWS_KAFKA__BOOTSTRAP_SERVERS": kafka, "NEWS_DATABASE__URL": database_url}

    outcome = run_news("explain", URL, NEWS_DATA_DIR=str(tmp_path), **services)

    assert (outcome.status, outcome.out) == (1, "")
    said = " ".join(outcome.err.split())
    assert said == f"No decision about {URL} is stored: in Kafka. See `news where {URL}`."


def test_decided_and_not_known_to_the_database(ask: Ask, delivery: Prepared, kafka: str) -> None:
    made = decided(delivery)
    send(kafka, topics.DECISIONS, seeded.outcomes(delivery, made)[0], made)

    for what in (made.delivery_id, made.article_id):
        assert places(ask(what)) == [("in Kafka", "decided; waits for the sink")]


@pytest.mark.parametrize(
    ("topic", "says"), [(topics.UNIQUE, "waits for enrich"), (topics.ENRICHED, "enriched; waits for the sink")]
)
def test_waiting_for_its_enrichment_or_for_the_sink(
    ask: Ask, delivery: Prepared, kafka: str, database_url: str, topic: str, says: str
) -> None:
    made = decided(delivery)
    decision, enriched = seeded.outcomes(delivery, made)
    seeded.store(database_url, [decision])

    (nothing_found,) = ask(made.delivery_id).rows()
    send(kafka, topic, enriched, made)

    assert nothing_found["where"] == "being enriched"
    for what in (made.delivery_id, made.version_id, URL):
        assert places(ask(what)) == [("being enriched", says)]


def test_stored_and_another_delivery_on_its_way(ask: Ask, delivery: Prepared, kafka: str, database_url: str) -> None:
    made = decided(delivery)
    seeded.store(database_url, seeded.outcomes(delivery, made))
    for number in range(2):  # the first of them is the one that is stored: deduplicate has not acknowledged it
        send(kafka, topics.RAW, delivery.article, made.model_copy(update={"delivery_id": UUID(int=number)}))

    assert places(ask(made.delivery_id)) == [("stored", "enriched")]
    assert places(ask(URL)) == [("in Kafka", "waits for deduplicate"), ("stored", "enriched")]


def test_a_dead_letter_of_any_stage(ask: Ask, delivery: Prepared, database_url: str) -> None:
    made = decided(delivery)
    error = InvalidRecord(Reason.NO_TEXT, "The body holds nothing.")
    at = delivery.signature.raw
    key = str(made.article_id).encode()
    letters = [
        dead_letters.of_record("deduplicate", error, topics.RAW, at, None, delivery.article.to_bytes()),
        dead_letters.of_record("enrich", error, topics.UNIQUE, at, key, b"{}"),
    ]
    feed = Feed()
    with closing(database.connect(database_url, 30)) as connection:
        postgres.write_batch(connection, [feed.raw(topics.DEAD_LETTER, x.value, x.headers()) for x in letters[:1]])
        incoming = feed.raw(topics.DEAD_LETTER, letters[1].value, letters[1].headers())
        postgres.write_batch(connection, [type(incoming)(**{**fields(incoming), "key": key})])

    by_delivery, by_article, by_id = (ask(what).rows() for what in (made.delivery_id, URL, letters[0].id))

    assert [(row["where"], row["kind"]) for row in by_delivery] == [("dead letter", "deduplicate")]
    assert [(row["where"], row["kind"]) for row in by_article] == [("dead letter", "enrich")]
    assert by_id == by_delivery
    assert f"news dead-letters show {letters[0].id}" in by_id[0]["detail"]


def fields(incoming: Any) -> dict[str, Any]:
    return {name: getattr(incoming, name) for name in type(incoming).__dataclass_fields__}


def test_what_nobody_knows(ask: Ask) -> None:
    assert ask("https://nobody.example/", status=1).out == ""


def test_without_kafka_it_says_what_the_database_knows_and_what_it_did_not_look_at(
    delivery: Prepared, database_url: str, tmp_path: Path
) -> None:
    seeded.store(database_url, seeded.outcomes(delivery, decided(delivery)))
    services = {"NEWS_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "NEWS_DATABASE__URL": database_url}

    known = run_news("where", URL, "--json", NEWS_DATA_DIR=str(tmp_path), **services)
    unknown = run_news("where", "https://nobody.example/", NEWS_DATA_DIR=str(tmp_path), **services)

    assert (known.status, places(known)) == (0, [("stored", "enriched")])
    assert "What waits in Kafka was not looked for" in known.err
    assert unknown.status == 69


def waiting(*partitions: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"partition": n, "position": position, "end": end} for n, (position, end) in enumerate(partitions)]


@pytest.mark.parametrize(
    ("behind", "tail", "left_out"),
    [
        ((), (), 0),
        (((5, 9),), ((5, 9),), 0),
        (((0, 1000),), ((900, 1000),), 900),
        (((0, 1000), (70, 100)), ((950, 1000), (70, 100)), 950),
    ],
)
def test_of_what_waits_only_the_newest_is_looked_at(
    behind: tuple[tuple[int, int], ...], tail: tuple[tuple[int, int], ...], left_out: int
) -> None:
    assert whereabouts.newest(waiting(*behind), 100) == (waiting(*tail), left_out)
