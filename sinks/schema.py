"""Which schema a database has and which one this version needs: asked at every start, so nothing heavy is imported."""

from importlib import metadata, resources
from typing import Any, Final

import psycopg

from pipeline.errors import Stop
from sinks import roles

FOLDER: Final = resources.files("sinks") / "migrations"
VERSION_TABLE: Final = "schema_version"
_MAY_BE_SEEN: Final = (
    "SELECT has_schema_privilege(n.oid, 'USAGE') AND (c.oid IS NULL OR has_table_privilege(c.oid, 'SELECT'))"
    " FROM pg_namespace AS n LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'schema_version'"
    " WHERE n.nspname = 'ingest'"
)


def revisions() -> dict[str, str]:
    """The SQL of every revision by its name ("0001_tables"), in order."""
    files = sorted((f for f in FOLDER.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return {f.name.removesuffix(".sql"): f.read_text(encoding="utf-8") for f in files}


def newest() -> str:
    """The revision that this version needs."""
    return next(reversed(revisions()))


def is_current(url: str) -> bool:
    """Whether there is nothing to migrate, and nothing to give to roles that this user might give."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        if current(connection) != newest():
            return False
        undone = roles.undone(connection)
        return not undone or bool(roles.missing(undone))


def check_schema(connection: psycopg.Connection[Any]) -> None:
    """Raise Stop, naming the remedy, where the database's schema is older or newer than this version's.

    In the midst of a migration it is older. A user who may only read schema news is told nothing: the contract only
    grows, and what is missing from it says so when it is asked for.
    """
    with connection.transaction():
        if not may_be_seen(connection):
            return
        found = current(connection)
    check_not_newer(found)
    if found != newest():
        has = f"has schema {found}" if found else "has no schema yet"
        raise Stop(f"The database {has}, this version needs {newest()}: run `news db migrate`.")


def may_be_seen(connection: psycopg.Connection[Any]) -> bool:
    """Whether this user may see which revision the database has; also where it has none."""
    row = connection.execute(_MAY_BE_SEEN).fetchone()
    return row is None or bool(row[0])


def check_not_newer(found: str | None) -> None:
    """Raise Stop for a revision that this version does not know."""
    if found is not None and found not in revisions():
        raise Stop(
            f"This is version {_version()} of the pipeline, the database was made by a newer one (schema {found}): "
            "run that version, or another database."
        )


def _version() -> str:
    try:
        return metadata.version("news-pipeline")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision of this database, or None where there is no schema."""
    table = f"ingest.{VERSION_TABLE}"
    if connection.execute("SELECT to_regnamespace('ingest') IS NULL").fetchone() == (True,):
        return None
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    if found is None or not found[0]:
        return None
    row = connection.execute(f"SELECT max(version_num) FROM {table}").fetchone()  # noqa: S608
    return None if row is None else row[0]
