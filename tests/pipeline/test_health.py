"""What a container's health check sees of a stage: pipeline/readiness.py writes it, pipeline/health.py reads it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline import backoff, health, readiness
from pipeline.errors import Unavailable
from tests.running import REPOSITORY, clean_environment

NOW = 1_000_000.0


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "ready"
    monkeypatch.setenv(readiness.VARIABLE, str(file))
    readiness.begin()
    return file


def asked(**variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.health"],
        cwd=REPOSITORY,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def why_not(ready: Path, seconds_from_now: float = 10) -> str | None:
    return health.why_not(str(ready), time.time() + seconds_from_now)


def test_a_stage_is_healthy_from_when_it_is_ready_until_its_process_ends(ready: Path) -> None:
    before = asked(NEWS_READY_FILE=str(ready))
    readiness.mark()
    then = asked(NEWS_READY_FILE=str(ready))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ready.write_text(str(gone.pid), encoding="ascii")
    after = asked(NEWS_READY_FILE=str(ready))

    assert before == (1, f"not ready yet: there is no {ready}\n", "")
    assert then == (0, "", "")
    assert after == (1, f"process {gone.pid}, that made {ready}, has ended\n", "")


def test_without_the_variable_or_with_a_file_of_somebody_else_nothing_is_healthy(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("hello\n", encoding="utf-8")

    assert asked() == (1, "NEWS_READY_FILE is not set: it names the file to look at\n", "")
    status, said, trace = asked(NEWS_READY_FILE=str(other))
    assert (status, said.startswith(f"{other} cannot be read: "), trace) == (1, True, "")


def test_a_wait_makes_it_unhealthy_and_is_named_until_it_is_taken_back(ready: Path) -> None:
    readiness.mark()
    readiness.waits("a thread", "PostgreSQL does not answer\nat db:5432.")
    readiness.waits("another", "Kafka does not answer.")

    assert why_not(ready, 1) is None, "what passes by itself is no news"
    assert why_not(ready, 12) == "waits for 12 s: PostgreSQL does not answer at db:5432. (and 1 more)"
    readiness.goes_on("a thread")
    assert why_not(ready, 12) == "waits for 12 s: Kafka does not answer."
    readiness.goes_on("another")
    assert why_not(ready) is None
    assert [file.name for file in ready.parent.iterdir()] == ["ready"]


def test_a_sentence_that_is_no_utf_8_ends_nothing(ready: Path) -> None:
    readiness.mark()
    readiness.waits("a thread", "no host \ud800")

    assert why_not(ready) == "waits for 10 s: no host ?"
    readiness.goes_on("a thread")
    assert why_not(ready) is None


def test_a_stage_that_is_not_ready_says_what_it_waits_for_and_is_still_not_ready(ready: Path) -> None:
    readiness.waits("the start", "Kafka does not answer.")

    assert why_not(ready, 12) == "waits for 12 s: Kafka does not answer."
    assert not readiness.is_marked(ready, os.getpid())


def test_a_wait_counts_from_the_first_time_it_was_said(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readiness.mark()
    monkeypatch.setattr(readiness.time, "time", iter([NOW, NOW + 50]).__next__)
    readiness.waits("a thread", "Kafka does not answer: 1")
    readiness.waits("a thread", "Kafka does not answer: 2")

    assert health.why_not(str(ready), NOW + 60) == "waits for 60 s: Kafka does not answer: 2"
    readiness.goes_on("a thread")


def test_another_process_of_the_container_says_nothing_for_the_stage(ready: Path) -> None:
    readiness.mark()
    code = "from pipeline import readiness as r; r.waits('news feed', 'Kafka does not answer.')"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)

    assert why_not(ready) is None


def test_what_a_process_before_waited_for_is_forgotten(ready: Path) -> None:
    waits = ready.with_name(ready.name + health.WAITS_SUFFIX)
    waits.write_text("1\n0 Kafka does not answer.", encoding="utf-8")

    readiness.begin()

    assert not waits.exists()


CANNOT_WRITE = """
from pipeline import logs, readiness
logs.set_up("INFO", "a stage")
readiness.begin()
readiness.mark()
readiness.waits("a thread", "Kafka does not answer.")
readiness.goes_on("a thread")
"""


def test_a_file_that_cannot_be_written_is_logged_and_ends_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CANNOT_WRITE],
        cwd=REPOSITORY,
        env=clean_environment(NEWS_READY_FILE=str(tmp_path / "no folder" / "ready")),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr.count("the state of this stage cannot be written") == 2, done.stderr  # ready, and that it waits
    assert "NEWS_READY_FILE" in done.stderr
    assert "No such file or directory" in done.stderr


class Away:
    """A service that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = threading.Event()

    def call(self) -> str:
        if not self.answers.is_set():
            raise Unavailable("The service does not answer.")
        return "an answer"


def waits_within(ready: Path, seconds: float = 10) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if why := why_not(ready):
            return why
        time.sleep(0.01)
    raise AssertionError("nothing waits")


def test_whoever_backs_off_says_so(ready: Path) -> None:
    readiness.mark()
    service = Away()
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(backoff.forever("a stage", service.call)))
    thread.start()

    why = waits_within(ready)
    service.answers.set()
    thread.join()

    assert why.endswith(" s: The service does not answer.")
    assert answers == ["an answer"]
    assert why_not(ready) is None


async def test_a_task_that_backs_off_says_so_and_takes_it_back_when_cancelled(ready: Path) -> None:
    import asyncio

    readiness.mark()

    async def work() -> None:
        async for attempt in backoff.attempts("a stage"):
            with attempt:
                raise Unavailable("The service does not answer.")

    task = asyncio.create_task(work())
    while not why_not(ready):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert why_not(ready) is None


def test_an_error_that_ends_the_tries_ends_the_wait(ready: Path) -> None:
    readiness.mark()
    errors = iter([Unavailable("The service does not answer."), ValueError("a bug")])

    def call() -> None:
        raise next(errors)

    with pytest.raises(ValueError, match="a bug"):
        backoff.forever("a stage", call)

    assert why_not(ready) is None


def test_the_health_check_loads_nothing_that_takes_time() -> None:
    code = "import sys; before = set(sys.modules); import pipeline.health; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["pipeline", "pipeline.health"]
