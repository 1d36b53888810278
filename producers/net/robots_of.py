"""The robots.txt of a host, fetched once a day, however many ask at the same time (RFC 9309 §2.3 and §2.4).

200            its rules
4xx            all is allowed: there is no robots.txt (429 is no such answer)
5xx, no answer nothing is allowed; it is asked again after a while
"""

import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.settings import FetchSettings
from producers.formats import robots
from producers.formats.robots import Rules
from producers.net import urls
from producers.net.fetch import FetchFailed, Request, Response, Why

KEPT_SECONDS: Final = 86_400.0
#: A host without an answer is asked again after so long, or when it says so.
RETRY_SECONDS: Final = 600.0
#: So many hosts, and so many packed bytes of them: those not asked for longest make room, and are fetched again.
MAX_HOSTS: Final = 20_000
MAX_BYTES: Final = 64 * 1024 * 1024

# A forbidden address: the fetch itself is refused then, and says so better.
_ALLOWS_ALL: Final = (
    Why.NOT_FOUND, Why.GONE, Why.UNAUTHORISED, Why.REFUSED, Why.REDIRECTS, Why.FORBIDDEN_ADDRESS,
)  # fmt: skip


class Fetches(Protocol):
    """What fetches: `Fetcher`, or one that first waits its turn."""

    def get(self, request: Request) -> Response:
        """Raises FetchFailed."""


@dataclass(slots=True)
class _Kept:
    """What is known of one host, as packed text: read, it would take ten times the room."""

    until: float = float("-inf")
    packed: bytes | None = None
    reason: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rules(self, agent: str) -> Rules:
        if self.packed is not None:
            return robots.parse(zlib.decompress(self.packed), agent)
        return robots.ALLOW_ALL if self.reason is None else robots.allow_nothing(self.reason)


class Robots:
    """Thread safe; who asks for a host that is being asked waits for its answer."""

    def __init__(self, fetcher: Fetches, settings: FetchSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._settings = settings
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def rules(self, url: str) -> Rules:
        """What the robots.txt of the URL's host says; everything, where NEWS_FETCH__ROBOTS is off.

        Never fails: of a host without an answer nothing is allowed, and `reason` says why.
        """
        if not self._settings.robots:
            return robots.ALLOW_ALL
        try:
            address = urls.read(url)
        except urls.BadUrl as error:
            return robots.allow_nothing(f"This address cannot be fetched: {error}.")
        place = f"{address.scheme}://{address.authority}"
        kept = self._of(place)
        with kept.lock:
            if self._clock() >= kept.until:
                self._ask(place, kept)
            return kept.rules(self._settings.user_agent)

    def require(self, url: str) -> Rules:
        """The rules that hold for a URL. Raises FetchFailed(ROBOTS) where they forbid it."""
        rules = self.rules(url)
        if not rules.allows(url):
            raise FetchFailed(Why.ROBOTS, rules.reason or f"The robots.txt of its host forbids {urls.quoted(url)}.")
        return rules

    def _of(self, place: str) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(place, _Kept())
            self._kept.move_to_end(place)
            return kept

    def _ask(self, place: str, kept: _Kept) -> None:
        packed, reason, seconds = None, None, KEPT_SECONDS
        try:
            packed = zlib.compress(self._fetcher.get(Request(f"{place}/robots.txt", "robots")).body)
        except FetchFailed as failure:
            if failure.why not in _ALLOWS_ALL:
                reason = f"Nothing is fetched without a robots.txt that can be read. {failure.sentence}"
                seconds = max(RETRY_SECONDS, failure.retry_after_seconds or 0.0)
        with self._lock:
            if self._kept.get(place) is kept:
                self._bytes += len(packed or b"") - len(kept.packed or b"")
            kept.packed, kept.reason, kept.until = packed, reason, self._clock() + seconds
            while len(self._kept) > MAX_HOSTS or self._bytes > MAX_BYTES:
                _, least_asked = self._kept.popitem(last=False)
                self._bytes -= len(least_asked.packed or b"")
