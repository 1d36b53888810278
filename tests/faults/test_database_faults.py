"""What can befall a PostgreSQL while the sink writes: in the end every row once, and a line that says what it was.

Two kinds of error only (docs/architecture.md): what passes is waited for, and what somebody has to change ends it.
"""

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from pipeline.errors import Exit, NewsError
from tests.faults import sink
from tests.faults.sink import Server, assert_written_once, count, publish, running, story
from tests.fixtures.kafka import missing

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(sink.server(tmp_path_factory.mktemp("breakable")))
        except (ImportError, NewsError) as error:
            missing(f"No PostgreSQL that may be broken: {error}")
        yield made


_numbers = itertools.count()


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a fresh database with the schema."""
    server.revive()
    name = f"faults_{next(_numbers)}"
    server.execute("CREATE DATABASE {} TEMPLATE template", name)
    yield name
    server.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@pytest.fixture
def url(server: Server, database: str) -> str:
    return server.database(database)


@contextmanager
def table_locked(url: str) -> Iterator[None]:
    """Who writes names waits, in the middle of its transaction."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE ingest.mentions IN ACCESS EXCLUSIVE MODE")
        yield


# Connections that end.


def test_a_connection_killed_in_the_middle_of_a_transaction(
    kafka: str, server: Server, url: str, tmp_path: Path
) -> None:
    with running(tmp_path, kafka, url) as writer:
        with table_locked(url):
            publish(kafka, story(range(20)))
            writer.until("it waits in its transaction", lambda: server.sessions("wait_event_type = 'Lock'"))
            server.end_sessions()
            writer.until_it_says("terminating connection")
            assert count(url, "SELECT count(*) FROM ingest.decisions") == 0
        writer.until("all is written", lambda: count(url) == 20)

    assert_written_once(kafka, url, 20)


def test_a_connection_killed_in_its_commit_has_written_and_nobody_told_the_sink(
    kafka: str, server: Server, url: str, tmp_path: Path
) -> None:
    """The commit waits for a standby that never comes: on this server it has happened, its answer is still out."""
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(1)))
        writer.until("it writes", lambda: count(url) == 1)
        server.setting("synchronous_standby_names", "nobody")
        try:
            publish(kafka, story(range(1, 20)))
            writer.until("it commits", lambda: server.sessions("wait_event = 'SyncRep'"))
            seen = count(url, "SELECT count(*) FROM ingest.decisions")  # its rows are not visible yet
            server.end_sessions()
            writer.until("they are written", lambda: count(url, "SELECT count(*) FROM ingest.decisions") > seen)
        finally:
            server.setting("synchronous_standby_names", "")
        writer.until("all is written", lambda: count(url) == 20)
        writer.until_it_says("PostgreSQL does not answer")  # it was cut off without a word

    assert_written_once(kafka, url, 20)


@pytest.mark.parametrize("kind", ["fast", "killed"])
def test_a_server_that_stops_and_comes_back(kafka: str, server: Server, url: str, tmp_path: Path, kind: str) -> None:
    with running(tmp_path, kafka, url) as writer:
        with contextlib.suppress(psycopg.OperationalError), table_locked(url):
            publish(kafka, story(range(20)))
            writer.until("it waits in its transaction", lambda: server.sessions("wait_event_type = 'Lock'"))
            if kind == "killed":
                assert server.postgres.pid is not None
                psutil.Process(server.postgres.pid).kill()
                sink.until("the server is dead", lambda: server.postgres.poll() is not None)
            server.postgres.stop()
        try:
            publish(kafka, story(range(20, 40)))
            writer.until_it_says("PostgreSQL does not answer")
        finally:
            server.postgres.start()
            server.postgres.wait_ready()
        writer.until("all is written", lambda: count(url) == 40)

    assert_written_once(kafka, url, 40)


def test_a_server_that_is_frozen_and_thawed(kafka: str, server: Server, url: str, tmp_path: Path) -> None:
    with running(tmp_path, kafka, url, NEWS_DATABASE__TRANSACTION_TIMEOUT_SECONDS="2") as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        with frozen(server):
            publish(kafka, story(range(5, 20)))
            writer.until_it_says("PostgreSQL does not answer")
        writer.until("all is written", lambda: count(url) == 20)

    assert_written_once(kafka, url, 20)


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """All its processes stand still, as in a machine that is suspended."""
    assert server.postgres.pid is not None
    postmaster = psutil.Process(server.postgres.pid)
    processes = [*postmaster.children(recursive=True), postmaster]
    try:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # a session that has just ended
                process.suspend()
        yield
    finally:
        for process in reversed(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


# Servers that answer, and take nothing.


def test_a_server_that_is_not_there_at_the_start_ends_the_stage_with_one_line(
    kafka: str, server: Server, database: str, tmp_path: Path
) -> None:
    nowhere = server.database(database).replace(f":{server.url.rpartition(':')[2].partition('/')[0]}/", ":1/")
    with running(tmp_path, kafka, nowhere, NEWS_KAFKA__START_TIMEOUT_SECONDS="1") as writer:
        assert writer.ends() == Exit.SERVICE_AWAY

    assert "PostgreSQL does not answer at 127.0.0.1:1/" in writer.said()
    assert "Traceback" not in writer.said()


def test_a_full_disk_is_waited_for(kafka: str, server: Server, tmp_path: Path) -> None:
    with small_disk(server, 48) as disk:
        server.execute("CREATE TABLESPACE small LOCATION '" + str(disk / "rows") + "'")
        server.execute("CREATE DATABASE on_small_disk TEMPLATE template TABLESPACE small")
        url = server.database("on_small_disk")
        try:
            with running(tmp_path, kafka, url) as writer:
                publish(kafka, story(range(5)))
                writer.until("it writes", lambda: count(url) == 5)
                fill(disk / "ballast")
                # Random enough that no compression makes it fit into what the tables have left.
                publish(kafka, story(range(5, 20), sentence=os.urandom(100_000).hex()))
                writer.until_it_says("No space left on device")
                places = count(url, "SELECT sum(next_offset) FROM ingest.positions")
                (disk / "ballast").unlink()
                writer.until("all is written", lambda: count(url) == 20)

            assert places <= 10 + 15  # decisions are small: some may have found room
            assert_written_once(kafka, url, 20)
        finally:
            server.execute("DROP DATABASE on_small_disk WITH (FORCE)")
            server.execute("DROP TABLESPACE small")


@contextmanager
def small_disk(server: Server, megabytes: int) -> Iterator[Path]:
    """A disk of this size within PostgreSQL's reach, its folder `rows` PostgreSQL's; skips where none can be made."""
    disk = server.postgres.location / "disk"
    disk.mkdir(exist_ok=True)
    owner = (server.postgres.location / "data").stat()
    options = f"size={megabytes}m,uid={owner.st_uid},gid={owner.st_gid},mode=0700"
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True, text=True, check=False
        )
        if os.geteuid() == 0
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip(f"a small disk needs root and mount: {mounted.stderr.strip() if mounted else 'not root'}")
    try:
        (disk / "rows").mkdir(mode=0o700)
        os.chown(disk / "rows", owner.st_uid, owner.st_gid)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(ballast: Path) -> None:
    """Take what room the disk has."""
    with ballast.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(MEGABYTE // 16))


def test_a_database_that_takes_no_writes_is_waited_for(
    kafka: str, server: Server, database: str, url: str, tmp_path: Path
) -> None:
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        server.execute("ALTER DATABASE {} SET default_transaction_read_only = on", database)
        server.end_sessions()
        publish(kafka, story(range(5, 20)))
        writer.until_it_says("in a read-only transaction")
        server.execute("ALTER DATABASE {} RESET default_transaction_read_only", database)
        writer.until("all is written", lambda: count(url) == 20)

    assert_written_once(kafka, url, 20)


def test_a_standby_is_waited_for_until_it_is_the_primary(
    kafka: str, server: Server, database: str, url: str, tmp_path: Path
) -> None:
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)

    with standby(server, tmp_path) as port:
        there = url.replace(f":{server.url.rpartition(':')[2].partition('/')[0]}/", f":{port}/")
        with running(tmp_path, kafka, there) as writer:
            publish(kafka, story(range(5, 20)))
            writer.until_it_says("in a read-only transaction")
            with psycopg.connect(there, autocommit=True) as connection:
                connection.execute("SELECT pg_promote()")
            writer.until("all is written", lambda: count(there) == 20)

        assert_written_once(kafka, there, 20)
    assert count(url) == 5


@contextmanager
def standby(server: Server, folder: Path) -> Iterator[int]:
    """A second server that follows the first one; gives its port."""
    from ops import process

    postgres = server.postgres
    account = (postgres.location / "data").stat()
    as_account = {"user": account.st_uid, "group": account.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    data, port = postgres.location / "standby", process.choose_port("the standby", None, None)
    binaries = Path(psutil.Process(postgres.pid).exe()).parent
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    copy = [str(binaries / "pg_basebackup"), "-d", server.url, "-D", str(data), "-R", "-X", "stream", "-c", "fast"]
    subprocess.run(copy, check=True, cwd=postgres.location, env=environment, **as_account)  # type: ignore[call-overload]
    command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", "unix_socket_directories=", "-c", "max_connections=50"]
    with (folder / "standby.out").open("wb") as output:
        follower = subprocess.Popen(  # type: ignore[call-overload]
            command, cwd=postgres.location, env=environment, stdout=output, stderr=output, **as_account
        )
    try:
        there = server.url.replace(f":{server.url.rpartition(':')[2].partition('/')[0]}/", f":{port}/")
        sink.until("the standby answers", lambda: count(there, "SELECT 1") == 1)
        yield port
    finally:
        follower.terminate()
        follower.wait(60)


def test_a_server_without_a_free_connection_is_waited_for(kafka: str, server: Server, url: str, tmp_path: Path) -> None:
    with running(tmp_path, kafka, url) as writer, psycopg.connect(server.url, autocommit=True) as own:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        with ExitStack() as others:
            ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s"
            own.execute(ended, [sink.APPLICATION])
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    others.enter_context(psycopg.connect(server.url))
            publish(kafka, story(range(5, 20)))
            writer.until_it_says("too many clients")
        writer.until("all is written", lambda: count(url) == 20)

    assert_written_once(kafka, url, 20)


# Somebody else's hands.


def with_password(server: Server, url: str, password: str) -> str:
    """The URL of a role of its own with this password, which may do what the sink does."""
    server.execute("CREATE ROLE keyed SUPERUSER LOGIN PASSWORD '" + password + "'")
    return "postgresql://keyed:" + password + "@" + url.rpartition("@")[2]


@pytest.fixture
def keyed_role(server: Server) -> Iterator[None]:
    yield
    server.execute("DROP ROLE IF EXISTS keyed")


@pytest.mark.usefixtures("keyed_role")
def test_a_wrong_password_at_the_start_ends_the_stage_with_one_line(
    kafka: str, server: Server, url: str, tmp_path: Path
) -> None:
    """A setting is wrong: waiting does not mend it."""
    wrong = with_password(server, url, "first").replace(":first@", ":mistyped@")

    with running(tmp_path, kafka, wrong) as writer:
        assert writer.ends() == Exit.USAGE

    said = " ".join(writer.said().split())
    assert '(NEWS_DATABASE__URL) refuses: password authentication failed for user "keyed".' in said
    assert "mistyped" not in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("keyed_role")
def test_a_password_changed_while_it_runs_loses_nothing(kafka: str, server: Server, url: str, tmp_path: Path) -> None:
    """It waits, and says so: put back, it goes on; started with the new one, another goes on where it was."""
    with running(tmp_path, kafka, with_password(server, url, "first")) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        for password, articles in (("second", 10), ("first", 15), ("third", 20)):
            server.execute("ALTER ROLE keyed PASSWORD '" + password + "'")
            server.end_sessions()
            publish(kafka, story(range(articles - 5, articles)))
            if password == "first":
                writer.until("all is written", lambda: count(url) == 15)
            else:
                writer.until_it_says("password authentication failed")
    with running(tmp_path, kafka, url.replace(url[13 : url.index("@")], "keyed:third")) as writer:
        writer.until("all is written", lambda: count(url) == 20)

    assert_written_once(kafka, url, 20)


def test_a_view_that_was_dropped_is_missed_by_readers_alone(kafka: str, url: str, tmp_path: Path) -> None:
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP VIEW news.copies CASCADE")
            publish(kafka, story(range(5, 20)))
            writer.until("all is written", lambda: count(url) == 20)
            with pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("SELECT FROM news.copies")

    assert_written_once(kafka, url, 20)


@pytest.mark.parametrize(
    ("taken", "put_back"),
    [
        ("ALTER TABLE ingest.mentions RENAME COLUMN raw_end TO lost", "RENAME COLUMN lost TO raw_end"),
        ("ALTER TABLE ingest.mentions SET SCHEMA public", "SET SCHEMA ingest"),
    ],
    ids=["column", "table"],
)
def test_a_column_or_a_table_that_was_dropped_stops_the_sink(
    kafka: str, url: str, tmp_path: Path, taken: str, put_back: str
) -> None:
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(taken)
        publish(kafka, story(range(5, 20)))
        assert writer.ends() == Exit.FAILURE

    said = " ".join(writer.said().split())
    assert "does not know what this version writes" in said
    assert "Run `news db check`." in said
    assert "Traceback" not in said

    with psycopg.connect(url, autocommit=True) as connection:
        where = "public" if "SCHEMA" in taken else "ingest"
        connection.execute(f"ALTER TABLE {where}.mentions {put_back}")
    with running(tmp_path, kafka, url) as writer:
        writer.until("all is written", lambda: count(url) == 20)
    assert_written_once(kafka, url, 20)


def test_a_database_that_was_dropped_is_waited_for_and_filled_again_from_its_backup(
    kafka: str, server: Server, database: str, url: str, tmp_path: Path
) -> None:
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
    server.execute("CREATE DATABASE backup TEMPLATE {}", database)
    try:
        with running(tmp_path, kafka, url) as writer:
            publish(kafka, story(range(5, 10)))
            writer.until("it writes", lambda: count(url) == 10)
            server.execute("DROP DATABASE {} WITH (FORCE)", database)
            publish(kafka, story(range(10, 20)))
            writer.until_it_says(f'database "{database}" does not exist')
            server.execute("CREATE DATABASE {} TEMPLATE backup", database)
            # Every partition must hear of it: the sink finds out when it writes there again.
            publish(kafka, story(range(20, 60)))
            writer.until("all is written", lambda: count(url) == 60)
    finally:
        server.execute("DROP DATABASE backup WITH (FORCE)")

    assert_written_once(kafka, url, 60)


def test_a_database_that_was_dropped_and_made_again_empty_stops_the_sink(
    kafka: str, server: Server, database: str, url: str, tmp_path: Path
) -> None:
    with running(tmp_path, kafka, url) as writer:
        publish(kafka, story(range(5)))
        writer.until("it writes", lambda: count(url) == 5)
        server.execute("DROP DATABASE {} WITH (FORCE)", database)
        server.execute("CREATE DATABASE {}", database)
        publish(kafka, story(range(5, 20)))
        assert writer.ends() == Exit.FAILURE
    assert "Run `news db check`." in " ".join(writer.said().split())

    server.execute("DROP DATABASE {} WITH (FORCE)", database)
    server.execute("CREATE DATABASE {} TEMPLATE template", database)
    with running(tmp_path, kafka, url) as writer:
        writer.until("all is written", lambda: count(url) == 20)
    assert_written_once(kafka, url, 20)


def test_without_retrying_an_outage_would_end_the_sink(
    kafka: str, server: Server, database: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: it is the verdict about the error that keeps it going."""
    import threading

    from pipeline.settings import Settings
    from sinks import database as of_sink
    from sinks import run

    monkeypatch.setattr(of_sink, "verdict", lambda _: "bug")
    ended: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            run.run(kafka, url, Settings(data_dir=tmp_path, _env_file=None), stop)
        except psycopg.Error as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        publish(kafka, story(range(5)))
        sink.until("it writes", lambda: count(url) == 5)
        server.execute("ALTER DATABASE {} SET default_transaction_read_only = on", database)
        server.end_sessions()
        publish(kafka, story(range(5, 10)))
        sink.until("it has ended", lambda: not thread.is_alive())
    finally:
        stop.set()
        thread.join(60)
    assert ended
