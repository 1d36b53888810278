import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import identity, topics
from pipeline.dead_letters import BEGINNING_BYTES, DeadLetter
from pipeline.errors import Reason
from pipeline.records import RawArticle
from producers import files
from producers.files import End, Found, Given, LeftOut
from producers.formats import lines, pages
from producers.formats.lines import Position

SEEDS = Path(__file__).parents[2] / "seeds"
SPACE = 10


def no_pause(_seconds: float) -> None:
    pass


def read(path: Path, unfinished: files.Unfinished = "wait", pause: Callable[[float], None] = no_pause) -> list[object]:
    return [item.what if isinstance(item, Found) else item for item in found_in(path, unfinished, pause)]


def found_in(
    path: Path, unfinished: files.Unfinished = "wait", pause: Callable[[float], None] = no_pause
) -> Iterator[Found | End]:
    kind = files.format_of(path)
    assert kind is not None
    return files.read_file(path, Given.of(path), kind, unfinished=unfinished, pause=pause)


def line_of(body: str) -> bytes:
    return json.dumps({"body": body}).encode() + b"\n"


def test_the_seeds_become_what_the_producer_decides() -> None:
    expected = json.loads((SEEDS / "expected.json").read_text(encoding="utf-8"))
    only_boilerplate = ("bad.jsonl", 4)  # an article still: its text is empty only when it has been cleaned

    for entry in expected:
        path = SEEDS / entry["file"]
        items = [item for item in read(path) if not isinstance(item, End)]
        item = items[(entry["line"] or 1) - 1]

        if entry["status"] == "ok" or (entry["file"], entry["line"]) == only_boilerplate:
            assert isinstance(item, RawArticle), entry
            assert item.title == entry["title"]
        else:
            assert isinstance(item, DeadLetter), entry
            assert item.reason == entry["reason"]
    fed = [path.name for path in files.scan(SEEDS) if isinstance(path, Path)]
    assert fed == list(dict.fromkeys(entry["file"] for entry in expected))


def test_a_text_file_is_known_by_its_place_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "wire"
    path = folder / "sport" / "cup.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"Cup won\n\nThe team won.")

    given = Given.of(path, folder)
    alone = Given.of(path)

    assert (given.source, given.item_id) == ("wire", "sport/cup.txt")
    assert (alone.source, alone.item_id) == ("sport", "cup.txt")
    assert Given.of(path, folder, "afp").source == "afp"


def test_a_text_file_becomes_an_article_observed_at_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "cup.txt"
    path.write_bytes(b"Cup won\nBy Ana Silva\nThe team won.")
    os.utime(path, (1_790_000_000, 1_790_000_000))

    article, end = read(path)

    assert isinstance(article, RawArticle)
    assert (article.title, article.byline, article.body) == ("Cup won", "Ana Silva", "The team won.")
    assert article.observed_at == datetime.fromtimestamp(1_790_000_000, tz=UTC)
    assert isinstance(end, End)
    assert end.is_settled


def test_an_html_file_becomes_the_article_of_its_page(tmp_path: Path) -> None:
    path = tmp_path / "wire" / "sport" / "cup.HTML"
    path.parent.mkdir(parents=True)
    path.write_bytes(
        b"<html><head><title>Cup won</title><meta name='author' content='Ana Silva'>"
        b"<link rel='canonical' href='https://a.example/cup'></head><body><p>The team won the cup.</p></body></html>"
    )
    os.utime(path, (1_790_000_000, 1_790_000_000))
    given = Given.of(path, tmp_path / "wire", extract=pages.extract)

    found, end = files.read_file(path, given, "page")

    assert isinstance(found, Found)
    article = found.what
    assert isinstance(article, RawArticle)
    assert (article.source, article.source_item_id, article.url) == ("wire", "sport/cup.HTML", "https://a.example/cup")
    assert (article.title, article.byline, article.body) == ("Cup won", "Ana Silva", "The team won the cup.")
    assert article.observed_at == datetime.fromtimestamp(1_790_000_000, tz=UTC)
    assert isinstance(end, End)
    assert end.is_settled


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", Reason.EMPTY), (b"<html></html>", Reason.NO_TEXT), (b"%PDF-1.7", Reason.NO_TEXT)]
)
def test_an_html_file_without_an_article_is_a_dead_letter(tmp_path: Path, content: bytes, reason: Reason) -> None:
    path = tmp_path / "a.htm"
    path.write_bytes(content)

    found, _ = files.read_file(path, Given.of(path, extract=pages.extract), "page")

    assert isinstance(found, Found)
    assert isinstance(found.what, DeadLetter)
    assert (found.what.reason, found.what.value) == (reason, content)


def test_a_time_in_the_future_is_now(tmp_path: Path) -> None:
    path = tmp_path / "cup.txt"
    path.write_bytes(b"The team won.")
    os.utime(path, (4_000_000_000, 4_000_000_000))

    article, _ = read(path)

    assert isinstance(article, RawArticle)
    assert article.observed_at <= datetime.now(UTC)


def test_a_row_carries_the_delivery_and_is_keyed_by_the_article(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"url": "https://a.example/1", "body": "Text."}\n')

    found = next(found_in(path))

    assert isinstance(found, Found)
    assert isinstance(found.what, RawArticle)
    row = found.row
    assert row.topic == topics.RAW
    assert row.key == str(identity.article_id("https://a.example/1", "", None, "", "")).encode()
    assert RawArticle.from_bytes(row.value) == found.what
    assert dict(row.headers)["ce_id"] == str(found.what.delivery_id).encode() == str(row.delivery_id).encode()


def test_a_bad_line_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line_of("one") + b'{"body": "tw\n' + b"\n  \n" + line_of("three").rstrip(b"\n"))

    one, bad, three, end = read(path)

    assert isinstance(one, RawArticle)
    assert isinstance(three, RawArticle)
    assert isinstance(bad, DeadLetter)
    assert (bad.reason, bad.value, bad.origin) == (Reason.NOT_JSON, b'{"body": "tw', f"{path}:2")
    assert isinstance(end, End)
    assert end.position == Position(path.stat().st_size, 5)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_what_is_too_large_keeps_its_length_hash_and_beginning(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    large = b"x" * (lines.MAX_PIECE_BYTES + SPACE)
    path.write_bytes(large + (b"\n" + line_of("next") if suffix == ".jsonl" else b""))

    letter, *others = read(path)

    assert isinstance(letter, DeadLetter)
    assert letter.reason == Reason.TOO_LARGE
    assert letter.value == large[:BEGINNING_BYTES]
    assert letter.length == len(large)
    assert letter.sha256 == hashlib.sha256(large).hexdigest()
    assert [type(item) for item in others] == ([RawArticle, End] if suffix == ".jsonl" else [End])


def test_a_text_over_the_limit_of_the_topic_is_a_dead_letter_with_all_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Title\n\n" + b"word " * 300_000)

    letter, _ = read(path)

    assert isinstance(letter, DeadLetter)
    assert letter.reason == Reason.TOO_LARGE
    assert "1,048,576" in letter.detail
    assert letter.value == path.read_bytes()


def test_a_file_without_permission_is_a_dead_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Text.")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")

    letter, end = read(path)

    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.detail) == (Reason.UNREADABLE, "The file cannot be read: Permission denied.")
    assert isinstance(end, End)
    assert not end.is_readable


def test_a_text_file_that_is_being_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Half")
    stat = Path.stat

    def append(text: bytes) -> None:
        with path.open("ab") as file:
            file.write(text)

    def stat_after_a_write(self: Path) -> os.stat_result:  # another program writes between the two looks of the reader
        if self == path:
            monkeypatch.setattr(Path, "stat", stat)
            append(b" and more.")
        return stat(self)

    monkeypatch.setattr(Path, "stat", stat_after_a_write)
    article, end = read(path, pause=lambda _: append(b" The end."))

    assert isinstance(article, RawArticle)
    assert article.body == "Half and more. The end."
    assert isinstance(end, End)
    assert end.is_settled


def test_a_text_file_that_never_stands_still_is_a_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Half")
    stat = Path.stat

    def stat_after_a_write(self: Path) -> os.stat_result:
        with path.open("ab") as file:
            file.write(b" more")
        return stat(self)

    monkeypatch.setattr(Path, "stat", stat_after_a_write)
    letter, _ = read(path)

    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.detail) == (
        Reason.UNREADABLE,
        "The file is still being written; it was read 5 times.",
    )


def test_a_line_that_is_being_written_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    whole = line_of("two")
    path.write_bytes(line_of("one") + whole[:6])
    os.utime(path, (1_790_000_000, 1_790_000_000))

    reading = found_in(path, "leave")
    one, end = list(reading)
    with path.open("ab") as file:
        file.write(whole[6:])
    assert isinstance(end, End)
    rest = list(files.read_file(path, Given.of(path), "lines", start=end.position))

    assert isinstance(one, Found)
    assert not end.is_settled
    assert end.position == Position(len(line_of("one")), 1)
    two, settled = rest
    assert isinstance(two, Found)
    assert isinstance(two.what, RawArticle)
    assert two.what.body == "two"
    assert isinstance(settled, End)
    assert settled.is_settled


def test_half_a_line_is_a_dead_letter_in_the_end_and_its_place_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line_of("one") + b'{"bo')

    _, half, end = read(path)

    assert isinstance(half, DeadLetter)
    assert half.reason == Reason.NOT_JSON
    assert isinstance(end, End)
    assert end.position == Position(len(line_of("one")), 1)


def test_a_folder_is_scanned_in_order_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"Text.")
    folder = tmp_path / "inbox"
    for name in ("b.txt", "a/z.jsonl", "a/b/c.ndjson", ".hidden.txt", ".git/x.txt", "c.pdf", "UPPER.TXT"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"Text.")
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "again.txt").symlink_to("b.txt")
    (folder / "current.txt").symlink_to(".git/x.txt")
    (folder / "dangling.txt").symlink_to("nothing.txt")
    (folder / "round.txt").symlink_to("round.txt")
    (folder / "out.txt").symlink_to(outside)
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.txt")

    found = list(files.scan(folder))

    fed = [path.relative_to(folder).as_posix() for path in found if isinstance(path, Path)]
    left = {str(item.path.relative_to(folder)): item.why for item in found if isinstance(item, LeftOut)}
    assert fed == ["UPPER.TXT", "a/b/c.ndjson", "a/z.jsonl", "b.txt", "current.txt"]
    assert left == {
        ".git": "hidden",
        ".hidden.txt": "hidden",
        "a/loop": "link",
        "again.txt": "link",
        "c.pdf": "suffix",
        "dangling.txt": "link",
        "out": "link",
        "out.txt": "link",
        "pipe.txt": "not a file",
        "round.txt": "link",
    }


def test_a_folder_without_permission_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    if os.access(tmp_path / "closed", os.R_OK):
        pytest.skip("this user may read everything")

    (left,) = files.scan(tmp_path)

    assert isinstance(left, LeftOut)
    assert left.sentence == f"The folder {tmp_path / 'closed'} cannot be read: Permission denied."
