"""Stages that cannot start say why in one line, with the setting and the remedy, and end with the right status."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from psycopg.conninfo import conninfo_to_dict

from ops.stages import STAGES
from pipeline import health
from tests.running import REPOSITORY, Outcome, clean_environment, run_news, until

pytestmark = pytest.mark.timeout(120)

UNKNOWN = "nowhere.invalid:9092"
NOBODY = "127.0.0.1:1"
SECONDS = 60


def started(stage: str, folder: Path, **variables: str) -> Outcome:
    given = {"NEWS_DATA_DIR": str(folder), "NEWS_KAFKA__START_TIMEOUT_SECONDS": "1", "NEWS_NLP__PROCESSES": "1"}
    return run_news("run", stage, seconds=SECONDS, **{**given, **variables})


def said(found: Outcome, status: int) -> str:
    """The one line on stderr of a command that ended with this status."""
    assert (found.status, found.err.count("\n"), found.out) == (status, 1, ""), found.err
    assert found.err.startswith("error: ")
    return found.err


def wait_that_it_says(ready: Path) -> str:
    """What the stage waits for, as soon as the health check says it."""

    def waits() -> str | None:
        why = health.why_not(str(ready), time.time())
        return why if why is not None and why.startswith("waits for ") else None

    return until("it waits", waits, SECONDS)


@pytest.mark.parametrize("stage", STAGES)
def test_a_data_folder_that_cannot_be_written_is_named(stage: str, tmp_path: Path) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.write_text("no folder", encoding="utf-8")

    line = said(
        started(stage, in_the_way, NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY, NEWS_DATABASE__URL=f"postgresql://{NOBODY}/n"),
        2,
    )

    assert f"NEWS_DATA_DIR: user {os.getuid()} cannot write to {in_the_way}" in line
    assert "chown" in line


@pytest.mark.parametrize("stage", ["deduplicate", "enrich"])
def test_a_broker_that_is_no_host_is_named(stage: str, tmp_path: Path) -> None:
    line = said(started(stage, tmp_path, NEWS_KAFKA__BOOTSTRAP_SERVERS=UNKNOWN), 69)

    assert "NEWS_KAFKA__BOOTSTRAP_SERVERS" in line
    assert "there is no host nowhere.invalid" in line


def test_a_sink_says_it_too(tmp_path: Path, database_url: str) -> None:
    found = started("sink", tmp_path, NEWS_KAFKA__BOOTSTRAP_SERVERS=UNKNOWN, NEWS_DATABASE__URL=database_url)

    assert "there is no host nowhere.invalid" in said(found, 69)


def test_a_wrong_password_names_the_settings_and_not_the_password(tmp_path: Path, database_url: str) -> None:
    right = str(conninfo_to_dict(database_url)["password"])
    password = tmp_path / "password"
    password.write_text("hunter2\n", encoding="utf-8")
    found = started(
        "sink",
        tmp_path / "data",
        NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY,
        NEWS_DATABASE__URL=database_url.replace(f":{right}@", "@"),
        NEWS_DATABASE__PASSWORD_FILE=str(password),
    )

    line = said(found, 2)
    assert "NEWS_DATABASE__URL" in line
    assert "NEWS_DATABASE__PASSWORD" in line
    assert "hunter2" not in line


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        web = started("web", tmp_path, NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY, NEWS_WEB__PORT=port)
        metrics = started("producers", tmp_path, NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY, NEWS_METRICS__PORT=port)

    assert f"NEWS_WEB__PORT: nothing can listen at 127.0.0.1:{port}" in said(web, 2)
    assert f"NEWS_METRICS__PORT: nothing can listen at 127.0.0.1:{port}" in said(metrics, 2)


@pytest.mark.parametrize("stage", ["producers", "web"])
def test_a_stage_that_takes_articles_without_a_broker_says_that_they_wait(stage: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    environment = clean_environment(
        NEWS_DATA_DIR=str(tmp_path / "data"),
        NEWS_KAFKA__BOOTSTRAP_SERVERS=UNKNOWN,
        NEWS_READY_FILE=str(ready),
        NEWS_WEB__PORT=port,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "run", stage],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until("it is ready", ready.exists, SECONDS)
        why = wait_that_it_says(ready)
    finally:
        process.kill()
        process.wait()

    assert "Kafka" in why
    assert "there is no host nowhere.invalid" in why


@pytest.mark.parametrize("away", ["PostgreSQL", "Kafka"])
def test_a_sink_that_waits_at_its_start_says_so_and_hears_a_signal(
    away: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database_url = f"postgresql://{NOBODY}/n" if away == "PostgreSQL" else request.getfixturevalue("database_url")
    ready, log = tmp_path / "ready", tmp_path / "log"
    environment = clean_environment(
        NEWS_DATA_DIR=str(tmp_path / "data"),
        NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY,
        NEWS_KAFKA__START_TIMEOUT_SECONDS="600",
        NEWS_DATABASE__URL=database_url,
        NEWS_READY_FILE=str(ready),
    )
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops", "run", "sink"],
            cwd=REPOSITORY,
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    try:
        why = wait_that_it_says(ready)
        process.terminate()
        status = process.wait(10)
    finally:
        process.kill()
        process.wait()

    assert away in why
    assert NOBODY in why
    assert status == 0, log.read_text(encoding="utf-8")
    assert health.why_not(str(ready), time.time()) == f"not ready yet: there is no {ready}"


@pytest.mark.parametrize("stage", ["deduplicate", "enrich"])
def test_a_stage_that_waits_for_its_broker_at_its_start_says_so(stage: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "run", stage],
        cwd=REPOSITORY,
        env=clean_environment(
            NEWS_DATA_DIR=str(tmp_path / "data"),
            NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY,
            NEWS_KAFKA__START_TIMEOUT_SECONDS="600",
            NEWS_NLP__PROCESSES="1",
            NEWS_READY_FILE=str(ready),
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        why = wait_that_it_says(ready)
    finally:
        process.terminate()
        process.wait(SECONDS)

    assert f"Kafka does not answer at {NOBODY}" in why


def test_models_whose_processes_are_killed_again_and_again_name_the_memory(tmp_path: Path, kafka: str) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops", "run", "enrich"],
            cwd=REPOSITORY,
            env=clean_environment(
                NEWS_DATA_DIR=str(tmp_path / "data"), NEWS_KAFKA__BOOTSTRAP_SERVERS=kafka, NEWS_NLP__PROCESSES="1"
            ),
            stdout=stream,
            stderr=stream,
        )

    def kill_what_loads() -> None:
        parent = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                for child in parent.children():
                    if "forkserver" in " ".join(child.cmdline()):
                        child.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.05)

    killer = threading.Thread(target=kill_what_loads)
    killer.start()
    try:
        status = process.wait(SECONDS)
    finally:
        process.kill()
        killer.join()

    text = log.read_text(encoding="utf-8")
    assert status == 2, text
    assert "NEWS_NLP__PROCESSES" in text.splitlines()[-1]
    assert "memory is used up" in text.splitlines()[-1]
