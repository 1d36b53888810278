"""All sources in one process: who is asked when, by which thread, and what comes of it kept in order.

One thread decides and writes; a few others do nothing but ask strangers (sources/poll.py) and may be left behind at the
end. What is due waits in a line before its host: one request at a time and a pause between two, so that pages and polls
of one host take turns and a slow host holds up nobody else. In memory is little more than the time of each source;
what was seen and which pages wait is in SQLite.
"""

import heapq
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pipeline import logs, metrics
from producers.feed import FeedCount, Progress, silent
from producers.net.hosts import Hosts
from producers.sources import intervals, poll
from producers.sources.answers import Failed, PageAnswer, Tools
from producers.sources.declared import Source
from producers.sources.feeds_file import FeedsFile
from producers.sources.hands import Hands
from producers.sources.keeper import Keeper
from producers.sources.one_off import OneOff
from producers.sources.state import SourceStore, Standing, host_of
from producers.sources.tasks import Job, Pages, Poll, Task
from producers.spool import Spool

#: How often wishes are looked for, and the longest time in which a stop is noticed.
LOOK_SECONDS: Final = 0.25
GAUGES_SECONDS: Final = 60.0
#: Sources that are due at the start are begun so far apart.
SPREAD_SECONDS: Final = 0.1
SAY_AGAIN_SECONDS: Final = 30.0
#: Walks of sitemaps take minutes: one in so many threads is for them; those that it is not free for look again after a
#: while. So do sources whose pages wait.
WALKS_AMONG_THREADS: Final = 4
WALK_WAIT_SECONDS: Final = 5.0
PAGES_WAIT_SECONDS: Final = 300.0
#: What is done once waits no longer for a host that says when it may be asked again.
MOST_PATIENCE_SECONDS: Final = 60.0

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Wake:
    """A host that may be asked again."""

    host: str


@dataclass(slots=True)
class _Line:
    """What waits for one host. It is served by one at a time: asked, woken later, or about to be."""

    jobs: deque[Job] = field(default_factory=deque)
    is_served: bool = False


class Scheduler:
    """Polls sources into one spool; one thread runs it."""

    def __init__(
        self,
        spool: Spool,
        store: SourceStore,
        tools: Tools,
        threads: int,
        *,
        one_off: OneOff | None = None,
        called: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        """`called`: what the articles of a source say that they are from, where that is not its name."""
        self._spool = spool
        self._store = store
        self._tools = tools
        self._one_off = one_off
        self._keeper = Keeper(store, tools.clock, called or {}, progress, one_off)
        self._sources: dict[str, Source] = {}
        self._heap: list[tuple[float, int, Job | Wake]] = []
        self._pushed = 0
        self._due_at: dict[Job, float] = {}  # its entry in the heap that counts
        self._standing_in: set[Job] = set()  # in a line, or under way
        self._lines: dict[str, _Line] = {}
        self._ready: deque[str] = deque()
        self._hosts = Hosts()
        self._hands = Hands(threads)
        self._most_walks = max(1, threads // WALKS_AMONG_THREADS)
        self._walks = 0
        self._version = -1
        self._looked_at = self._gauged_at = self._said_full_at = float("-inf")

    @property
    def count(self) -> FeedCount:
        """What became of what was asked for, until now."""
        return self._keeper.count

    def run(self, sources: "Sequence[Source] | FeedsFile", stop: threading.Event) -> None:
        """Poll until `stop` is set (or, one-off, until all is done)."""
        feeds = sources if isinstance(sources, FeedsFile) else None
        if feeds is not None:
            feeds.has_changed()  # since it was made: another process may have polled until now
        self.take_up(sources.sources if isinstance(sources, FeedsFile) else sources)
        with self._hands:
            while not stop.is_set() and not (self._one_off and self._is_done()):
                if feeds is not None and feeds.has_changed():
                    self.take_up(feeds.sources)
                self._look()
                self._release()
                self._hand_out()
                self._collect(stop)
            if stop.is_set():  # what is under way is not kept any more
                self._tools.fetcher.close()

    def take_up(self, sources: Sequence[Source]) -> None:
        """Poll these from now on, and no others. What is due already is begun one after the other."""
        self._store.take_up(sources)
        self._sources = {source.name: source for source in sources}
        now, clock = self._tools.clock(), time.monotonic()
        overdue: list[str] = []
        due = {name: at for name, at, _ in self._store.due() if name in self._sources}
        for name, at in due.items():
            if Poll(name) in self._standing_in:
                continue
            if at is None or (at <= now and Poll(name) not in self._due_at):  # None: its address is new
                overdue.append(name)
            elif Poll(name) not in self._due_at:
                self._schedule(Poll(name), clock + (at - now).total_seconds())
        for job in [job for job in self._due_at if isinstance(job, Poll) and job.name not in due]:
            del self._due_at[job]
        random.shuffle(overdue)  # neighbours in the file are often of one host
        for place, name in enumerate(overdue):
            self._schedule(Poll(name), clock + (0 if self._one_off else place * SPREAD_SECONDS))
        self._add_pages()  # of a source that is enabled again, too

    # Who is due.

    def _look(self) -> None:
        clock = time.monotonic()
        if clock - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = clock
        version = self._spool.version()
        if version != self._version:
            self._version = version
            self._take_wishes()
        if self._one_off is None and clock - self._gauged_at >= GAUGES_SECONDS:
            self._gauged_at = clock
            self._set_gauges()

    def _take_wishes(self) -> None:
        jobs = [Poll(name) for name in self._store.requested() if name in self._sources]
        wished = [job for job in jobs if job not in self._standing_in]
        for job in wished:
            self._due_at.pop(job, None)
            self._stand_in(job, is_first=True)
        if wished:  # a source that is enabled again has its pages waiting
            self._add_pages()

    def _release(self) -> None:
        """Have what is due stand in its line."""
        clock = time.monotonic()
        while self._heap and self._heap[0][0] <= clock:
            due_at, _, job = heapq.heappop(self._heap)
            if isinstance(job, Wake):
                self._serve_again(job.host)
            elif self._due_at.get(job) == due_at:  # else it has been given another time since
                del self._due_at[job]
                self._stand_in(job)

    def _schedule(self, job: Job, at: float) -> None:
        self._due_at[job] = at
        self._push(at, job)

    def _push(self, at: float, job: Job | Wake) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (at, self._pushed, job))

    def _add_pages(self) -> None:
        for host in self._store.hosts_of_pages():
            self._add_pages_of(host)

    def _add_pages_of(self, host: str) -> None:
        job, now = Pages(host), time.monotonic()
        if job not in self._standing_in and self._due_at.get(job, float("inf")) > now:
            self._schedule(job, now)

    # Lines before hosts.

    def _stand_in(self, job: Job, *, is_first: bool = False) -> None:
        if isinstance(job, Poll):
            standing = self._store.get(job.name)
            if standing is None or not standing.is_polled:
                return
            host = host_of(standing.url)
        else:
            host = job.host
        self._standing_in.add(job)
        line = self._lines.setdefault(host, _Line())
        if is_first:
            line.jobs.appendleft(job)
        else:
            line.jobs.append(job)
        if not line.is_served:
            self._serve_again(host)

    def _serve_again(self, host: str) -> None:
        line = self._lines[host]
        line.is_served = bool(line.jobs)
        if line.is_served:
            self._ready.append(host)
        else:
            del self._lines[host]

    def _hand_out(self) -> None:
        """Give threads that are free what is first in lines whose host may be asked."""
        while self._ready and self._hands.are_free and self._has_room():
            host = self._ready.popleft()
            free_at = self._hosts.free_at(host)
            if free_at > time.monotonic():
                self._push(free_at, Wake(host))
                continue
            jobs = self._lines[host].jobs
            task = None
            while jobs and task is None:
                task = self._task(host, jobs.popleft())
            if task is None:
                self._serve_again(host)
            else:
                self._hosts.take(host)
                self._walks += task.is_walk
                self._hands.give(task)

    def _has_room(self) -> bool:
        held = self._spool.held()
        if held.bytes <= self._spool.max_bytes:
            return True
        if time.monotonic() - self._said_full_at > SAY_AGAIN_SECONDS:
            self._said_full_at = time.monotonic()
            _log.warning("the spool is full: nothing is fetched", records=held.records, bytes=held.bytes)
        return False

    def _task(self, host: str, job: Job) -> Task | None:
        """What is to be asked for a job; None where it is no longer, or not yet, to be done."""
        return self._poll_task(host, job) if isinstance(job, Poll) else self._page_task(host, job)

    def _poll_task(self, host: str, job: Poll) -> Task | None:
        source, standing = self._sources.get(job.name), self._store.get(job.name)
        if source is None or standing is None or not standing.is_polled:
            self._standing_in.discard(job)
            return None
        is_walk = source.kind == "sitemap"
        if wait := self._wait_of(standing, is_walk=is_walk):
            self._standing_in.discard(job)
            self._schedule(job, time.monotonic() + wait)
            return None
        since = self._one_off.since if self._one_off else None
        return Task(
            host,
            job,
            lambda: poll.ask(source, standing, self._tools, since),
            standing.url,
            wished_at=standing.poll_requested_at,
            is_walk=is_walk,
        )

    def _page_task(self, host: str, job: Pages) -> Task | None:
        page = self._store.next_page(job.host)
        if page is None:
            self._standing_in.discard(job)
            return None
        wait = (page.next_try_at - self._tools.clock()).total_seconds()
        if wait > 0:
            self._standing_in.discard(job)
            self._schedule(job, time.monotonic() + wait)
            return None
        url = page.entry.url or ""
        if self._one_off and (refusal := self._one_off.refused.get(host)) is not None:
            return Task(host, job, lambda: PageAnswer(self._tools.clock(), refusal, 0.0), url, page)
        return Task(host, job, lambda: poll.ask_page(page.entry, self._tools), url, page)

    def _wait_of(self, standing: Standing, *, is_walk: bool) -> float:
        """For how long a source is not to be asked yet; 0 for a person, who waits for it."""
        if self._one_off is not None:
            return 0.0
        if is_walk and self._walks >= self._most_walks:
            return WALK_WAIT_SECONDS
        if standing.poll_requested_at is None and self._store.has_pages(standing.name, poll.MOST_PAGES):
            _log.info(f"{standing.name} has many pages waiting: it is asked when there are fewer", source=standing.name)
            return PAGES_WAIT_SECONDS
        return 0.0

    # What came of it.

    def _collect(self, stop: threading.Event) -> None:
        """Keep what the threads bring; wait for them no longer than until something is due."""
        wait = LOOK_SECONDS
        if self._heap:
            wait = min(wait, max(0.0, self._heap[0][0] - time.monotonic()))
        while not stop.is_set() and (brought := self._hands.take(wait)) is not None:
            wait = 0.0
            task, answer = brought
            self._walks -= task.is_walk
            if isinstance(answer, BaseException):
                if stop.is_set():  # the pool of processes is closed by then
                    return
                raise answer
            self._hosts.give_back(task.host, answer.delay_seconds)
            if isinstance(answer.found, Failed) and answer.found.retry_after_seconds:
                self._leave_alone(answer.found.host or task.host, answer.found)
            source = self._sources.get(task.job.name) if isinstance(task.job, Poll) else None
            for entry in self._keeper.keep(task, answer, source, stop):
                self._add_pages_of(host_of(entry.url or ""))
            self._standing_in.discard(task.job)
            if not stop.is_set():
                self._go_on(task.job)
                self._serve_again(task.host)

    def _leave_alone(self, host: str, failed: Failed) -> None:
        """Do not ask a host before the time that it named; whoever cannot wait so long does not ask it again."""
        seconds = intervals.at_most_asked(failed.retry_after_seconds)
        if self._one_off and seconds > MOST_PATIENCE_SECONDS:
            self._one_off.refused[host] = failed
        else:
            self._hosts.hold(host, time.monotonic() + seconds)

    def _go_on(self, job: Job) -> None:
        """See to it that what was done is done again, when it is time."""
        if isinstance(job, Pages):
            self._stand_in(job)
            return
        standing = self._store.get(job.name)
        if standing is None or not standing.is_polled or job.name not in self._sources or self._one_off:
            return
        if standing.poll_requested_at is not None:
            self._stand_in(job, is_first=True)
        else:
            now = self._tools.clock()
            self._schedule(job, time.monotonic() + _seconds_until(standing, now))

    def _is_done(self) -> bool:
        return not self._heap and not self._lines and not self._hands.are_busy

    def _set_gauges(self) -> None:
        states = self._store.states(self._tools.clock())
        by_state = Counter(state.state for state in states)
        by_alarm = Counter(state.alarm for state in states if state.alarm)
        for state in ("ok", "failing", "disabled", "gone"):
            metrics.sources.labels(state=state).set(by_state[state])
        for alarm in ("quiet", "empty", "all-known"):
            metrics.source_alarms.labels(alarm=alarm).set(by_alarm[alarm])
        metrics.pages_waiting.set(self._store.pages_waiting())


def _seconds_until(standing: Standing, now: datetime) -> float:
    return max(0.0, (standing.next_poll_at - now).total_seconds()) if standing.next_poll_at else 0.0
