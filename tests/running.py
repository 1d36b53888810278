"""`news up` as a person runs it: a process of its own in a folder of its own, and all `news` commands beside it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import psutil
import psycopg
from psycopg.rows import dict_row

from tests.fixtures.kafka import missing

REPOSITORY: Final = Path(__file__).parents[1]
#: Deadlines are for a machine that is busy with other things; nothing waits longer than it has to.
READY_SECONDS: Final = 180
END_SECONDS: Final = 90
COMMAND_SECONDS: Final = 120
DRAIN_SECONDS: Final = 240
LOOK_SECONDS: Final = 0.05

Found = TypeVar("Found")


class Outcome(NamedTuple):
    """A command that has ended."""

    status: int
    out: str
    err: str

    def rows(self) -> list[dict[str, Any]]:
        """What it printed, with --json."""
        return [json.loads(line) for line in self.out.splitlines()]


def until(
    what: str, look: Callable[[], Found | None], seconds: float = DRAIN_SECONDS, pause_seconds: float = LOOK_SECONDS
) -> Found:
    """Look until there is something; fails, saying `what` was waited for, after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause_seconds)


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without what would name other services, and with these variables."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NEWS_") and name not in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")
    }
    return kept | variables


def run_news(*arguments: str, seconds: float = COMMAND_SECONDS, stdin: str = "", **variables: str) -> Outcome:
    """Run one `news` command in the repository, with these variables and no other NEWS_*."""
    done = subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=REPOSITORY,
        env=clean_environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class Instance:
    """One data folder with its inbox, and the `news up` that runs on it, if one does."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.inbox = folder / "inbox"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self._variables = {"NEWS_DATA_DIR": str(self.data_dir), **variables}
        self._popen: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self.ready_seconds = 0.0

    # The process.

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `news up` and return at once; what it prints goes to `out` and `err`."""
        self._starts += 1
        with self.out_file.open("wb") as out, self.err_file.open("wb") as err:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "ops", "up", "--inbox", str(self.inbox), *arguments],
                cwd=REPOSITORY,
                env=clean_environment(**self._variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return self._popen

    def start(self, *arguments: str) -> None:
        """Start `news up` and wait until every stage is ready; without its services the test is skipped or fails."""
        began = time.monotonic()
        process = self.launch(*arguments)
        until("news up is ready", lambda: process.poll() is not None or self.said("ready after"), READY_SECONDS)
        if process.poll() == 69:
            missing(f"No services for the tests: {self.err()}")
        assert process.poll() is None, f"news up ended with {process.poll()}: {self.err()}"
        self.ready_seconds = time.monotonic() - began

    def up_until_drained(self) -> Outcome:
        """`make run ARGS=--until-drained`."""
        process = self.launch("--until-drained")
        status = process.wait(READY_SECONDS + DRAIN_SECONDS)
        if status == 69:
            missing(f"No services for the tests: {self.err()}")
        self._popen = None
        return Outcome(status, self.out(), self.err())

    @property
    def is_up(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def supervisor(self) -> subprocess.Popen[bytes]:
        assert self._popen is not None, "news up has not been started"
        return self._popen

    @property
    def out_file(self) -> Path:
        return self.folder / f"up-{self._starts}.out"

    @property
    def err_file(self) -> Path:
        return self.folder / f"up-{self._starts}.err"

    def out(self) -> str:
        """What `news up` has printed on stdout so far."""
        return self.out_file.read_text(encoding="utf-8")

    def err(self) -> str:
        """What `news up` has said on stderr so far, in one line: it wraps to the width of a terminal."""
        return " ".join(self.err_file.read_text(encoding="utf-8").split())

    def said(self, sentence: str) -> bool:
        return sentence in self.err()

    def wait_said(self, sentence: str, seconds: float = END_SECONDS) -> None:
        until(f"news up says {sentence!r}; it said: {self.err()}", lambda: self.said(sentence), seconds)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the supervisor and wait for its end; gives its exit status."""
        self.supervisor.send_signal(number)
        return self.supervisor.wait(END_SECONDS)

    def interrupt(self) -> int:
        """Ctrl-C."""
        return self.signal(signal.SIGINT)

    def run(self) -> dict[str, Any]:
        """What the supervisor says of itself."""
        said: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text(encoding="utf-8"))
        return said

    def pid(self, name: str) -> int:
        """The process id of a stage or a service; waits while it is being started again."""

        def alive() -> int | None:
            pid: int | None = self.run()["pids"].get(name)
            with contextlib.suppress(psutil.NoSuchProcess):
                return pid if pid is not None and _is_alive(psutil.Process(pid)) else None
            return None

        return until(f"{name} runs", alive, END_SECONDS)

    def kill(self, name: str) -> int:
        """SIGKILL for a stage or a service; gives the pid that is dead now."""
        pid = self.pid(name)
        process = psutil.Process(pid)
        process.kill()
        # Its parent is the supervisor, which takes note of it; a zombie has let go of everything.
        until(f"{name} is dead", lambda: not _is_alive(process), 30)
        return pid

    def wait_restarted(self, name: str, dead_pid: int) -> int:
        """Wait for the successor of a killed process; gives its pid."""
        return until(f"{name} was started again", lambda: (pid := self.pid(name)) != dead_pid and pid, END_SECONDS)

    def wait_ready(self, name: str) -> None:
        """Wait until the stage that runs now has said that it is ready."""
        file = self.data_dir / "ready" / name
        until(f"{name} is ready", lambda: file.exists() and file.read_text() == str(self.pid(name)), READY_SECONDS)

    def family(self) -> list[psutil.Process]:
        """Every process of this instance: below the supervisor, or with the data folder in its environment."""
        found = {process.pid: process for process in _with_environment(f"NEWS_DATA_DIR={self.data_dir}")}
        if self.is_up:
            with contextlib.suppress(psutil.NoSuchProcess):
                tree = psutil.Process(self.supervisor.pid)
                found |= {process.pid: process for process in [tree, *tree.children(recursive=True)]}
        return list(found.values())

    def assert_nothing_left(self, family: Sequence[psutil.Process] = (), seconds: float = END_SECONDS) -> None:
        """No process of `family`, and none that has this data folder in its environment, lives for longer than that."""

        def left() -> list[str]:
            alive = [*family, *_with_environment(f"NEWS_DATA_DIR={self.data_dir}")]
            return [_describe(process) for process in alive if _is_alive(process)]

        deadline = time.monotonic() + seconds
        while alive := left():
            assert time.monotonic() < deadline, f"left over: {alive}"
            time.sleep(LOOK_SECONDS)

    def remove(self) -> None:
        """End what runs, and take away what lies outside of the test's folder (the data of PostgreSQL under root)."""
        family = self.family()
        if self.is_up:
            self.supervisor.send_signal(signal.SIGTERM)
            try:
                self.supervisor.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.supervisor.kill()
                self.supervisor.wait()
        self.assert_nothing_left(family)
        location = self.data_dir / "postgres" / "postgres-location"
        if location.exists():
            shutil.rmtree(self.data_dir / "postgres" / location.read_text(), ignore_errors=True)

    # What a person asks it.

    def news(self, *arguments: str, status: int = 0, seconds: float = COMMAND_SECONDS, stdin: str = "") -> Outcome:
        """Run a `news` command beside it, which must end with `status`."""
        outcome = run_news(*arguments, seconds=seconds, stdin=stdin, **self._variables)
        assert outcome.status == status, f"news {' '.join(arguments)}: {outcome}"
        return outcome

    def news_in_background(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "ops", *arguments],
            cwd=REPOSITORY,
            env=clean_environment(**self._variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def balance(self) -> dict[str, Any]:
        """The books."""
        return self.news("balance", "--json").rows()[0]

    def wait_balanced(self, seconds: float = DRAIN_SECONDS) -> dict[str, Any]:
        """Wait until nothing is on its way; the books must balance then."""

        def settled() -> dict[str, Any] | None:
            outcome = run_news("balance", "--json", **self._variables)
            if outcome.status == 69:  # a service that was killed is on its way back
                return None
            assert outcome.status == 0, outcome
            (books,) = outcome.rows()
            assert books["verdict"] != "MISSING", books
            return books if books["verdict"] == "balanced" else None

        return until("the books balance", settled, seconds, pause_seconds=0.5)

    def restarts(self, name: str) -> int:
        count: int = self.run()["restarts"][name]
        return count

    # What stands in PostgreSQL.

    @contextmanager
    def database(self) -> Iterator["psycopg.Connection[dict[str, Any]]"]:
        with psycopg.connect(
            self.run()["database_url"], autocommit=True, row_factory=dict_row, connect_timeout=10
        ) as connection:
            yield connection

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        with self.database() as connection:
            return connection.execute(query, arguments or None).fetchall()

    def value(self, query: str, *arguments: object) -> Any:
        """The one value of a query."""
        (row,) = self.rows(query, *arguments)
        (value,) = row.values()
        return value


def _with_environment(entry: str) -> list[psutil.Process]:
    """The processes that were started with this variable; those of other accounts cannot be asked."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if entry.encode() in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
    return found


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid}: {' '.join(process.cmdline())[:120]}"
    except psutil.NoSuchProcess:
        return f"{process.pid}: gone"
