"""Bring a database to this version of the pipeline: numbered .sql files, run by Alembic under an advisory lock.

A file runs in a transaction of its own. One whose first line says `-- no transaction` does not (CREATE INDEX
CONCURRENTLY): its statements end with a semicolon at the end of a line, run one by one, and may come again.
"""

import re
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final, cast

import psycopg
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from psycopg import sql as compose
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from pipeline.errors import Stop, Unavailable
from sinks import publication, roles, schema
from sinks.database import address, explained

#: Any number that nobody else locks; the lock is held by the session, so that a killed process leaves none behind.
LOCK: Final = 0x6E657773_0001
#: So long a statement waits for a table, and so long others wait behind it; then it lets them through, and tries again.
LOCK_TIMEOUT: Final = "200ms"
PATIENCE_SECONDS: Final = 60.0
#: The table that each transaction of a sink locks first. A file that alters tables or views locks it first too, then
#: the views that it makes anew, as a reader does, whose query locks a view before its tables: else somebody who holds
#: the one and waits for the other would time after time meet a migration that holds the other and waits for the one.
#: A file that only moves rows, which may take long, does neither.
GATE: Final = "ingest.positions"
GATE_TIMEOUT: Final = "800ms"
_AGAIN_SECONDS: Final = 0.5
_LOCK_AGAIN_SECONDS: Final = 0.2
#: The first with all that the migrations ask for (casefold).
OLDEST_SERVER: Final = 180000
_VIEW: Final = re.compile(r"^CREATE OR REPLACE VIEW (news\.\w+)", re.MULTILINE)
_ALTERS: Final = re.compile(r"^(ALTER TABLE|CREATE OR REPLACE VIEW|DROP) ", re.MULTILINE)
_OUTSIDE: Final = "-- no transaction"
_HOLDER: Final = (
    "SELECT l.pid, a.usename FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s::bigint::oid"
    " AND l.objid = %s::bigint::oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_INVALID_INDEXES: Final = (
    "SELECT quote_ident(c.relname) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND n.nspname = 'ingest'"
)


def _silent(_: str) -> None:
    pass


def migrate(
    url: str, published: str | None = None, say: Callable[[str], None] = _silent, names: roles.Names = roles.NAMES
) -> list[str]:
    """Run the revisions that the database lacks, each in a transaction of its own; gives their names.

    Then the roles get what they lack, and there is a publication of this name, or none. Two at once: the second waits,
    and finds nothing left to do. `say` is told what could not be done, in sentences. Raises Stop for a database of a
    newer pipeline, a server that is too old and a user who may not; Unavailable where none answers.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        driver = _driver(connection)
        driver.autocommit = True
        _require_server(driver, url)
        _lock(driver, url, say)
        try:
            applied = _upgrade_patiently(connection, names.owner)
            driver.autocommit = True
            _tell_undone(roles.apply(driver, names), driver, say)
            for sentence in publication.apply(driver, published):
                say(sentence)
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(
                f"A table is in use at {address(url)} (a long query, a dump): this step changed nothing. "
                "Run `news db migrate` again."
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise Stop(
                f"{driver.info.user} may not change the schema at {address(url)} (NEWS_DATABASE__URL): "
                f"{error.diag.message_primary}. Migrate as the user who made it, or as a member of {roles.NAMES.owner}."
            ) from error
        finally:
            if not driver.closed:
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
        raise explained(error, url) from error


def _require_server(driver: psycopg.Connection[Any], url: str) -> None:
    if driver.info.server_version < OLDEST_SERVER:
        raise Stop(
            f"PostgreSQL at {address(url)} is {driver.info.server_version // 10000}, and this version needs "
            f"{OLDEST_SERVER // 10000}: upgrade the server, or name another one in NEWS_DATABASE__URL."
        )


def _lock(driver: psycopg.Connection[Any], url: str, say: Callable[[str], None]) -> None:
    """One at a time. Asked again and again: a statement that waits would hold up CREATE INDEX CONCURRENTLY."""
    said = False
    while True:
        row = driver.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if row is not None and row[0]:
            return
        if not said:
            say(f"{_holder(driver)} holds the lock of migrations at {address(url)}: waiting for it.")
            said = True
        time.sleep(_LOCK_AGAIN_SECONDS)


def _holder(driver: psycopg.Connection[Any]) -> str:
    """Who it is: any user may take such a lock, and whoever looks on can end the session (pg_terminate_backend)."""
    row = driver.execute(_HOLDER, [LOCK >> 32, LOCK & 0xFFFFFFFF]).fetchone()
    return f"Another session (process {row[0]} of PostgreSQL, user {row[1]})" if row else "Another session"


def _upgrade_patiently(connection: Connection, owner: str) -> list[str]:
    """Run what is missing; where a table is in use, let the others through and try again for a while."""
    driver = _driver(connection)
    before = schema.current(driver)
    schema.check_not_newer(before)
    if driver.execute("SELECT to_regnamespace('ingest') IS NULL").fetchone() == (True,):
        driver.execute("CREATE SCHEMA ingest")
    if before != schema.newest():
        _let_in(driver, owner, is_let_in=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while before != schema.newest():
        driver.autocommit = False
        try:
            _upgrade(connection)
            break
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            connection.rollback()
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
    if before != schema.newest():
        driver.autocommit = True
        _let_in(driver, owner, is_let_in=False)
    names = list(schema.revisions())
    return names[names.index(before) + 1 if before else 0 :]


def _let_in(driver: psycopg.Connection[Any], owner: str, *, is_let_in: bool) -> None:
    """What a file makes belongs to whoever runs it until roles.apply; the owner of the others must see it already.

    PostgreSQL checks a new foreign key in the name of the table's owner.
    """
    if driver.execute("SELECT to_regrole(quote_ident(%s)) IS NULL", [owner]).fetchone() == (True,):
        return
    what = "GRANT ALL ON TABLES TO {}" if is_let_in else "REVOKE ALL ON TABLES FROM {}"
    statement = compose.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA ingest " + what)
    driver.execute(statement.format(compose.Identifier(owner)))


def _upgrade(connection: Connection) -> None:
    scripts = _scripts(connection)
    revision_map = RevisionMap(lambda: [script for script, _ in scripts])
    context: MigrationContext

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Iterable[RevisionStep]:
        missing = list(revision_map.iterate_revisions("heads", heads or "base"))
        for script in reversed(missing):
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
    for script, sql in scripts:
        cast(Any, script.module).upgrade = _runner(context, connection, sql)
    with context.begin_transaction():
        context.run_migrations()


def _scripts(connection: Connection) -> list[tuple[Script, str]]:
    """One Alembic revision a file, made here, so that no Python stands beside each .sql file."""
    scripts: list[tuple[Script, str]] = []
    for name, sql in schema.revisions().items():
        module: Any = ModuleType(name, doc=name)
        module.down_revision = scripts[-1][0].revision if scripts else None
        scripts.append((Script(module, name, f"{schema.FOLDER}/{name}.sql"), sql))
    return scripts


def _runner(context: MigrationContext, connection: Connection, sql: str) -> Callable[[], None]:
    # Not exec_driver_sql: it takes every % for a placeholder.
    def inside() -> None:
        driver = _driver(connection)
        if _ALTERS.search(sql) and _is_there(driver, GATE):
            driver.execute("SELECT set_config('lock_timeout', %s, true)", [GATE_TIMEOUT])
            driver.execute(f"LOCK TABLE {GATE} IN ACCESS EXCLUSIVE MODE".encode())
            driver.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            if views := [view for view in sorted(set(_VIEW.findall(sql))) if _is_there(driver, view)]:
                driver.execute(f"LOCK TABLE {', '.join(views)} IN ACCESS EXCLUSIVE MODE".encode())
        driver.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        driver.execute(sql.encode())

    def outside() -> None:
        with context.autocommit_block():
            driver = _driver(connection)
            # Nobody has to wait behind what runs here, and it may itself have to wait for a long query.
            driver.execute("SET lock_timeout TO 0")
            # One that failed left its index behind: of no use to readers, and in the way of the next try.
            invalid = driver.execute(_INVALID_INDEXES.encode()).fetchall()
            for index in (f"ingest.{name}" for (name,) in invalid if re.search(rf"\b{re.escape(name)}\b", sql)):
                driver.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}".encode())
            for statement in re.split(r";[ \t]*(?:\n|$)", sql):
                if statement.strip() and not all(
                    line.startswith("--") for line in statement.strip().splitlines() if line.strip()
                ):
                    driver.execute(statement.encode())
            driver.execute("SET lock_timeout TO DEFAULT")

    return outside if sql.startswith(_OUTSIDE) else inside


def _is_there(driver: psycopg.Connection[Any], name: str) -> bool:
    return driver.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone() == (True,)


def _tell_undone(undone: list[roles.Statement], driver: psycopg.Connection[Any], say: Callable[[str], None]) -> None:
    if not undone:
        return
    missing = sorted(roles.missing(undone))
    what = f"not made ({', '.join(missing)})" if missing else "not given all that they should have"
    say(
        f"NOTICE: the roles were {what}: {driver.info.user} may not. Everything works as this one user. "
        "`news db roles` prints the statements for somebody who may."
    )


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
