"""Stages whose broker or database goes away are unhealthy and say why, and are healthy when it is back."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ops.embedded.kafka import EmbeddedKafka
from pipeline import health
from pipeline.errors import NewsError
from tests.fixtures.kafka import cache_folder, make_topics_afresh, missing
from tests.running import REPOSITORY, clean_environment, until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300), pytest.mark.usefixtures("sockets_collected")]

READY_SECONDS = 90
#: From the end of a service to a health check that is red, and back.
NOTICED_SECONDS = 60
STAGES = ("deduplicate", "enrich", "sink")


@pytest.fixture
def broker_of_its_own(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    server = EmbeddedKafka(tmp_path / "kafka", cache_folder(), port=None)
    try:
        server.prepare(lambda _what, _done, _of: None)
        server.start()
        server.wait_ready()
    except NewsError as error:
        server.stop()
        missing(f"No Kafka for the tests: {error}")
    make_topics_afresh(server.bootstrap_servers)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def stage(name: str, folder: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """A stage that runs; gives its ready file."""
    ready = folder / f"{name}.ready"
    environment = clean_environment(**variables, NEWS_READY_FILE=str(ready), NEWS_DATA_DIR=str(folder / name))
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops", "run", name, *(("--no-poll",) if name == "producers" else ())],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield ready
    finally:
        process.kill()
        process.wait(60)


def why_not(ready: Path) -> str | None:
    return health.why_not(str(ready), time.time())


def test_a_broker_that_goes_away_makes_every_stage_unhealthy_until_it_is_back(
    broker_of_its_own: EmbeddedKafka, database_url: str, tmp_path: Path
) -> None:
    variables = {
        "NEWS_KAFKA__BOOTSTRAP_SERVERS": broker_of_its_own.bootstrap_servers,
        "NEWS_DATABASE__URL": database_url,
        "NEWS_NLP__PROCESSES": "1",
    }
    with ExitStack() as stack:
        files = {name: stack.enter_context(stage(name, tmp_path, variables)) for name in STAGES}
        for name, ready in files.items():
            until(f"{name} is healthy", lambda ready=ready: why_not(ready) is None, READY_SECONDS)

        broker_of_its_own.stop()
        for name, ready in files.items():
            why = until(f"{name} is unhealthy", lambda ready=ready: why_not(ready), NOTICED_SECONDS)
            assert "Kafka" in why

        broker_of_its_own.start()
        broker_of_its_own.wait_ready()
        for name, ready in files.items():
            until(f"{name} is healthy again", lambda ready=ready: why_not(ready) is None, NOTICED_SECONDS)
