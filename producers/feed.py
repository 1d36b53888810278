"""Paths or a stream -> the spool: what `news feed` and the watcher do with what files.py reads."""

import hashlib
import os
import select
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, Protocol, assert_never

from pipeline import metrics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import SettingError
from producers import files
from producers.deliveries import Row
from producers.files import End, Found, LeftOut, State
from producers.formats import lines, naming, packed
from producers.formats.lines import Position
from producers.formats.page import Extract
from producers.spool import Cursor, Spool

if TYPE_CHECKING:
    from producers.formats.warc import Dropped

BATCH_RECORDS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
BATCH_SECONDS: Final = 0.05
STDIN_POLL_SECONDS: Final = 0.2
FINGERPRINT_BYTES: Final = 1024

Kind = Literal["file", "dir", "jsonl", "csv", "stdin"]
FORMATS: Final[Mapping[Kind, files.Format]] = {"jsonl": "lines", "csv": "table"}


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


class WarcReader(Protocol):
    """What reads a WARC file from a place on (archives.py)."""

    def read(self, path: Path, source: str | None, start: Position) -> "Generator[Found | Dropped | End, None, None]":
        """What is in it, its End last."""


class Feeder:
    """Feeds into one spool and counts; one thread uses it."""

    def __init__(
        self,
        spool: Spool,
        source: str | None = None,
        progress: Progress = silent,
        stop: Event | None = None,
        names: naming.Names = naming.OURS,
        extract: Extract | None = None,
    ) -> None:
        if source is not None and not 0 < len(source.strip()) <= files.MAX_SOURCE:
            raise SettingError(f"The source must have 1 to {files.MAX_SOURCE} characters; it is {source!r}.")
        self.count = FeedCount()
        self._spool = spool
        self._source = source
        self._names = names
        self._extract = extract
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
            raise SettingError(f"{path} is not fed: only {files.FED} are.")
        given = files.Given.of(path, folder, self._source, self._names, self._extract)
        try:
            start = self._start(path, is_streamed=kind in files.STREAMED) if only_changed else Position()
            if start is None:
                return True
            return self._feed(path, files.read_file(path, given, kind, start=start, unfinished=unfinished))
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
        given = files.Given(self._source or origin, "", self._names, extract=self._extract)
        for found in files.read_stream(read, given, origin, lambda: datetime.now(UTC)):
            self._add(found)
            if self._is_full():
                self._keep(None)
        self._keep(None)

    def feed_warc(
        self, path: Path, reader: WarcReader, *, only_changed: bool = False, limit: int | None = None
    ) -> None:
        """Feed the pages of a WARC file, `limit` of them at most. One that was not fed to its end is gone on with.

        `only_changed` also leaves out one that was fed to its end and has not changed.
        """
        cursor = self._spool.cursor(path)
        goes_on = cursor is not None and (only_changed or not cursor.is_done)
        start = self._start(path, is_streamed=True) if goes_on else Position()
        if start is None:
            return
        if start != Position():
            self._progress(self.count, f"{path}: going on behind byte {start.byte:,}, where it was left.")
        try:
            with closing(reader.read(path, self._source, start)) as found:
                self._feed(path, found, limit)
        except OSError as error:
            raise SettingError(f"{path} cannot be read: {error.strerror or error}.") from None

    def leave_out(self, left: LeftOut) -> None:
        """Count what is not fed, and say so where it has a sentence."""
        self.count.left_out += 1
        if left.sentence is not None:
            self._progress(self.count, left.sentence)

    def _feed(self, path: Path, found: "Iterable[Found | Dropped | End]", limit: int | None = None) -> bool:
        dropped: Counter[str] = Counter()
        left = limit
        try:
            for item in found:
                if isinstance(item, End):
                    cursor = _cursor(
                        path, item.state, item.position, is_done=item.is_settled, readable=item.is_readable
                    )
                    self._keep(cursor)
                    return item.is_settled
                if isinstance(item, Found):
                    self._add(item)
                    if left is not None and not isinstance(item.what, DeadLetter):
                        left -= 1
                else:
                    dropped[item.why] += 1
                    metrics.records_dropped.labels(stage="producers", reason=item.why).inc()
                # The state is looked at later than the rows were read: at worst the fingerprint tells, and all is read.
                if self._is_full() or self._stop.is_set() or left == 0:
                    self._keep(_cursor(path, State.of(path.stat()), item.end, is_done=False))
                if self._stop.is_set():
                    raise Interrupted
                if left == 0:
                    return True
        finally:
            if dropped:
                self.count.left_out += dropped.total()
                said = ", ".join(f"{count:,} {why}" for why, count in dropped.most_common())
                self._progress(self.count, f"{path}: left out: {said}.")
        raise AssertionError("unreachable: reading a file ends with its End")

    def _start(self, path: Path, *, is_streamed: bool) -> Position | None:
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
            is_streamed
            and (status.st_size > cursor.size or not cursor.is_done)
            and _fingerprint(path, cursor.size, cursor.position) == cursor.fingerprint
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
    names: naming.Names = naming.OURS,
    extract: Extract | None = None,
) -> FeedCount:
    """Feed paths of one kind ("stdin": the lines of `stdin`, no paths) into the spool.

    `only_changed` leaves out what has been fed before; without it everything is fed again. `names` are what lines and
    rows call our fields; `extract` finds the text in html. When `stop` is set it comes back early, with what is safe
    counted. Raises SettingError for a path that is not there or not of that kind.
    """
    feeder = Feeder(spool, source, progress, stop, names, extract)
    if kind == "stdin":
        if stdin is None:
            raise SettingError("There is no standard input to read.")
        work: list[Callable[[], object]] = [lambda: feeder.feed_stream(stdin)]
    else:
        work = [_work(feeder, required(path, kind), kind, only_changed) for path in paths]
    try:
        for feed in work:
            feed()
    except Interrupted:
        pass
    return feeder.count


def _work(feeder: Feeder, path: Path, kind: Kind, only_changed: bool) -> Callable[[], object]:
    if kind == "dir":
        return lambda: feeder.feed_folder(path, only_changed=only_changed)
    return lambda: feeder.feed_file(path, kind=FORMATS.get(kind), only_changed=only_changed)


def required(path: Path, kind: Literal["file", "dir", "jsonl", "csv", "warc"]) -> Path:
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
    elif kind == "file" or kind == "jsonl" or kind == "csv" or kind == "warc":  # noqa: PLR1714  mypy narrows it so only
        if is_folder:
            raise SettingError(f"{path} is a folder: use `news feed dir {path}`.")
        if not is_file:
            raise SettingError(f"{path} is not a plain file: JSON lines may come by `news feed stdin`.")
        if kind == "file" and files.format_of(path) is None:
            raise SettingError(f"{path} is not fed: only {files.FED} are.")
    else:
        assert_never(kind)
    return path


def _is_ready(descriptor: int, wait_seconds: float) -> bool:
    poll = select.poll()  # select() itself cannot take descriptors over 1023
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(wait_seconds * 1000))


def _cursor(path: Path, state: State, position: Position, *, is_done: bool, readable: bool = True) -> Cursor:
    fingerprint = _fingerprint(path, state.size, position) if readable else b""
    return Cursor(path, state.size, state.mtime_ns, position, fingerprint, is_done, readable)


def _fingerprint(path: Path, size: int, position: Position) -> bytes:
    """Of the first bytes of a file and those before a place: another file, or an edited one, most likely differs.

    The place is the position; of a packed file, where that is one in what is packed, the size that it had.
    """
    try:
        with files.opened(path) as file:
            beginning = file.read(FINGERPRINT_BYTES)
            place = position.byte if packed.kind_of(beginning) is None else size
            first = beginning[:place]
            file.seek(max(0, place - FINGERPRINT_BYTES))
            return hashlib.sha256(first + b"\0" + file.read(min(FINGERPRINT_BYTES, place))).digest()
    except OSError:
        return b""
