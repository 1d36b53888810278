"""Bring a database to this version of the pipeline: numbered .sql files, run by Alembic under an advisory lock."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final, cast

import psycopg
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from pipeline.errors import Unavailable
from sinks import schema
from sinks.database import address

#: Any number that nobody else locks; the lock is held by the session, so that a killed process leaves none behind.
LOCK: Final = 0x6E657773_0001


def migrate(url: str) -> list[str]:
    """Run the revisions that the database lacks, each in a transaction of its own; gives their names.

    Two at once: the second waits, and finds nothing left to do. Raises Stop for a database of a newer pipeline,
    Unavailable where none answers.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(url), poolclass=NullPool)
    applied: list[str] = []
    with engine.connect() as connection:
        driver = _driver(connection)
        driver.autocommit = True
        driver.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            driver.execute("CREATE SCHEMA IF NOT EXISTS ingest")
            driver.autocommit = False
            schema.check_not_newer(schema.current(driver))
            driver.commit()
            _upgrade(connection, applied)
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(
                f"A table is in use at {address(url)} (a long query, a dump): nothing was changed by this step. "
                "Run `news db migrate` again."
            ) from error
        finally:
            driver.rollback()
            driver.autocommit = True
            driver.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            driver.autocommit = False
    engine.dispose()
    return applied


def _connect(url: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(url, connect_timeout=10, application_name="news migrate")
    except psycopg.OperationalError as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Unavailable(f"PostgreSQL does not answer at {address(url)} (NEWS_DATABASE__URL): {first}") from error


def _upgrade(connection: Connection, applied: list[str]) -> None:
    scripts = _scripts(connection)
    revision_map = RevisionMap(lambda: scripts)

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Iterable[RevisionStep]:
        missing = list(revision_map.iterate_revisions("heads", heads or "base"))
        for script in reversed(missing):
            applied.append(script.revision)
            yield RevisionStep(revision_map, cast(Script, script), is_upgrade=True)

    context = MigrationContext.configure(
        connection,
        opts={
            "fn": steps,
            "version_table": schema.VERSION_TABLE,
            "version_table_schema": "ingest",
            "transaction_per_migration": True,
        },
    )
    with context.begin_transaction():
        context.run_migrations()


def _scripts(connection: Connection) -> list[Script]:
    """One Alembic revision a file, made here, so that no Python stands beside each .sql file."""
    scripts: list[Script] = []
    for name, sql in schema.revisions().items():
        module: Any = ModuleType(name, doc=name)
        module.down_revision = scripts[-1].revision if scripts else None
        # Not exec_driver_sql: it takes every % for a placeholder.
        module.upgrade = lambda sql=sql: _driver(connection).execute(sql)
        scripts.append(Script(module, name, f"{schema.FOLDER}/{name}.sql"))
    return scripts


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
