"""What the signature log said within the window: one row a record, found by key or by sampled shingle.

Rows and the full sets of hashes lie in memory-mapped files that have no name and vanish with the process: every start
reads the log again. In memory are only hash tables of numbers (processors/postings.py). Rows are only ever appended, in
segments; a segment whose last row is older than the window leaves as a whole, so that no record waits for a clean-up.
"""

import errno
import mmap
import os
import struct
import tempfile
import threading
import weakref
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pipeline.errors import Stop
from processors.postings import NONE, Hashes, Mask, Numbers, Postings

#: Rows of the first segment; each further one has room for as many as all before it, up to the largest.
SMALLEST_SEGMENT: Final = 8_192
LARGEST_SEGMENT: Final = 131_072
#: Postings that a segment has room for per row: keys of a record, sampled shingles of a text.
_KEYS_PER_ROW: Final = 6
_SAMPLES_PER_ROW: Final = 64
#: What they usually are.
_USUAL_SAMPLES: Final = 32
#: Address space (not memory, not disk) for the sets of one segment.
_SETS_BYTES: Final = 1 << 30
#: A segment ends when it spans this share of the window, so that it can leave soon after its first row.
_SEGMENTS_PER_WINDOW: Final = 8

NO_ID: Final = bytes(16)
#: The content hash of what was erased.
NO_CONTENT: Final = bytes(32)
NO_ROW: Final = -1


class Row(NamedTuple):
    """One record of the log with its verdict, and what its article says after it. Ids are their 16 bytes."""

    log_offset: int
    log_ms: int
    raw_topic: bytes
    raw_partition: int
    raw_offset: int
    delivery: bytes
    article: bytes
    version: bytes
    item: bytes
    content: bytes
    metadata: bytes
    kind: int
    method: int
    guard: int
    rules_version: int
    of: bytes
    of_version: bytes
    of_delivery: bytes
    same_text_as: bytes
    contains: bytes
    resembles: bytes
    score: float
    threshold: float
    holder: bytes  # the delivery whose stored row has this text
    current_content: bytes
    current_version: bytes
    current_delivery: bytes
    current_observed: int  # microseconds since the epoch
    source: int  # hash of its name
    words: int
    shingle_count: int
    sets_at: int
    shingles: int
    numbers: int
    names: int


_ROW: Final = struct.Struct("<qq16siq16s16s16s16s32s16sBBBI16s16s16s16s16s16sdd16s32s16s16sqQIIQHHH")
_LOG_MS: Final = struct.Struct("<8xq")
_ARTICLE_AT: Final = struct.calcsize("<qq16siq16s")
#: The article of a row, in two numbers.
_ARTICLES: Final = np.dtype(
    {
        "names": ["first", "second"],
        "formats": ["<u8", "<u8"],
        "offsets": [_ARTICLE_AT, _ARTICLE_AT + 8],
        "itemsize": _ROW.size,
    }
)
_SHINGLES: Final = struct.Struct(f"<{_ROW.size - struct.calcsize('<QHHH')}xQH4x")


class Sets(NamedTuple):
    """The hashes of one text, each array sorted and distinct."""

    shingles: Hashes
    numbers: Hashes
    names: Hashes


class _Segment:
    """Rows from `first` on, their sets, and the postings that name them."""

    def __init__(self, first: int, capacity: int, samples: int, folder: Path | None) -> None:
        self.first = first
        self.capacity = capacity
        self.count = 0
        self.keys = Postings(capacity * _KEYS_PER_ROW, capacity * _KEYS_PER_ROW)
        self.key_rows = np.empty(self.keys.capacity + 1, dtype=np.uint32)
        self.samples = Postings(max(capacity * _SAMPLES_PER_ROW, samples), capacity * _USUAL_SAMPLES)
        self.sample_starts = np.empty(capacity + 1, dtype=np.uint32)
        self.posted = 0  # rows whose samples are in
        self.sample_starts[0] = 1
        self.sets_bytes = 0
        self._unwritten: list[bytes] = []
        with tempfile.TemporaryFile(dir=folder) as file:
            # Room on the disk is taken before it is mapped: a full disk is an error here, not a signal later.
            os.posix_fallocate(file.fileno(), 0, capacity * _ROW.size)
            self._rows = mmap.mmap(file.fileno(), capacity * _ROW.size)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.truncate(file.fileno(), _SETS_BYTES)
            self._sets = mmap.mmap(file.fileno(), _SETS_BYTES, access=mmap.ACCESS_READ)
            self._sets_file = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._sets_file)

    def add_sets(self, sets: bytes) -> int:
        at = self.sets_bytes
        if sets:
            self._unwritten.append(sets)
            self.sets_bytes += len(sets)
        return at

    def write_sets(self) -> None:
        if self._unwritten:
            sets = b"".join(self._unwritten)
            self._unwritten.clear()
            if os.pwrite(self._sets_file, sets, self.sets_bytes - len(sets)) < len(sets):  # a disk that gets full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, row: Row) -> None:
        _ROW.pack_into(self._rows, self.count * _ROW.size, *row)
        self.count += 1

    def row(self, number: int) -> Row:
        return Row._make(_ROW.unpack_from(self._rows, (number - self.first) * _ROW.size))

    def log_ms(self, number: int) -> int:
        return int(_LOG_MS.unpack_from(self._rows, (number - self.first) * _ROW.size)[0])

    def sets(self, row: Row) -> Sets:
        at = row.sets_at
        found = np.frombuffer(self._sets, dtype=np.uint32, count=row.shingles + row.numbers + row.names, offset=at)
        numbers_end = row.shingles + row.numbers
        return Sets(found[: row.shingles], found[row.shingles : numbers_end], found[numbers_end:])

    def shingles(self, number: int) -> Hashes:
        at, count = _SHINGLES.unpack_from(self._rows, (number - self.first) * _ROW.size)
        return np.frombuffer(self._sets, dtype=np.uint32, count=count, offset=at)

    def rows_of(self, article: bytes, key: int) -> list[int]:
        """All rows of an article, which is posted under `key`; reads all rows where there are any."""
        if not any(self.row(self.first + int(self.key_rows[p])).article == article for p in self.keys.chain(key)):
            return []
        held = np.frombuffer(self._rows, dtype=_ARTICLES, count=self.count)
        first, second = np.frombuffer(article, dtype="<u8").tolist()
        at = np.flatnonzero((held["first"] == first) & (held["second"] == second))
        return [self.first + i for i in at.tolist()]

    def erase(self, number: int, content_key: int) -> None:
        at, row = number - self.first, self.row(number)
        if row.content == NO_CONTENT:  # there is nothing left to take out, a second time least of all
            return
        sets = bytes(4 * (row.shingles + row.numbers + row.names))
        if os.pwrite(self._sets_file, sets, row.sets_at) < len(sets):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.samples.remove(np.arange(self.sample_starts[at], self.sample_starts[at + 1], dtype=np.int64))
        content = [posting for posting in self.keys.chain(content_key) if self.key_rows[posting] == at]
        for posting in content:
            self.keys.remove(np.array([posting], dtype=np.int64))
        without = row._replace(
            content=NO_CONTENT, metadata=NO_ID, current_content=NO_CONTENT, words=0, shingle_count=0,
            shingles=0, numbers=0, names=0,
        )  # fmt: skip
        _ROW.pack_into(self._rows, at * _ROW.size, *without)

    def has_room(self, rows: int, samples: int, sets_bytes: int) -> bool:
        return (
            self.count + rows <= self.capacity
            and self.keys.count + rows * _KEYS_PER_ROW <= self.keys.capacity
            and self.samples.count + samples <= self.samples.capacity
            and self.sets_bytes + sets_bytes <= _SETS_BYTES
        )


class Window:
    """All segments. Row numbers count from 0 and are never used twice; `live` is the oldest still in the window."""

    def __init__(self, window_ms: int, folder: Path | None, largest_segment: int = LARGEST_SEGMENT) -> None:
        self._window_ms = window_ms
        self._folder = folder
        self._largest_segment = largest_segment
        self._segments: list[_Segment] = []
        self.live = 0
        self.next = 0
        self._oldest_ms = 0  # nothing in the window is older
        self.now_ms = 0  # the running maximum of log-append times

    def __len__(self) -> int:
        """Rows in the window."""
        return self.next - self.live

    @property
    def memory_bytes(self) -> int:
        """Memory of the hash tables."""
        return sum(s.keys.nbytes + s.samples.nbytes + 4 * (s.keys.count + s.count) for s in self._segments)

    @property
    def file_bytes(self) -> int:
        """Disk of rows and sets."""
        return sum(s.count * _ROW.size + s.sets_bytes for s in self._segments)

    def prepare(self, rows: int, samples: int, sets_bytes: int, now_ms: int) -> None:
        """Make sure that one segment has room for a batch. Raises Stop when the disk has none."""
        last = self._segments[-1] if self._segments else None
        if last is not None and last.has_room(rows, samples, sets_bytes):
            old = last.count and now_ms - last.log_ms(last.first) > self._window_ms // _SEGMENTS_PER_WINDOW
            if not old:
                return
        capacity = max(min(max(len(self), SMALLEST_SEGMENT), self._largest_segment), rows)
        try:
            self._segments.append(_Segment(self.next, capacity, samples, self._folder))
        except OSError as error:
            raise self._no_room(error) from error

    def write_sets(self, sets: bytes) -> int:
        """Store the sets of the next row; returns the place that the row must name.

        They are written when somebody asks for some, or with `post`: both raise Stop as `prepare` does.
        """
        return self._segments[-1].add_sets(sets)

    def _written(self, segment: _Segment) -> _Segment:
        try:
            segment.write_sets()
        except OSError as error:
            raise self._no_room(error) from error
        return segment

    def _no_room(self, error: OSError) -> Stop:
        where = self._folder or tempfile.gettempdir()
        return Stop(f"The index of the signature log gets no room in {where}: {error.strerror}. Make room.")

    def append(self, row: Row) -> int:
        """Add a row; returns its number. It is found by key only after `post`."""
        self._segments[-1].write(row)
        self.next += 1
        return self.next - 1

    def forget(self, before_ms: int) -> None:
        """Let rows appended before then leave the window."""
        if before_ms <= self._oldest_ms or self.live >= self.next:
            return
        while self.live < self.next:
            segment = self._of(self.live)
            end = segment.first + segment.count
            if segment.log_ms(end - 1) >= before_ms:
                self.live = bisect_left(range(end), before_ms, lo=self.live, key=segment.log_ms)
                break
            self.live = end
        if self.live < self.next:
            self._oldest_ms = self._of(self.live).log_ms(self.live)
        gone = [s for s in self._segments[:-1] if s.first + s.count <= self.live]
        if gone:
            del self._segments[: len(gone)]
            # Giving hundreds of megabytes back to the system takes a while, and nobody waits for it.
            threading.Thread(target=gone.clear, daemon=True).start()

    def rows_of(self, article: bytes, key: int) -> list[int]:
        """All rows of an article that are held, whether in the window or not; `key` is the hash it is posted under."""
        return [number for segment in self._segments for number in segment.rows_of(article, key)]

    def erase(self, number: int, content_key: int) -> None:
        """Overwrite all that a row holds of its text, also in the file of the sets, and what finds it by that.

        `content_key` is the hash under which its content is posted, if it is. What was decided about it stays.
        """
        try:
            self._of(number).erase(number, content_key)
        except OSError as error:
            raise self._no_room(error) from error

    def row(self, number: int) -> Row:
        """The row with this number."""
        return self._of(number).row(number)

    def sets(self, number: int, row: Row) -> Sets:
        """Its sets, as views into the file."""
        return self._written(self._of(number)).sets(row)

    def shingles(self, number: int) -> Hashes:
        """The shingles of one row alone, as a view into the file."""
        return self._written(self._of(number)).shingles(number)

    def newest(self, hashes: Hashes) -> Numbers:
        """For each key hash the newest row posted under it, or NO_ROW. It may have left the window."""
        found = np.full(len(hashes), NO_ROW, dtype=np.int64)
        asking = np.arange(len(hashes))
        for segment in reversed(self._segments):
            chains = segment.keys.find(hashes[asking])
            hit = chains != NONE
            found[asking[hit]] = segment.first + segment.key_rows[segment.keys.newest(chains[hit])].astype(np.int64)
            asking = asking[~hit]
            if not asking.size:
                break
        return found

    def posted(self, key: int) -> Iterator[int]:
        """All rows in the window posted under one key hash, the newest first."""
        for segment in reversed(self._segments):
            for posting in segment.keys.chain(key):
                number = segment.first + int(segment.key_rows[posting])
                if number < self.live:  # and so are all behind it
                    return
                yield number

    def texts(self, hashes: Hashes, at_most: int, until_ms: int) -> tuple[Numbers, Numbers, Mask]:
        """Pairs (place in `hashes`, row) of texts in the window with these samples, and which samples are frequent.

        Frequent is what more than `at_most` texts have that stay in the window until then: no pairs. Of all others the
        newest texts are found, one more than `at_most` of each.
        """
        left = np.full(len(hashes), at_most + 1, dtype=np.int64)
        asking = np.arange(len(hashes))
        chains: list[tuple[_Segment, Numbers, Numbers]] = []
        for segment in reversed(self._segments):
            found = segment.samples.find(hashes[asking])
            hit = found != NONE
            places, found = asking[hit], found[hit]
            if segment.count and segment.log_ms(segment.first) >= until_ms - self._window_ms:
                left[places] -= segment.samples.counts(found)
                asking = asking[left[asking] > 0]
            chains.append((segment, places, found))
        frequent = left <= 0
        left[~frequent] = at_most + 1
        queries: list[Numbers] = []
        numbers: list[Numbers] = []
        for segment, places, found in chains:
            rare = np.flatnonzero(~frequent[places])
            query, postings = segment.samples.all(found[rare], left[places[rare]])
            query = places[rare[query]]
            starts = segment.sample_starts[: segment.posted]
            rows = np.searchsorted(starts, postings.astype(np.uint32), side="right") - 1 + segment.first
            live = rows >= self.live
            queries.append(query[live])
            numbers.append(rows[live])
            np.subtract.at(left, query, 1)
        if not queries:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), frequent
        return np.concatenate(queries), np.concatenate(numbers), frequent

    def sampled(self, numbers: Numbers) -> Numbers:
        """How many samples of each of these rows are posted."""
        counts = np.empty(len(numbers), dtype=np.int64)
        for segment in self._segments:
            here = (numbers >= segment.first) & (numbers < segment.first + segment.posted)
            at = numbers[here] - segment.first
            starts = segment.sample_starts
            counts[here] = starts[at + 1].astype(np.int64) - starts[at]
        return counts

    def post(self, keys: Sequence[tuple[int, int, int]], samples: Sequence[Hashes]) -> None:
        """Make rows found: keys as (hash, row, the row it replaces or NO_ROW); samples of the rows since the last call.

        A key that is posted again in one segment takes the place of its older posting, unless that is not the newest
        under the hash: all postings of a hash lie in the order of their rows.
        """
        last = self._written(self._segments[-1])
        table = np.array(keys, dtype=np.int64).reshape(-1, 3)
        table = table[np.argsort(table[:, 1], kind="stable")]
        hashes, rows = table[:, 0].astype(np.uint32), table[:, 1] - last.first
        is_new = np.ones(len(table), dtype=bool)
        again = np.flatnonzero(table[:, 2] >= last.first)
        if again.size:
            _, place, times = np.unique(hashes, return_inverse=True, return_counts=True)
            again = again[times[place[again]] == 1]
            postings = last.keys.newest(last.keys.find(hashes[again]))
            newest = (postings != NONE) & (last.key_rows[postings] == table[again, 2] - last.first)
            last.key_rows[postings[newest]] = rows[again[newest]]
            is_new[again[newest]] = False
        first = last.keys.add(hashes[is_new])
        last.key_rows[first : last.keys.count + 1] = rows[is_new]
        counts = np.array([len(s) for s in samples], dtype=np.int64)
        begin, end = last.posted, last.posted + len(samples)
        last.sample_starts[begin + 1 : end + 1] = last.samples.count + 1 + np.cumsum(counts)
        last.samples.add(np.concatenate(samples) if samples else np.empty(0, dtype=np.uint32))
        last.posted = end

    def close(self) -> None:
        """Give everything back."""
        self._segments.clear()

    def _of(self, number: int) -> _Segment:
        segments = self._segments
        if number >= segments[-1].first:
            return segments[-1]
        return next(s for s in reversed(segments) if s.first <= number)
