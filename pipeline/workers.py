"""One killable process behind a pipe: it loads something once, then does what it is asked, within time and memory.

Whoever has several of them has several threads that wait: what goes wrong concerns one process and what it has in work.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from typing import Any, Final, TypeVar

from pipeline import child, logs
from pipeline.errors import Stop

log = logs.get(__name__)

#: A process that is forked has its load at once; where it must be loaded again, that takes longer.
LOAD_SECONDS: Final = 60.0
LOADS: Final = 3
PAUSE_SECONDS: Final = 1.0
#: Between the end of its pipe and that of the process.
_DYING_SECONDS: Final = 1.0
#: Time passes in steps, so that a machine that stood still for an hour has used up one of them.
_STEP_SECONDS: Final = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = Callable[[Any, Sequence[Item]], list[Result]]
"""Called in the process with what it has loaded, and some items; gives a result for each."""


class Lost(Exception):
    """The process did not do it: it died, hung or said what went wrong."""


class TooSlow(Lost):
    """The time was over."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the processes of one pool have in common."""

    #: As logs and errors call one of them: "an NLP process".
    name: str
    context: ForkServerContext | SpawnContext
    load: child.Load
    #: What `load` is given.
    settings: Any
    #: What a process may take for its work, beside what it has loaded.
    work_bytes: int
    #: The setting that says how many of them there are.
    variable: str


class Worker:
    """A process for the thread that waits for it; the next one takes its place when it is lost, or has done enough."""

    _making = threading.Lock()  # multiprocessing counts its children in a set

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._process: ForkServerProcess | SpawnProcess | None = None
        self._connection: Connection | None = None
        self._items = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    def do(self, task: Task[Item, Result], items: Sequence[Item], seconds: float, *, most_items: int) -> list[Result]:
        """Have it done within `seconds`, loading not counted, by a process that has not done `most_items` yet.

        Raises Lost; Stop where nothing can be loaded.
        """
        with self._lock:
            if self._items >= most_items:
                self._end()
            connection = self._loaded()
            self._items += len(items)
            try:
                connection.send((task, items))
                results: list[Result] = self._receive(connection, seconds)
            except (EOFError, OSError):
                why = self._death()
                self._end()
                raise Lost(why) from None
            except Lost:
                self._end()
                raise
            return results

    def load(self) -> None:
        """Have the process with what it needs. Raises Stop where that fails three times."""
        with self._lock:
            self._loaded()

    def _loaded(self) -> Connection:
        if self._connection is not None:
            return self._connection
        why = ""
        for _ in range(LOADS):
            try:
                return self._fresh()
            except (Lost, EOFError, OSError) as error:
                if self._closed:
                    raise Stop(
                        f"{self._kind.name[0].upper()}{self._kind.name[1:]} is not there any more: its pool is closed."
                    ) from None
                why = self._death() if isinstance(error, EOFError | ConnectionError) else str(error) or repr(error)
                self._end()
                log.warning(f"{self._kind.name} could not load what it needs", why=why)
                time.sleep(PAUSE_SECONDS)  # a fork server that died refuses, until the system has buried it
        raise Stop(f"Not even the third time could {self._kind.name} load what it needs: {why}.")

    def _fresh(self) -> Connection:
        if self._closed:
            raise Lost("the pool is closed")
        kind = self._kind
        self._connection, theirs = kind.context.Pipe()
        with theirs:
            arguments = (theirs, kind.load, kind.settings, kind.work_bytes)
            process = kind.context.Process(target=child.main, args=arguments, daemon=True)
            with self._making:
                process.start()
            self._process, self._items = process, 0
        self._receive(self._connection, LOAD_SECONDS)
        return self._connection

    def _receive(self, connection: Connection, seconds: float) -> Any:
        """The answer of the process. Raises TooSlow when there is none in time, Lost when it says what went wrong."""
        left, step = seconds, min(_STEP_SECONDS, seconds)
        while not connection.poll(step):
            left -= step
            if left <= 0:
                raise TooSlow(f"no answer for {seconds:.0f} s")
        went_well, answer = connection.recv()
        if not went_well:
            log.error(f"{self._kind.name} failed", traceback=answer)
            raise Lost(answer.strip().splitlines()[-1][:200])
        return answer

    def _death(self) -> str:
        """Of what the process died that closed its end of the pipe."""
        remedy = (
            f"as happens when memory is used up: set a smaller {self._kind.variable}, or give it more memory (in a "
            "container: its memory limit)"
        )
        if self._process is None:  # a fork server, which has loaded what it will share
            return f"the process that makes it died, {remedy}"
        self._process.join(_DYING_SECONDS)
        is_killed = self._process.exitcode == -signal.SIGKILL and not self._closed
        return f"it was killed (SIGKILL), {remedy}" if is_killed else "it died"

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        self._items = 0
        if connection is not None:
            connection.close()
        if process is not None:
            _kill(process)
            process.join(LOAD_SECONDS)
            with suppress(ValueError):  # it takes no end: a disk that does not answer
                process.close()

    def close(self) -> None:
        """End it now, whatever it has in work; the thread that waits for it finds it dead."""
        self._closed = True
        if self._process is not None:
            _kill(self._process)


def _kill(process: ForkServerProcess | SpawnProcess) -> None:
    """By its id: multiprocessing takes a process for dead whose fork server died."""
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
