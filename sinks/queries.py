"""What the command line asks the database: thin, typed, the SQL in sql/*.sql."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from sinks import statements
from sinks.database import Connection
from sinks.positions import Stored


@dataclass(frozen=True, slots=True)
class ArticleLine:
    """An article, as a list shows it."""

    article_id: UUID
    source: str
    url: str | None
    title: str
    published_at: datetime | None
    first_seen_at: datetime
    sentiment_label: str | None
    copy_of: UUID | None
    versions: int


@dataclass(frozen=True, slots=True)
class EntityLine:
    """A name, with how many articles and mentions it has."""

    name: str
    label: str
    articles: int
    mentions: int


def latest_articles(
    connection: Connection, words: Sequence[str] = (), entity: str | None = None, limit: int = 20
) -> list[ArticleLine]:
    """The newest articles with all `words` in title or names, and `entity` in a name; upper or lower case alike."""
    with connection.cursor(row_factory=class_row(ArticleLine)) as cursor:
        arguments = {"words": list(words), "entity": entity, "limit": limit}
        return cursor.execute(statements.load("latest_articles"), arguments).fetchall()


def top_entities(
    connection: Connection, word: str | None = None, label: str | None = None, limit: int = 20
) -> list[EntityLine]:
    """The names in most articles, copies not counted; `word` stands in the name."""
    with connection.cursor(row_factory=class_row(EntityLine)) as cursor:
        arguments = {"word": word, "label": label, "limit": limit}
        return cursor.execute(statements.load("top_entities"), arguments).fetchall()


def count_decisions(connection: Connection, raw_topic_id: UUID | None = None) -> dict[str, int]:
    """Decision rows by kind; `raw_topic_id`: only of this articles.raw."""
    return _counts(connection, "count_decisions", {"raw_topic_id": raw_topic_id})


def count_versions(connection: Connection, raw_topic_id: UUID | None = None) -> int:
    """How many of the deliveries decided new or revision have their version stored."""
    row = connection.execute(statements.load("count_versions"), {"raw_topic_id": raw_topic_id}).fetchone()
    return int(row[0]) if row else 0


def count_dead_letters(connection: Connection, topic_id: UUID | None = None) -> dict[str, int]:
    """Distinct records given up by each stage; `topic_id`: only of this topic."""
    return _counts(connection, "count_dead_letters", {"topic_id": topic_id})


def stored_positions(connection: Connection) -> list[Stored]:
    """How far the sink is: all partitions it ever read, those of deleted topics too."""
    found = connection.execute(statements.load("select_positions")).fetchall()
    return [Stored(topic_id, partition, topic, offset) for topic_id, partition, topic, offset in found]


def _counts(connection: Connection, statement: str, arguments: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in connection.execute(statements.load(statement), arguments)}
