"""All sources in one process: who is asked when, by which thread, and what comes of it kept in order.

One thread decides and writes; a few others do nothing but ask strangers (sources/poll.py) and may be left behind at the
end. What is due waits in a line before its host: one request at a time and a pause between two, so that pages and polls
of one host take turns and a slow host holds up nobody else. In memory is little more than the time of each source;
what was seen and which pages wait is in SQLite.
"""

import heapq
import queue
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline import crash, identity, logs, metrics
from pipeline.errors import NewsError, SettingError, Stop, Unavailable
from producers.feed import FeedCount, Progress, silent
from producers.net.fetch import PASSING, Why
from producers.net.hosts import Hosts
from producers.sources import cadence, declared, intervals, poll
from producers.sources.answers import Answer, Failed, PageAnswer, Read, Tools
from producers.sources.declared import Source
from producers.sources.poll import PageOutcome
from producers.sources.state import SourceStore, Standing, WaitingPage, host_of
from producers.spool import Spool

#: How often wishes are looked for, and the longest time in which a stop is noticed.
LOOK_SECONDS: Final = 0.25
FILE_SECONDS: Final = 2.0
GAUGES_SECONDS: Final = 60.0
#: Sources that are due at the start are begun so far apart.
SPREAD_SECONDS: Final = 0.1
#: For what is under way at the end; then it is left alone, for it has written nothing.
STOP_SECONDS: Final = 3.0
SAY_AGAIN_SECONDS: Final = 30.0
DISK_PAUSE_SECONDS: Final = 1.0
BUG_PAUSE_SECONDS: Final = 1.0
#: Walks of sitemaps take minutes: one in so many threads is for them; those that it is not free for look again after a
#: while. So do sources whose pages wait.
WALKS_AMONG_THREADS: Final = 4
WALK_WAIT_SECONDS: Final = 5.0
PAGES_WAIT_SECONDS: Final = 300.0
#: What is done once waits no longer for a host that says when it may be asked again.
MOST_PATIENCE_SECONDS: Final = 60.0
#: Of what an error says of itself; some quote all that they were given.
MOST_SAID: Final = 300

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Poll:
    """A source to ask."""

    name: str


@dataclass(frozen=True, slots=True)
class Pages:
    """A host that has pages to fetch; one of them is fetched, then it stands in its line anew."""

    host: str


@dataclass(frozen=True, slots=True)
class Wake:
    """A host that may be asked again."""

    host: str


Job = Poll | Pages


@dataclass(slots=True)
class _Line:
    """What waits for one host. It is served by one at a time: asked, woken later, or about to be."""

    jobs: deque[Job] = field(default_factory=deque)
    is_served: bool = False


@dataclass(frozen=True, slots=True)
class _Task:
    """What a thread is to ask, and what it brought."""

    host: str
    job: Job
    ask: Callable[[], Answer | PageAnswer]
    url: str
    page: WaitingPage | None = None
    wished_at: datetime | None = None
    """Of a poll that somebody wants: which wish it grants."""
    is_walk: bool = False

    def broken(self, error: Exception) -> Answer | PageAnswer:
        """What is brought instead, where asking shows a bug."""
        now, failed = datetime.now(UTC), _broken(self.url, error)
        if self.page is not None:
            return PageAnswer(now, failed, BUG_PAUSE_SECONDS)
        return Answer(self.url, now, failed, BUG_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class OneOff:
    """Ask each source once and fetch its pages, then end; what could not be had is named in `failures`.

    A page that is away is left out, for it may be fed again; what can never be had is a dead letter, unless a person
    typed its address and is told.
    """

    retry_seconds: tuple[float, ...]
    since: datetime | None = None
    is_typed: bool = False
    failures: list[tuple[str, Failed]] = field(default_factory=list)

    def leaves_out(self, outcome: PageOutcome) -> Failed | None:
        """Why a page is left out; None where something came of it."""
        failed = outcome.failed
        if outcome.end != "dead-letter" or not isinstance(failed, Failed):
            return None
        return failed if self.is_typed or failed.why in PASSING else None


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
        self.count = FeedCount()
        self._spool = spool
        self._store = store
        self._tools = tools
        self._one_off = one_off
        self._called = called or {}
        self._progress = progress
        self._sources: dict[str, Source] = {}
        self._heap: list[tuple[float, int, Job | Wake]] = []
        self._pushed = 0
        self._due_at: dict[Job, float] = {}  # its entry in the heap that counts
        self._standing_in: set[Job] = set()  # in a line, or under way
        self._lines: dict[str, _Line] = {}
        self._ready: deque[str] = deque()
        self._refused: dict[str, Failed] = {}
        self._hosts = Hosts()
        self._hands = _Hands(threads)
        self._most_walks = max(1, threads // WALKS_AMONG_THREADS)
        self._walks = 0
        self._version = -1
        self._looked_at = self._gauged_at = self._said_full_at = float("-inf")

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

    def _task(self, host: str, job: Job) -> _Task | None:
        """What is to be asked for a job; None where it is no longer, or not yet, to be done."""
        return self._poll_task(host, job) if isinstance(job, Poll) else self._page_task(host, job)

    def _poll_task(self, host: str, job: Poll) -> _Task | None:
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
        return _Task(
            host,
            job,
            lambda: poll.ask(source, standing, self._tools, since),
            standing.url,
            wished_at=standing.poll_requested_at,
            is_walk=is_walk,
        )

    def _page_task(self, host: str, job: Pages) -> _Task | None:
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
        if (refusal := self._refused.get(host)) is not None:
            return _Task(host, job, lambda: PageAnswer(self._tools.clock(), refusal, 0.0), url, page)
        return _Task(host, job, lambda: poll.ask_page(page.entry, self._tools), url, page)

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
            self._keep_through(task, answer, stop)
            self._standing_in.discard(task.job)
            if not stop.is_set():
                self._go_on(task.job)
                self._serve_again(task.host)

    def _leave_alone(self, host: str, failed: Failed) -> None:
        """Do not ask a host before the time that it named; whoever cannot wait so long does not ask it again."""
        seconds = intervals.at_most_asked(failed.retry_after_seconds)
        if self._one_off and seconds > MOST_PATIENCE_SECONDS:
            self._refused[host] = failed
        else:
            self._hosts.hold(host, time.monotonic() + seconds)

    def _keep_through(self, task: _Task, answer: Answer | PageAnswer, stop: threading.Event) -> None:
        """Keep it, and try again while the disk does not take it: it need not be asked for a second time."""
        crash.at("sources.after_fetch")
        while not stop.is_set():
            try:
                if isinstance(answer, Answer):
                    assert isinstance(task.job, Poll)  # noqa: S101  whoever asks a source brings an Answer
                    self._keep_poll(task.job.name, answer, task.wished_at, stop)
                else:
                    assert task.page is not None  # noqa: S101
                    self._keep_page(task.page, answer, stop)
            except Unavailable as error:
                _log.warning(str(error))
                metrics.retries.labels(stage="producers").inc()
                stop.wait(DISK_PAUSE_SECONDS)
            else:
                return

    def _keep_poll(self, name: str, answer: Answer, wished_at: datetime | None, stop: threading.Event) -> None:
        source, standing = self._sources.get(name), self._store.get(name)
        if source is None or standing is None or standing.url != answer.url:
            return  # feeds.toml has changed meanwhile
        standing = replace(standing, poll_requested_at=wished_at)
        try:
            outcome = self._kept_outcome(source, standing, answer, stop)
        except (Unavailable, Stop):
            raise
        except Exception as error:  # of what a stranger said: it must not end the polling of all others
            answer = replace(answer, found=_broken(name, error))
            outcome = self._kept_outcome(source, standing, answer, stop)
        if outcome is None:
            return
        found = answer.found
        for entry in outcome.pages:
            self._add_pages_of(host_of(entry.url or ""))
        self._count_poll(found, outcome)
        if alarm := cadence.told(standing.cadence, outcome.after.cadence, self._tools.clock()):
            _log.warning(f"{name} is {alarm}", source=name)
        if self._one_off and isinstance(found, Failed):
            self._one_off.failures.append((answer.url, found))
        for sentence in outcome.said:
            _log.info(sentence, source=name)
            self._progress(self.count, sentence)
        self._progress(self.count, None)

    def _kept_outcome(
        self, source: Source, standing: Standing, answer: Answer, stop: threading.Event
    ) -> poll.Outcome | None:
        """What came of a poll, which is kept; None where `stop` was set before there was room."""
        entries = answer.found.entries if isinstance(answer.found, Read) else ()
        outcome = poll.outcome(
            source,
            standing,
            answer,
            self._store.seen(source.name, entries),
            now=self._tools.clock(),
            chance=random.random(),  # noqa: S311
            since=self._one_off.since if self._one_off else None,
            called=self._called.get(source.name),
        )
        kept = self._store.keep_poll(
            outcome.after,
            now=self._tools.clock(),
            rows=outcome.rows,
            seen=outcome.seen,
            left_out=outcome.passed_over,
            pages=outcome.pages,
            forget_before=outcome.forget_before,
            stop=stop,
        )
        return outcome if kept else None

    def _count_poll(self, found: object, outcome: poll.Outcome) -> None:
        what = found.why.value if isinstance(found, Failed) else "read" if isinstance(found, Read) else "unchanged"
        metrics.polls.labels(outcome=what).inc()
        metrics.polled_entries.labels(seen="new").inc(outcome.new)
        metrics.polled_entries.labels(seen="changed").inc(outcome.changed)
        metrics.polled_entries.labels(seen="known").inc(outcome.known)
        metrics.poll_gaps.inc(outcome.gap)
        for reason in outcome.letters:
            metrics.dead_letters.labels(stage="producers", reason=reason.value).inc()
        self.count.accepted += len(outcome.rows) - len(outcome.letters)
        self.count.dead_lettered += len(outcome.letters)
        self.count.left_out += outcome.left_out

    def _keep_page(self, page: WaitingPage, answer: PageAnswer, stop: threading.Event) -> None:
        url = page.entry.url or ""
        try:
            self._keep_outcome_of_page(page, answer, stop)
        except (Unavailable, Stop):
            raise
        except Exception as error:  # of what a stranger said, as above
            try:
                self._keep_outcome_of_page(page, replace(answer, found=_broken(url, error)), stop)
            except (Unavailable, Stop):
                raise
            except Exception as again:  # not even that it failed can be told: it is in the log
                _broken(url, again)
                self._store.keep_page(page, (), stop)

    def _keep_outcome_of_page(self, page: WaitingPage, answer: PageAnswer, stop: threading.Event) -> None:
        retries = self._one_off.retry_seconds if self._one_off else poll.PAGE_RETRY_SECONDS
        said_by = answer.found.host if isinstance(answer.found, Failed) else None
        if self._refused and not self._refused.keys().isdisjoint((host_of(page.entry.url or ""), said_by)):
            retries = ()
        outcome = poll.page_outcome(
            page,
            answer,
            now=self._tools.clock(),
            chance=random.random(),  # noqa: S311
            retry_seconds=retries,
            called=self._called.get(page.source),
        )
        if outcome.next_try_at is not None:
            self._store.put_off_page(page, outcome.next_try_at)
        elif self._one_off and (failed := self._one_off.leaves_out(outcome)) is not None:
            self._store.keep_page(page, ())
            self._one_off.failures.append((page.entry.url or "", failed))
            self.count.left_out += 1
            self._progress(self.count, f"{page.entry.url} is left out: {failed.sentence}")
            return
        elif not self._store.keep_page(page, outcome.rows, stop):
            return
        metrics.pages.labels(outcome=outcome.end).inc()
        for reason in outcome.letters:
            metrics.dead_letters.labels(stage="producers", reason=reason.value).inc()
        self.count.accepted += len(outcome.rows) - len(outcome.letters)
        self.count.dead_lettered += len(outcome.letters)
        self._progress(self.count, None)

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


def _broken(what: str, error: Exception) -> Failed:
    """What a bug of ours about one source or page comes to: all of it in the log, and a failure of that one alone."""
    _log.error("a bug: what a stranger said could not be handled", what=what, exc_info=error)
    said = " ".join(identity.printable(f"{type(error).__name__}: {error}").split())[:MOST_SAID]
    sentence = f"What came could not be handled ({said}); this is a bug, the log has more."
    return Failed(Why.BAD_RESPONSE, sentence)


def _seconds_until(standing: Standing, now: datetime) -> float:
    return max(0.0, (standing.next_poll_at - now).total_seconds()) if standing.next_poll_at else 0.0


class FeedsFile:
    """feeds.toml as it was read last; a change is noticed within seconds, one that cannot be read leaves it as it was.

    Raises SettingError, when it is made, as `declared.read` does; a file that is not there has no sources unless it is
    `is_named` by a setting.
    """

    def __init__(self, path: Path, *, is_named: bool = True, look_seconds: float = FILE_SECONDS) -> None:
        self._path = path
        self._look_seconds = look_seconds
        self._look_at = float("-inf")
        self.is_broken = False
        self._state = self._stat()
        self.sources: Sequence[Source] = () if self._state is None and not is_named else declared.read(path)

    def has_changed(self) -> bool:
        """Whether `sources` are others now."""
        clock = time.monotonic()
        if clock < self._look_at:
            return False
        self._look_at = clock + self._look_seconds
        state = self._stat()
        if state == self._state:
            return False
        self._state = state
        if state is None:
            _log.warning("the file of sources is gone: what it said last stays", path=str(self._path))
            return False
        try:
            self.sources = declared.read(self._path)
        except SettingError as error:
            self.is_broken = True
            _log.error("the file of sources cannot be read: what it said before stays", why=str(error))
            return False
        self.is_broken = False
        _log.info("the file of sources has changed", path=str(self._path), sources=len(self.sources))
        return True

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


class _Hands:
    """Threads that ask. They write nothing, so that one which hangs may be left behind at the end."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._brought: queue.SimpleQueue[tuple[_Task, Answer | PageAnswer | BaseException]] = queue.SimpleQueue()
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

    def give(self, task: _Task) -> None:
        """Have it asked by one that is free."""
        self._busy += 1
        if self._busy > len(self._running):
            thread = threading.Thread(target=self._ask, name=f"fetch-{len(self._running)}", daemon=True)
            self._running.append(thread)
            thread.start()
        self._tasks.put(task)

    def take(self, wait_seconds: float) -> tuple[_Task, Answer | PageAnswer | BaseException] | None:
        """What one of them has brought, if it comes within the time."""
        try:
            brought = self._brought.get(timeout=wait_seconds) if wait_seconds > 0 else self._brought.get_nowait()
        except queue.Empty:
            return None
        self._busy -= 1
        return brought

    def __enter__(self) -> "_Hands":
        return self

    def __exit__(self, *_: object) -> None:
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
