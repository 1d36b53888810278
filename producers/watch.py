"""Watched folders -> the spool: what lies there at the start, and what comes or changes.

A file is read when its size and time have stood still for a while, so that one that is being written is not read by
half. On a file system that reports no changes (some network mounts), set WATCHFILES_FORCE_POLLING=1.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from pipeline import logs
from pipeline.errors import SettingError, Unavailable
from producers import files
from producers.feed import FeedCount, Feeder, Interrupted
from producers.files import LeftOut, State
from producers.formats.page import Extract
from producers.spool import Spool

TICK_MILLISECONDS: Final = 100
#: Look at everything again so often, for what the system did not report; rarer where looking takes long.
RESCAN_SECONDS: Final = 30
#: A line without an end is taken as it is when nothing follows for so long.
HALF_LINE_SECONDS: Final = 10
GONE_POLL_SECONDS: Final = 1
#: So many sentences are remembered as said; then each may be said again.
MOST_SAID: Final = 10_000

_log = logs.get(__name__)


@dataclass(slots=True)
class _Waiting:
    """A file that has changed, and since when it stands still."""

    folder: Path
    state: State
    since: float
    half_line_since: float | None = None


class Watch:
    """Watches folders and feeds what they hold; one thread runs it."""

    def __init__(
        self, folders: Sequence[Path], spool: Spool, stable_seconds: float, extract: Extract | None = None
    ) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise SettingError(f"The inbox {folder} is not a folder: make it first.")
        self._folders = [folder.resolve() for folder in folders]
        self._spool = spool
        self._stable_seconds = stable_seconds
        self._extract = extract
        self._waiting: dict[Path, _Waiting] = {}
        self._said: set[str] = set()

    def run(self, stop: Event) -> None:
        """Watch until `stop` is set. A folder that is taken away is waited for."""
        while not stop.is_set():
            there = [folder for folder in self._folders if folder.is_dir()]
            for gone in set(self._folders) - set(there):
                self._say(f"The inbox {gone} is gone; it is looked for again every second.")
            if not there:
                stop.wait(GONE_POLL_SECONDS)
                continue
            try:
                self._watch(there, stop)
            except FileNotFoundError:  # between the look and the watch
                stop.wait(GONE_POLL_SECONDS)
            except WatchfilesRustInternalError as error:  # it cannot report a name that is not UTF-8; the scan finds it
                self._say(f"The inbox is looked through anew: {error}.")
                stop.wait(TICK_MILLISECONDS / 1000)

    def _watch(self, folders: Sequence[Path], stop: Event) -> None:
        feeder = Feeder(self._spool, None, self._progress, stop, extract=self._extract)
        rescan_at = float("-inf")  # at the first tick: the watch stands, so nothing can slip in between
        for changes in watchfiles.watch(
            *folders,
            stop_event=stop,
            watch_filter=None,
            step=20,
            debounce=TICK_MILLISECONDS,
            rust_timeout=TICK_MILLISECONDS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            for _, name in changes:
                self._notice_path(Path(name))
            if time.monotonic() >= rescan_at:
                if not all(folder.is_dir() for folder in self._folders) and rescan_at != float("-inf"):
                    return
                began = time.monotonic()
                for folder in folders:
                    self._notice_folder(folder, folder)
                ended = time.monotonic()
                rescan_at = ended + max(RESCAN_SECONDS, 20 * (ended - began))
            try:
                self._feed_stable(feeder, stop)
            except Interrupted:
                return

    def _notice_folder(self, folder: Path, root: Path) -> None:
        for found in files.scan(folder):
            if isinstance(found, LeftOut):
                if found.sentence is not None:
                    self._say(found.sentence)
            else:
                self._notice(found, root)

    def _notice_path(self, path: Path) -> None:
        root = next((folder for folder in self._folders if path.is_relative_to(folder)), None)
        if root is None or path.parent.resolve() != path.parent:  # within a linked folder: its files lie elsewhere
            return
        if path.is_dir() and not path.is_symlink():
            if not any(part.startswith(".") for part in path.relative_to(root).parts):
                self._notice_folder(path, root)  # moved in as a whole: its files are not reported
        elif path.exists():
            left = files.look_at(path, root)
            if left is None:
                self._notice(path, root)
            elif left.sentence is not None:
                self._say(left.sentence)

    def _notice(self, path: Path, root: Path) -> None:
        if path in self._waiting:
            return
        try:
            state = State.of(path.stat())
        except OSError:
            return
        cursor = self._spool.cursor(path)
        if cursor is not None and cursor.covers(state.size, state.mtime_ns):
            return
        self._waiting[path] = _Waiting(root, state, time.monotonic())

    def _feed_stable(self, feeder: Feeder, stop: Event) -> None:
        for path, waiting in sorted(self._waiting.items()):
            if stop.is_set():
                return
            try:
                state = State.of(path.stat())
            except OSError:
                del self._waiting[path]
                continue
            now = time.monotonic()
            if state != waiting.state:
                waiting.state, waiting.since, waiting.half_line_since = state, now, None
            stands_still = max(now - waiting.since, time.time() - state.mtime_ns / 1e9)
            if stands_still < self._stable_seconds:
                continue
            if waiting.half_line_since is not None and now - waiting.half_line_since < HALF_LINE_SECONDS:
                continue
            take = "take" if waiting.half_line_since is not None else "leave"
            try:
                if feeder.feed_file(path, folder=waiting.folder, only_changed=True, unfinished=take):  # type: ignore[arg-type]
                    del self._waiting[path]
                else:
                    waiting.half_line_since = time.monotonic()
            except Unavailable as error:  # the spool's disk is full: the files are still there
                self._say(str(error))
                stop.wait(GONE_POLL_SECONDS)
                return

    def _progress(self, _count: FeedCount, sentence: str | None) -> None:
        if sentence is not None:
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        """Log a sentence once: the next look would find the same."""
        if sentence not in self._said:
            if len(self._said) >= MOST_SAID:
                self._said.clear()
            self._said.add(sentence)
            _log.warning(sentence)
