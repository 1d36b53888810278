"""What readers of the HTTP API ask of schema news: a page of articles, one article. The SQL in sql/*.sql."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from sinks import statements
from sinks.database import Connection


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the next one begins behind it, whatever came meanwhile."""

    first_seen_at: datetime
    article_id: UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which articles; None leaves all in. Times are of `first_seen_at`, `q` stands in the title."""

    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class ListedArticle:
    """An article without its text."""

    article_id: UUID
    version_id: UUID
    source: str
    url: str | None
    title: str
    byline: str | None
    language: str | None
    published_at: datetime | None
    updated_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    sentiment_label: str | None
    sentiment_score: float | None
    copy_of: UUID | None
    versions: int


@dataclass(frozen=True, slots=True)
class NamedEntity:
    """A name in an article. `entity_id`: what the watch list calls it."""

    name: str
    label: str
    count: int
    salience: float
    aliases: list[str]
    entity_id: str | None
    sentiment_label: str | None
    sentiment_score: float | None


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article with its text and the names in it."""

    article_id: UUID
    version_id: UUID
    source: str
    url: str | None
    title: str
    byline: str | None
    text: str
    raw: str
    language: str | None
    published_at: datetime | None
    updated_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    content_changed_at: datetime
    sentiment_label: str | None
    sentiment_score: float | None
    copy_of: UUID | None
    versions: int
    entities: list[NamedEntity]


def page(connection: Connection, wanted: Wanted, after: Place | None, limit: int) -> list[ListedArticle]:
    """At most `limit` articles, those seen first most recently first, from behind `after` on."""
    arguments = {
        "source": wanted.source,
        "since": wanted.since,
        "until": wanted.until,
        "title": f"%{_literal(wanted.q)}%" if wanted.q else None,
        "after_time": after.first_seen_at if after else None,
        "after_id": after.article_id if after else None,
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(ListedArticle)) as cursor:
        return cursor.execute(statements.load("select_articles_page"), arguments).fetchall()


def whole(connection: Connection, article_id: UUID) -> StoredArticle | None:
    """One article as news.articles shows it; None if it is not there (yet)."""
    arguments = {"article_id": article_id}
    with connection.transaction():  # one snapshot for both
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with connection.cursor(row_factory=dict_row) as cursor:
            row: dict[str, Any] | None = cursor.execute(statements.load("select_article_whole"), arguments).fetchone()
        if row is None:
            return None
        with connection.cursor(row_factory=class_row(NamedEntity)) as names:
            entities = names.execute(statements.load("select_article_names"), arguments).fetchall()
    return StoredArticle(**row, entities=entities)


def _literal(words: str) -> str:
    """The words as a pattern that stands for themselves."""
    return re.sub(r"([\\%_])", r"\\\1", words)
