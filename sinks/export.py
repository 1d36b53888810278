"""A view of the contract -> all its rows, a page at a time, as one snapshot shows them. The SQL in sql/export_*.sql."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import Column

from sinks import statements
from sinks.database import Connection


class Exported(NamedTuple):
    """A view as `news export` knows it. `takes`: what its rows can be chosen by; `page`: so many are held at a time."""

    view: str
    statement: str
    takes: tuple[str, ...]
    page: int = 2_000


_TIMES: Final = ("since", "until")
_ALL: Final = ("source", "language", *_TIMES)
#: Texts have up to 1 MiB each, and there are two of them in a row.
_TEXTS: Final = 100

VIEWS: Final = {
    "articles": Exported("news.articles", "export_articles", _ALL, _TEXTS),
    "versions": Exported("news.article_versions", "export_versions", _ALL, _TEXTS),
    "article-entities": Exported("news.article_entities", "export_article_entities", _ALL),
    "entities": Exported("news.entities", "export_entities", ()),
    "mentions": Exported("news.mentions", "export_mentions", _ALL),
    "copies": Exported("news.copies", "export_copies", ("source", *_TIMES)),
    "decisions": Exported("news.decisions", "export_decisions", ("source", *_TIMES)),
    "changes": Exported("news.changes", "export_changes", _TIMES),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows; None leaves all in. `since` is the first moment, `until` the first one after."""

    source: str | None = None
    language: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a view shows at one moment. `last_change`: the newest change that it contains."""

    last_change: int
    columns: tuple[Column, ...]
    pages: Generator[list[tuple[Any, ...]]]


@contextmanager
def snapshot(connection: Connection, exported: Exported, chosen: Chosen) -> Generator[Snapshot]:
    """The rows of a view in one transaction, which ends with the block.

    No statement of it has a time limit; a reader that takes nothing for ten minutes is ended, as an open snapshot
    keeps PostgreSQL from cleaning up.
    """
    for name, value in (
        ("transaction_timeout", "0"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "10min"),
        ("TimeZone", "UTC"),
        ("cursor_tuple_fraction", "1"),  # all rows are taken: the plan that is done first counts
    ):
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(statements.load("select_last_change")).fetchone()
        with connection.cursor("export") as cursor:
            cursor.execute(statements.load(exported.statement), asdict(chosen))
            yield Snapshot(row[0] if row else 0, tuple(cursor.description or ()), _pages(cursor, exported.page))


def _pages(cursor: Any, size: int) -> Generator[list[tuple[Any, ...]]]:
    while page := cursor.fetchmany(size):
        yield page
