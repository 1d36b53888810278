"""Threads that ask strangers, and do nothing else."""

import queue
import threading
import time
from typing import Final

from pipeline.errors import NewsError
from producers.sources.answers import Answer, PageAnswer
from producers.sources.tasks import Task

#: For what is under way at the end; then it is left alone, for it has written nothing.
STOP_SECONDS: Final = 3.0

Brought = tuple[Task, Answer | PageAnswer | BaseException]


class Hands:
    """Threads that ask. They write nothing, so that one which hangs may be left behind at the end."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._brought: queue.SimpleQueue[Brought] = queue.SimpleQueue()
        self._running: list[threading.Thread] = []
        self._busy = 0

    @property
    def are_free(self) -> bool:
        """Whether one of them has nothing to do."""
        return self._busy < self._threads

    @property
    def are_busy(self) -> bool:
        """Whether one of them is asking, or has brought what was not taken yet."""
        return self._busy > 0

    def give(self, task: Task) -> None:
        """Have it asked by one that is free."""
        self._busy += 1
        if self._busy > len(self._running):
            thread = threading.Thread(target=self._ask, name=f"fetch-{len(self._running)}", daemon=True)
            self._running.append(thread)
            thread.start()
        self._tasks.put(task)

    def take(self, wait_seconds: float) -> Brought | None:
        """What one of them has brought, if it comes within the time."""
        try:
            brought = self._brought.get(timeout=wait_seconds) if wait_seconds > 0 else self._brought.get_nowait()
        except queue.Empty:
            return None
        self._busy -= 1
        return brought

    def __enter__(self) -> "Hands":
        """No thread is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Have them end; one that hangs is left behind."""
        for _thread in self._running:
            self._tasks.put(None)
        end = time.monotonic() + STOP_SECONDS
        for thread in self._running:
            thread.join(max(0.0, end - time.monotonic()))

    def _ask(self) -> None:
        while (task := self._tasks.get()) is not None:
            brought: Answer | PageAnswer | BaseException
            try:
                brought = task.ask()
            except NewsError as error:  # raised where it is taken: so can nothing be asked at all
                brought = error
            except Exception as error:  # of what a stranger said: it must not end the polling of all others
                brought = task.broken(error)
            self._brought.put((task, brought))
