"""The seeds as records: prepared, decided and stored by the very functions of the stages, without running them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pipeline import cleaning
from pipeline.errors import InvalidRecord
from pipeline.records import (
    Coordinates,
    DecidedArticle,
    Decision,
    EnrichedArticle,
    Enrichment,
    RawArticle,
    Record,
)
from processors import fingerprint
from processors.fingerprint import Prepared
from producers import files
from sinks import database, postgres
from tests.running import REPOSITORY
from tests.sinks.samples import Feed

RAW_ID: Final = UUID(int=0xA)
DAY_MS: Final = 86_400_000
SEEDS: Final = REPOSITORY / "seeds"


def deliveries(file: str = "wire.jsonl") -> list[Prepared]:
    """The articles of one file of the seeds, as they would stand on articles.raw one after the other."""
    found = files.read_file(SEEDS / file, files.Given.of(SEEDS / file, None, None), "lines", unfinished="take")
    articles = [f.what for f in found if isinstance(f, files.Found) and isinstance(f.what, RawArticle)]
    return list(prepared(articles))


def prepared(articles: Sequence[RawArticle]) -> Iterable[Prepared]:
    rules = cleaning.load_rules()
    for offset, article in enumerate(articles):
        try:
            at = Coordinates(topic_id=RAW_ID, partition=0, offset=offset)
            yield fingerprint.prepare(article, at, rules)
        except InvalidRecord:
            continue


def outcomes(delivery: Prepared, decision: Decision) -> list[Record]:
    """What the sink reads about one delivery, enriched by no model."""
    kept = delivery.body if decision.kind == "copy" else None
    records: list[Record] = [DecidedArticle(decision=decision, metadata=delivery.metadata, body=kept)]
    if decision.kind in ("new", "revision"):
        nothing_found = Enrichment(language="en", enriched_at=datetime(2026, 11, 22, tzinfo=UTC))
        records.append(
            EnrichedArticle(decision=decision, metadata=delivery.metadata, body=delivery.body, enrichment=nothing_found)
        )
    return records


def store(database_url: str, records: Sequence[Record]) -> None:
    """Write what the sink would write."""
    connection = database.connect(database_url, 30)
    try:
        postgres.write_batch(connection, Feed().incoming(*records))
    finally:
        connection.close()
