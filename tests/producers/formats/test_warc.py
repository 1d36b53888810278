import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import brotli
import hypothesis
import pytest
import zstandard
from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType
from hypothesis import strategies

from pipeline.errors import Reason
from producers.formats import warc
from producers.formats.lines import START, Position, Read
from producers.formats.warc import Broken, Dropped, Found, Page
from tests.producers.warcs import html_of, http, record

MAX_BYTES = 100_000
ONE, TWO, THREE = (record(f"https://a.example/{n}", http(html_of(n))) for n in ("one", "two", "three"))
Pack = Callable[..., bytes]


def plain(*records: bytes) -> bytes:
    return b"".join(records)


def gzip_each(*records: bytes) -> bytes:
    return b"".join(gzip.compress(r) for r in records)


def gzip_whole(*records: bytes) -> bytes:
    return gzip.compress(b"".join(records))


def zstd_each(*records: bytes) -> bytes:
    return b"".join(zstandard.ZstdCompressor(write_checksum=True).compress(r) for r in records)


@cache
def dictionary_of_records() -> zstandard.ZstdCompressionDict:
    return zstandard.train_dictionary(4096, [ONE.replace(b"one", b"%d" % i) for i in range(1000)])


def zstd_with_dictionary(*records: bytes) -> bytes:
    dictionary = dictionary_of_records()
    content = zstandard.compress(dictionary.as_bytes())
    compressor = zstandard.ZstdCompressor(dict_data=dictionary, write_checksum=True)
    head = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
    return head + b"".join(compressor.compress(r) for r in records)


EACH = [plain, gzip_each, zstd_each, zstd_with_dictionary]
ALL = [*EACH, gzip_whole]


def at_of(content: bytes) -> warc.At:
    def at(place: int) -> Read:
        stream = io.BytesIO(content)
        stream.seek(place)
        return stream.read

    return at


def read(content: bytes, start: Position = START) -> list[Found]:
    return list(warc.read(at_of(content), start, MAX_BYTES))


def said(found: list[Found]) -> list[str]:
    """The last part of a page's address; why others are none."""
    return [
        f.url.rpartition("/")[2] if isinstance(f, Page) else f.why if isinstance(f, Dropped) else f.error.reason.value
        for f in found
    ]


@pytest.mark.parametrize("pack", ALL)
def test_pages_come_in_the_order_of_the_file(pack: Pack) -> None:
    one, two, three = read(pack(ONE, TWO, THREE))

    assert isinstance(one, Page)
    assert one.url == "https://a.example/one"
    assert one.html == html_of("one")
    assert one.charset == "utf-8"
    assert one.fetched_at == datetime(2026, 2, 1, 10, 30, tzinfo=UTC)
    assert said([one, two, three]) == ["one", "two", "three"]


def test_what_fastwarc_writes_is_read() -> None:
    content = io.BytesIO()
    writer = GzipWriter(content)
    for name in ("one", "two"):
        made = WarcRecord()
        made.init_headers(record_type=WarcRecordType.response)
        made.headers["WARC-Target-URI"] = f"https://a.example/{name}"
        made.headers["Content-Type"] = "application/http; msgtype=response"
        made.set_bytes_content(http(html_of(name)))
        made.write(writer, checksum_data=True)
    writer.finish()

    assert said(read(content.getvalue())) == ["one", "two"]


@pytest.mark.parametrize("pack", ALL)
def test_reading_goes_on_behind_any_record(pack: Pack) -> None:
    content = pack(ONE, record("https://a.example/x", http(b"", "404 Not Found")), TWO, THREE)
    found = read(content)

    for i, item in enumerate(found):
        assert said(read(content, item.end)) == said(found)[i + 1 :]
    assert said(found) == ["one", "not-200", "two", "three"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (record("https://a.example/", http(b"", "404 Not Found")), "not-200"),
        (record("https://a.example/", http(b"", "301 Moved")), "not-200"),
        (record("https://a.example/", http(b"GIF89a", content_type="image/gif")), "not-html"),
        (record("https://a.example/", http(b"<p>", content_type="")), "not-html"),
        (record("https://a.example/", http(b"<p>" + b"x" * MAX_BYTES)), "too-large"),
        (record("https://a.example/", http(b"<p>" + b"x" * 3 * MAX_BYTES)), "too-large"),
        (
            record("https://a.example/", http(gzip.compress(bytes(10**7)), fields={"Content-Encoding": "gzip"})),
            "too-large",
        ),
        (record("https://a.example/", b"GET / HTTP/1.1\r\n\r\n", kind="request"), "no-response"),
        (record("", b"software: x", kind="warcinfo"), "no-response"),
        (record("https://a.example/", http(b""), kind="revisit"), "revisit"),
        (record("https://a.example/", b"Text", kind="conversion"), "conversion"),
        (record("dns:a.example", b"1.2.3.4"), "no-address"),
        (record("https://[a", http(b"<p>")), "no-address"),
    ],
)
@pytest.mark.parametrize("pack", [plain, gzip_each, gzip_whole])
def test_what_is_no_page_is_left_out_with_its_reason(pack: Pack, given: bytes, why: str) -> None:
    assert said(read(pack(ONE, given, TWO))) == ["one", why, "two"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (gzip.compress(html_of("x")), {"Content-Encoding": "gzip"}),
        (brotli.compress(html_of("x")), {"Content-Encoding": "br"}),
        (zstandard.compress(html_of("x")), {"Content-Encoding": "zstd"}),
        (b"%x\r\n%s\r\n0\r\n\r\n" % (len(html_of("x")), html_of("x")), {"Transfer-Encoding": "chunked"}),
        (html_of("x"), {"Content-Encoding": "gzip"}),  # undone by the crawler, which kept the head
        (html_of("x"), {"Transfer-Encoding": "chunked"}),
        (html_of("x"), {"Content-Encoding": "of their own"}),
    ],
)
def test_a_page_is_unpacked_as_its_head_says_or_taken_as_it_is(body: bytes, fields: dict[str, str]) -> None:
    (page,) = read(record("https://a.example/x", http(body, fields=fields)))

    assert isinstance(page, Page)
    assert page.html == html_of("x")


def test_old_and_odd_heads_are_read() -> None:
    odd = http(b"<p>x", content_type='Text/HTML; Charset="ISO-8859-1"').replace(b"\r\n", b"\n")
    (page,) = read(record("<http://a.example/x>", odd, fields={"WARC-Truncated": "length"}, date="yesterday"))

    assert isinstance(page, Page)
    assert (page.url, page.charset) == ("http://a.example/x", "iso-8859-1")
    assert (page.is_cut, page.fetched_at) == (True, None)


BROKEN = [
    pytest.param(b"This is no record.\r\n\r\n", id="no record"),
    pytest.param(record("https://a.example/b", http(b"<p>b"), length=5000), id="too long"),
    pytest.param(record("https://a.example/b", http(b"<p>b" * 100), length=80), id="too short"),
    pytest.param(record("https://a.example/b", http(b"<p>b"), length=-5), id="negative"),
    pytest.param(record("https://a.example/b", http(b"<p>b"), length=10**30), id="endless"),
    pytest.param(ONE.replace(b"Content-Length", b"Content-Lengthy", 1), id="no length"),
    pytest.param(record("https://a.example/b", b"no HTTP at all"), id="no HTTP"),
]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("pack", ALL)
def test_a_broken_record_costs_itself_only(pack: Pack, broken: bytes) -> None:
    found = read(pack(ONE, broken, TWO, THREE))

    assert said(found) == ["one", "wrong-shape", "two", "three"]
    bad = found[1]
    assert isinstance(bad, Broken)
    assert bad.beginning.startswith(broken[:18])
    assert bad.at == (0 if pack is gzip_whole else len(pack(ONE)))


@pytest.mark.parametrize("pack", [gzip_each, zstd_each, zstd_with_dictionary])
def test_a_damaged_member_costs_itself_only(pack: Pack) -> None:
    content = bytearray(pack(ONE, TWO, THREE))
    place = len(pack(ONE)) + 30
    content[place : place + 3] = bytes(byte ^ 0xFF for byte in content[place : place + 3])

    found = read(bytes(content))

    assert said(found) == ["one", "unreadable", "three"]
    assert isinstance(found[1], Broken)
    assert found[1].at == len(pack(ONE))


@pytest.mark.parametrize(("pack", "begin"), [(gzip_each, b"\x1f\x8b\x08\xff"), (zstd_each, b"\x28\xb5\x2f\xfd")])
def test_a_member_behind_damage_is_not_looked_for_without_end(
    monkeypatch: pytest.MonkeyPatch, pack: Pack, begin: bytes
) -> None:
    content = pack(ONE) + begin * 20 + pack(TWO)
    assert said(read(content)) == ["one", "unreadable", "two"]

    monkeypatch.setattr(warc, "MAX_CANDIDATES", 10)
    assert said(read(content)) == ["one", "unreadable"]


def test_of_where_a_member_may_begin_little_is_read() -> None:
    passed_over = b"\x50\x2a\x4d\x18\xff\xff\xff\x7f"  # of zstd: what follows is no text
    content = zstd_each(ONE) + b"\x28\xb5\x2f\xfd" + passed_over * 20 + bytes(5_000_000)
    count = 0

    def counting(place: int) -> Read:
        own = at_of(content)(place)

        def read_counted(most: int) -> bytes:
            nonlocal count
            given = own(most)
            count += len(given)
            return given

        return read_counted

    found = list(warc.read(counting, START, MAX_BYTES))

    assert said(found) == ["one", "unreadable"]
    assert count < 3 * len(content)


@pytest.mark.parametrize("pack", ALL)
@pytest.mark.parametrize("lost", [10, 60])
def test_a_file_that_is_cut_off_gives_what_came_and_says_so(pack: Pack, lost: int) -> None:
    *found, bad = read(pack(ONE, TWO, THREE)[:-lost])

    assert said(found) in (["one", "two", "three"], ["one", "two"], ["one"])
    assert isinstance(bad, Broken)
    assert bad.error.reason in (Reason.UNREADABLE, Reason.WRONG_SHAPE)
    assert "cut off" in bad.error.detail


@pytest.mark.parametrize("pack", EACH)
def test_a_file_that_is_written_on_is_read_on(pack: Pack) -> None:
    whole = pack(ONE, TWO, THREE)
    *_, bad = read(whole[:-30])

    assert said(read(whole, bad.end)) == ["three"]


@hypothesis.given(strategies.data())
def test_whatever_happens_to_a_file_it_is_read_to_its_end(data: strategies.DataObject) -> None:
    content = bytearray(data.draw(strategies.sampled_from(ALL))(ONE, TWO, THREE))
    for _ in range(data.draw(strategies.integers(1, 5))):
        content[data.draw(strategies.integers(0, len(content) - 1))] = data.draw(strategies.integers(0, 255))
    found = read(bytes(content[: data.draw(strategies.integers(0, len(content)))]))

    assert len(found) < 20
