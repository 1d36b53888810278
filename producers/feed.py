"""Paths or a stream -> the spool: what `news feed` and the watcher do with what files.py reads."""

import hashlib
import os
import select
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final, Literal, assert_never

from pipeline import metrics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import SettingError
from producers import files
from producers.deliveries import Row
from producers.files import End, Found, LeftOut, State
from producers.formats import lines
from producers.formats.lines import Position
from producers.spool import Cursor, Spool

BATCH_RECORDS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
BATCH_SECONDS: Final = 0.05
STDIN_POLL_SECONDS: Final = 0.2
FINGERPRINT_BYTES: Final = 1024

Kind = Literal["file", "dir", "jsonl", "stdin"]


@dataclass(slots=True)
class FeedCount:
    """What became of what was fed; `accepted` and `dead_lettered` are safe on disk."""

    accepted: int = 0
    dead_lettered: int = 0
    left_out: int = 0


Progress = Callable[[FeedCount, str | None], None]
"""Called after every batch, and with a sentence for what a person should know."""


def silent(_count: FeedCount, _sentence: str | None) -> None:
    """Progress that nobody watches."""


class Interrupted(Exception):
    """Feeding was asked to stop; what was counted is safe, the rest has not been read."""


class Feeder:
    """Feeds into one spool and counts; one thread uses it."""

    def __init__(
        self, spool: Spool, source: str | None = None, progress: Progress = silent, stop: Event | None = None
    ) -> None:
        if source is not None and not 0 < len(source.strip()) <= files.MAX_SOURCE:
            raise SettingError(f"The source must have 1 to {files.MAX_SOURCE} characters; it is {source!r}.")
        self.count = FeedCount()
        self._spool = spool
        self._source = source
        self._progress = progress
        self._stop = stop or Event()
        self._batch: list[Found] = []
        self._bytes = 0
        self._since = 0.0

    def feed_file(
        self,
        path: Path,
        *,
        folder: Path | None = None,
        kind: files.Format | None = None,
        only_changed: bool = False,
        unfinished: files.Unfinished = "wait",
    ) -> bool:
        """Feed one file; False if it is still being written and its end is left for later.

        `only_changed` goes on where the last feed ended: an unchanged file is not read, one that grew from there on.
        """
        kind = kind or files.format_of(path)
        if kind is None:
            raise SettingError(f"{path} is not fed: only {', '.join(files.SUFFIXES)} are.")
        given = files.Given.of(path, folder, self._source)
        try:
            start = self._start(path, kind) if only_changed else Position()
            if start is None:
                return True
            return self._feed(path, files.read_file(path, given, kind, start=start, unfinished=unfinished), start)
        except FileNotFoundError:
            self._batch, self._bytes = [], 0
            self.leave_out(LeftOut(path, "unreadable", f"{path} was gone before it was read."))
            return True

    def feed_folder(self, folder: Path, *, only_changed: bool = False) -> None:
        """Feed everything below a folder, in sorted order."""
        for found in files.scan(folder):
            if self._stop.is_set():
                raise Interrupted
            if isinstance(found, LeftOut):
                self.leave_out(found)
            else:
                self.feed_file(found, folder=folder, only_changed=only_changed)

    def feed_stream(self, stream: BinaryIO, origin: str = "stdin") -> None:
        """Feed the lines of a stream; what has come is kept as soon as the stream pauses."""
        read = self._pausing_reader(stream)
        for found in files.read_stream(read, self._source or origin, origin, lambda: datetime.now(UTC)):
            self._add(found)
            if self._is_full():
                self._keep(None)
        self._keep(None)

    def leave_out(self, left: LeftOut) -> None:
        """Count what is not fed, and say so where it has a sentence."""
        self.count.left_out += 1
        if left.sentence is not None:
            self._progress(self.count, left.sentence)

    def _feed(self, path: Path, found: Iterable[Found | End], start: Position) -> bool:
        for item in found:
            if isinstance(item, End):
                self._keep(_cursor(path, item.state, item.position, is_done=item.is_settled, readable=item.is_readable))
                return item.is_settled
            self._add(item)
            if self._is_full():
                # The state is looked at later than the rows were read: at worst the fingerprint tells, and all is read.
                self._keep(_cursor(path, State.of(path.stat()), item.end, is_done=False))
            if self._stop.is_set():
                self._keep(_cursor(path, State.of(path.stat()), item.end, is_done=False))
                raise Interrupted
        raise AssertionError("unreachable: reading a file ends with its End")

    def _start(self, path: Path, kind: files.Format) -> Position | None:
        """Where to go on in a file; None if there is nothing new in it."""
        cursor = self._spool.cursor(path)
        if cursor is None:
            return Position()
        status = path.stat()
        if not cursor.is_readable:
            return Position() if os.access(path, os.R_OK) else None
        if cursor.covers(status.st_size, status.st_mtime_ns):
            return None
        only_grew = (
            kind == "lines"
            and status.st_size >= cursor.position.byte
            and (status.st_size > cursor.size or not cursor.is_done)
            and _fingerprint(path, cursor.position.byte) == cursor.fingerprint
        )
        return cursor.position if only_grew else Position()

    def _add(self, found: Found) -> None:
        if not self._batch:
            self._since = time.monotonic()
        self._batch.append(found)
        self._bytes += found.row.size

    def _is_full(self) -> bool:
        return (
            len(self._batch) >= BATCH_RECORDS
            or self._bytes >= BATCH_BYTES
            or (bool(self._batch) and time.monotonic() - self._since >= BATCH_SECONDS)
        )

    def _keep(self, cursor: Cursor | None) -> None:
        """Put the batch on disk; from here on it survives."""
        if not self._batch and cursor is None:
            return
        rows: Sequence[Row] = [found.row for found in self._batch]
        if not self._spool.append(rows, cursor, self._stop):
            raise Interrupted
        for found in self._batch:
            if isinstance(found.what, DeadLetter):
                self.count.dead_lettered += 1
                metrics.dead_letters.labels(stage="producers", reason=found.what.reason.value).inc()
            else:
                self.count.accepted += 1
        self._batch, self._bytes = [], 0
        self._progress(self.count, None)

    def _pausing_reader(self, stream: BinaryIO) -> lines.Read:
        try:
            descriptor = stream.fileno()
        except OSError:  # not a file of the system: it cannot pause
            return stream.read

        def read(most: int) -> bytes:
            wait = BATCH_SECONDS
            while not _is_ready(descriptor, wait):
                self._keep(None)
                wait = STDIN_POLL_SECONDS
                if self._stop.is_set():
                    raise Interrupted
            return os.read(descriptor, most)

        return read


def feed_once(
    paths: Sequence[Path],
    kind: Kind,
    source: str | None,
    spool: Spool,
    only_changed: bool,
    progress: Progress = silent,
    *,
    stop: Event | None = None,
    stdin: BinaryIO | None = None,
) -> FeedCount:
    """Feed paths of one kind ("stdin": the lines of `stdin`, no paths) into the spool.

    `only_changed` leaves out what has been fed before; without it everything is fed again. When `stop` is set it comes
    back early, with what is safe counted. Raises SettingError for a path that is not there or not of that kind.
    """
    feeder = Feeder(spool, source, progress, stop)
    if kind == "stdin":
        if stdin is None:
            raise SettingError("There is no standard input to read.")
        work: list[Callable[[], object]] = [lambda: feeder.feed_stream(stdin)]
    else:
        work = [_work(feeder, _required(path, kind), kind, only_changed) for path in paths]
    try:
        for feed in work:
            feed()
    except Interrupted:
        pass
    return feeder.count


def _work(feeder: Feeder, path: Path, kind: Kind, only_changed: bool) -> Callable[[], object]:
    if kind == "dir":
        return lambda: feeder.feed_folder(path, only_changed=only_changed)
    return lambda: feeder.feed_file(path, kind="lines" if kind == "jsonl" else None, only_changed=only_changed)


def _required(path: Path, kind: Literal["file", "dir", "jsonl"]) -> Path:
    """The path, if it is there and of its kind: an argument that is wrong is said before anything is fed."""
    try:
        exists, is_folder, is_file = path.exists(), path.is_dir(), path.is_file()
    except OSError as error:
        raise SettingError(f"{path} cannot be looked at: {error.strerror}.") from None
    if not exists:
        raise SettingError(f"{path} does not exist.")
    if kind == "dir":
        if not is_folder:
            raise SettingError(f"{path} is not a folder: use `news feed file {path}`.")
        if not os.access(path, os.R_OK | os.X_OK):
            raise SettingError(f"The folder {path} cannot be read: permission denied.")
    elif kind == "file" or kind == "jsonl":  # noqa: PLR1714  mypy narrows this one only
        if is_folder:
            raise SettingError(f"{path} is a folder: use `news feed dir {path}`.")
        if not is_file:
            raise SettingError(f"{path} is not a plain file: send its lines to `news feed stdin`.")
        if kind == "file" and files.format_of(path) is None:
            raise SettingError(f"{path} is not fed: only {', '.join(files.SUFFIXES)} are.")
    else:
        assert_never(kind)
    return path


def _is_ready(descriptor: int, wait_seconds: float) -> bool:
    poll = select.poll()  # select() itself cannot take descriptors over 1023
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(wait_seconds * 1000))


def _cursor(path: Path, state: State, position: Position, *, is_done: bool, readable: bool = True) -> Cursor:
    fingerprint = _fingerprint(path, position.byte) if readable else b""
    return Cursor(path, state.size, state.mtime_ns, position, fingerprint, is_done, readable)


def _fingerprint(path: Path, byte: int) -> bytes:
    """Of the first bytes of a file and those before a place: another file, or an edited one, most likely differs."""
    try:
        with path.open("rb", buffering=0) as file:
            first = file.read(min(FINGERPRINT_BYTES, byte))
            file.seek(max(0, byte - FINGERPRINT_BYTES))
            return hashlib.sha256(first + b"\0" + file.read(min(FINGERPRINT_BYTES, byte))).digest()
    except OSError:
        return b""
