"""`news run producers` among strangers of every kind: nobody ends it or makes it grow; the good ones get through."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests import crowd
from tests.running import REPOSITORY, clean_environment, until

pytestmark = pytest.mark.timeout(180)

MIB: Final = 1024 * 1024
#: Polls of the feed that always has news, before memory is looked at, and until it is looked at again.
WARM_POLLS: Final = 6
POLLS: Final = 10
GROWTH_MIB: Final = 24


@contextmanager
def producers(folder: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The stage as a container runs it; its broker is away, so that everything stays in the spool to be counted."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops", "run", "producers"],
            cwd=REPOSITORY,
            env=clean_environment(
                NEWS_DATA_DIR=str(folder / "data"), NEWS_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1", **variables
            ),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_producers_live_with_every_kind_of_stranger(tmp_path: Path) -> None:
    with crowd.crowd(tmp_path) as strangers, producers(tmp_path, strangers.variables) as process:
        spool = tmp_path / "data" / "spool" / "spool.sqlite"
        fresh = strangers.servers[0]

        def polled(times: int) -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
            return fresh.count("/fresh") >= times

        until("the feed with news was polled", lambda: polled(WARM_POLLS))
        warm = psutil.Process(process.pid).memory_info().rss
        until("the feed with news was polled", lambda: polled(WARM_POLLS + POLLS))
        grown = (psutil.Process(process.pid).memory_info().rss - warm) / MIB
        os.kill(process.pid, signal.SIGTERM)
        status = process.wait(30)

        with closing(sqlite3.connect(spool)) as connection:
            delivered = [
                key
                for (key,) in connection.execute("SELECT key FROM records WHERE topic = 'articles.raw' ORDER BY seq")
            ]
            read = dict(connection.execute("SELECT name, why FROM sources"))
        said = (tmp_path / "log").read_text(encoding="utf-8")

    assert status == 0, said
    assert "Traceback" not in said
    assert grown < GROWTH_MIB
    assert len(delivered) >= POLLS
    assert {name for name, why in read.items() if why is None} >= {"fresh", "same", "conditional", "changing-etag"}
    assert read["bomb"] == "too-large"
    assert read["to-another-address"] == "forbidden-address"
    assert read["a-page"] == "wrong-type"
