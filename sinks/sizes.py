"""What the tables take, and how fast they grow: from PostgreSQL's own counts and the change feed, no table is read."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row

from sinks import statements
from sinks.database import Connection

DAY: Final = timedelta(days=1)
#: Of less than this nothing is said of a day.
LEAST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table: rows and dead rows as last counted, bytes of the table (with what is out of line) and of its indexes."""

    table: str
    rows: int
    dead_rows: int
    table_bytes: int
    index_bytes: int
    bytes: int
    vacuumed_at: datetime | None


def sizes(connection: Connection) -> list[TableSize]:
    """All tables, the largest first."""
    with connection.cursor(row_factory=class_row(TableSize)) as cursor:
        return cursor.execute(statements.load("select_sizes")).fetchall()


def changes_a_day(connection: Connection) -> float | None:
    """Texts that were stored, and other changes, in a day: of the last one, or of less; None: too little is known.

    Changes are numbered without gaps in the order of their times, so the one of a day ago is found in a few steps.
    """
    row: tuple[int, int] | None = connection.execute(statements.load("select_change_range")).fetchone()
    if row is None or row[0] > row[1]:
        return None
    low, last = row
    newest, oldest = _stored_at(connection, last), _stored_at(connection, low)
    if newest is None or oldest is None or newest - oldest < LEAST:
        return None
    high = last
    while low < high:  # the first of the last day
        middle = (low + high) // 2
        at = _stored_at(connection, middle)
        if at is None:  # retention is at it
            return None
        low, high = (middle + 1, high) if at < newest - DAY else (low, middle)
    return (last - low + 1) / (min(newest - oldest, DAY) / DAY)


def _stored_at(connection: Connection, change: int) -> datetime | None:
    row = connection.execute(statements.load("select_change_at"), {"change": change}).fetchone()
    return row[0] if row else None


def growth_bytes(found: list[TableSize], a_day: float | None) -> int | None:
    """Bytes that come in a day at this rate: what a stored text takes in all tables, times their number."""
    texts = next((each.rows for each in found if each.table == "versions"), 0)
    return None if a_day is None or not texts else int(sum(each.bytes for each in found) / texts * a_day)
