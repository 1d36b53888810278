"""Looking into PostgreSQL from the command line: a connection for reading."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg

from pipeline.errors import Stop
from sinks import database as sink_database
from sinks import roles, schema
from sinks.database import address, explained, reader_limits

Connection = psycopg.Connection[Any]

CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 30.0


@contextmanager
def connect(url: str, *, check: bool = True, as_writer: bool = True) -> Iterator[Connection]:
    """A connection for looking at the tables: each statement is a transaction of its own, and none runs for ever.

    It works as news_writer where the user may, unless `as_writer` is off. Raises Unavailable naming NEWS_DATABASE__URL,
    without its password; Stop where the schema is not that of this version (unless `check` is off), or the user may
    not see what is asked for.
    """
    with _explained(url, STATEMENT_SECONDS), closing(_open(url)) as connection:
        if check:
            schema.check_schema(connection)
        if as_writer:
            roles.assume(connection, roles.NAMES.writer)
        yield connection


@contextmanager
def connect_as_reader(url: str, statement_seconds: float = STATEMENT_SECONDS) -> Iterator[Connection]:
    """A connection that sees schema news alone, read-only and with the limits of a reader: for what people look up.

    `statement_seconds` is NEWS_DATABASE__READER_TIMEOUT_SECONDS. Raises as `connect` does.
    """
    with _explained(url, statement_seconds):
        limits = reader_limits(statement_seconds)
        with closing(sink_database.connect_as_reader(url, limits, "news", CONNECT_SECONDS)) as connection:
            yield connection


def _open(url: str) -> Connection:
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name="news",
        options=f"-c statement_timeout={int(STATEMENT_SECONDS * 1000)}",
    )


@contextmanager
def _explained(url: str, statement_seconds: float) -> Iterator[None]:
    """What goes wrong in the body, as one line for a person."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise Stop(
            f"PostgreSQL at {address(url)} took longer than {statement_seconds:g} s to answer: ask for less."
        ) from error
    except psycopg.OperationalError as error:
        raise explained(error, url) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Stop(
            f"The user of NEWS_DATABASE__URL may not see this at {address(url)}: {error.diag.message_primary}. "
            f"A member of {roles.NAMES.reader} sees schema news alone; this wants a member of {roles.NAMES.writer}."
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn) as error:
        raise Stop(
            f"The database at {address(url)} (NEWS_DATABASE__URL) has not the schema of this version: run "
            "`news db migrate`, then `news db check`."
        ) from error
