"""A PostgreSQL that is away, frozen or wrong: what the caller is told, and how long it takes."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing

import psycopg
import pytest

from ops import database as looking
from pipeline.errors import SettingError, Stop, Unavailable
from sinks import database, migrate
from sinks.database import Database, Refused, verdict


class Proxy:
    """Passes bytes to PostgreSQL until it is frozen: then it keeps what it gets, as a stopped process would."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        self.thaw()
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while received := source.recv(65536):
                self._flowing.wait()
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    parts = psycopg.conninfo.conninfo_to_dict(database_url)
    proxy = Proxy(str(parts["host"]), int(str(parts.get("port", 5432))))
    yield proxy
    proxy.close()


def through(proxy: Proxy, url: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=proxy.port, dbname=str(parts["dbname"]))


@pytest.mark.services
def test_a_frozen_postgresql_is_unavailable_after_the_deadline_and_the_same_work_can_be_done_again(
    proxy: Proxy, database_url: str
) -> None:
    with closing(Database(through(proxy, database_url), transaction_timeout_seconds=1)) as away:
        away.run(lambda connection: connection.execute("SELECT 1"))
        proxy.freeze()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="NEWS_DATABASE__URL"):
            away.run(lambda connection: connection.execute("SELECT 1"))
        took = time.monotonic() - began
        proxy.thaw()

        assert took < 5
        assert away.run(lambda c: c.execute("SELECT 1").fetchone()) == (1,)


@pytest.mark.services
def test_without_the_deadline_it_would_wait_for_ever(
    proxy: Proxy, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: nothing else ends the wait."""
    from contextlib import nullcontext

    monkeypatch.setattr(database, "deadline", lambda *_: nullcontext())
    with closing(Database(through(proxy, database_url), transaction_timeout_seconds=1)) as away:
        away.run(lambda connection: connection.execute("SELECT 1"))
        proxy.freeze()
        answers: list[object] = []
        waiting = threading.Thread(target=lambda: answers.append(away.run(lambda c: c.execute("SELECT 1"))))
        waiting.start()
        waiting.join(timeout=4)
        still_waiting = waiting.is_alive()
        proxy.thaw()
        waiting.join(timeout=10)

    assert still_waiting
    assert len(answers) == 1


@pytest.mark.services
def test_a_session_that_the_server_ended_is_made_anew(database_url: str) -> None:
    with closing(Database(database_url, 10)) as ours:
        pid = ours.run(lambda c: c.execute("SELECT pg_backend_pid()").fetchone())
        assert pid is not None
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", pid)

        with pytest.raises(Unavailable):
            ours.run(lambda c: c.execute("SELECT 1"))
        assert ours.run(lambda c: c.execute("SELECT 1").fetchone()) == (1,)


@pytest.mark.services
def test_another_schema_is_no_outage(database_url: str) -> None:
    with closing(Database(database_url, 10)) as ours, pytest.raises(Stop, match="news db check"):
        ours.run(lambda c: c.execute("SELECT nothing FROM ingest.articles"))


@pytest.mark.services
def test_a_time_limit_of_the_server_is_an_outage(database_url: str) -> None:
    with closing(Database(database_url, 1)) as ours, pytest.raises(Unavailable):
        ours.run(lambda c: c.execute("SELECT pg_sleep(60)"))


@pytest.mark.services
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "mistyped"}, "password authentication failed"),
        ({"user": "nobody_here"}, "nobody_here"),
        ({"dbname": "not_there"}, 'database "not_there" does not exist'),
    ],
)
def test_a_url_that_the_server_refuses_is_said_in_a_line_and_is_a_wrong_setting(
    database_url: str, wrong: dict[str, str], says: str
) -> None:
    url = as_url({**psycopg.conninfo.conninfo_to_dict(database_url), **wrong})
    with closing(Database(url, 10)) as ours, pytest.raises(Refused, match=says) as refused:
        ours.run(lambda c: c.execute("SELECT 1"))

    assert "(NEWS_DATABASE__URL)" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "mistyped" not in str(refused.value)
    assert refused.value.exit_code == 2
    with pytest.raises(Refused), looking.connect(url):
        pass
    with pytest.raises(Refused), looking.connect_as_reader(url):
        pass
    with pytest.raises(Refused):
        migrate.migrate(url)


def test_an_unknown_host_is_an_outage_that_names_it() -> None:
    with pytest.raises(Unavailable, match=r"There is no host db\.invalid .*NEWS_DATABASE__URL") as away:
        Database("postgresql://ann:secret@db.invalid/news", 2).run(lambda c: c)

    assert away.value.exit_code == 69
    assert not isinstance(away.value, Refused)


def as_url(parts: Mapping[str, object]) -> str:
    return "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**parts)


def test_an_address_says_neither_user_nor_password() -> None:
    assert database.address("postgresql://ann:secret@db.example.org:6543/news") == "db.example.org:6543/news"
    with pytest.raises(SettingError) as wrong:
        database.address("postgres:/ann:secret@host")
    assert "secret" not in str(wrong.value)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable, match="NEWS_DATABASE__URL") as away:
        Database(f"postgresql://ann:secret@127.0.0.1:{port}/news", 2).run(lambda c: c)
    assert "secret" not in str(away.value)


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (psycopg.errors.SerializationFailure(), "away"),
        (psycopg.errors.DeadlockDetected(), "away"),
        (psycopg.errors.DiskFull(), "away"),
        (psycopg.errors.AdminShutdown(), "away"),
        (psycopg.errors.LockNotAvailable(), "away"),
        (psycopg.errors.ReadOnlySqlTransaction(), "away"),
        (psycopg.OperationalError("server closed the connection unexpectedly"), "away"),
        (psycopg.InterfaceError("the connection is closed"), "away"),
        (psycopg.errors.StringDataRightTruncation(), "refused"),
        (psycopg.errors.UntranslatableCharacter(), "refused"),
        (psycopg.errors.CheckViolation(), "refused"),
        (psycopg.errors.ProgramLimitExceeded(), "refused"),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), "refused"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), "refused"),
        (psycopg.errors.UndefinedTable(), "bug"),
        (psycopg.errors.UniqueViolation(), "bug"),
        (psycopg.errors.InsufficientPrivilege(), "bug"),
        (ValueError("ours"), "bug"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_what_an_error_means(error: Exception, means: str) -> None:
    assert verdict(error) == means
