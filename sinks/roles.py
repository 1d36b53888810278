"""The three roles of a database: what they lack, giving it to them, and taking one of them on."""

import time
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import psycopg

Connection = psycopg.Connection[Any]


class Names(NamedTuple):
    """What the roles are called. They belong to the cluster, so all databases of it share them."""

    owner: str = "news_owner"
    writer: str = "news_writer"
    reader: str = "news_reader"


NAMES: Final = Names()
#: Another database of the cluster may be making the same roles at this moment.
PATIENCE_SECONDS: Final = 30.0
_AGAIN_SECONDS: Final = 0.1
#: As long as others may have to wait behind us for a table.
LOCK_TIMEOUT: Final = "500ms"
#: A table in use, a role made, changed or dropped by another database of the cluster at the same time.
_AGAIN: Final = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedTable,
    psycopg.errors.InternalError_,  # tuple concurrently updated
)
_ASSUME: Final = """
SELECT set_config('role', r.rolname, false)
FROM pg_roles AS r JOIN pg_namespace AS n ON n.nspname = %(schema)s
WHERE r.rolname = %(role)s AND pg_has_role(r.oid, 'SET') AND has_schema_privilege(r.oid, n.oid, 'USAGE')
"""


class Statement(NamedTuple):
    """What is still to be done for `role`, in SQL; PUBLIC is everybody."""

    step: int
    role: str
    sql: str


@cache
def _query() -> bytes:
    return (resources.files("sinks") / "roles.sql").read_bytes()


def undone(connection: Connection, names: Names = NAMES) -> list[Statement]:
    """What is still to be done, in order; reads catalogues that everybody may read, and locks nothing."""
    return [Statement(*row) for row in connection.execute(_query(), names._asdict()).fetchall()]


def missing(statements: Sequence[Statement]) -> set[str]:
    """The roles that are not there."""
    return {statement.role for statement in statements if statement.step == 1}


def apply(connection: Connection, names: Names = NAMES) -> list[Statement]:
    """Do what is still to be done, each statement alone; gives what this user may not do.

    The connection is in autocommit. A table in use, and roles that another database changes at the same time, are
    tried again. Raises LockNotAvailable when a table stays in use.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    tried: set[str] = set()  # done, or refused: each once
    absent: set[str] = set()
    connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    try:
        while todo := [s for s in undone(connection, names) if s.sql not in tried and s.role not in absent]:
            for statement in todo:
                if statement.step > todo[0].step:  # may only be possible, or needed, after that
                    break
                try:
                    connection.execute(statement.sql.encode())
                except psycopg.errors.InsufficientPrivilege:
                    absent |= {statement.role} if statement.step == 1 else set()
                except _AGAIN:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_AGAIN_SECONDS)
                    break  # and look anew
                tried.add(statement.sql)
    finally:
        connection.execute("SET lock_timeout TO DEFAULT")
    return undone(connection, names)


def assume(connection: Connection, role: str) -> bool:
    """Go on as this role, where it is one of this database and the user may; else as the user. Gives whether."""
    schema = "news" if role == NAMES.reader else "ingest"
    return connection.execute(_ASSUME, {"role": role, "schema": schema}).fetchone() is not None
