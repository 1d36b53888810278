"""The two hooks that others hold on a process: it says that it is ready, and tests end it at a named point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import crash, readiness


def test_a_stage_that_is_ready_says_its_process_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ready"
    monkeypatch.setenv(readiness.VARIABLE, str(file))

    readiness.mark()

    assert readiness.is_marked(file, os.getpid())


@pytest.mark.parametrize("pid", [None, os.getpid() + 1], ids=["nobody", "another"])
def test_the_mark_of_a_process_before_says_nothing_of_this_one(tmp_path: Path, pid: int | None) -> None:
    file = tmp_path / "ready"
    file.write_text(str(os.getpid()), encoding="ascii")

    assert not readiness.is_marked(file, pid)


def test_a_stage_that_has_made_no_file_is_not_ready(tmp_path: Path) -> None:
    assert not readiness.is_marked(tmp_path / "ready", os.getpid())


def test_nobody_asks_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(readiness.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    readiness.mark()

    assert list(tmp_path.iterdir()) == []


PASSES = """
import atexit
from pipeline import crash
atexit.register(print, "cleaned up")
for n in range(3):
    crash.at("somewhere")
    crash.at("elsewhere")
    print(n, flush=True)
"""


@pytest.mark.parametrize(
    ("wanted", "status", "printed"),
    [
        (None, 0, "0 1 2 cleaned up"),
        ("", 0, "0 1 2 cleaned up"),
        ("nowhere", 0, "0 1 2 cleaned up"),
        ("some", 0, "0 1 2 cleaned up"),
        ("somewhere", 70, ""),
        ("elsewhere:3", 70, "0 1"),
        ("elsewhere:4", 0, "0 1 2 cleaned up"),
    ],
)
def test_a_process_ends_without_clean_up_at_the_point_it_is_told(wanted: str | None, status: int, printed: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != crash.VARIABLE}
    if wanted is not None:
        environment[crash.VARIABLE] = wanted

    done = subprocess.run(
        [sys.executable, "-c", PASSES], env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout.split()) == (status, printed.split())
