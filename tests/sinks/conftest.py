"""A connection to a fresh database, and a look at all of it."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from sinks import database
from sinks.database import Connection, Database
from tests.sinks.samples import Feed


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    connection = database.connect(database_url, 30)
    yield connection
    connection.close()


@pytest.fixture
def own(database_url: str) -> Iterator[Database]:
    """What retention has of its own, beside the sink."""
    with closing(Database(database_url, 30)) as own:
        yield own


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def reader(database_url: str) -> Iterator[psycopg.Connection[dict[str, object]]]:
    """Sees rows as a reader would, by column name."""
    from psycopg.rows import dict_row

    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection
