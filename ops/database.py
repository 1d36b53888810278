"""Looking into PostgreSQL from the command line: a connection for reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from pipeline.errors import Stop, Unavailable
from sinks.database import address

Connection = psycopg.Connection[Any]


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """A connection in which each statement is a transaction of its own and no query runs for ever.

    Raises Unavailable naming NEWS_DATABASE__URL, without its password; Stop where the schema is not there.
    """
    try:
        with psycopg.connect(
            url, autocommit=True, connect_timeout=5, application_name="news", options="-c statement_timeout=30000"
        ) as connection:
            yield connection
    except psycopg.errors.QueryCanceled as error:
        raise Stop(f"PostgreSQL at {address(url)} took longer than 30 s to answer: ask for less.") from error
    except psycopg.OperationalError as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Unavailable(f"PostgreSQL does not answer at {address(url)} (NEWS_DATABASE__URL): {first}") from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn) as error:
        raise Stop(
            f"The database at {address(url)} (NEWS_DATABASE__URL) has not the schema of this version: run "
            "`news db migrate`."
        ) from error
