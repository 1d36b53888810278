"""All seeds in PostgreSQL, with names and sentiment: the functions of the stages one after the other, without Kafka."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from pipeline import cleaning, dead_letters, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord
from pipeline.records import Coordinates, DecidedArticle, EnrichedArticle, RawArticle, Record, UniqueArticle
from pipeline.settings import NlpSettings
from processors import articles, fingerprint
from processors.nlp import Models
from processors.signature_index import SignatureIndex
from producers import files
from sinks import database, postgres
from tests.seeded import DAY_MS, RAW_ID, SEEDS
from tests.sinks.samples import Feed

LOG_ID = UUID(int=0xB)
#: When all of it is decided and given up: midnight, so that a day of the books has everything.
DECIDED_AT = datetime(2026, 11, 17, tzinfo=UTC)
#: When the files that say nothing of it were written.
WRITTEN_AT = datetime(2026, 11, 16, 12, tzinfo=UTC)


def delivered() -> Iterator[RawArticle | DeadLetter]:
    """What `news feed dir seeds` takes up, in its order."""
    for path in files.scan(SEEDS):
        kind = files.format_of(path) if isinstance(path, Path) else None
        if not isinstance(path, Path) or kind is None:
            continue
        for found in files.read_file(path, files.Given.of(path, SEEDS), kind, unfinished="take"):
            if isinstance(found, files.Found):
                what = found.what
                says_when = isinstance(what, DeadLetter) or kind != "text"
                yield what if says_when else what.model_copy(update={"observed_at": WRITTEN_AT})


def records() -> tuple[list[Record], list[DeadLetter]]:
    """What the sink would read about them."""
    rules = cleaning.load_rules()
    models = Models(NlpSettings())
    index = SignatureIndex(LOG_ID, rules.version, 7 * DAY_MS)
    made: list[Record] = []
    letters: list[DeadLetter] = []
    for what in delivered():
        if isinstance(what, DeadLetter):
            letters.append(what)
            continue
        offset = len(made) + len(letters)
        at = Coordinates(topic_id=RAW_ID, partition=0, offset=offset)
        try:
            prepared = fingerprint.prepare(what, at, rules)
        except InvalidRecord as error:
            letters.append(dead_letters.of_record("deduplicate", error, topics.RAW, at, None, what.to_bytes()))
            continue
        when = int((DECIDED_AT + timedelta(seconds=offset)).timestamp() * 1000)
        decision = index.apply(prepared.signature, offset, when).decision
        is_copy = decision.kind == "copy"
        made.append(
            DecidedArticle(decision=decision, metadata=prepared.metadata, body=prepared.body if is_copy else None)
        )
        if decision.kind in ("new", "revision"):
            article = UniqueArticle(decision=decision, metadata=prepared.metadata, body=prepared.body)
            (enrichment,) = models.enrich([articles.work_of(article)])
            made.append(EnrichedArticle.from_bytes(articles.enriched(article, enrichment).value))
    return made, letters


def fill(database_url: str) -> None:
    """Write all of it, as the sink does."""
    feed = Feed()
    made, letters = records()
    incoming = [
        *feed.incoming(*made),
        *(feed.raw(topics.DEAD_LETTER, letter.value, letter.headers()) for letter in letters),
    ]
    connection = database.connect(database_url, 60)
    try:
        postgres.write_batch(connection, incoming)
    finally:
        connection.close()
