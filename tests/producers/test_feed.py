import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import topics
from pipeline.errors import SettingError, Stop
from pipeline.records import RawArticle
from producers import feed
from producers.deliveries import Row
from producers.feed import FeedCount, feed_once
from producers.spool import SenderLock, Spool, Spooled
from producers.watch import Watch

MAX_BYTES = 1024**3
DEADLINE_SECONDS = 30


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        yield spool


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def lines_of(*bodies: str) -> bytes:
    return b"".join(json.dumps({"body": body}).encode() + b"\n" for body in bodies)


def rows_in(spool: Spool) -> list[Spooled]:
    return spool.read_after(0, 10**6, 10**12)


def bodies_in(spool: Spool) -> list[str]:
    return [RawArticle.from_bytes(s.row.value).body for s in rows_in(spool) if s.row.topic == topics.RAW]


def row_of(size: int, key: bytes = b"k") -> Row:
    return Row(topics.RAW, key, b"x" * size, [("a", b"b")], UUID(int=1))


def fed(spool: Spool, path: Path, kind: feed.Kind = "file", only_changed: bool = True) -> FeedCount:
    return feed_once([path], kind, None, spool, only_changed)


def test_what_is_fed_is_in_the_spool_in_order(spool: Spool, inbox: Path) -> None:
    (inbox / "b.jsonl").write_bytes(lines_of("two", "three") + b"{\n")
    (inbox / "a.txt").write_bytes(b"one")
    (inbox / "c.pdf").write_bytes(b"four")

    count = fed(spool, inbox, "dir")

    assert count == FeedCount(accepted=3, dead_lettered=1, left_out=1)
    assert bodies_in(spool) == ["one", "two", "three"]
    assert [s.row.topic for s in rows_in(spool)] == [topics.RAW] * 3 + [topics.DEAD_LETTER]


def test_an_unchanged_file_is_not_read_again_unless_it_is_asked_for(spool: Spool, inbox: Path) -> None:
    (inbox / "a.txt").write_bytes(b"one")
    (inbox / "b.jsonl").write_bytes(lines_of("two"))
    fed(spool, inbox, "dir")

    again = fed(spool, inbox, "dir")
    asked = fed(spool, inbox, "dir", only_changed=False)

    assert again == FeedCount()
    assert asked == FeedCount(accepted=2)


def test_a_file_that_grew_goes_on_where_it_ended(spool: Spool, inbox: Path) -> None:
    path = inbox / "b.jsonl"
    path.write_bytes(lines_of("one", "two"))
    fed(spool, path)

    with path.open("ab") as file:
        file.write(lines_of("three"))
    count = fed(spool, path)

    assert count == FeedCount(accepted=1)
    assert bodies_in(spool) == ["one", "two", "three"]


def test_a_last_line_without_its_end_is_not_read_twice(spool: Spool, inbox: Path) -> None:
    path = inbox / "b.jsonl"
    path.write_bytes(lines_of("one").rstrip())
    fed(spool, path)

    with path.open("ab") as file:
        file.write(b"\n" + lines_of("two"))
    fed(spool, path)

    assert bodies_in(spool) == ["one", "two"]


def test_an_edited_file_is_read_again(spool: Spool, inbox: Path) -> None:
    lines, text = inbox / "b.jsonl", inbox / "a.txt"
    lines.write_bytes(lines_of("one", "two"))
    text.write_bytes(b"three")
    fed(spool, inbox, "dir")
    first = rows_in(spool)

    lines.write_bytes(lines_of("ONE", "two", "more"))
    text.write_bytes(b"three, corrected")
    fed(spool, inbox, "dir")

    assert bodies_in(spool)[3:] == ["three, corrected", "ONE", "two", "more"]
    key_of_text = {s.row.key for s in rows_in(spool) if b"three" in s.row.value}
    assert len(key_of_text) == 1
    assert len({s.row.delivery_id for s in rows_in(spool)}) == len(first) + 4


def test_an_unreadable_file_that_has_not_changed_is_said_once(spool: Spool, inbox: Path) -> None:
    path = inbox / "a.txt"
    path.write_bytes(b"one")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")

    counts = [fed(spool, inbox, "dir"), fed(spool, inbox, "dir")]
    path.chmod(0o600)
    counts.append(fed(spool, inbox, "dir"))

    assert counts == [FeedCount(dead_lettered=1), FeedCount(), FeedCount(accepted=1)]


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda p: None, "file", "does not exist"),
        (lambda p: p.mkdir(), "file", "is a folder: use `news feed dir"),
        (lambda p: p.write_bytes(b""), "dir", "is not a folder: use `news feed file"),
        (lambda p: p.write_bytes(b""), "file", "only .txt, .html, .htm, .jsonl, .ndjson"),
        (os.mkfifo, "jsonl", "is not a plain file"),
    ],
)
def test_a_wrong_path_is_said_before_anything_is_fed(
    spool: Spool, inbox: Path, make: Callable[[Path], object], kind: feed.Kind, says: str
) -> None:
    good, wrong = inbox / "a.txt", inbox / "wrong.doc"
    good.write_bytes(b"one")
    make(wrong)

    with pytest.raises(SettingError, match=says):
        feed_once([good, wrong], kind, None, spool, only_changed=False)

    assert rows_in(spool) == []


def test_a_line_on_standard_input_is_kept_before_the_next_one_comes(spool: Spool) -> None:
    reader, writer = os.pipe()
    done = threading.Event()

    def run() -> None:
        with spool.another() as own, os.fdopen(reader, "rb") as stream:
            feed_once([], "stdin", "typed", own, only_changed=False, stdin=stream)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    os.write(writer, lines_of("one"))
    eventually(lambda: bodies_in(spool) == ["one"])
    os.write(writer, b'{"body": "t')
    os.write(writer, b'wo"}\n')
    eventually(lambda: bodies_in(spool) == ["one", "two"])
    os.write(writer, b"{")
    os.close(writer)
    thread.join(DEADLINE_SECONDS)

    assert done.is_set()
    assert [s.row.topic for s in rows_in(spool)] == [topics.RAW, topics.RAW, topics.DEAD_LETTER]
    assert RawArticle.from_bytes(rows_in(spool)[0].row.value).source == "typed"


def test_a_stream_that_is_no_file_is_fed_too(spool: Spool) -> None:
    count = feed_once([], "stdin", None, spool, only_changed=False, stdin=io.BytesIO(lines_of("one", "two")))

    assert count == FeedCount(accepted=2)


def test_a_full_spool_makes_feeding_wait_and_drops_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool", max_bytes=3000) as spool:
        spool.append([row_of(4000)])
        stop = threading.Event()
        stop.set()

        assert spool.append([row_of(10)], stop=stop) is False

        spool.delete(rows_in(spool))
        assert spool.append([row_of(10)], stop=stop) is True
        assert len(rows_in(spool)) == 1


def test_rows_keep_their_order_and_their_numbers_are_never_used_again(spool: Spool) -> None:
    spool.append([row_of(1, b"a"), row_of(2, b"b")])
    spool.delete(rows_in(spool))
    spool.append([row_of(3, b"c")])

    (last,) = rows_in(spool)

    assert (last.seq, last.row) == (3, row_of(3, b"c"))
    assert spool.held().records == 1


def test_one_process_sends_at_a_time(spool: Spool) -> None:
    first, second = SenderLock(spool.folder), SenderLock(spool.folder)

    assert first.try_take()
    assert not second.try_take()
    first.give_back()
    assert second.try_take()
    second.give_back()


def test_a_damaged_spool_stops_with_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "spool.sqlite").write_bytes(b"no database at all" * 1000)

    with pytest.raises(Stop, match="is damaged"):
        Spool(folder, MAX_BYTES)


FEED = """
import sys
from pathlib import Path
from producers.feed import feed_once
from producers.spool import Spool
feed_once([Path(sys.argv[2])], "dir", None, Spool(Path(sys.argv[1]), 1 << 30), only_changed=True)
"""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_kill_while_feeding_loses_nothing_and_gives_no_second_id(tmp_path: Path, inbox: Path, after: int) -> None:
    bodies = [f"text {i}" for i in range(3 * feed.BATCH_RECORDS)]
    (inbox / "a.jsonl").write_bytes(lines_of(*bodies))
    command = [sys.executable, "-c", FEED, str(tmp_path / "spool"), str(inbox)]

    killed = subprocess.run(
        command, check=False, env={**os.environ, "NEWS_TEST_CRASH_AT": f"producers.after_spool:{after}"}
    )
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        kept = rows_in(spool)
    subprocess.run(command, check=True)

    assert killed.returncode == 70
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        rows = rows_in(spool)
        assert rows[: len(kept)] == kept
        assert 0 < len(kept) <= len(bodies)
        assert bodies_in(spool) == bodies
        assert len({s.row.delivery_id for s in rows}) == len(bodies)


@pytest.fixture
def watched(spool: Spool, inbox: Path) -> Iterator[Path]:
    stop = threading.Event()

    def run() -> None:
        with spool.another() as own:
            Watch([inbox], own, stable_seconds=0.05).run(stop)

    (inbox / "there.txt").write_bytes(b"there")
    thread = threading.Thread(target=run)
    thread.start()
    yield inbox
    stop.set()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_a_watched_folder_feeds_what_is_there_what_comes_and_what_changes(spool: Spool, watched: Path) -> None:
    eventually(lambda: bodies_in(spool) == ["there"])
    (watched / "came.txt").write_bytes(b"came")
    eventually(lambda: bodies_in(spool) == ["there", "came"])
    (watched / "came.txt").write_bytes(b"came, corrected")
    eventually(lambda: bodies_in(spool)[2:] == ["came, corrected"])
    new_folder = watched.parent / "new"
    new_folder.mkdir()
    (new_folder / "in.txt").write_bytes(b"in a folder")
    new_folder.rename(watched / "new")
    eventually(lambda: bodies_in(spool)[3:] == ["in a folder"])
    assert len(rows_in(spool)) == 4


def test_half_a_line_in_a_watched_folder_is_read_when_it_is_whole(spool: Spool, watched: Path) -> None:
    eventually(lambda: bodies_in(spool) == ["there"])
    path = watched / "a.jsonl"
    path.write_bytes(lines_of("one") + b'{"body": "t')
    eventually(lambda: bodies_in(spool) == ["there", "one"])
    with path.open("ab") as file:
        file.write(b'wo"}\n')
    eventually(lambda: bodies_in(spool) == ["there", "one", "two"])

    assert len(rows_in(spool)) == 3


def test_a_name_that_is_not_utf_8_does_not_end_the_watch(spool: Spool, watched: Path) -> None:
    eventually(lambda: bodies_in(spool) == ["there"])
    path = Path(os.fsdecode(os.fsencode(watched) + b"/odd\xfe.txt"))
    path.write_bytes(b"odd")
    eventually(lambda: bodies_in(spool) == ["there", "odd"])
    path.touch()
    (watched / "plain.txt").write_bytes(b"plain")
    eventually(lambda: "plain" in bodies_in(spool))
    path.unlink()
    (watched / "last.txt").write_bytes(b"last")

    eventually(lambda: "last" in bodies_in(spool))
