"""An article on its way back: fed, withdrawn, restored, erased, delivered again; real stages but for the models."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from ops import books
from ops.services import Endpoints
from pipeline import topics
from pipeline.records import EnrichedArticle, Enrichment, RawArticle, UniqueArticle
from tests.cluster import forgotten_on, send, size_of, values_on
from tests.pipeline.samples import NOON, raw_article
from tests.processors.test_worker import Stages
from tests.running import Outcome, run_news, until

# kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
pytestmark = [
    pytest.mark.services,
    pytest.mark.usefixtures("sockets_collected"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.timeout(400),
]

URL = "https://wire.example/ferry"
TEXT = "The ferry sank near Bergen at noon, and all forty people on board were saved by a fishing boat. " * 4
OTHER = "Fish is dear this year in the harbour of Hanstholm, where nine boats came in before dawn. " * 5


def delivery(number: int, url: str, body: str, source: str = "wire") -> RawArticle:
    return raw_article(delivery_id=UUID(int=number), url=url, body=body, source=source, title=f"A title {number}")


class Pipeline:
    """The services, the commands beside them, and what enriches: nothing is found in any text."""

    def __init__(self, kafka: str, database_url: str, folder: Path) -> None:
        self.kafka = kafka
        self.database_url = database_url
        self.folder = folder
        self._enriched: set[UUID] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as stack:
            for stage in ("deduplicate", "sink"):
                folder = self.folder / stage
                folder.mkdir()
                started = Stages(self.kafka, folder).started("ops", "run", stage, NEWS_DATABASE__URL=self.database_url)
                stack.enter_context(started)
            yield

    def feed(self, *articles: RawArticle) -> None:
        """Deliver these, and wait until what follows from them is stored."""
        decisions = self.count("decisions") + len(articles)
        send(self.kafka, topics.RAW, [article.to_bytes() for article in articles])
        until("all are decided", lambda: self.count("decisions") == decisions)
        sent = [UniqueArticle.from_bytes(value) for value in values_on(self.kafka, topics.UNIQUE)]
        waiting = [text for text in sent if text.decision.delivery_id not in self._enriched]
        nothing_found = Enrichment(language="en", enriched_at=NOON)
        values = [
            EnrichedArticle(
                decision=text.decision, metadata=text.metadata, body=text.body, enrichment=nothing_found
            ).to_bytes()
            for text in waiting
        ]
        send(self.kafka, topics.ENRICHED, values)
        self._enriched |= {text.decision.delivery_id for text in waiting}
        endpoints = Endpoints(self.kafka, self.database_url)
        until("the books balance", lambda: books.read(endpoints).verdict == "balanced", pause_seconds=0.2)

    def news(self, *arguments: str, status: int = 0) -> Outcome:
        services = {"NEWS_KAFKA__BOOTSTRAP_SERVERS": self.kafka, "NEWS_DATABASE__URL": self.database_url}
        outcome = run_news(*arguments, NEWS_DATA_DIR=str(self.folder), **services)
        assert outcome.status == status, outcome
        return outcome

    def rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query.encode()).fetchall()

    def count(self, view: str) -> int:
        found: int = self.rows(f"SELECT count(*) AS n FROM news.{view}")[0]["n"]
        return found

    def shown(self) -> set[str]:
        return {row["url"] for row in self.rows("SELECT url FROM news.articles")}

    def changes(self) -> list[str]:
        return [row["kind"] for row in self.rows("SELECT kind FROM news.changes ORDER BY change")]

    def tables_with(self, words: str) -> list[str]:
        """The tables in which these words stand anywhere."""
        tables = [
            row["name"]
            for row in self.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'ingest' ORDER BY 1")
        ]
        return [
            name
            for name in tables
            if self.rows(f"SELECT FROM ingest.{name} AS t WHERE position('{words}' IN t::text) > 0 LIMIT 1")
        ]


def test_an_article_is_fed_withdrawn_restored_and_erased_and_no_delivery_brings_it_back(
    kafka: str, database_url: str, tmp_path: Path
) -> None:
    pipeline = Pipeline(kafka, database_url, tmp_path)
    with pipeline.running():
        pipeline.feed(
            delivery(1, URL, TEXT),
            delivery(2, "https://mirror.example/1", TEXT, "mirror"),
            delivery(3, "https://wire.example/fish", OTHER),
        )
        everything = {URL, "https://mirror.example/1", "https://wire.example/fish"}
        assert pipeline.shown() == everything

        withdrawn = pipeline.news("withdraw", URL, "--reason", "agency kill", "--json").rows()
        assert [(row["state"], row["copies"]) for row in withdrawn] == [("withdrawn", 1)]
        assert pipeline.shown() == everything - {URL}
        assert [row["reason"] for row in pipeline.rows("SELECT reason FROM news.withdrawals")] == ["agency kill"]

        restored = pipeline.news("restore", URL, "--reason", "killed by mistake", "--json").rows()
        assert [row["state"] for row in restored] == ["shown"]
        assert pipeline.shown() == everything

        erased = pipeline.news("erase", URL, "--reason", "a court order", "--yes", "--json").rows()
        assert [row["state"] for row in erased] == ["erased"]
        assert pipeline.shown() == everything - {URL}
        until("the log is told to forget it", lambda: forgotten_on(kafka))

        texts = size_of(kafka, topics.UNIQUE)
        pipeline.feed(
            delivery(4, URL, TEXT),
            delivery(5, URL, TEXT + " The ship was built in 1958."),
            delivery(6, "https://echo.example/1", TEXT, "echo"),
        )
        last = pipeline.rows("SELECT kind, of_article FROM news.decisions ORDER BY log_offset DESC LIMIT 3")

        assert [row["kind"] for row in last] == ["new", "redelivery", "redelivery"]
        assert size_of(kafka, topics.UNIQUE) == texts + 1  # what the echo says is its own
        assert pipeline.shown() == {*everything, "https://echo.example/1"} - {URL}
        assert pipeline.tables_with("built in 1958") == []
        assert pipeline.tables_with("A title 1") == []
        assert sorted(pipeline.changes()[:3]) == ["copy", "new", "new"]
        assert pipeline.changes()[3:] == ["withdrawn", "restored", "erased", "new"]
        verified = pipeline.news("decisions", "verify", "--json").rows()[0]
        assert (verified["equal"], verified["different"], verified["verdicts_different"]) == (6, 0, 0)
        assert pipeline.news("balance", "--json").rows()[0]["verdict"] == "balanced"
        assert pipeline.news("where", URL, "--json").rows()[0]["where"] == "erased"
