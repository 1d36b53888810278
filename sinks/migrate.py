"""Bring a database to this version of the pipeline: numbered .sql files, run by Alembic under an advisory lock."""

from collections.abc import Iterable
from importlib import metadata, resources
from types import ModuleType
from typing import Any, Final, cast

import psycopg
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from pipeline.errors import Stop

FOLDER: Final = resources.files("sinks") / "migrations"
VERSION_TABLE: Final = "schema_version"
#: Any number that nobody else locks; the lock is held by the session, so that a killed process leaves none behind.
LOCK: Final = 0x6E657773_0001


def revisions() -> dict[str, str]:
    """The SQL of every revision by its name ("0001_tables"), in order."""
    files = sorted((f for f in FOLDER.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return {f.name.removesuffix(".sql"): f.read_text(encoding="utf-8") for f in files}


def migrate(url: str) -> list[str]:
    """Run the revisions that the database lacks, each in a transaction of its own; gives their names.

    Two at once: the second waits, and finds nothing left to do. Raises Stop for a database of a newer pipeline.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    applied: list[str] = []
    with engine.connect() as connection:
        driver = _driver(connection)
        driver.autocommit = True
        driver.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            driver.execute("CREATE SCHEMA IF NOT EXISTS ingest")
            driver.autocommit = False
            _check_not_newer(_current(driver))
            driver.commit()
            _upgrade(connection, applied)
        finally:
            driver.rollback()
            driver.autocommit = True
            driver.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
            driver.autocommit = False
    engine.dispose()
    return applied


def check_schema(connection: psycopg.Connection[Any]) -> None:
    """Raise Stop, naming the remedy, where the database's schema is older or newer than this version's."""
    with connection.transaction():
        current = _current(connection)
    _check_not_newer(current)
    if current != next(reversed(revisions())):
        has = f"has schema {current}" if current else "has no schema yet"
        raise Stop(f"The database {has}, this version needs {next(reversed(revisions()))}: run `news db migrate`.")


def _check_not_newer(current: str | None) -> None:
    if current is not None and current not in revisions():
        raise Stop(
            f"This is version {_version()} of the pipeline, the database was made by a newer one (schema {current}): "
            "run that version, or another database."
        )


def _version() -> str:
    try:
        return metadata.version("news-pipeline")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def _current(connection: psycopg.Connection[Any]) -> str | None:
    table = f"ingest.{VERSION_TABLE}"
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    if found is None or not found[0]:
        return None
    row = connection.execute(f"SELECT max(version_num) FROM {table}").fetchone()  # noqa: S608
    return None if row is None else row[0]


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
            "version_table": VERSION_TABLE,
            "version_table_schema": "ingest",
            "transaction_per_migration": True,
        },
    )
    with context.begin_transaction():
        context.run_migrations()


def _scripts(connection: Connection) -> list[Script]:
    """One Alembic revision a file, made here, so that no Python stands beside each .sql file."""
    scripts: list[Script] = []
    for name, sql in revisions().items():
        module: Any = ModuleType(name, doc=name)
        module.down_revision = scripts[-1].revision if scripts else None
        # Not exec_driver_sql: it takes every % for a placeholder.
        module.upgrade = lambda sql=sql: _driver(connection).execute(sql)
        scripts.append(Script(module, name, f"{FOLDER}/{name}.sql"))
    return scripts


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
