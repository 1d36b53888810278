"""What strangers answer: what can be read is read, all else is a failure with its reason."""

import time
from datetime import UTC, datetime

import pytest

from producers.net.fetch import Why, max_age_seconds, retry_after_seconds
from producers.net.kinds import Accept
from tests import strangers as does
from tests.producers.net.fetches import HTML, LONG_SECONDS, RSS, SHORT_SECONDS, failure, fetch
from tests.strangers import Behaviour, Strangers


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, Why.UNAUTHORISED),
        (403, Why.REFUSED),
        (404, Why.NOT_FOUND),
        (410, Why.GONE),
        (418, Why.REFUSED),
        (429, Why.TOO_MANY),
        (451, Why.REFUSED),
        (500, Why.SERVER_ERROR),
        (503, Why.SERVER_ERROR),
        (520, Why.SERVER_ERROR),
        (202, Why.BAD_RESPONSE),
        (204, Why.BAD_RESPONSE),
        (206, Why.BAD_RESPONSE),
        (300, Why.BAD_RESPONSE),
        (999, Why.BAD_RESPONSE),
    ],
)
def test_a_status_has_its_reason(strangers: Strangers, status: int, why: Why) -> None:
    failed = failure(strangers, does.status(status))

    assert (failed.why, failed.status) == (why, status)


@pytest.mark.parametrize(("as_date", "code"), [(False, 429), (True, 429), (False, 503), (True, 503)])
def test_retry_after_is_heard_in_both_forms(strangers: Strangers, as_date: bool, code: int) -> None:
    failed = failure(strangers, does.too_many(7200, code, as_date=as_date))

    assert failed.retry_after_seconds == pytest.approx(7200, abs=60)


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 5000, 86_400.0),
        ("Mon, 02 Nov 2026 10:00:30 GMT", 30.0),
        ("Mon, 02 Nov 2026 09:00:00 GMT", 0.0),
        ("Mon, 02 Nov 2099 09:00:00 GMT", 86_400.0),
        ("Mon, 32 Nov 2026 09:00:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_bounded(stated: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(stated, datetime(2026, 11, 2, 10, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("cache_control", "expires", "seconds"),
    [
        (None, None, None),
        ("public", None, None),
        ("max-age=60", None, 60.0),
        ("private, MAX-AGE = 60, must-revalidate", "Mon, 02 Nov 2026 12:00:00 GMT", 60.0),
        ("s-maxage=600", None, None),
        ("max-age=999999999", None, 86_400.0),
        ("no-cache, max-age=60", None, 0.0),
        ("no-store", None, 0.0),
        (None, "Mon, 02 Nov 2026 10:10:00 GMT", 600.0),
        (None, "0", None),
        (None, "-1", None),
        (None, "Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_freshness_is_bounded(cache_control: str | None, expires: str | None, seconds: float | None) -> None:
    assert max_age_seconds(cache_control, expires, datetime(2026, 11, 2, 10, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (does.wrong_length(RSS, len(RSS) + 5), Why.BAD_RESPONSE),
        (does.cut_off(RSS, 30), Why.BAD_RESPONSE),
        (does.cut_off(RSS, 30, chunked=True), Why.BAD_RESPONSE),
        (does.cut_off(RSS, 30, reset=True), Why.UNREACHABLE),
        (does.hang_up, Why.UNREACHABLE),
        (does.reset, Why.UNREACHABLE),
        (does.raw(b"nonsense\r\n\r\n"), Why.BAD_RESPONSE),
        (does.raw(b"HTTP/1.1 two hundred\r\n\r\n"), Why.BAD_RESPONSE),
        (does.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"), Why.BAD_RESPONSE),
        (does.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc"), Why.BAD_RESPONSE),
        (does.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + RSS), Why.BAD_RESPONSE),
        (does.raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), Why.BAD_RESPONSE),
        (does.raw(b"\x00" * 100_000), Why.BAD_RESPONSE),
        (does.raw(b"SSH-2.0-OpenSSH_9.9\r\n"), Why.BAD_RESPONSE),
        (does.header_flood(), Why.BAD_RESPONSE),
        (does.header_flood(b"X" * 1000), Why.BAD_RESPONSE),
        (does.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000), Why.BAD_RESPONSE),
        (does.fixed(b""), Why.BAD_RESPONSE),
        (does.fixed(RSS, content_encoding="gzip"), Why.BAD_RESPONSE),
        (does.fixed(does.encode(RSS, "gzip")[:-9], content_encoding="gzip"), Why.BAD_RESPONSE),
        (does.fixed(RSS, content_encoding="compress"), Why.BAD_RESPONSE),
        (does.encoded(RSS, "gzip", "gzip", "gzip", "gzip"), Why.BAD_RESPONSE),
        (does.endless(), Why.TOO_LARGE),
        (does.fixed(RSS + b" " * 100_000), Why.TOO_LARGE),
        (does.chunks(*[b"x" * 1000] * 100), Why.TOO_LARGE),
        (does.bomb("gzip"), Why.TOO_LARGE),
        (does.bomb("deflate"), Why.TOO_LARGE),
        (does.bomb("raw-deflate"), Why.TOO_LARGE),
        (does.bomb("br"), Why.TOO_LARGE),
        (does.bomb("zstd"), Why.TOO_LARGE),
        (does.encoded(does.packed_zeros("gzip", 10), "gzip", content_encoding="gzip, gzip"), Why.TOO_LARGE),
    ],
)  # fmt: skip
def test_a_stranger_who_misbehaves_is_a_failure_in_words(strangers: Strangers, behaviour: Behaviour, why: Why) -> None:
    failed = failure(strangers, behaviour, max_bytes=64 * 1024)

    assert failed.why is why
    assert failed.sentence.endswith(".")


def test_a_large_body_is_not_even_begun(strangers: Strangers) -> None:
    failed = failure(strangers, does.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"))

    assert failed.why is Why.TOO_LARGE
    assert "NEWS_FETCH__MAX_BYTES" in failed.sentence


@pytest.mark.parametrize(
    "behaviour",
    [does.silent, does.drip_headers(), does.drip_body(), does.drip_body(chunked=True), does.after(60, does.hang_up)],
)
def test_a_slow_stranger_is_left_at_the_deadline(strangers: Strangers, behaviour: Behaviour) -> None:
    started = time.monotonic()

    failed = failure(strangers, behaviour, timeout_seconds=SHORT_SECONDS)

    assert failed.why is Why.TIMEOUT
    assert SHORT_SECONDS <= time.monotonic() - started < LONG_SECONDS


def test_the_deadline_is_for_all_redirects_together(strangers: Strangers) -> None:
    for number in range(10):
        strangers.at(f"/{number}", does.after(SHORT_SECONDS / 4, does.redirect(f"/{number + 1}")))

    failed = failure(strangers, does.redirect("/0"), timeout_seconds=SHORT_SECONDS)

    assert failed.why is Why.TIMEOUT
    assert strangers.count("/9") == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw-deflate", "br", "zstd"])
def test_every_encoding_that_is_asked_for_is_read(strangers: Strangers, coding: does.Coding) -> None:
    assert fetch(strangers, does.encoded(RSS, coding)).body == RSS


def test_encodings_may_be_nested(strangers: Strangers) -> None:
    assert fetch(strangers, does.encoded(RSS, "deflate", "br", "gzip")).body == RSS


@pytest.mark.parametrize(
    "behaviour",
    [
        does.chunks(RSS[:10], RSS[10:]),
        does.raw(b"HTTP/1.0 200 OK\n\n" + RSS),
        does.raw(b"HTTP/1.1 200\r\nContent-Length: what\r\n\r\n" + RSS),
        does.wrong_length(RSS + b"more than was said", len(RSS)),
        does.encoded(RSS, content_encoding="identity"),
        does.fixed(RSS, content_encoding="utf-8, "[6:]),
        does.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + RSS),
        does.raw(b"HTTP/1.1 203 Non-Authoritative\r\n\r\n" + RSS),
    ],
)
def test_what_can_be_read_is_read(strangers: Strangers, behaviour: Behaviour) -> None:
    response = fetch(strangers, behaviour)

    assert (response.status, response.body) == (200, RSS)


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("feed", "text/html", RSS),
        ("feed", "text/plain", b"\xef\xbb\xbf\n" + RSS),
        ("feed", "audio; nonsense", RSS),
        ("feed", None, RSS),
        ("feed", "application/octet-stream", b'{"version": "https://jsonfeed.org/version/1.1"}'),
        ("feed", "text/html", b'{"title": "<body>", "description": "' + b"x" * 5000 + b'", "items": []}'),
        ("feed", "text/xml", RSS.decode().encode("utf-16")),
        ("feed", "text/html", b"<br />\n<b>Warning</b>: nothing\n" + RSS),
        ("page", "text/html", b"Text without a tag"),
        ("page", "application/xhtml+xml", HTML),
        ("page", "text/plain", HTML),
        ("page", None, HTML),
        ("sitemap", "text/plain", b"https://a.example/1"),
        ("sitemap", "application/x-gzip", does.encode(b"<urlset/>", "gzip")),
        ("sitemap", "text/html", b"<urlset/>"),
        ("robots", "text/html", HTML),
        ("robots", "image/png", b""),
    ],
)
def test_a_type_that_is_wrong_is_forgiven_where_the_body_is_right(
    strangers: Strangers, accept: Accept, content_type: str | None, body: bytes
) -> None:
    assert fetch(strangers, does.fixed(body, content_type), accept).body == body


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("feed", "text/html; charset=utf-8", HTML),
        ("feed", "application/rss+xml", HTML),
        ("feed", None, b"Not a feed"),
        ("feed", "image/png", b"\x89PNG"),
        ("page", "application/pdf", b"%PDF"),
        ("page", "application/json", b"{}"),
        ("page", "text/plain", b"Text"),
        ("page", "image/svg+xml", b"<svg/>"),
        ("sitemap", "text/html", HTML),
        ("sitemap", "video/mp4", b"\x00"),
    ],
)
def test_something_else_than_was_asked_for_is_refused(
    strangers: Strangers, accept: Accept, content_type: str | None, body: bytes
) -> None:
    failed = failure(strangers, does.fixed(body, content_type), accept)

    assert failed.why is Why.WRONG_TYPE


def test_a_robots_txt_that_is_too_long_is_cut(strangers: Strangers) -> None:
    body = fetch(strangers, does.fixed(b"#" * 600_000, "text/plain"), "robots").body
    unpacked = fetch(strangers, does.bomb("gzip", content_type="text/plain"), "robots").body

    assert len(body) == len(unpacked) == 500 * 1024


@pytest.mark.parametrize("tag", ['"' + "x" * 5000 + '"', "a\x01b"])
def test_a_tag_that_could_not_be_sent_back_is_not_kept(strangers: Strangers, tag: str) -> None:
    assert fetch(strangers, does.fixed(RSS, etag=tag)).etag is None
