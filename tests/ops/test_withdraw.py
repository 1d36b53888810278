"""`news withdraw`, `restore` and `erase`: whom they mean, what they send, what they say."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ops import withdraw
from pipeline import broker, identity, topics
from pipeline.errors import SettingError, Stop
from pipeline.records import Decision, Withdrawal
from pipeline.settings import DedupSettings, Settings
from processors.fingerprint import Prepared
from processors.signature_index import SignatureIndex
from sinks.queries import ArticleState
from tests import seeded
from tests.cluster import records_on, size_of
from tests.running import Outcome, run_news

SERVICES = [pytest.mark.services, pytest.mark.usefixtures("sockets_collected")]
URL = "https://www.northline.example/norway/landslide-blocks-bergen-railway"
NOWHERE = "https://nobody.example/1"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARTICLE, COPY = UUID(int=1), UUID(int=2)

Ask = Callable[..., Outcome]


# Purely.


def target(
    article_id: UUID = ARTICLE, withdrawn: str | None = None, said_at: datetime | None = None
) -> withdraw.Target:
    return withdraw.Target(article_id, ArticleState(article_id, "wire", None, "", withdrawn, said_at, None, True), ())


def test_a_word_for_each_article_at_the_time_it_is_said() -> None:
    words = withdraw.records("withdrawn", "a kill", [target(), target(COPY)], NOON)

    assert [(w.article_id, w.kind, w.reason, w.at) for w in words] == [
        (ARTICLE, "withdrawn", "a kill", NOON),
        (COPY, "withdrawn", "a kill", NOON),
    ]


def test_a_clock_that_is_behind_does_not_lose_to_the_word_before() -> None:
    (word,) = withdraw.records("restored", "a mistake", [target(said_at=NOON + timedelta(hours=1))], NOON)

    assert word.at == NOON + timedelta(hours=1, microseconds=1)


@pytest.mark.parametrize("kind", ["withdrawn", "erased"])
def test_nothing_is_said_of_what_is_erased_already(kind: Any) -> None:
    assert withdraw.records(kind, "again", [target(withdrawn="erased", said_at=NOON)], NOON) == []


def test_what_was_erased_cannot_be_restored() -> None:
    with pytest.raises(Stop, match="was erased: there is nothing to restore"):
        withdraw.records("restored", "a mistake", [target(withdrawn="erased", said_at=NOON)], NOON)


@pytest.mark.parametrize("given", ["", "  \n", "x" * 2001])
def test_a_reason_is_a_sentence_or_two(given: str) -> None:
    with pytest.raises(SettingError, match="--reason is a sentence or two"):
        withdraw.reason(given)


def test_a_reason_is_kept_without_what_no_table_takes() -> None:
    assert withdraw.reason(" a court\x00 order\n") == "a court\ufffd order"


def test_what_remains_of_an_erased_text_and_until_when() -> None:
    lines = list(withdraw.remains("erased", Settings(dedup=DedupSettings(window_days=7, allowed_lag_days=1))))

    assert "articles.raw still holds the text as delivered, until 4 GiB a partition of newer records have come" in lines
    assert "articles.signatures still holds hashes of it, for 15 days" in lines
    assert [line.partition(" ")[0] for line in lines if line.startswith("articles.")] == [
        topics.RAW,
        topics.SIGNATURES,
        topics.DECISIONS,
        topics.UNIQUE,
        topics.ENRICHED,
        topics.REENRICH,
        topics.DEAD_LETTER,
    ]


# On a real Kafka and a real PostgreSQL.


@pytest.fixture
def ask(kafka: str, database_url: str, tmp_path: Path) -> Ask:
    def news(*arguments: str, status: int = 0) -> Outcome:
        services = {"NEWS_KAFKA__BOOTSTRAP_SERVERS": kafka, "NEWS_DATABASE__URL": database_url}
        outcome = run_news(*arguments, NEWS_DATA_DIR=str(tmp_path), **services)
        assert outcome.status == status, outcome
        return outcome

    return news


@pytest.fixture
def stored(database_url: str) -> tuple[Prepared, Decision]:
    """The first article of the seeds, stored as the stages would."""
    delivery = seeded.deliveries()[0]
    made = SignatureIndex(UUID(int=1), delivery.signature.rules_version, 1000).apply(delivery.signature, 0, 1).decision
    seeded.store(database_url, seeded.outcomes(delivery, made))
    return delivery, made


def sent(kafka: str) -> list[Withdrawal]:
    return [Withdrawal.from_bytes(record.value) for record in records_on(kafka, topics.WITHDRAWALS)]


def said(outcome: Outcome) -> str:
    return " ".join(outcome.err.split())


class TestCommands:
    pytestmark = SERVICES

    def test_an_article_is_meant_by_its_url_its_id_a_delivery_or_a_version(
        self, ask: Ask, kafka: str, stored: tuple[Prepared, Decision]
    ) -> None:
        _, made = stored
        ids = [URL, str(made.article_id), str(made.delivery_id), str(made.version_id)]

        outcomes = [ask("withdraw", what, "--reason", "a kill", "--no-wait", "--json") for what in ids]

        assert [word.article_id for word in sent(kafka)] == [made.article_id] * 4
        assert {record.key for record in records_on(kafka, topics.WITHDRAWALS)} == {str(made.article_id).encode()}
        rows = [row for outcome in outcomes for row in outcome.rows()]
        assert {(row["article_id"], row["asked"], row["state"], row["known"]) for row in rows} == {
            (str(made.article_id), "withdrawn", "unapplied", True)
        }
        assert f"{made.delivery_id} is a delivery of article {made.article_id}" in said(outcomes[2])
        assert f"{made.version_id} is a version of article {made.article_id}" in said(outcomes[3])

    def test_what_nobody_delivered_is_said_in_advance(self, ask: Ask, kafka: str) -> None:
        outcome = ask("erase", NOWHERE, "--reason", "a court order", "--yes", "--no-wait", "--json")

        (word,) = sent(kafka)
        assert (word.kind, word.reason) == ("erased", "a court order")
        assert word.article_id == identity.article_id(NOWHERE, "", None, "", "")
        assert f"No delivery of article {word.article_id} was stored up to now" in said(outcome)
        assert outcome.rows()[0]["known"] is False

    def test_a_dry_run_says_all_of_it_and_sends_nothing(
        self, ask: Ask, kafka: str, stored: tuple[Prepared, Decision]
    ) -> None:
        outcome = ask("erase", URL, "--reason", "a court order", "--dry-run", "--json")

        assert size_of(kafka, topics.WITHDRAWALS) == 0
        (row,) = outcome.rows()
        assert (row["asked"], row["state"], row["title"]) == ("erased", "shown", stored[0].metadata.title)
        assert "articles.raw still holds the text as delivered" in said(outcome)
        assert "nothing was sent: 1 would be" in said(outcome)

    def test_the_articles_of_others_with_its_text_stay_unless_they_are_asked_for(
        self, ask: Ask, kafka: str, database_url: str
    ) -> None:
        index = SignatureIndex(UUID(int=1), seeded.deliveries()[0].signature.rules_version, 10**9)
        decided = [(d, index.apply(d.signature, n, n).decision) for n, d in enumerate(seeded.deliveries())]
        seeded.store(database_url, [record for d, made in decided for record in seeded.outcomes(d, made)])
        copy, of = next((made.article_id, made.of) for _, made in decided if made.kind == "copy")
        copies = {made.article_id for _, made in decided if made.kind == "copy" and made.of == of}

        alone = ask("withdraw", str(of), "--reason", "a kill", "--no-wait", "--json")
        together = ask("withdraw", str(of), "--reason", "a kill", "--no-wait", "--with-copies", "--json")

        assert f"{len(copies)} other articles have its text and stay as they are" in said(alone)
        assert [(row["article_id"], row["copies"]) for row in alone.rows()] == [(str(of), len(copies))]
        assert {UUID(row["article_id"]) for row in together.rows() if row["is_copy"]} == copies
        assert copy in {word.article_id for word in sent(kafka)[1:]}

    def test_an_erased_article_is_said_to_be_so_and_not_restored(
        self, ask: Ask, kafka: str, database_url: str, stored: tuple[Prepared, Decision]
    ) -> None:
        _, made = stored
        word = Withdrawal(article_id=made.article_id, kind="erased", reason="a court order", at=NOON)
        seeded.store(database_url, [word])

        again = ask("erase", str(made.article_id), "--reason", "again", "--yes")
        refused = ask("restore", str(made.article_id), "--reason", "a mistake", status=1)
        where = ask("where", str(made.article_id), "--json").rows()
        explained = ask("explain", str(made.article_id))

        assert "it was erased before: nothing was sent" in said(again)
        assert "there is nothing to restore" in said(refused)
        assert size_of(kafka, topics.WITHDRAWALS) == 0
        assert [row["where"] for row in where] == ["erased", "erased"]
        assert where[0]["detail"] == "a court order (its text is stored no more)"
        assert "erased    2026-03-01 12:00:00 UTC: a court order (its text is stored no more)" in explained.out
        assert "the article was erased: nothing of its texts is stored" in explained.out
        assert stored[0].metadata.title not in explained.out

    def test_where_and_explain_say_that_an_article_is_withdrawn(
        self, ask: Ask, database_url: str, stored: tuple[Prepared, Decision]
    ) -> None:
        word = Withdrawal(article_id=stored[1].article_id, kind="withdrawn", reason="a kill", at=NOON)
        seeded.store(database_url, [word])

        where = ask("where", URL, "--json").rows()

        assert [(row["where"], row["detail"]) for row in where] == [
            ("withdrawn", "a kill (readers do not see it)"),
            ("stored", "enriched"),
        ]
        assert "2026-03-01 12:00:00 UTC: a kill (readers do not see it)" in ask("explain", URL).out

    def test_without_its_topic_it_says_what_to_do(self, ask: Ask, kafka: str) -> None:
        with broker.admin(kafka) as client:
            client.delete_topics([topics.WITHDRAWALS])

        outcome = ask("withdraw", NOWHERE, "--reason", "a kill", status=69)

        assert "Kafka has no topic articles.withdrawals: run `news topics apply`." in said(outcome)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("withdraw", "what", "--reason", "a kill"), "'what' is neither an id nor an http(s) URL."),
            (("withdraw", NOWHERE, "--reason", " "), "--reason is a sentence or two"),
            (("erase", NOWHERE), "Missing option '--reason'"),
        ],
    )
    def test_what_is_wrong_with_the_command(self, ask: Ask, arguments: tuple[str, ...], says: str) -> None:
        assert says in said(ask(*arguments, status=2)).replace("│ ", "")
