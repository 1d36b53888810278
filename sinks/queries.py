"""What the command line asks the database: thin, typed, the SQL in sql/*.sql."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Counted:
    """What the database knows of the books: deliveries by raw coordinates, texts promised and stored."""

    decided: int
    refused: int
    texts: int
    stored: int
    texts_refused: int
    decisions_refused: int


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
