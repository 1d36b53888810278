"""Which rows the broker has: one thread looks into the spool for all who wait, whoever sends."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

from pipeline import logs
from pipeline.errors import Unavailable
from producers.spool import Held, Spool

POLL_SECONDS: Final = 0.01
#: While nobody waits, for the level of the spool alone.
IDLE_POLL_SECONDS: Final = 0.2
AGAIN_SECONDS: Final = 1.0

_log = logs.get(__name__)


@dataclass(slots=True)
class _Wait:
    """Somebody waits until none of these rows is in the spool."""

    seqs: range
    done: "Future[None]" = field(default_factory=Future)


@cache
def _waits() -> str:
    return (resources.files("producers") / "sql" / "read_waits.sql").read_text(encoding="utf-8")


class Acknowledgements:
    """Tells who waits that the broker has their rows; `run` is a thread of its own."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._changed = threading.Condition()
        self._new: list[_Wait] = []
        self._waiting: list[_Wait] = []
        self._held = spool.held()
        self._first = spool.first_seq()
        self._first_since = time.monotonic()

    @property
    def held(self) -> Held:
        """What waits in the spool; a moment old."""
        return self._held

    @property
    def stuck_seconds(self) -> float:
        """For how long nothing has left the spool although something waits there."""
        return time.monotonic() - self._first_since if self._first is not None else 0.0

    def of(self, seqs: range) -> "Future[None]":
        """Done when the broker has all of these rows; cancel it when nobody waits any more."""
        wait = _Wait(seqs)
        with self._changed:
            self._new.append(wait)
            self._changed.notify()
        return wait.done

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set; a disk that does not answer is asked again."""
        version = -1
        with self._spool.another() as spool:
            while not stop.is_set():
                with self._changed:
                    if not self._new:
                        self._changed.wait(POLL_SECONDS if self._waiting else IDLE_POLL_SECONDS)
                    new, self._new = self._new, []
                self._waiting += new
                try:
                    now = spool.version()  # before looking: what comes in between is seen next time
                    if new or now != version:
                        self._look(spool)
                    version = now
                except Unavailable as error:
                    _log.warning("the spool does not answer", error=str(error))
                    version = -1
                    stop.wait(AGAIN_SECONDS)

    def _look(self, spool: Spool) -> None:
        self._held = spool.held()
        first = spool.first_seq()
        if first != self._first:
            self._first, self._first_since = first, time.monotonic()
        still: list[_Wait] = []
        for wait in self._waiting:
            if wait.done.cancelled():
                continue
            if first is not None and _is_held(spool, wait.seqs, first):
                still.append(wait)
            elif wait.done.set_running_or_notify_cancel():
                wait.done.set_result(None)
        self._waiting = still


def _is_held(spool: Spool, seqs: range, first: int) -> bool:
    if not seqs or seqs[-1] < first:
        return False
    return bool(spool.select(_waits(), {"first": seqs[0], "last": seqs[-1]})[0][0])
