"""One connection to PostgreSQL that is opened again when it is lost, and whose errors become ours."""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pipeline.errors import Exit, SettingError, Stop, Unavailable
from sinks import roles, schema
from sinks.deadline import deadline

Connection = psycopg.Connection[Any]
Result = TypeVar("Result")

#: SQLSTATE classes that pass: connection, resources, operator, system, lock, serialisation and deadlock.
_AWAY_CLASSES: Final = ("08", "53", "57", "58", "55", "40")
_SET: Final = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting (name, value)"
#: What a server says that will say it again; in English, the only language that can be told apart without a SQLSTATE,
#: which libpq does not hand on for a connection that was not made.
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "password was not provided",
    "does not exist",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
)
#: Of these it has answered: another transaction stood in the way.
_BUSY_CLASSES: Final = ("23", "40", "55")
#: A server that became a standby, sessions that the server ended, and a row that retention took away meanwhile.
_AWAY_STATES: Final = ("25006", "25P03", "25P04", "23503")
#: Of the time that a transaction may take, what one of its statements may: so the server ends it before this side does,
#: which then knows that it is there.
STATEMENT_SHARE: Final = 0.8
#: Not null, check, and "a row is too big": the record's doing. All of class 22 too.
_REFUSED_STATES: Final = ("23502", "23514", "54000")


def verdict(error: Exception) -> Literal["away", "refused", "bug"]:
    """What an error while writing means: try the same again, set one row apart, or stop."""
    if isinstance(error, UnicodeEncodeError):  # a lone surrogate; psycopg lets it through
        return "refused"
    if not isinstance(error, psycopg.Error):
        return "bug"
    state = error.sqlstate or ""
    if isinstance(error, psycopg.DataError) or state in _REFUSED_STATES:  # DataError without a state: NUL in a text
        return "refused"
    if state[:2] in _AWAY_CLASSES or state in _AWAY_STATES:
        return "away"
    # Without a state the server said nothing: the connection is gone.
    gone = not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return "away" if gone else "bug"


class Refused(Unavailable):
    """The server answers and lets nobody in as the URL says: a start ends with it; in the midst of work one waits."""

    exit_code = Exit.USAGE


class ReaderLimits(NamedTuple):
    """How long a reader may take: for a query, between two of a transaction, and for the whole transaction."""

    statement_seconds: float
    idle_seconds: float
    transaction_seconds: float


def reader_limits(statement_seconds: float) -> ReaderLimits:
    """The limits that go with that of a query: a transaction holds back what PostgreSQL can clean up."""
    return ReaderLimits(statement_seconds, 2 * statement_seconds, 20 * statement_seconds)


def reader_settings(limits: ReaderLimits) -> dict[str, str]:
    """A reader's session, as settings of PostgreSQL: by name, in its units."""
    return {
        "default_transaction_read_only": "on",
        "statement_timeout": _milliseconds(limits.statement_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle_seconds),
        "transaction_timeout": _milliseconds(limits.transaction_seconds),
    }


def explained(error: psycopg.Error, url: str) -> Unavailable:
    """What an error that means "away" is for a person: one line that names the setting, without its password."""
    first = _first_line(error)
    where = f"{address(url)} (NEWS_DATABASE__URL)"
    if first.startswith("connection failed") and any(words in first for words in _REFUSALS):
        said = first.partition("FATAL: ")[2].strip() or first
        return Refused(
            f"PostgreSQL at {where} refuses: {said} "
            "Set user, password and database of the URL right, or NEWS_DATABASE__PASSWORD."
        )
    if "failed to resolve host" in first or "could not translate host name" in first:
        host = conninfo_to_dict(url).get("host")
        return Unavailable(f"There is no host {host} for PostgreSQL at {where}: {first}")
    if (error.sqlstate or "")[:2] in _BUSY_CLASSES:
        return Unavailable(f"PostgreSQL at {where} cannot do it at this moment: {first}")
    return Unavailable(f"PostgreSQL does not answer at {where}: {first}")


def address(url: str) -> str:
    """Where a URL points, without user and password: for messages.

    Raises SettingError for what is no PostgreSQL URL.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingError(
            "NEWS_DATABASE__URL is no PostgreSQL URL: postgresql://user:password@host:port/database."
        ) from None
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


class Database:
    """A connection made when it is needed; `run` is its only door."""

    def __init__(self, url: str, transaction_timeout_seconds: float) -> None:
        self._url = url
        self._address = address(url)
        self._timeout_seconds = transaction_timeout_seconds
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` within the deadline.

        Raises Unavailable when PostgreSQL is away (the connection is then made anew; Refused when it lets nobody in as
        the URL says), Stop when it has another schema.
        """
        try:
            connection = self._open()
            with deadline(connection, self._timeout_seconds):
                return work(connection)
        except psycopg.Error as error:
            self.close()
            if verdict(error) == "away":
                raise explained(error, self._url) from error
            if (error.sqlstate or "").startswith("42"):
                raise Stop(
                    f"PostgreSQL at {self._address} does not know what this version writes: {_first_line(error)} "
                    "Run `news db check`."
                ) from error
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, self._timeout_seconds)
        return self._connection


def connect(url: str, transaction_timeout_seconds: float) -> Connection:
    """A connection as the sink needs it: transactions are written down, and the server keeps the time limits too.

    It works as news_writer where there is such a role and the user may.
    """
    connection: Connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=max(2, min(10, int(transaction_timeout_seconds))),
        application_name="news sink",
    )
    try:
        with deadline(connection, transaction_timeout_seconds):
            roles.assume(connection, roles.NAMES.writer)
            milliseconds = _milliseconds(STATEMENT_SHARE * transaction_timeout_seconds)
            # A session whose client is gone must let go of its locks.
            for name, value in (
                ("TimeZone", "UTC"),
                ("statement_timeout", milliseconds),
                ("idle_in_transaction_session_timeout", milliseconds),
            ):
                connection.execute("SELECT set_config(%s, %s, false)", [name, value])
            # Only "off" would acknowledge what a crash of the server forgets; what is stricter than "on" stays.
            row = connection.execute("SHOW synchronous_commit").fetchone()
            if row is not None and row[0] == "off":
                connection.execute("SET synchronous_commit TO on")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_as_reader(
    url: str, limits: ReaderLimits, application_name: str, connect_timeout: int = 5, **options: Any
) -> Connection:
    """A connection in autocommit for reading schema news: as news_reader where the user may, read-only, with limits.

    `options` are psycopg's. Raises psycopg.Error as it does; Stop where the schema is not that of this version.
    """
    connection: Connection = psycopg.connect(
        url, autocommit=True, connect_timeout=connect_timeout, application_name=application_name, **options
    )
    names, values = zip(*{"TimeZone": "UTC", **reader_settings(limits)}.items(), strict=True)
    try:
        # connect_timeout does not cover these; and the revision is asked for before the role, which may not see it.
        with deadline(connection, connect_timeout + limits.statement_seconds):
            connection.execute(_SET, [list(names), list(values)])
            schema.check_schema(connection)
            roles.assume(connection, roles.NAMES.reader)
    except BaseException:
        connection.close()
        raise
    return connection


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _first_line(error: psycopg.Error) -> str:
    text = (error.diag.message_primary or str(error) or type(error).__name__).strip().splitlines()[0]
    return text if text.endswith(".") else text + "."
