"""WARC files through extraction into the spool."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import topics
from pipeline.errors import SettingError
from pipeline.records import RawArticle
from pipeline.settings import ExtractionSettings, Settings
from producers import archives
from producers.archives import WarcReader
from producers.feed import FeedCount, Feeder
from producers.files import End, Found
from producers.formats import lines, pages
from producers.formats.page import Page
from producers.formats.warc import Dropped
from producers.spool import Spool, Spooled
from tests.producers.warcs import html_of, http, record

MAX_BYTES = 1024**3
MAX_PAGE_BYTES = 1024**2
NAMES = ("one", "two", "three", "four", "five")
SETTINGS = Settings(extraction=ExtractionSettings(processes=1))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        yield spool


def url_of(name: str) -> str:
    return f"https://www.a.example/{name}"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "crawl.warc.gz"
    records = [record("", b"software: x", kind="warcinfo"), *(record(url_of(n), http(html_of(n))) for n in NAMES)]
    path.write_bytes(b"".join(map(gzip.compress, records)))
    return path


def rows_in(spool: Spool) -> list[Spooled]:
    return spool.read_after(0, 10**6, 10**12)


def titles_in(spool: Spool) -> list[str]:
    return [RawArticle.from_bytes(s.row.value).title for s in rows_in(spool) if s.row.topic == topics.RAW]


def fed(spool: Spool, path: Path, *, only_changed: bool = False, limit: int | None = None) -> FeedCount:
    feeder = Feeder(spool)
    feeder.feed_warc(path, WarcReader(pages.extract, 1, MAX_PAGE_BYTES), only_changed=only_changed, limit=limit)
    return feeder.count


def test_pages_become_articles_with_address_time_and_site(spool: Spool, archive: Path) -> None:
    sentences: list[str] = []

    def note(_: FeedCount, sentence: str | None) -> None:
        if sentence is not None:
            sentences.append(sentence)

    count = archives.feed_warc([archive], spool, SETTINGS, language="en", progress=note)

    assert count == FeedCount(accepted=5, left_out=1)
    assert sentences == [f"{archive}: left out: 1 no-response."]
    article = RawArticle.from_bytes(rows_in(spool)[0].row.value)
    assert (article.title, article.url, article.source) == ("one", url_of("one"), "a.example")
    assert article.observed_at == datetime(2026, 2, 1, 10, 30, tzinfo=UTC)
    assert article.language == "en"
    assert "harbour wall" in article.body
    assert article.details is not None
    assert article.details.extractor is not None


def test_pages_come_out_in_the_order_of_the_file_however_long_each_takes(archive: Path) -> None:
    others_done = threading.Event()
    left = [len(NAMES) - 1]

    def extract(html: bytes | str, *, url: str | None, charset: str | None, now: datetime) -> Page:
        page = pages.extract(html, url=url, charset=charset, now=now)
        if url == url_of("one"):
            assert others_done.wait(30)
        else:
            left[0] -= 1
            if not left[0]:
                others_done.set()
        return page

    reader = WarcReader(extract, threads=2, max_bytes=MAX_PAGE_BYTES)
    titles = [f.what.title for f in reader.read(archive, None, lines.START) if _is_article(f)]  # type: ignore[union-attr]

    assert titles == list(NAMES)


def _is_article(found: Found | Dropped | End) -> bool:
    return isinstance(found, Found) and isinstance(found.what, RawArticle)


def test_a_page_without_a_text_is_a_dead_letter_with_its_place(spool: Spool, tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    good = record(url_of("one"), http(html_of("one")))
    html = b"<html><body></body></html>"
    path.write_bytes(good + record(url_of("empty"), http(html)) + b"rubbish\r\n\r\n" + good[:-40])

    count = fed(spool, path)

    letters = [
        dict(s.row.headers) | {"value": s.row.value} for s in rows_in(spool) if s.row.topic == topics.DEAD_LETTER
    ]
    assert count == FeedCount(accepted=1, dead_lettered=3)
    assert [letter["dl-reason"] for letter in letters] == [b"no-text", b"wrong-shape", b"wrong-shape"]
    assert letters[0]["dl-origin"] == f"{path} {url_of('empty')}:{len(good)}".encode()
    assert letters[0]["value"] == html
    assert b"cut off" in letters[2]["dl-detail"]


def test_a_limit_ends_early_and_the_next_feed_goes_on(spool: Spool, archive: Path) -> None:
    counts = [fed(spool, archive, limit=2), fed(spool, archive, limit=2), fed(spool, archive)]

    assert [count.accepted for count in counts] == [2, 2, 1]
    assert titles_in(spool) == list(NAMES)


def test_a_whole_archive_is_fed_again_unless_only_what_changed_is_wanted(spool: Spool, archive: Path) -> None:
    counts = [fed(spool, archive), fed(spool, archive, only_changed=True), fed(spool, archive)]
    with archive.open("ab") as file:
        file.write(gzip.compress(record(url_of("six"), http(html_of("six")))))
    counts.append(fed(spool, archive, only_changed=True))

    assert [count.accepted for count in counts] == [5, 0, 5, 1]


def test_a_file_that_is_not_there_is_said(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="does not exist"):
        archives.feed_warc([tmp_path / "nothing.warc"], spool, SETTINGS)


def test_a_file_that_is_no_archive_is_one_dead_letter(spool: Spool, tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(b"<html>no archive</html>\n" * 1000)

    assert fed(spool, path) == FeedCount(dead_lettered=1)


FEED = """
import sys
from pathlib import Path
from producers.archives import WarcReader
from producers.feed import Feeder
from producers.formats import pages
from producers.spool import Spool
Feeder(Spool(Path(sys.argv[1]), 1 << 30)).feed_warc(Path(sys.argv[2]), WarcReader(pages.extract, 1, 1 << 20))
"""


def test_a_kill_while_feeding_loses_nothing_and_gives_no_second_id(tmp_path: Path) -> None:
    names = [f"page {i}" for i in range(120)]
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(b"".join(record(url_of(n.replace(" ", "-")), http(html_of(n))) for n in names)))
    command = [sys.executable, "-c", FEED, str(tmp_path / "spool"), str(path)]

    killed = subprocess.run(command, check=False, env={**os.environ, "NEWS_TEST_CRASH_AT": "producers.after_spool:2"})
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        kept = titles_in(spool)
    subprocess.run(command, check=True)

    assert killed.returncode == 70
    assert 0 < len(kept) < len(names)
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        assert titles_in(spool) == names
