"""Ends a worker that looks alive and is not: a dead group coordinator, or an event loop that stands still. And says
when a worker waits for a broker that is away, of which aiokafka says nothing to its caller.

Faust never asks aiokafka for the error its coordinator died of, so such a worker would stay silent for ever (trap 8 of
docs/decisions/0003-faust-settings.md). Exit 75, and the supervisor starts it again.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from typing import Any, Final

from pipeline import logs, readiness

log = logs.get(__name__)

EVERY_SECONDS: Final = 5.0
#: A member without a generation for so long is in no group; a rebalance takes 30 s at most.
NO_GENERATION_SECONDS: Final = 60.0
LOOP_STALL_SECONDS: Final = 30.0
EXIT: Final = 75  # EX_TEMPFAIL


class Watchdog(threading.Thread):
    """Looks every 5 s from a thread of its own."""

    def __init__(self, faust_app: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._app = faust_app
        self._loop = loop
        self._last_turn = time.monotonic()
        self._no_generation_since: float | None = None

    def run(self) -> None:
        """Look until the process ends."""
        while not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._turned)
            except RuntimeError:  # closed between the two lines: the worker is on its way out
                return
            time.sleep(EVERY_SECONDS)
            why = self._trouble()
            if why is not None:
                log.critical("the watchdog ends a worker that stands still", why=why)
                faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
                os._exit(EXIT)

    def _turned(self) -> None:
        self._last_turn = time.monotonic()

    def _trouble(self) -> str | None:
        if time.monotonic() - self._last_turn > LOOP_STALL_SECONDS:
            return f"the event loop has not turned for {LOOP_STALL_SECONDS:.0f} s"
        coordinator = self._coordinator()
        if coordinator is None:
            return None
        readiness.coordinator(self, is_known=coordinator.coordinator_id is not None)
        return self._group_trouble(coordinator)

    def _group_trouble(self, coordinator: Any) -> str | None:
        if coordinator._pending_exception is not None:
            return f"the group coordinator failed: {coordinator._pending_exception!r}"
        if coordinator._coordination_task.done() and not coordinator._closing.done():
            return "the group coordination ended"
        if coordinator.generation >= 0:
            self._no_generation_since = None
            return None
        self._no_generation_since = self._no_generation_since or time.monotonic()
        if time.monotonic() - self._no_generation_since > NO_GENERATION_SECONDS:
            return f"no generation of the consumer group for {NO_GENERATION_SECONDS:.0f} s"
        return None

    def _coordinator(self) -> Any:
        """aiokafka's coordinator inside Faust's consumer thread: private names, of the pinned versions."""
        thread = getattr(self._app._consumer, "_thread", None)
        return getattr(getattr(thread, "_consumer", None), "_coordinator", None)
