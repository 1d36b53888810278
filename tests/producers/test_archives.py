"""Archives of lines and rows, packed or not, through files and feed into the spool. (WARC: test_warc_feed.py.)"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from pipeline import topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import Reason
from pipeline.records import RawArticle
from producers import feed, files
from producers.feed import FeedCount, feed_once
from producers.files import End, Found, Given
from producers.formats import lines
from producers.formats.lines import Position
from producers.spool import Spool

Pack = Callable[[bytes], bytes]
PACKINGS = [
    pytest.param(".gz", gzip.compress, id="gzip"),
    pytest.param(".zst", zstandard.ZstdCompressor(write_checksum=True).compress, id="zstd"),
]
MAX_BYTES = 1024**3


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        yield spool


def lines_of(*bodies: str) -> bytes:
    return b"".join(json.dumps({"body": body}).encode() + b"\n" for body in bodies)


def read(path: Path, unfinished: files.Unfinished = "wait", start: Position = lines.START) -> list[object]:
    kind = files.format_of(path)
    assert kind is not None
    found = files.read_file(path, Given.of(path), kind, start=start, unfinished=unfinished, pause=lambda _: None)
    return [item.what if isinstance(item, Found) else item for item in found]


def bodies_in(spool: Spool) -> list[str]:
    rows = spool.read_after(0, 10**6, 10**12)
    return [RawArticle.from_bytes(s.row.value).body for s in rows if s.row.topic == topics.RAW]


def fed(spool: Spool, path: Path, kind: feed.Kind = "file", only_changed: bool = True) -> FeedCount:
    return feed_once([path], kind, None, spool, only_changed)


def said(what: object) -> str:
    assert isinstance(what, RawArticle | DeadLetter)
    return what.body if isinstance(what, RawArticle) else what.detail


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
def test_packed_lines_are_read_as_plain_ones(tmp_path: Path, suffix: str, pack: Pack) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    content = [lines_of("one", "two") + b"{\n", lines_of("three")]
    path.write_bytes(b"".join(pack(part) for part in content))

    one, two, bad, three, end = read(path)

    assert [said(what) for what in (one, two, three)] == ["one", "two", "three"]
    assert isinstance(bad, DeadLetter)
    assert (bad.reason, bad.origin) == (Reason.NOT_JSON, f"{path}:3")
    assert isinstance(end, End)
    assert end.position == Position(len(b"".join(content)), 4)


def test_whether_a_file_is_packed_its_beginning_tells(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.jsonl.gz", tmp_path / "packed.jsonl"
    plain.write_bytes(lines_of("plain"))
    packed.write_bytes(gzip.compress(lines_of("packed")))

    assert said(read(plain)[0]) == "plain"
    assert said(read(packed)[0]) == "packed"
    assert files.format_of(Path("a.txt.gz")) is None
    assert files.format_of(Path("A.NDJSON.ZST")) == "lines"


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
def test_a_packed_file_that_is_cut_off_gives_what_came_and_says_so(tmp_path: Path, suffix: str, pack: Pack) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(pack(lines_of("one", "two")) + pack(lines_of("three"))[:-6])

    one, two, *_, letter, end = read(path)

    assert [said(one), said(two)] == ["one", "two"]
    assert isinstance(letter, DeadLetter)
    assert letter.reason == Reason.UNREADABLE
    assert "cut off" in letter.detail
    assert letter.origin is not None
    assert letter.origin.startswith(f"{path}:")
    assert isinstance(end, End)
    assert end.is_settled


def test_half_a_line_of_a_file_that_is_cut_off_is_in_the_dead_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(b"id,body\n1,one\n2,and what follows " + os.urandom(3000).hex().encode())
    path.write_bytes(whole[:-1500])

    one, letter, _ = read(path)

    assert said(one) == "one"
    assert isinstance(letter, DeadLetter)
    assert letter.value.startswith(b"2,and what follows ")


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".csv"])
def test_what_is_still_being_written_is_left_for_later(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".csv":
        first, rest = b'id,body\n1,one\n2,"t', b'wo\nlines"\n'
    else:
        whole = gzip.compress(lines_of("one")), gzip.compress(lines_of("two\nlines"))
        first, rest = whole[0] + whole[1][:-9], whole[1][-9:]
    path.write_bytes(first)

    *before, end = read(path, "leave")
    with path.open("ab") as file:
        file.write(rest)
    assert isinstance(end, End)
    *after, settled = read(path, "leave", end.position)

    assert [said(what) for what in before + after] == ["one", "two\nlines"]
    assert not end.is_settled
    assert isinstance(settled, End)
    assert settled.is_settled


@pytest.mark.parametrize(("suffix", "pack"), PACKINGS)
def test_a_packed_file_that_grew_goes_on_where_it_ended(spool: Spool, tmp_path: Path, suffix: str, pack: Pack) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(pack(lines_of("one", "two")))
    counts = [fed(spool, path), fed(spool, path)]

    with path.open("ab") as file:
        file.write(pack(lines_of("three")))
    counts.append(fed(spool, path))
    path.write_bytes(pack(lines_of("other")) + path.read_bytes())
    counts.append(fed(spool, path))

    assert [count.accepted for count in counts] == [2, 0, 1, 4]
    assert bodies_in(spool) == ["one", "two", "three", "other", "one", "two", "three"]


def test_rows_become_articles_with_the_fields_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "wire" / "a.csv"
    path.parent.mkdir()
    path.write_text(
        "ID,Title,body,url,published_at,section\r\n"
        '7,Cup won,"The team won.\r\n\r\nAgain.",https://a.example/cup,2026-02-01T10:00:00Z,sport\r\n'
        "8,,,,,\r\n",
        encoding="utf-8-sig",
        newline="",
    )

    article, letter, end = read(path)

    assert isinstance(article, RawArticle)
    assert (article.source, article.source_item_id, article.title) == ("wire", "7", "Cup won")
    assert article.body == "The team won.\r\n\r\nAgain."
    assert article.url == "https://a.example/cup"
    assert article.published_at is not None
    assert article.notes == ("Unknown fields left out: section.",)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.origin) == (Reason.NO_TEXT, f"{path}:5")
    assert isinstance(end, End)
    assert end.position == Position(path.stat().st_size, 5)


def test_a_header_without_the_text_is_one_dead_letter_and_no_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"title\tcontent\n" + b"A\tB\n" * 100)

    letter, end = read(path)

    assert isinstance(letter, DeadLetter)
    assert letter.reason == Reason.WRONG_SHAPE
    assert "--map body=COLUMN" in letter.detail
    assert isinstance(end, End)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_other_names_are_mapped(spool: Spool, tmp_path: Path, kind: feed.Kind) -> None:
    path = tmp_path / "export"
    given = {"jsonl": b'{"content": "Text.", "head": "A", "nid": 7}\n', "csv": b"nid,head,content\n7,A,Text.\n"}
    path.write_bytes(given[kind])

    names = {"title": "head", "body": "content", "id": "nid"}
    count = feed_once([path], kind, "cms", spool, only_changed=False, names=names)

    (spooled,) = spool.read_after(0, 10, 10**6)
    article = RawArticle.from_bytes(spooled.row.value)
    assert count == FeedCount(accepted=1)
    assert (article.title, article.body, article.source_item_id, article.notes) == ("A", "Text.", "7", ())


FEED = """
import sys
from pathlib import Path
from producers.feed import feed_once
from producers.spool import Spool
feed_once([Path(sys.argv[2])], "dir", None, Spool(Path(sys.argv[1]), 1 << 30), only_changed=True)
"""


def test_kills_while_feeding_lose_nothing_and_give_no_second_id(tmp_path: Path) -> None:
    bodies = [f"text {i}\nof two lines" for i in range(3 * feed.BATCH_RECORDS)]
    rows = "".join(f'"{body}",{i}\n' for i, body in enumerate(bodies))
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "a.csv").write_text(f"body,id\n{rows}", encoding="utf-8")
    (folder / "b.jsonl.zst").write_bytes(zstandard.compress(lines_of(*bodies)))
    command = [sys.executable, "-c", FEED, str(tmp_path / "spool"), str(folder)]

    kept = []
    for crash_at in ("producers.after_spool:2", "producers.after_spool:4", None):
        environment = {**os.environ, **({"NEWS_TEST_CRASH_AT": crash_at} if crash_at else {})}
        ended = subprocess.run(command, check=False, env=environment)
        assert ended.returncode == (70 if crash_at else 0)
        with Spool(tmp_path / "spool", MAX_BYTES) as spool:
            kept.append(bodies_in(spool))

    assert 0 < len(kept[0]) < len(bodies)
    assert len(kept[0]) < len(kept[1]) < 2 * len(bodies)
    assert kept[2] == bodies + bodies


def test_a_link_on_the_way_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"secret")
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "in").symlink_to(outside)

    left = files.look_at(folder / "in" / "a.txt", folder)

    assert left is not None
    assert left.why == "link"


def test_a_file_that_becomes_a_link_after_it_was_looked_at_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_bytes(b"secret")
    folder = tmp_path / "inbox"
    (folder / "sub").mkdir(parents=True)
    path = folder / "sub" / "a.txt"
    path.write_bytes(b"text")
    assert files.look_at(path, folder) is None
    given = Given.of(path, folder)

    path.unlink()
    path.symlink_to(tmp_path / "secret.txt")
    letter, _ = files.read_file(path, given, "text", pause=lambda _: None)

    assert isinstance(letter, Found)
    assert said(letter.what) == "The file cannot be read: it leads out of the folder."


def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    os.mkfifo(path)

    letter, end = read(path)

    assert said(letter) == "The file cannot be read: it is not a plain file."
    assert isinstance(end, End)
    assert not end.is_readable
