"""Who may be asked when: at most one request to a host at a time, and a pause after each. Bookkeeping only.

Times are of one monotonic clock. A host that has been left in peace for long enough is forgotten, so that ten thousand
hosts of yesterday cost nothing. Not thread safe: one thread keeps the books.
"""

import time
from collections.abc import Callable
from typing import Final

#: Hosts that are free are looked through and forgotten when there are twice as many as the last time, from so many on.
FORGET_FROM: Final = 1000


class Hosts:
    """The books. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._taken: set[str] = set()
        self._free_at: dict[str, float] = {}
        self._forget_at = FORGET_FROM

    def free_at(self, host: str) -> float:
        """When the host may be asked: now or earlier means now, infinity while somebody asks it."""
        return float("inf") if host in self._taken else self._free_at.get(host, float("-inf"))

    def take(self, host: str) -> bool:
        """Ask this host now; False where it is not free. Who got it gives it back, whatever comes of it."""
        if self.free_at(host) > self._clock():
            return False
        self._taken.add(host)
        return True

    def give_back(self, host: str, delay_seconds: float) -> None:
        """The request is over; the next one may come after so long, or later where that was said before."""
        self._taken.discard(host)
        self.hold(host, self._clock() + delay_seconds)

    def hold(self, host: str, until: float) -> None:
        """Do not ask this host until then: it said so (Retry-After). A shorter pause never takes a longer one back."""
        self._free_at[host] = max(until, self._free_at.get(host, until))
        if len(self._free_at) >= self._forget_at:
            self._forget()

    def _forget(self) -> None:
        now = self._clock()
        self._free_at = {host: at for host, at in self._free_at.items() if at > now}
        self._forget_at = max(FORGET_FROM, 2 * len(self._free_at))
