"""A process of the pool: loads its models, then does what it is asked, until its parent is gone."""

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

from pipeline.settings import NlpSettings
from processors import forkserver
from processors.nlp import Models

MIB: Final = 1024 * 1024
#: What the process may take for the work itself, beside what the loaded models take: the memory bound of one text.
WORK_BYTES: Final = 2048 * MIB

#: The innermost calls say enough; spaCy nests deeply.
FRAMES: Final = 12

Load = Callable[[NlpSettings], Any]
#: (task, items) go in; (whether it went well, the results or a traceback) come out. The first answer is for loading.
Answer = tuple[bool, Any]


def load(settings: NlpSettings) -> Models:
    """The models: those of the fork server, unless this process was spawned and not forked."""
    if os.environ.get(forkserver.PRELOAD_VARIABLE) == settings.model_dump_json():
        from processors import preloaded

        return preloaded.MODELS
    return Models(settings)


def main(connection: Connection, load_models: Load, settings: NlpSettings) -> None:
    """Answer until the connection ends. What goes wrong in a task is its answer; the parent ends the process then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the worker's to obey: it finishes its batch
    _end_with_parent()
    models = None

    def loaded() -> None:
        nonlocal models
        models = load_models(settings)
        _bound_memory()

    connection.send(_answer(loaded))
    while True:
        try:
            task, items = connection.recv()
        except EOFError:
            return
        connection.send(_answer(task, models, items))


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


def _bound_memory() -> None:
    """Let a text that takes too much fail in here, with a MemoryError, before the machine kills whom it likes.

    RLIMIT_DATA counts private writable memory; RLIMIT_AS would count the libraries, and what threads only reserve.
    Without /proc (macOS) there is no bound.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return
    data = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(data.split()[1]) * 1024 + WORK_BYTES
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
