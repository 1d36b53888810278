"""The embedded PostgreSQL, started for real in a fresh folder."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from ops.embedded.postgres import EmbeddedPostgres
from pipeline.errors import SettingError, Stop

pytestmark = pytest.mark.embedded

REPOSITORY = Path(__file__).parents[2]
SUPERVISOR = """
import sys, time
from pathlib import Path
from ops.embedded.postgres import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), Path(sys.argv[2]))
server.prepare(lambda *_: None)
server.start()
server.wait_ready()
print(server.pid, flush=True)
time.sleep(600)
"""


def no_progress(label: str, done: int, total: int) -> None: ...


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    yield folder
    # As root the data lies outside the folder of the test.
    location = EmbeddedPostgres(folder, tmp_path).location
    shutil.rmtree(location, ignore_errors=True)


@pytest.fixture
def run_server(data_dir: Path, tmp_path: Path) -> Iterator[Callable[[], EmbeddedPostgres]]:
    """Each call starts a server, always on the same data folder."""
    servers = []

    def run() -> EmbeddedPostgres:
        server = EmbeddedPostgres(data_dir, tmp_path)
        server.prepare(no_progress)
        servers.append(server)
        server.start()
        server.wait_ready()
        return server

    yield run
    for server in servers:
        server.stop()


def keep_rows(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept (number integer)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")


def count_rows(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_ready_server_has_the_database_news_in_utc_sorted_by_code_point(run_server):
    server = run_server()

    with psycopg.connect(server.url) as connection:
        row = connection.execute(
            "SELECT current_user, current_database(), current_setting('timezone'), datlocale, 'Z' < 'a' "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        connection.execute("CREATE EXTENSION pg_trgm")

    assert row == ("news", "news", "UTC", "C.UTF-8", True)


def test_the_log_holds_no_row_that_was_refused(run_server):
    server = run_server()

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE texts (id integer CHECK (id > 0), text text)")
        with pytest.raises(psycopg.errors.CheckViolation, match="of an article") as refused:
            connection.execute("INSERT INTO texts VALUES (%s, %s)", [0, "of an article"])
    log = "".join(path.read_text() for path in (server.location / "log").iterdir())

    assert "of an article" in str(refused.value.diag.message_detail)
    assert 'violates check constraint "texts_id_check"' in log
    assert "of an article" not in log


def test_a_reader_makes_no_temporary_table_and_its_sorts_have_a_limit(run_server):
    server = run_server()

    with psycopg.connect(server.url, autocommit=True) as connection:
        limit = connection.execute("SHOW temp_file_limit").fetchone()
        connection.execute("CREATE ROLE ann")
        connection.execute("SET ROLE ann")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied to create temporary tables"):
            connection.execute("CREATE TEMPORARY TABLE mine ()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET temp_file_limit = -1")

    assert limit == ("10GB",)


def test_rows_survive_kill_9_and_the_port_stays(run_server):
    first = run_server()
    keep_rows(first)

    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: first.poll() is not None)
    again = run_server()

    assert again.url == first.url
    assert count_rows(again) == 1000


def test_a_server_that_is_killed_is_started_again_by_the_same_supervisor(run_server):
    server = run_server()
    keep_rows(server)

    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: server.poll() is not None)
    server.start()
    server.wait_ready()

    assert count_rows(server) == 1000


def test_rows_survive_another_port_when_the_remembered_one_is_taken(run_server):
    first = run_server()
    keep_rows(first)
    port = int(first.url.split(":")[-1].split("/")[0])
    first.stop()

    with socket.create_server(("127.0.0.1", port)):
        again = run_server()

        assert again.url != first.url
        assert count_rows(again) == 1000


def test_an_asked_port_that_is_in_use_is_a_setting_error_that_names_it(data_dir, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = EmbeddedPostgres(data_dir, tmp_path, port=port)

        with pytest.raises(SettingError, match=str(port)):
            server.prepare(no_progress)


def test_the_server_ends_when_its_supervisor_is_killed_and_the_next_one_takes_over(run_server, data_dir, tmp_path):
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(data_dir), str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    with supervisor:
        server_pid = int(supervisor.stdout.readline())
        supervisor.kill()
        supervisor.wait()

        next_server = run_server()

    assert has_ended(server_pid)
    assert next_server.pid != server_pid


def test_a_second_supervisor_of_a_data_folder_is_stopped(run_server, data_dir, tmp_path):
    run_server()

    with pytest.raises(Stop, match="already runs"):
        EmbeddedPostgres(data_dir, tmp_path).prepare(no_progress)


def test_stop_leaves_no_process(run_server):
    server = run_server()
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]

    server.stop()

    assert psutil.wait_procs(processes, timeout=10)[1] == []
    assert server.poll() == 0


def test_the_password_is_kept_in_a_file_for_its_owner_and_a_wrong_one_is_refused(run_server):
    server = run_server()
    password = server.password_path.read_text()

    assert stat.S_IMODE(server.password_path.stat().st_mode) == 0o600
    assert not (server.location / "initdb-password").exists()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(password, "wrong"))
    with psycopg.connect(server.url) as connection:
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert rules == [("scram-sha-256",)]


def test_data_of_another_major_version_stops_the_start(run_server, data_dir, tmp_path):
    server = run_server()
    server.stop()
    (server.location / "data" / "PG_VERSION").write_text("17\n")

    with pytest.raises(Stop, match="PostgreSQL 17, and this is 18"):
        EmbeddedPostgres(data_dir, tmp_path).prepare(no_progress)


def test_data_without_its_password_stops_the_start(run_server, data_dir, tmp_path):
    server = run_server()
    server.stop()
    server.password_path.unlink()

    with pytest.raises(Stop, match="its password is not in"):
        EmbeddedPostgres(data_dir, tmp_path).prepare(no_progress)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another account")
def test_under_a_private_folder_root_keeps_the_data_elsewhere_and_opens_nothing(run_server, data_dir, tmp_path):
    tmp_path.chmod(0o700)

    server = run_server()

    assert not server.location.is_relative_to(tmp_path)
    assert psutil.Process(server.pid).uids().real != 0
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.location.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another account")
def test_in_an_open_folder_root_keeps_the_data_there():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = EmbeddedPostgres(folder / "postgres", folder)
        server.prepare(no_progress)
        server.start()
        try:
            server.wait_ready()

            assert server.location == folder / "postgres" / "server"
            assert psutil.Process(server.pid).uids().real != 0
        finally:
            server.stop()
