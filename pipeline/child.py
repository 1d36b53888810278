"""What runs in a process of pipeline/workers.py: it loads, then does what it is asked, until its parent is gone."""

import multiprocessing
import os
import resource
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

#: The innermost calls say enough; spaCy nests deeply.
FRAMES: Final = 12

Load = Callable[[Any], Any]
#: (task, items) go in; (whether it went well, the results or a traceback) come out. The first answer is for loading.
Answer = tuple[bool, Any]


def main(connection: Connection, load: Load, settings: Any, work_bytes: int) -> None:
    """Answer until the connection ends. What goes wrong in a task is its answer; the parent ends the process then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the parent's to obey: it ends its work
    _end_with_parent()
    loaded = None

    def prepare() -> None:
        nonlocal loaded
        loaded = load(settings)
        _bound_memory(work_bytes)

    connection.send(_answer(prepare))
    while True:
        try:
            task, items = connection.recv()
        except EOFError:
            return
        connection.send(_answer(task, loaded, items))


def _answer(work: Callable[..., Any], *arguments: Any) -> Answer:
    try:
        return True, work(*arguments)
    except Exception:
        return False, traceback.format_exc(limit=-FRAMES)


def _end_with_parent() -> None:
    """A child outlives a kill -9 of its parent otherwise, for as long as it works."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            wait([parent.sentinel])
            os._exit(0)

        threading.Thread(target=end_with_parent, name="end-with-parent", daemon=True).start()


def _bound_memory(work_bytes: int) -> None:
    """Let work that takes too much fail in here, with a MemoryError, before the machine kills whom it likes.

    RLIMIT_DATA counts private writable memory; RLIMIT_AS would count the libraries, and what threads only reserve.
    Without /proc (macOS) there is no bound.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return
    data = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(data.split()[1]) * 1024 + work_bytes
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
