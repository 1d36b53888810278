"""What threads brought -> the spool and the store: kept in one transaction each, counted, and said.

What a stranger said may break what makes rows of it: then that alone fails, and the polling of all others goes on.
"""

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from pipeline import crash, logs, metrics
from pipeline.errors import Reason, Stop, Unavailable
from producers.deliveries import Row
from producers.feed import FeedCount, Progress
from producers.formats.entries import Entry
from producers.sources import cadence, poll
from producers.sources.answers import Answer, Clock, Failed, PageAnswer, Read
from producers.sources.declared import Source
from producers.sources.one_off import OneOff
from producers.sources.state import SourceStore, Standing, WaitingPage
from producers.sources.tasks import Task, broken

DISK_PAUSE_SECONDS: Final = 1.0

_log = logs.get(__name__)


class Keeper:
    """Keeps what came of asking; the thread of the scheduler alone uses it."""

    def __init__(
        self,
        store: SourceStore,
        clock: Clock,
        called: Mapping[str, str],
        progress: Progress,
        one_off: OneOff | None = None,
    ) -> None:
        self.count = FeedCount()
        self._store = store
        self._clock = clock
        self._called = called
        self._progress = progress
        self._one_off = one_off

    def keep(
        self, task: Task, answer: Answer | PageAnswer, source: Source | None, stop: threading.Event
    ) -> Sequence[Entry]:
        """Keep it, and try again while the disk does not take it; gives the entries whose pages are to be fetched now.

        `source` is the one that was polled, as feeds.toml has it now; None where it has left the file.
        """
        crash.at("sources.after_fetch")
        while not stop.is_set():
            try:
                if isinstance(answer, Answer):
                    return self._keep_poll(source, answer, task.wished_at, stop)
                assert task.page is not None  # noqa: S101  whoever asks for one brings a PageAnswer
                self._keep_page(task.page, answer, stop)
                return ()
            except Unavailable as error:
                _log.warning(str(error))
                metrics.retries.labels(stage="producers").inc()
                stop.wait(DISK_PAUSE_SECONDS)
        return ()

    def _keep_poll(
        self, source: Source | None, answer: Answer, wished_at: datetime | None, stop: threading.Event
    ) -> Sequence[Entry]:
        standing = self._store.get(source.name) if source is not None else None
        if source is None or standing is None or standing.url != answer.url:
            return ()  # feeds.toml has changed meanwhile
        standing = replace(standing, poll_requested_at=wished_at)
        try:
            outcome = self._kept_outcome(source, standing, answer, stop)
        except (Unavailable, Stop):
            raise
        except Exception as error:  # of what a stranger said: it must not end the polling of all others
            answer = replace(answer, found=broken(source.name, error))
            outcome = self._kept_outcome(source, standing, answer, stop)
        if outcome is None:
            return ()
        found = answer.found
        self._count_poll(found, outcome)
        if alarm := cadence.told(standing.cadence, outcome.after.cadence, self._clock()):
            _log.warning(f"{source.name} is {alarm}", source=source.name)
        if self._one_off and isinstance(found, Failed):
            self._one_off.failures.append((answer.url, found))
        for sentence in outcome.said:
            _log.info(sentence, source=source.name)
            self._progress(self.count, sentence)
        self._progress(self.count, None)
        return outcome.pages

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
            now=self._clock(),
            chance=random.random(),  # noqa: S311
            since=self._one_off.since if self._one_off else None,
            called=self._called.get(source.name),
        )
        kept = self._store.keep_poll(
            outcome.after,
            now=self._clock(),
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
        self._count_rows(outcome.rows, outcome.letters)
        self.count.left_out += outcome.left_out

    def _keep_page(self, page: WaitingPage, answer: PageAnswer, stop: threading.Event) -> None:
        url = page.entry.url or ""
        try:
            self._keep_outcome_of_page(page, answer, stop)
        except (Unavailable, Stop):
            raise
        except Exception as error:  # of what a stranger said, as above
            try:
                self._keep_outcome_of_page(page, replace(answer, found=broken(url, error)), stop)
            except (Unavailable, Stop):
                raise
            except Exception as again:  # not even that it failed can be told: it is in the log
                broken(url, again)
                self._store.keep_page(page, (), stop)

    def _keep_outcome_of_page(self, page: WaitingPage, answer: PageAnswer, stop: threading.Event) -> None:
        outcome = poll.page_outcome(
            page,
            answer,
            now=self._clock(),
            chance=random.random(),  # noqa: S311
            retry_seconds=self._one_off.retries(page, answer) if self._one_off else poll.PAGE_RETRY_SECONDS,
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
        self._count_rows(outcome.rows, outcome.letters)
        self._progress(self.count, None)

    def _count_rows(self, rows: Sequence[Row], letters: Sequence[Reason]) -> None:
        for reason in letters:
            metrics.dead_letters.labels(stage="producers", reason=reason.value).inc()
        self.count.accepted += len(rows) - len(letters)
        self.count.dead_lettered += len(letters)
