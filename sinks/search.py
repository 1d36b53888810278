"""Words and filters -> the articles that have them, best first, by news.search."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from pipeline.errors import SettingError
from sinks import statements
from sinks.database import Connection


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for; None leaves all in. Times are of `first_seen_at`; without words the newest come first."""

    words: str | None = None
    source: str | None = None
    entity: str | None = None
    language: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    sentiment: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An article that fits. `headline` is HTML, all else is plain text; `after` begins the next page behind it."""

    article_id: UUID
    title: str
    headline: str
    source: str
    url: str | None
    language: str | None
    published_at: datetime | None
    first_seen_at: datetime
    sentiment_label: str | None
    sentiment_score: float | None
    copy_of: UUID | None
    score: float | None
    is_cut: bool | None
    after: str


def search(connection: Connection, question: Question, limit: int = 20, after: str | None = None) -> list[Found]:
    """At most `limit` (1 to 1,000) articles. Raises SettingError, in words of news.search, for what cannot be asked."""
    arguments = {
        "words": question.words,
        "source": question.source,
        "entity": question.entity,
        "language": question.language,
        "since": question.since,
        "until": question.until,
        "sentiment": question.sentiment,
        "limit": limit,
        "after": after,
    }
    try:
        with connection.cursor(row_factory=class_row(Found)) as cursor:
            return cursor.execute(statements.load("search_articles"), arguments).fetchall()
    except psycopg.errors.InvalidParameterValue as error:
        raise SettingError(f"This cannot be searched for: {error.diag.message_primary}.") from error
