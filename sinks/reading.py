"""What people ask of schema news on the command line: through the contract alone, as any reader could."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from pipeline.errors import SettingError
from sinks import statements
from sinks.database import Connection

#: Columns of a view by name.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which articles; None leaves all in. Times are of `first_seen_at`; `copies`: only these, or none of them."""

    words: Sequence[str] = ()
    entity: str | None = None
    source: str | None = None
    language: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    sentiment: str | None = None
    copies: bool | None = None
    after: UUID | None = None


class Names(NamedTuple):
    """Which names; `part` is one or a part of one."""

    part: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A stored text of an article, without the text."""

    delivery_id: UUID
    version_id: UUID
    kind: str
    is_current: bool
    observed_at: datetime
    title: str
    characters: int


class Text(NamedTuple):
    """A title and the text below it."""

    title: str
    text: str


class Withdrawn(NamedTuple):
    """That an article was taken back."""

    kind: str
    reason: str | None
    withdrawn_at: datetime


def articles(connection: Connection, wanted: Wanted, most: int, *, with_text: bool = False) -> list[Row]:
    """At most so many articles with all columns of news.articles, those seen first most recently first.

    Raises SettingError where there is no article `after`.
    """
    arguments = {**asdict(wanted), "words": list(wanted.words), "most": most, "with_text": with_text}
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(statements.load("select_articles_found"), arguments).fetchall()
    except psycopg.errors.NoDataFound:
        raise SettingError(f"There is no article {wanted.after} to go on behind.") from None
    return rows if with_text else [{k: v for k, v in row.items() if k not in ("text", "raw")} for row in rows]


def article(connection: Connection, article_id: UUID) -> Row | None:
    """All columns of news.articles, and `entities`: the names in it. None where it is not shown."""
    arguments = {"article_id": article_id}
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # one snapshot for both
        row = cursor.execute(statements.load("select_article_columns"), arguments).fetchone()
        names = cursor.execute(statements.load("select_article_names"), arguments).fetchall()
    return None if row is None else {**row, "entities": names}


def entities(connection: Connection, names: Names, most: int) -> list[Row]:
    """The names in most articles, copies not counted."""
    with connection.cursor(row_factory=dict_row) as cursor:
        arguments = {**names._asdict(), "most": most}
        return cursor.execute(statements.load("top_entities"), arguments).fetchall()


def entities_of_days(
    connection: Connection, names: Names, first: date, last: date | None, most: int, *, by_day: bool
) -> list[Row]:
    """The names in most articles of these days (UTC), both included; `by_day`: a row for each of their days."""
    with connection.cursor(row_factory=dict_row) as cursor:
        arguments = {**names._asdict(), "first": first, "last": last, "most": most, "by_day": by_day}
        rows = cursor.execute(statements.load("entities_of_days"), arguments).fetchall()
    return rows if by_day else [{k: v for k, v in row.items() if k != "day"} for row in rows]


def meant(connection: Connection, known: UUID) -> UUID | None:
    """The article that is meant by its id, or by that of a delivery or a version of it."""
    for name in ("select_meant", "select_meant_by_version"):
        row = connection.execute(statements.load(name), {"id": known}).fetchone()
        if row is not None:
            return UUID(str(row[0]))
    return None


def at(connection: Connection, urls: Sequence[str]) -> UUID | None:
    """The article that was last delivered under one of these addresses."""
    row = connection.execute(statements.load("select_meant_by_url"), {"urls": list(urls)}).fetchone()
    return row[0] if row else None


def withdrawn(connection: Connection, article_id: UUID) -> Withdrawn | None:
    """Whether an article was taken back."""
    row = connection.execute(statements.load("select_withdrawal"), {"article_id": article_id}).fetchone()
    return Withdrawn(*row) if row else None


def versions(connection: Connection, article_id: UUID) -> list[Version]:
    """The stored texts of an article, the oldest first."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(statements.load("select_versions_of"), {"article_id": article_id}).fetchall()


def text(connection: Connection, delivery_id: UUID) -> Text | None:
    """One stored text; None where it is gone meanwhile."""
    row = connection.execute(statements.load("select_text_of_version"), {"delivery_id": delivery_id}).fetchone()
    return Text(*row) if row else None
