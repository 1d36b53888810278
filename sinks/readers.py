"""Logins for readers: a role each for a person or a tool, with the limits that a group's role does not hand down."""

from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pipeline.errors import SettingError, Stop
from sinks import roles
from sinks.database import ReaderLimits, reader_settings

Connection = psycopg.Connection[Any]

#: Sessions that one login may have at once, so that readers leave room for the sink.
CONNECTIONS: Final = 10
#: What of the pipeline's URL a reader's URL keeps: how to get there, and not what the session is like.
_KEPT: Final = ("sslmode", "sslrootcert", "sslnegotiation", "channel_binding", "gssencmode", "target_session_attrs")
_FOUND: Final = (
    "SELECT r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolcreaterole AND NOT r.rolcreatedb AND NOT r.rolreplication"
    " AND ARRAY(SELECT g.rolname::text FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid"
    "  WHERE m.member = r.oid) = ARRAY[%(reader)s::text]"
    " FROM pg_roles AS r WHERE r.rolname = %(name)s"
)
_SESSIONS: Final = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s"


class Login(NamedTuple):
    """A reader's login; the password is known nowhere else."""

    name: str
    password: str


def create(connection: Connection, login: Login, limits: ReaderLimits) -> None:
    """Make the login: it reads schema news and nothing else, within these limits.

    Raises SettingError for a name that is taken, Stop where this user may make no roles.
    """
    if _is_reader(connection, login.name) is not None:
        raise SettingError(f"There is a role {login.name} already: choose another name, or --drop it first.")
    if connection.execute("SELECT to_regrole(%s) IS NULL", [roles.NAMES.reader]).fetchone() == (True,):
        raise Stop(f"There is no role {roles.NAMES.reader} yet: run `news db migrate` as a user who may make roles.")
    name = sql.Identifier(login.name)
    # Made a verifier here: the password is in no log of the server.
    verifier = connection.pgconn.encrypt_password(login.password.encode(), login.name.encode(), b"scram-sha-256")
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {} IN ROLE {}").format(
                    name, CONNECTIONS, verifier.decode(), sql.Identifier(roles.NAMES.reader)
                )
            )
            for setting, value in {**reader_settings(limits), "search_path": "news, public"}.items():
                given = sql.SQL("news, public") if setting == "search_path" else sql.Literal(value)
                connection.execute(sql.SQL("ALTER ROLE {} SET {} TO {}").format(name, sql.Identifier(setting), given))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not(connection, error) from error


def drop(connection: Connection, name: str) -> bool:
    """Take the login away and end its sessions; gives whether this user may end them.

    Raises SettingError where there is none, or it is no reader; Stop where this user may not, or where it owns
    something: then it can log in no more.
    """
    is_reader = _is_reader(connection, name)
    if is_reader is None:
        raise SettingError(f"There is no role {name}.")
    if not is_reader:
        raise SettingError(f"{name} is more than a reader: nothing was done to it.")
    try:
        # Nobody comes in any more, then those are ended who are in; of a role that is gone they could not be found.
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(name)))
        ended = _end_sessions(connection, name)
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not(connection, error) from error
    except psycopg.errors.DependentObjectsStillExist as error:
        raise _still_there(connection, name, error, ended=ended) from error
    return ended


def _end_sessions(connection: Connection, name: str) -> bool:
    try:
        connection.execute(_SESSIONS, [name])
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def url_of(ours: str, login: Login, *, with_password: bool = True) -> str:
    """The login's URL, at the database that `ours` points to."""
    parts = {name: str(value) for name, value in conninfo_to_dict(ours).items() if value is not None}
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    query: dict[str, str] = {name: parts[name] for name in _KEPT if name in parts}
    if host.startswith("/"):  # a socket's folder
        query, host = {"host": host, **query}, ""
    elif ":" in host:
        host = f"[{host}]"
    secret = f":{quote(login.password, safe='')}" if with_password else ""
    where = f"{quote(login.name, safe='')}{secret}@{host}:{port}/{quote(parts.get('dbname', ''), safe='')}"
    return f"postgresql://{where}" + (f"?{urlencode(query)}" if query else "")


def _is_reader(connection: Connection, name: str) -> bool | None:
    """Whether it is a reader and nothing more; None where there is no such role."""
    row = connection.execute(_FOUND, {"name": name, "reader": roles.NAMES.reader}).fetchone()
    return None if row is None else bool(row[0])


def _still_there(connection: Connection, name: str, error: psycopg.Error, *, ended: bool) -> Stop:
    """What was done to a login that is not gone, and what an administrator does with what keeps it."""
    role = sql.Identifier(name).as_string(connection)
    sessions = "its sessions were ended" if ended else "its sessions last until they end, this user may not end them"
    detail = "; ".join((error.diag.message_detail or "").splitlines())
    return Stop(
        f"{name} can log in no more and {sessions}, but it is still there: it owns something or was given more than a "
        f"reader has ({detail}). An administrator, in each database where that is: REASSIGN OWNED BY {role} TO "
        f"CURRENT_USER, to keep what it owns; DROP OWNED BY {role}, which deletes the rest; then DROP ROLE {role}."
    )


def _may_not(connection: Connection, error: psycopg.Error) -> Stop:
    return Stop(
        f"{connection.info.user} may not do this: {error.diag.message_primary}. It takes a superuser, or a user with "
        f"CREATEROLE and the right to give {roles.NAMES.reader} away (docs/database.md)."
    )
