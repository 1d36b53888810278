"""What the command line asks the database: thin, typed, the SQL in sql/*.sql."""

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row, dict_row

from pipeline.cleaning import Span
from pipeline.records import Body, Coordinates, Decision, Metadata, SourceState, StaleArticle, Target
from sinks import statements
from sinks.database import Connection
from sinks.positions import Stored


@dataclass(frozen=True, slots=True)
class Counted:
    """What the database knows of the books: deliveries by raw coordinates, texts promised and stored."""

    decided: int
    refused: int
    texts: int
    stored: int
    texts_refused: int
    decisions_refused: int


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A decision as it is stored. `log_kind`: what the log alone said, where the database had the last word."""

    delivery_id: UUID
    article_id: UUID
    version_id: UUID
    kind: str
    method: str | None
    of_article: UUID | None
    of_version: UUID | None
    of_delivery: UUID | None
    same_text_as: UUID | None
    contains: UUID | None
    resembles: UUID | None
    guard: str | None
    score: float | None
    threshold: float | None
    rules_version: int
    log_id: UUID
    log_offset: int
    decided_at: datetime
    observed_at: datetime
    source: str
    raw_topic_id: UUID
    raw_partition: int
    raw_offset: int
    log_kind: str | None


@dataclass(frozen=True, slots=True)
class TextLine:
    """A stored text, and what cleaning took out of it."""

    delivery_id: UUID
    article_id: UUID
    version_id: UUID
    source: str
    url: str | None
    title: str
    text: str
    removed: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ArticleName:
    """What an article is called."""

    article_id: UUID
    source: str
    url: str | None
    title: str


@dataclass(frozen=True, slots=True)
class ArticleState:
    """What is known of an article, and whether it was taken back: `withdrawn` is `withdrawn`, `erased` or None.

    `withdrawn_at` and `withdrawn_reason` are of the last word, which may be that it is shown again.
    """

    article_id: UUID
    source: str
    url: str | None
    title: str
    withdrawn: str | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    is_delivered: bool


@dataclass(frozen=True, slots=True)
class Stale:
    """Which stored enrichments are wanted: of other configurations than these, or of a reason; None leaves all in.

    `configs` says it by language, `others` of all other languages and of none, `asked` of all of it together: whoever
    has that does it.
    """

    configs: dict[str, str]
    others: str
    asked: str
    language: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StaleCount:
    """Stored texts of one configuration, language and reason, and how many of them are stale."""

    config: str | None
    language: str | None
    reason: str | None
    texts: int
    stale: int


#: So many decisions are held at a time while all of a log are read.
_PAGE: Final = 2000
#: … and so many texts.
_TEXTS: Final = 100


def counted(connection: Connection, raw_id: UUID, unique_id: UUID, enriched_id: UUID, decisions_id: UUID) -> Counted:
    """This side of the books, for the topics with these ids."""
    arguments = {"raw_id": raw_id, "unique_id": unique_id, "enriched_id": enriched_id, "decisions_id": decisions_id}
    with connection.cursor(row_factory=class_row(Counted)) as cursor:
        row = cursor.execute(statements.load("count_books"), arguments).fetchone()
    if row is None:
        raise AssertionError("a SELECT of counts has a row")
    return row


def stored_positions(connection: Connection) -> list[Stored]:
    """How far the sink is: all partitions it ever read, those of deleted topics too."""
    found = connection.execute(statements.load("select_positions")).fetchall()
    return [Stored(topic_id, partition, topic, offset) for topic_id, partition, topic, offset in found]


def decisions_about(connection: Connection, wanted: UUID, most: int) -> tuple[list[DecisionLine], int]:
    """The newest decisions about an article, a delivery or a version, oldest of them first, and how many there are.

    A version is looked for last: that reads all decisions.
    """
    for version_id in (None, wanted):
        about = {"id": wanted, "version_id": version_id}
        with connection.cursor(row_factory=class_row(DecisionLine)) as cursor:
            found = cursor.execute(statements.load("select_decisions_about"), {**about, "most": most}).fetchall()
        if found:
            row = connection.execute(statements.load("count_decisions_about"), about).fetchone()
            return found[::-1], max(len(found), row[0] if row else 0)
    return [], 0


def decisions_of_log(connection: Connection, log_id: UUID, first: int, end: int) -> Generator[DecisionLine]:
    """The decisions that a signature log led to, from offset `first` up to `end`, in its order, a page at a time.

    One snapshot: the connection is in a transaction until the last one is taken, or the iterator closed.
    """
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")  # the first page waits until all are in order
        with connection.cursor("decisions_of_log", row_factory=class_row(DecisionLine)) as cursor:
            cursor.itersize = _PAGE
            cursor.execute(statements.load("select_decisions_of_log"), {"log_id": log_id, "first": first, "end": end})
            yield from cursor


def decisions_before(connection: Connection, log_id: UUID, start: int) -> int:
    """How many decisions of a signature log come before its offset `start`."""
    row = connection.execute(statements.load("count_decisions_before"), {"log_id": log_id, "start": start}).fetchone()
    return row[0] if row else 0


def decisions_retired(connection: Connection, log_id: UUID) -> tuple[int, int]:
    """How many decisions of a log went with their articles, and the last offset of one; -1: none (retention.py)."""
    row = connection.execute(statements.load("select_retired"), {"log_id": log_id}).fetchone()
    return (row[0], -1 if row[1] is None else row[1]) if row else (0, -1)


def stored_text(
    connection: Connection, article_id: UUID, delivery_id: UUID | None, version_id: UUID | None, before: DecisionLine
) -> TextLine | None:
    """The stored text of a delivery; without one the newest of a version, or the newest `before` a decision was made.

    None where it is not stored, or not yet.
    """
    arguments = {
        "article_id": article_id,
        "delivery_id": delivery_id,
        "version_id": version_id,
        "decided_at": before.decided_at,
        "log_offset": before.log_offset,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        row: dict[str, Any] | None = cursor.execute(statements.load("select_text"), arguments).fetchone()
    return None if row is None else TextLine(**{**row, "removed": tuple(Span(**span) for span in row["removed"])})


def article_name(connection: Connection, article_id: UUID) -> ArticleName | None:
    """What an article is called; None while it is not stored."""
    with connection.cursor(row_factory=class_row(ArticleName)) as cursor:
        return cursor.execute(statements.load("select_article"), {"article_id": article_id}).fetchone()


def article_at(connection: Connection, urls: Sequence[str]) -> UUID | None:
    """The article that was last delivered under one of these addresses."""
    row = connection.execute(statements.load("select_article_at"), {"urls": list(urls)}).fetchone()
    return row[0] if row else None


def article_states(connection: Connection, article_ids: Sequence[UUID]) -> dict[UUID, ArticleState]:
    """What is known of these articles, and whether they were taken back; nothing of one that nobody spoke of."""
    with connection.cursor(row_factory=class_row(ArticleState)) as cursor:
        found = cursor.execute(statements.load("select_article_states"), {"article_ids": list(article_ids)})
        return {state.article_id: state for state in found}


def copies_of(connection: Connection, article_id: UUID) -> list[UUID]:
    """The other articles that have a text of this one."""
    return [copy for (copy,) in connection.execute(statements.load("select_copies_of"), {"article_id": article_id})]


def stale_counts(connection: Connection, wanted: Stale) -> list[StaleCount]:
    """How many enrichments of each kind are stored, and how many of them are stale."""
    with connection.transaction(), connection.cursor(row_factory=class_row(StaleCount)) as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # reads all texts once
        return cursor.execute(statements.load("select_stale_counts"), _arguments(wanted)).fetchall()


def stale_articles(connection: Connection, wanted: Stale, after: UUID | None, most: int) -> list[StaleArticle]:
    """A page of what is stale, behind the delivery `after`: each as it was sent to be enriched the first time."""
    arguments = {**_arguments(wanted), "after": after, "most": most}
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # where few are stale, many rows lie between them
        return [_stale(row, wanted) for row in cursor.execute(statements.load("select_stale"), arguments)]


def _arguments(wanted: Stale) -> dict[str, Any]:
    return {**asdict(wanted), "configs": json.dumps(wanted.configs)}


def _stale(row: Mapping[str, Any], wanted: Stale) -> StaleArticle:
    at = Coordinates(topic_id=row["raw_topic_id"], partition=row["raw_partition"], offset=row["raw_offset"])
    decided = {name: row[name] for name in Decision.model_fields if name in row}
    said = {name: row[name] for name in Metadata.model_fields if name in row}
    return StaleArticle(
        decision=Decision(**{**decided, "of": row["of_article"], "raw": at}),
        metadata=Metadata(**{**said, "language": row["declared_language"], "notes": tuple(row["notes"])}),
        body=Body(**{name: row[name] for name in Body.model_fields}),
        targets=tuple(Target(start=target["start"], end=target["end"]) for target in row["targets"] or ()),
        generation=row["generation"] + 1,
        config=wanted.asked,
    )


def source_states(connection: Connection) -> list[SourceState]:
    """How the polled sources are, by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [SourceState(**row) for row in cursor.execute(statements.load("select_sources"))]


def texts_of_source(connection: Connection, source: str, since: datetime | None, limit: int) -> Generator[str]:
    """The shown texts of the newest articles of a source, copies left out; they come as they are read."""
    arguments = {"source": source, "since": since, "limit": limit}
    with connection.transaction(), connection.cursor("texts_of_source") as cursor:
        cursor.itersize = _TEXTS
        for (text,) in cursor.execute(statements.load("select_texts_of_source"), arguments):
            yield text
