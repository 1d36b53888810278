"""The logical publication of the rows behind schema news: made, kept and dropped as the setting says."""

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]

#: What readers see, less what only the pipeline needs. Each has a primary key, which is its replica identity.
TABLES: Final = (
    "articles",
    "change_counter",
    "changes",
    "decisions",
    "entities",
    "entity_register",
    "mentions",
    "sources",
    "versions",
)
_OPTIONS: Final = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
#: By this the ones that we made are known.
_MARK: Final = "made by `news db migrate`, as NEWS_DATABASE__PUBLICATION says"
_OURS: Final = (
    "SELECT p.pubname, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot,"
    " obj_description(p.oid, 'pg_publication') IS NOT DISTINCT FROM %(mark)s,"
    " ARRAY(SELECT t.tablename::text FROM pg_publication_tables AS t"
    "  WHERE t.pubname = p.pubname AND t.schemaname = 'ingest' ORDER BY t.tablename)"
    " FROM pg_publication AS p"
    " WHERE p.pubname = %(name)s OR obj_description(p.oid, 'pg_publication') = %(mark)s ORDER BY p.pubname"
)


def differences(connection: Connection, name: str | None) -> list[str]:
    """How the publications of this database differ from the setting, a sentence each."""
    found = _found(connection, name)
    others = [other for other in found if other != name]
    said = [f"publication {other}: is there, and NEWS_DATABASE__PUBLICATION does not name it" for other in others]
    if name is not None and name not in found:
        said.append(f"publication {name}: is missing, and NEWS_DATABASE__PUBLICATION names it")
    elif name is not None and not _is_right(*found[name]):
        said.append(f"publication {name}: has other tables or other operations than this version publishes")
    return said


def apply(connection: Connection, name: str | None) -> Iterator[str]:
    """Have this publication, or none where `name` is None; gives what a person must know, in sentences.

    One that somebody else made under another name is left alone. The connection is in autocommit; nothing is touched
    where all is right.
    """
    found = _found(connection, name)
    for other in found:
        if other != name:
            _run(connection, "DROP PUBLICATION {}", other)
            yield f"Publication {other} is dropped: NEWS_DATABASE__PUBLICATION does not name it any more."
    if name is None:
        return
    if name not in found:
        _run(
            connection, f"CREATE PUBLICATION {{}} FOR TABLE {_tables()} WITH (publish_via_partition_root = true)", name
        )
        connection.execute(sql.SQL("COMMENT ON PUBLICATION {} IS {}").format(sql.Identifier(name), sql.Literal(_MARK)))
    elif not _is_right(*found[name]):
        _run(connection, f"ALTER PUBLICATION {{}} SET TABLE {_tables()}", name)
        _run(connection, f"ALTER PUBLICATION {{}} SET ({_OPTIONS})", name)
    if connection.execute("SHOW wal_level").fetchone() != ("logical",):
        yield (
            f"Publication {name} is there, but nobody can subscribe to it: set wal_level = logical in postgresql.conf "
            "(or `ALTER SYSTEM SET wal_level TO logical`), and restart PostgreSQL."
        )


def _found(connection: Connection, name: str | None) -> dict[str, tuple[bool, list[str]]]:
    rows = connection.execute(_OURS, {"mark": _MARK, "name": name}).fetchall()
    return {pubname: (is_whole, tables) for pubname, is_whole, _, tables in rows}


def _is_right(publishes_all: bool, tables: list[str]) -> bool:
    return publishes_all and tuple(tables) == TABLES


def _tables() -> str:
    return ", ".join(f"ingest.{table}" for table in TABLES)


def _run(connection: Connection, statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
