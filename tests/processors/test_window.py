"""Rows, sets and postings in segments against plain dicts; a full disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Stop
from processors.postings import Postings
from processors.window import NO_ID, NO_ROW, Row, Window

WINDOW_MS = 100


def hashes(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint32)


def row(number: int, log_ms: int, **fields: object) -> Row:
    """A row that can be told from all others."""
    given = dict.fromkeys(Row._fields, 0) | dict.fromkeys(
        "raw_topic delivery article version item metadata of of_version of_delivery same_text_as contains resembles "
        "holder current_version current_delivery".split(),
        NO_ID,
    )
    given |= {"content": bytes(32), "current_content": bytes(32), "score": 0.5, "threshold": 0.45}
    return Row(**{**given, "log_offset": number, "log_ms": log_ms, **fields})


def taken(window: Window, key: int, log_ms: int, samples: tuple[int, ...] = (), replaces: int = NO_ROW) -> int:
    """One record, all the way in."""
    window.prepare(1, len(samples), 0, log_ms)
    window.forget(log_ms - WINDOW_MS)
    number = window.append(row(window.next, log_ms))
    window.post([(key, number, replaces)], [hashes(*samples)])
    return number


class Record(NamedTuple):
    """What the property test takes in: its key, its samples, and how long after the one before it comes."""

    key: int
    samples: tuple[int, ...]
    after_ms: int


RECORDS = st.builds(
    Record,
    st.integers(0, 5),
    st.lists(st.integers(0, 6), unique=True, max_size=4).map(lambda found: tuple(sorted(found))),
    st.sampled_from([0, 0, 1, 10, 60, 150]),
)
BATCHES = st.lists(st.lists(RECORDS, min_size=1, max_size=6), max_size=6)


def hash_of(key: int) -> int:
    """Two keys share one hash."""
    return key % 3


@given(BATCHES, st.sampled_from([1, 3, 1000]), st.integers(1, 3), st.sampled_from([0, 10, 1000]))
def test_a_window_in_segments_of_any_size_finds_what_lists_find(
    batches: list[list[Record]], largest_segment: int, at_most: int, stays_ms: int
) -> None:
    window, now = Window(WINDOW_MS, None, largest_segment), 0
    log: list[Record] = []
    times: list[int] = []
    newest: dict[int, int] = {}  # key -> row
    for batch in batches:
        samples = sum(len(record.samples) for record in batch)
        window.prepare(len(batch), samples, 16 * len(batch), now + sum(record.after_ms for record in batch))
        posts: dict[int, tuple[int, int, int]] = {}
        for record in batch:
            now += record.after_ms
            window.forget(now - WINDOW_MS)
            sets_at = window.write_sets(hashes(len(log), 7, 8, 9).tobytes())
            number = window.append(row(len(log), now, sets_at=sets_at, shingles=2, numbers=1, names=1))
            # Of the rows that a batch adds under one key the last is posted, in the place of the one before the batch.
            before = newest.get(record.key, NO_ROW)
            replaced = posts[record.key][2] if record.key in posts else before if before >= window.live else NO_ROW
            posts[record.key] = (hash_of(record.key), number, replaced)
            newest[record.key] = number
            log.append(record)
            times.append(now)
        window.post(list(posts.values()), [hashes(*record.samples) for record in batch])

        live = next((n for n, ms in enumerate(times) if ms >= now - WINDOW_MS), len(log))
        assert (window.live, window.next, len(window)) == (live, len(log), len(log) - live)
        for number in range(live, len(log)):
            found = window.row(number)
            assert (found.log_offset, found.log_ms) == (number, times[number])
            assert [part.tolist() for part in window.sets(number, found)] == [[number, 7], [8], [9]]
        for key, number in newest.items():
            posted = list(window.posted(hash_of(key)))
            assert number < live or number in posted
            assert all(n >= live and hash_of(log[n].key) == hash_of(key) for n in posted)
            assert posted == sorted(posted, reverse=True)
            of_the_hash = max(n for other, n in newest.items() if hash_of(other) == hash_of(key))
            assert number < live or window.newest(hashes(hash_of(key))).tolist() == [of_the_hash]
        until = now + stays_ms
        places, numbers, frequent = window.texts(hashes(*range(8)), at_most, until)
        having = {h: [n for n, record in enumerate(log) if h in record.samples] for h in range(8)}
        assert sorted(zip(places.tolist(), numbers.tolist(), strict=True)) == [
            (h, n) for h, found in having.items() if not frequent[h] for n in found[-at_most - 1 :] if n >= live
        ]
        for h in np.flatnonzero(frequent).tolist():
            assert sum(times[n] >= until - WINDOW_MS for n in having[h]) > at_most
        alive = np.arange(live, len(log))
        assert window.sampled(alive).tolist() == [len(record.samples) for record in log[live:]]


def test_a_row_comes_back_as_it_was_written() -> None:
    window = Window(WINDOW_MS, None)
    window.prepare(1, 0, 0, 0)
    fields = {
        name: bytes([n]) * (32 if name in ("content", "current_content") else 16)
        for n, name in enumerate(Row._fields)
        if isinstance(getattr(row(0, 0), name), bytes)
    }
    written = row(
        2**40, 2**41, **fields, kind=4, method=6, guard=2, source=2**64 - 1, current_observed=-1, words=2**32 - 1
    )

    assert window.row(window.append(written)) == written


def test_rows_leave_when_they_are_older_than_the_window_and_not_before() -> None:
    window = Window(WINDOW_MS, None)
    for log_ms in (0, 50, 100):
        taken(window, key=1, log_ms=log_ms)
    assert len(window) == 3

    window.forget(101 - WINDOW_MS)

    assert (window.live, len(window)) == (1, 2)


def test_a_window_that_everything_left_begins_again() -> None:
    window = Window(WINDOW_MS, None)
    taken(window, key=1, log_ms=0, samples=(5,))

    number = taken(window, key=2, log_ms=1000, samples=(5,))

    assert (len(window), number) == (1, 1)
    assert list(window.posted(1)) == []
    assert window.texts(hashes(5), 9, 1000)[1].tolist() == [1]


def test_a_segment_ends_in_time_to_leave_soon_after_its_first_row_and_gives_its_files_back() -> None:
    window, process = Window(WINDOW_MS, None), psutil.Process()
    before, most = process.num_fds(), 0
    for n in range(1000):
        taken(window, key=n, log_ms=n)
        most = max(most, process.num_fds() - before)

    assert len(window) == WINDOW_MS + 1
    # Three a segment, nine segments in the window, and some that are just leaving: of 77 in all.
    assert most <= 3 * 20


def test_a_key_that_is_posted_again_in_its_segment_has_one_posting() -> None:
    window = Window(WINDOW_MS, None)
    first = taken(window, key=1, log_ms=0)
    memory = window.memory_bytes

    second = taken(window, key=1, log_ms=1, replaces=first)

    assert list(window.posted(1)) == [second]
    assert window.newest(hashes(1)).tolist() == [second]
    assert window.memory_bytes - memory == 4, "the place of its samples"


def test_a_key_that_is_posted_again_is_found_behind_one_of_its_hash_that_left() -> None:
    window = Window(WINDOW_MS, None)
    ours = taken(window, key=1, log_ms=0)
    taken(window, key=1, log_ms=1)  # another key, the same hash
    again = taken(window, key=1, log_ms=10, replaces=ours)

    window.forget(5)

    assert list(window.posted(1)) == [again]
    assert window.newest(hashes(1)).tolist() == [again]


def test_keys_of_one_row_that_share_a_hash_are_posted_again_each_on_its_own() -> None:
    window = Window(WINDOW_MS, None)
    rows = []
    # An article and its version; another version of it; the first again.
    for replaced in ([NO_ROW, NO_ROW], [0], [1, 0]):
        window.prepare(1, 0, 0, 0)
        rows.append(window.append(row(window.next, 0)))
        window.post([(1, rows[-1], row_before) for row_before in replaced], [hashes()])

    first, other, again = rows
    assert list(window.posted(1)) == [again, again, other, first]


def test_of_what_left_the_window_only_the_newest_row_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(WINDOW_MS, None)
    for log_ms in (0, 10):
        window.prepare(500, 0, 0, log_ms)
        numbers = [window.append(row(window.next, log_ms)) for _ in range(500)]
        window.post([(1, number, NO_ROW) for number in numbers], [hashes()] * 500)
    window.forget(5)
    walked: list[int] = []
    chain = Postings.chain

    def walk(postings: Postings, wanted: int) -> Iterator[int]:
        for posting in chain(postings, wanted):
            walked.append(posting)
            yield posting

    monkeypatch.setattr(Postings, "chain", walk)

    assert list(window.posted(1)) == list(range(999, 499, -1))
    assert len(walked) == 501


def test_texts_are_counted_from_the_newest_over_all_segments() -> None:
    window = Window(WINDOW_MS, None, largest_segment=2)
    numbers = [taken(window, key=n, log_ms=n, samples=(5, 6)) for n in range(7)]

    places, found, frequent = window.texts(hashes(6, 7), 7, 6)

    assert places.tolist() == [0] * 7
    assert sorted(found.tolist()) == numbers
    assert frequent.tolist() == [False, False]


def test_of_a_sample_that_stays_frequent_no_texts_are_read() -> None:
    window = Window(WINDOW_MS, None, largest_segment=2)
    for n in range(7):
        taken(window, key=n, log_ms=n, samples=(5, 6) if n else (5,))

    _, found, frequent = window.texts(hashes(5, 6), 6, 6)

    assert frequent.tolist() == [True, False]
    assert sorted(found.tolist()) == [1, 2, 3, 4, 5, 6]


def test_a_sample_that_is_frequent_only_until_rows_leave_is_counted_by_its_texts() -> None:
    window = Window(WINDOW_MS, None)
    numbers = [taken(window, key=n, log_ms=n, samples=(5,)) for n in range(7)]

    _, found, frequent = window.texts(hashes(5), 3, WINDOW_MS + 5)

    assert frequent.tolist() == [False]
    assert sorted(found.tolist()) == numbers[-4:]


def test_a_text_with_more_samples_than_a_segment_was_made_for_gets_one_that_has_room() -> None:
    window = Window(WINDOW_MS, None, largest_segment=1)
    number = taken(window, key=1, log_ms=0, samples=tuple(range(4096)))

    assert window.texts(hashes(4095), 9, 0)[1].tolist() == [number]
    assert window.sampled(np.array([number])).tolist() == [4096]


def test_the_files_lie_in_the_folder_and_have_no_names(tmp_path: Path) -> None:
    window = Window(WINDOW_MS, tmp_path)
    taken(window, key=1, log_ms=0)

    assert list(tmp_path.iterdir()) == []
    assert window.file_bytes > 0


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk does, for files larger than this: the system refuses to let them grow, or takes a part."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_for_rows_stops_the_worker_before_they_are_mapped(tmp_path: Path) -> None:
    window = Window(WINDOW_MS, tmp_path)

    with files_of_at_most(1000), pytest.raises(Stop, match="gets no room in"):
        window.prepare(1, 0, 0, 0)

    taken(window, key=1, log_ms=0)
    assert len(window) == 1


@pytest.mark.parametrize("room", [8, 24], ids=["for nothing more", "for a part"])
def test_a_disk_without_room_for_sets_is_an_error_and_no_set_of_zeros(tmp_path: Path, room: int) -> None:
    window = Window(WINDOW_MS, tmp_path)
    window.prepare(1, 0, 32, 0)
    window.write_sets(bytes(8))
    window.append(row(0, 0, shingles=2))
    assert window.shingles(0).tolist() == [0, 0]

    window.write_sets(bytes(32))
    with files_of_at_most(room), pytest.raises(Stop, match=r"no room in .*(No space left|File too large)"):
        window.post([], [hashes()])
