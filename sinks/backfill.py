"""Articles that were stored before search knew them -> rows of ingest.search, in small batches, newest first."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sinks import statements
from sinks.database import Connection, connect

#: Articles a transaction: their rows are locked for half a second or so.
BATCH: Final = 250
#: For one statement; the first look, where all is indexed, reads two indexes from end to end.
_STATEMENT_SECONDS: Final = 300.0
_SAID_EVERY: Final = 10_000
_END: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


def index_stored(connection: Connection, say: Callable[[int], None] = lambda _: None, batch: int = BATCH) -> int:
    """Index what is not indexed, and give how many articles that were; `say` hears the number after each batch.

    Each batch is a transaction: what was cut short goes on where it ended, and sinks may write meanwhile. Where nothing
    is missing, as after nearly every start, one look at two indexes says so. Raises psycopg.Error.
    """
    place = _END
    done = 0
    while True:
        with connection.transaction():
            arguments = {"before_time": place[0], "before_id": place[1], "limit": batch}
            missing = connection.execute(statements.load("select_unindexed"), arguments).fetchall()
            if not missing:
                return done
            place = missing[-1]
            ids = {"article_ids": [article_id for _, article_id in missing]}
            connection.execute(statements.load("lock_known_articles"), ids)
            connection.execute(statements.load("index_articles"), ids)
        done += len(missing)
        say(done)


def is_complete(connection: Connection) -> bool:
    """Whether search knows every article; reads two indexes from end to end. Raises psycopg.Error."""
    arguments = {"before_time": _END[0], "before_id": _END[1], "limit": 1}
    return connection.execute(statements.load("select_unindexed"), arguments).fetchone() is None


def index_all(url: str, say: Callable[[str], None]) -> int:
    """Index what is not indexed in this database; `say` hears a sentence now and then. Raises psycopg.Error."""

    def progress(done: int) -> None:
        if done % _SAID_EVERY < BATCH and done > BATCH:
            say(f"search: {done:,} articles indexed so far; what is cut short goes on with `news db migrate`")

    connection = connect(url, _STATEMENT_SECONDS)
    try:
        return index_stored(connection, progress)
    finally:
        connection.close()
