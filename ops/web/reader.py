"""PostgreSQL for readers: a few threads with a connection each; a slow database never holds up those who feed."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg

from ops.web.problems import Problem
from pipeline.errors import Stop, Unavailable
from sinks.database import address, connect_as_reader, reader_limits
from sinks.deadline import deadline

THREADS: Final = 4
#: Questions that are asked or wait for a thread; more are put off.
MAX_QUESTIONS: Final = 32
CONNECT_SECONDS: Final = 3

Connection = psycopg.Connection[Any]
Answer = TypeVar("Answer")


class Reader:
    """Asks; `ask` belongs to the event loop. `url` None: no database is set."""

    def __init__(self, url: str | None, query_seconds: float, threads: ThreadPoolExecutor) -> None:
        self._url = url
        self._query_seconds = query_seconds
        self._threads = threads
        self._questions = 0
        self._own = threading.local()
        self._connections: list[Connection] = []

    async def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """Its answer. Raises Unavailable where the database is away or too slow, Problem `busy` where too many ask."""
        if self._questions >= MAX_QUESTIONS:
            raise Problem("busy", f"{self._questions} questions wait for an answer.", retry_after=1)
        self._questions += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: self._answered(question))
        finally:
            self._questions -= 1

    def close(self) -> None:
        """Close the connections; nobody asks any more."""
        for connection in self._connections:
            connection.close()

    def _answered(self, question: Callable[[Connection], Answer]) -> Answer:
        if self._url is None:
            raise Unavailable("No database is set (NEWS_DATABASE__URL): articles can be fed, not read.")
        is_reused = getattr(self._own, "connection", None) is not None
        try:
            connection = self._connection(self._url)
            with deadline(connection, self._query_seconds + CONNECT_SECONDS):
                return question(connection)
        except psycopg.errors.QueryCanceled:
            raise Unavailable(f"The database took longer than {self._query_seconds:g} s: ask for less.") from None
        except psycopg.OperationalError as error:
            self._forget()
            if is_reused:  # it may have been cut since it was used last: by a restart of the server, or a firewall
                return self._answered(question)
            where = address(self._url)  # and not why: what the server says is nothing for strangers
            raise Unavailable(f"PostgreSQL does not answer at {where} (NEWS_DATABASE__URL).") from error
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.InvalidSchemaName,
            psycopg.errors.UndefinedColumn,
        ) as error:
            raise Unavailable("The database has not the schema of this version: run `news db migrate`.") from error
        except Stop as error:  # a migration may be under way: those who feed are not to stand still for it
            raise Unavailable(str(error)) from error

    def _connection(self, url: str) -> Connection:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None or connection.closed:
            connection = connect_as_reader(
                url,
                reader_limits(self._query_seconds),
                "news web",
                CONNECT_SECONDS,
                prepare_threshold=None,  # each filter has its own plan
            )
            self._own.connection = connection
            self._connections.append(connection)
        return connection

    def _forget(self) -> None:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is not None:
            self._own.connection = None
            self._connections.remove(connection)
            connection.close()


@contextmanager
def opened(url: str | None, query_seconds: float) -> Iterator[Reader]:
    """A reader with its threads."""
    with ThreadPoolExecutor(THREADS, "asking") as threads:
        reader = Reader(url, query_seconds, threads)
        yield reader
    reader.close()
