"""Articles whose days are counted, one round of retention, and what is left after it."""

import threading
from dataclasses import astuple
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from pipeline.records import Decision, Record
from sinks import queries, retention
from sinks.database import Connection, Database
from sinks.retention import Removed, Rules
from tests.sinks.samples import RAW_TOPIC, article, at, decided, decision, delivery, enriched, enrichment, version
from tests.sinks.tables import dump

Reader = psycopg.Connection[dict[str, Any]]

DAY: Final = 24 * 60
#: Everything that the tests write was decided by then.
LATER: Final = at(1000 * DAY)
NEVER: Final = threading.Event()


def day(number: float) -> datetime:
    return at(number * DAY)


def made(kind: Any, day: float, *, place: int, **fields: Any) -> Decision:
    """A decision that was made the moment it was observed, in days."""
    return decision(kind, place=place, observed=day * DAY, decided_at=at(day * DAY), **fields)


def stored(made: Decision, number: int, *names: str) -> tuple[Record, Record]:
    return decided(made, number), enriched(made, number, enrichment(*names))


NEW = made("new", 0, place=0, text=1)
REVISED = made("revision", 10, place=1, text=2, of=article(1))
COPY = made(
    "copy",
    11,
    place=2,
    of_article=2,
    text=3,
    of=article(1),
    of_version=version(2),
    of_delivery=delivery(1),
    source="site",
)
REVISED_AGAIN = made("revision", 20, place=3, text=4, of=article(1))
OTHER = made("new", 100, place=4, of_article=3, text=5)

STORY: Final[tuple[Record, ...]] = (
    *stored(NEW, 1, "Ada"),
    *stored(REVISED, 2, "Ada", "Bob"),
    decided(COPY, 3, with_body=True),
    *stored(REVISED_AGAIN, 4, "Cleo"),
    *stored(OTHER, 5, "Dora"),
)


def retain(own: Database, **rules: datetime) -> dict[str, int]:
    """Go through these rules; gives the rows that went, as "rule table"."""
    return went(retention.retain(own, Rules(**rules), NEVER, "test"))


def went(removed: Removed | None) -> dict[str, int]:
    assert removed is not None
    assert removed.is_done
    return {f"{rule} {table}": rows for (rule, table), rows in sorted(removed.rows.items())}


def books(connection: Connection) -> tuple[int, ...]:
    """decided, refused, texts, stored, texts refused, decisions refused"""
    return astuple(queries.counted(connection, RAW_TOPIC, UUID(int=5), UUID(int=12), UUID(int=11)))


def texts(reader: Reader) -> list[tuple[int, str]]:
    rows = reader.execute("SELECT article_id, title FROM news.article_versions ORDER BY title").fetchall()
    return [(row["article_id"].int - 1000, row["title"]) for row in rows]


def shown(reader: Reader) -> list[int]:
    return [row["article_id"].int - 1000 for row in reader.execute("SELECT article_id FROM news.articles ORDER BY 1")]


def names_in(reader: Reader, number: int) -> list[object]:
    rows = reader.execute("SELECT name FROM news.article_entities WHERE article_id = %s ORDER BY 1", [article(number)])
    return [row["name"] for row in rows]


def everything(connection: Connection) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = dict(dump(connection))
    for table in ("changes", "change_counter", "retired", "retention"):
        rows[table] = connection.execute(f"SELECT t::text FROM ingest.{table} AS t ORDER BY 1").fetchall()
    return rows
