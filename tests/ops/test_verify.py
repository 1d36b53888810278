"""Deciding the whole log anew: what is equal, what differs, what is not there yet, and what cannot be said any more."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from kafka import TopicPartition

from ops import verify
from ops.verify import Difference, LogRecord, Report, Verification
from pipeline import broker, cleaning, topics
from pipeline.errors import Stop
from pipeline.records import FORGET_KEY, VERDICTS_KEY, Decision, Forget, Signature, Verdict, Verdicts
from processors import entry
from processors.signature_index import SignatureIndex
from sinks.queries import DecisionLine
from tests import seeded
from tests.cluster import records_on
from tests.processors.deliveries import DAY_MS, HOUR_MS, LOG_ID, delivery, index
from tests.running import Outcome, run_news

#: Two articles, a revision, and a redelivery: enough for an answer to be wrong.
STORY = (
    delivery(0, "the ferry sails"),
    delivery(1, "the bridge opens", url="news.example/bridge"),
    delivery(2, "the ferry sails again"),
    delivery(3, "the ferry sails again", hour=2),
)


def log_of(signatures: Sequence[Signature], step_ms: int = HOUR_MS) -> list[LogRecord]:
    return [LogRecord(s.raw.offset, s.raw.offset * step_ms, b"id", s.to_bytes()) for s in signatures]


def decided(records: Iterable[LogRecord]) -> list[Decision]:
    again = index()
    return [
        again.apply(Signature.from_bytes(r.value), r.offset, r.ms).decision for r in records if r.key != VERDICTS_KEY
    ]


def row(decision: Decision, **fields: Any) -> DecisionLine:
    return replace(DecisionLine(**verify.columns(decision), log_kind=None), **fields)


def verdict(decision: Decision, **fields: Any) -> Verdict:
    given = decision.model_dump(include=set(Verdict.model_fields)) | fields
    return Verdict(offset=decision.log_offset, **given)


def said(at: int, *verdicts: Verdict) -> LogRecord:
    return LogRecord(at, at * HOUR_MS, VERDICTS_KEY, Verdicts(verdicts=verdicts).to_bytes())


def verified(
    records: Sequence[LogRecord],
    rows: Iterable[DecisionLine],
    start: int = 0,
    first: int = 0,
    window_ms: int = 7 * DAY_MS,
) -> Report:
    with closing(index(window_ms)) as again:
        verification = Verification(again, iter(rows), start, window_ms, first)
        for record in records:
            verification.take(record)
        return verification.end()


def test_the_same_again_is_equal() -> None:
    records = log_of(STORY)
    decisions = decided(records)

    report = verified([*records, said(4, *map(verdict, decisions))], map(row, decisions))

    assert (report.records, report.recomputed, report.equal, report.verdicts_equal) == (5, 4, 4, 4)
    assert report.is_equal
    assert not report.differences


def test_a_field_that_differs_is_shown_with_both_values() -> None:
    records = log_of(STORY)
    decisions = decided(records)
    rows = [row(d) for d in decisions]
    rows[2] = replace(rows[2], kind="new", of_article=None)

    report = verified(records, rows)

    assert (report.equal, report.different) == (3, 1)
    assert not report.is_equal
    assert report.differences == [
        Difference(2, "database", "kind", "new", "revision"),
        Difference(2, "database", "of_article", None, decisions[0].article_id),
    ]


def test_many_differences_are_counted_and_the_first_are_shown() -> None:
    records = log_of([delivery(n, f"text {n}", url=f"news.example/{n}") for n in range(50)])

    report = verified(records, [row(d, source="other") for d in decided(records)])

    assert report.different == 50
    assert [d.offset for d in report.differences] == list(range(20))


def test_a_verdict_that_differs_is_told_from_a_row_that_does() -> None:
    records = log_of(STORY)
    decisions = decided(records)
    wrong = verdict(decisions[2], kind="new")

    report = verified([*records, said(4, verdict(decisions[1]), wrong)], map(row, decisions))

    assert (report.equal, report.verdicts_equal, report.verdicts_different) == (4, 1, 1)
    assert report.differences == [Difference(2, "verdict", "kind", "new", "revision")]
    assert not report.is_equal


def test_rows_that_are_not_there_yet_are_counted_and_no_difference() -> None:
    records = log_of(STORY)
    decisions = decided(records)

    report = verified(records, [row(decisions[0]), row(decisions[3])])

    assert (report.equal, report.missing, report.first_missing) == (2, 2, 1)
    assert report.is_equal


def test_a_row_that_no_record_leads_to_is_a_difference() -> None:
    records = log_of(STORY)
    decisions = decided(records)
    stranger = row(decisions[3], log_offset=9, delivery_id=UUID(int=9))

    report = verified(records, [row(decisions[0], delivery_id=UUID(int=8)), *map(row, decisions), stranger])

    assert report.different == 3  # the stranger's twin takes the place of the first row, which is then one too many
    assert report.differences[-1] == Difference(9, "database", "delivery_id", UUID(int=9), None)


def test_a_replay_is_counted_and_has_no_row_of_its_own() -> None:
    again = LogRecord(4, 5 * HOUR_MS, b"id", STORY[1].to_bytes())
    records = [*log_of(STORY), again]

    report = verified(records, map(row, decided(log_of(STORY))))

    assert (report.recomputed, report.replays, report.equal, report.missing) == (5, 1, 4, 0)
    assert report.is_equal


@pytest.mark.parametrize(
    ("log_kind", "differences"),
    [("new", []), ("copy", [Difference(0, "database", "log_kind", "copy", "new")])],
)
def test_what_the_database_had_the_last_word_on_is_equal_where_the_log_said_the_same(
    log_kind: str, differences: list[Difference]
) -> None:
    records = log_of(STORY[:1])
    (made,) = decided(records)
    of = {"of_article": made.article_id, "of_version": UUID(int=5), "of_delivery": UUID(int=6)}

    report = verified(records, [row(made, kind="revision", method="store", log_kind=log_kind, **of)])

    assert report.differences == differences


def test_from_an_offset_on_only_later_decisions_are_compared() -> None:
    records = log_of(STORY)
    decisions = decided(records)
    wrong = row(decisions[0], source="other")

    assert verified(records, [row(d) for d in decisions[2:]], first=2).equal == 2
    assert verified(records, [wrong, *map(row, decisions[1:])]).different == 1


def shortened(days: Sequence[int]) -> list[LogRecord]:
    """Deliveries of one text under its own address each, on these days; the log begins at offset 10."""
    ferry = [delivery(10 + n, "the ferry sails", url=f"news.example/{n}") for n in range(len(days))]
    return [LogRecord(s.raw.offset, day * DAY_MS, b"id", s.to_bytes()) for s, day in zip(ferry, days, strict=True)]


def test_the_first_window_of_a_shortened_log_is_taken_from_the_verdicts() -> None:
    first, second, later = shortened([1, 2, 20])
    known = UUID(int=77)  # an article that left the log before it begins
    copies = [
        d.model_copy(update={"kind": "copy", "method": "exact", "of": known, "score": 1.0, "threshold": 1.0})
        for d in decided([first, second])
    ]
    (new,) = decided([later])
    verdicts = [verdict(copy) for copy in copies]

    report = verified(
        [first, second, said(12, *verdicts), LogRecord(13, later.ms, later.key, later.value)],
        [*map(row, copies), row(new, log_offset=13)],
        start=10,
    )

    assert (report.taken, report.recomputed, report.equal, report.not_verifiable) == (2, 1, 3, 0)
    assert report.differences == []


def test_without_verdicts_the_first_window_of_a_shortened_log_is_not_verifiable() -> None:
    records = shortened([1, 2, 20])
    rows = [row(d, kind="copy", of_article=UUID(int=77)) for d in decided(records[:2])]

    report = verified(records, [*rows, row(decided(records[2:])[0])], start=10)

    assert (report.not_verifiable, report.equal, report.different) == (2, 1, 0)


def with_an_erasure() -> tuple[list[LogRecord], list[Decision]]:
    """STORY, in which the ferry is erased before its revision, and what a worker made of it."""
    value = Forget(article_id=STORY[0].article_id).to_bytes()
    records = log_of(STORY)
    records = [*records[:2], LogRecord(2, 2 * HOUR_MS, FORGET_KEY, value)] + [
        r._replace(offset=r.offset + 1, ms=r.ms + HOUR_MS) for r in records[2:]
    ]
    worker, made = index(), []
    for r in records:
        if r.key == FORGET_KEY:
            worker.forget(entry.read_forget(r.value, r.offset, r.ms))
        else:
            made.append(worker.apply(Signature.from_bytes(r.value), r.offset, r.ms).decision)
    return records, made


def test_what_the_log_says_to_forget_is_forgotten_at_its_place() -> None:
    records, decisions = with_an_erasure()

    report = verified([*records, said(5, *map(verdict, decisions))], map(row, decisions))

    assert [d.kind for d in decisions] == ["new", "new", "redelivery", "redelivery"]
    assert (report.records, report.equal, report.verdicts_equal) == (6, 4, 4)
    assert report.is_equal


def test_in_the_first_window_of_a_shortened_log_it_is_forgotten_after_what_waits_for_its_verdict() -> None:
    records, decisions = with_an_erasure()

    report = verified([*records[1:], said(5, *map(verdict, decisions[1:]))], map(row, decisions[1:]), start=1)

    assert (report.taken, report.equal, report.not_verifiable) == (3, 3, 0)
    assert report.is_equal


def test_a_record_that_cannot_be_read_stops_as_it_stops_a_worker() -> None:
    with pytest.raises(Stop, match=r"articles.signatures offset 0 cannot be read"):
        verified([LogRecord(0, 0, b"id", b"{")], [])


# On a real Kafka and a real PostgreSQL.


def on_the_log(kafka: str, database_url: str) -> list[Decision]:
    """wire.jsonl through the log into the database, as the stages do it, with the verdicts of a worker."""
    deliveries = seeded.deliveries()
    with broker.admin(kafka) as client:
        log_id = broker.topic_states(client)[topics.SIGNATURES].id
    with closing(broker.producer(kafka)) as producer:
        for d in deliveries:
            producer.send(topics.SIGNATURES, d.signature.to_bytes(), key=str(d.signature.article_id).encode())
        producer.flush(30)
        with closing(SignatureIndex(log_id, cleaning.load_rules().version, 7 * DAY_MS)) as again:
            made = [
                again.apply(d.signature, r.offset, r.timestamp).decision
                for d, r in zip(deliveries, records_on(kafka, topics.SIGNATURES), strict=True)
            ]
        verdicts = Verdicts(verdicts=tuple(map(verdict, made)))
        producer.send(topics.SIGNATURES, verdicts.to_bytes(), key=VERDICTS_KEY)
        producer.flush(30)
    seeded.store(database_url, [r for d, m in zip(deliveries, made, strict=True) for r in seeded.outcomes(d, m)])
    return made


def news(kafka: str, database_url: str, folder: Path, *arguments: str) -> Outcome:
    services = {"NEWS_KAFKA__BOOTSTRAP_SERVERS": kafka, "NEWS_DATABASE__URL": database_url}
    return run_news("decisions", "verify", *arguments, NEWS_DATA_DIR=str(folder), **services)


@pytest.mark.services
@pytest.mark.usefixtures("sockets_collected")
def test_the_seeds_are_decided_again_as_they_are_stored(kafka: str, database_url: str, tmp_path: Path) -> None:
    made = on_the_log(kafka, database_url)

    outcome = news(kafka, database_url, tmp_path)
    (found,) = news(kafka, database_url, tmp_path, "--json").rows()

    assert outcome.status == 0, outcome
    assert outcome.out.splitlines()[-1].split() == ["the", "decisions", "equal"]
    assert (found["records"], found["equal"], found["verdicts_equal"]) == (15, len(made), len(made))
    assert (found["different"], found["missing"], found["older_than_the_log"]) == (0, 0, 0)


@pytest.mark.services
@pytest.mark.usefixtures("sockets_collected")
def test_a_row_that_somebody_changed_is_found(kafka: str, database_url: str, tmp_path: Path) -> None:
    on_the_log(kafka, database_url)
    execute(database_url, "UPDATE ingest.decisions SET kind = 'new' WHERE log_offset = 1")

    outcome = news(kafka, database_url, tmp_path)

    assert outcome.status == 1
    assert outcome.out.splitlines()[-1].split() == ["1", "database", "kind", "new", "revision"]


@pytest.mark.services
@pytest.mark.usefixtures("sockets_collected")
def test_a_row_that_is_not_there_is_lag_only_while_the_sink_lags(kafka: str, database_url: str, tmp_path: Path) -> None:
    on_the_log(kafka, database_url)
    execute(database_url, "DELETE FROM ingest.decisions WHERE log_offset = 1")

    lost = news(kafka, database_url, tmp_path)
    with closing(broker.producer(kafka)) as producer:
        producer.send(topics.DECISIONS, b"{}").get(timeout=30)
    lagging = news(kafka, database_url, tmp_path, "--json")

    assert lost.status == 1
    assert "1 decisions are not in the database and nothing waits for the sink" in " ".join(lost.err.split())
    assert lagging.status == 0, lagging
    assert [(r["missing"], r["is_settled"]) for r in lagging.rows()] == [(1, False)]


@pytest.mark.services
@pytest.mark.usefixtures("sockets_collected")
def test_rows_of_records_that_left_the_log_are_counted(kafka: str, database_url: str, tmp_path: Path) -> None:
    made = on_the_log(kafka, database_url)
    with broker.admin(kafka) as client:
        client.delete_records({TopicPartition(topics.SIGNATURES, 0): 5})

    outcome = news(kafka, database_url, tmp_path, "--json")
    (found,) = outcome.rows()

    assert outcome.status == 0, outcome
    assert (found["older_than_the_log"], found["taken"], found["equal"]) == (5, len(made) - 5, len(made) - 5)


@pytest.mark.services
def test_without_its_services_it_ends_with_69(database_url: str, tmp_path: Path) -> None:
    assert news("127.0.0.1:1", database_url, tmp_path).status == 69


def execute(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statement)


def test_a_decision_has_a_column_for_each_of_its_fields() -> None:
    (made,) = decided(log_of(STORY[:1]))

    assert set(asdict(row(made))) == {*verify.columns(made), "log_kind"}
    assert made.log_id == LOG_ID
