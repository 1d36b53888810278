import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import certifi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import metrics
from pipeline.settings import FetchSettings
from producers.net import fetch as fetch_module
from producers.net.fetch import Fetcher, FetchFailed, Request, Response, Why, max_age_seconds, retry_after_seconds
from producers.net.kinds import Accept
from tests import strangers as does
from tests.strangers import Behaviour, Strangers

RSS: Final = b"<?xml version='1.0'?><rss version='2.0'><channel><title>News</title></channel></rss>"
HTML: Final = b"<!doctype html><html><body><p>Text</p></body></html>"
#: A fetch that is to run into its deadline.
SHORT_SECONDS: Final = 0.25
#: What no fetch with the short deadline takes, even on a machine that is busy.
LONG_SECONDS: Final = 20.0

_VALUES: Final = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")) | st.sampled_from(
    [
        "chunked",
        "gzip",
        "br",
        "zstd",
        "deflate",
        "-1",
        "3",
        "text/xml; charset=\xff",
        "/it",
        "http://[",
        "max-age=",
        "0",
    ]
)
_NAMES: Final = st.sampled_from(
    "Content-Length Content-Type Content-Encoding Transfer-Encoding Location ETag Retry-After Expires Cache-Control "
    "Connection X-\xff".split()
)
_ANSWERS: Final = st.builds(
    lambda status, headers, body: does.head(status, headers) + body,
    st.sampled_from([100, 200, 200, 200, 203, 206, 301, 304, 404, 429, 503]),
    st.dictionaries(_NAMES, _VALUES),
    st.binary(),
)


@contextmanager
def fetcher(strangers: Strangers, **changes: Any) -> Iterator[Fetcher]:
    with Fetcher(strangers.settings(**changes)) as made:
        yield made


def fetch(
    strangers: Strangers,
    behaviour: Behaviour,
    accept: Accept = "feed",
    *,
    etag: str | None = None,
    modified: str | None = None,
    **changes: Any,
) -> Response:
    url = strangers.at("/it", behaviour)
    with fetcher(strangers, **changes) as made:
        return made.get(Request(url, accept, etag, modified))


def failure(strangers: Strangers, behaviour: Behaviour, accept: Accept = "feed", **changes: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        fetch(strangers, behaviour, accept, **changes)
    return failed.value


def failure_at(url: str, **given: Any) -> FetchFailed:
    with Fetcher(FetchSettings(**given)) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(url, "feed"))
    return failed.value


def test_a_feed_is_fetched_with_what_its_server_says(strangers: Strangers) -> None:
    behaviour = does.fixed(
        RSS,
        'Application/RSS+XML; Charset="ISO-8859-1"',
        etag='W/"weak"',
        last_modified="Mon, 02 Nov 2026 10:00:00 GMT",
        cache_control="public, max-age=600",
    )

    response = fetch(strangers, behaviour)

    assert response == Response(
        url=strangers.url + "/it",
        status=200,
        body=RSS,
        content_type="application/rss+xml",
        charset="iso-8859-1",
        etag='W/"weak"',
        modified="Mon, 02 Nov 2026 10:00:00 GMT",
        moved_to=None,
        fetched_at=response.fetched_at,
        max_age_seconds=600.0,
    )
    assert response.fetched_at.tzinfo is UTC


def test_a_request_says_who_asks_and_carries_nothing_else(strangers: Strangers) -> None:
    fetch(strangers, does.fixed(RSS), user_agent="test-bot/1.0 (+mail@example.org)")

    [asked] = strangers.asked("/it")
    assert dict(asked.headers) == {
        "host": f"127.0.0.1:{strangers.port}",
        "user-agent": "test-bot/1.0 (+mail@example.org)",
        "accept": asked.headers["accept"],
        "accept-encoding": "gzip, deflate, br, zstd",
        "connection": "close",
    }
    assert asked.headers["accept"].startswith("application/rss+xml")


def test_an_unchanged_feed_is_not_fetched_again(strangers: Strangers) -> None:
    behaviour = does.conditional(RSS, etag='W/"a \xe9"', modified="Mon, 02 Nov 2026 10:00:00 GMT")
    first = fetch(strangers, behaviour)

    again = fetch(strangers, behaviour, etag=first.etag, modified=first.modified)

    assert (again.status, again.body) == (304, b"")
    assert (again.etag, again.modified) == (first.etag, first.modified)
    asked = strangers.asked("/it")[1].headers
    assert asked["if-none-match"] == 'W/"a \xe9"'
    assert asked["if-modified-since"] == "Mon, 02 Nov 2026 10:00:00 GMT"


def test_a_304_keeps_the_tags_that_it_does_not_repeat(strangers: Strangers) -> None:
    response = fetch(strangers, does.status(304), etag='"1"', modified="then")

    assert (response.status, response.etag, response.modified) == (304, '"1"', "then")


def test_a_304_that_was_not_asked_for_is_a_failure(strangers: Strangers) -> None:
    failed = failure(strangers, does.unchanged_for_ever)

    assert (failed.why, failed.status) == (Why.BAD_RESPONSE, 304)


@pytest.mark.parametrize("tag", ["a\r\nX-Evil: 1", "snowman ☃", "x" * 5000, "", "\x00"])
def test_a_tag_that_cannot_be_sent_is_not_sent(strangers: Strangers, tag: str) -> None:
    fetch(strangers, does.fixed(RSS), etag=tag, modified=tag)

    assert {"if-none-match", "if-modified-since", "x-evil"}.isdisjoint(strangers.asked("/it")[0].headers)


# Addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",  # a name that leads there
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "１２７.０.０.１",
        "127。0。0。1",
    ],
)
def test_a_private_address_is_refused_however_it_is_written(strangers: Strangers, host: str) -> None:
    failed = failure_at(f"http://{host}:{strangers.port}/it", ports=str(strangers.port), timeout_seconds=5)

    assert failed.why is (Why.FORBIDDEN_ADDRESS if host.isascii() else Why.BAD_URL)
    assert strangers.asked() == []


def test_a_private_address_is_refused_behind_a_redirect_too(strangers: Strangers) -> None:
    secret = strangers.at("/secret", does.fixed(RSS)).replace("127.0.0.1", "127.0.0.2")

    failed = failure(strangers, does.redirect(secret))

    assert failed.why is Why.FORBIDDEN_ADDRESS
    assert "127.0.0.2" in failed.sentence
    assert "NEWS_FETCH__ALLOW_ADDRESSES" in failed.sentence


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/", "//localhost/"]
)
def test_metadata_and_the_like_are_refused_behind_a_redirect(to: str) -> None:
    with Strangers("127.0.0.2") as strangers:  # who may be asked, while 127.0.0.1 may not
        failed = failure(strangers, does.redirect(to), ports=f"80,{strangers.port}")

        assert failed.why is Why.FORBIDDEN_ADDRESS
        assert strangers.count("/it") == 1


def test_what_is_judged_is_what_is_connected_to(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_names: list[str] = []

    def rebinding(host: str, *_: object, **__: object) -> list[Any]:
        """A name server that says a good address first, and a private one from then on."""
        asked_names.append(host)
        address = "127.0.0.1" if len(asked_names) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    url = strangers.at("/it", does.fixed(RSS)).replace("127.0.0.1", "rebound.example")
    looked_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: rebinding(host) if "example" in host else looked_up(host, *a, **k)
    )
    with fetcher(strangers) as made:
        response = made.get(Request(url, "feed"))

    assert response.body == RSS
    assert asked_names == ["rebound.example"]
    assert strangers.asked("/it")[0].headers["host"] == f"rebound.example:{strangers.port}"


def test_one_private_address_of_several_is_enough_to_refuse(
    strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in ("127.0.0.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

    with fetcher(strangers) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(f"http://two.example:{strangers.port}/", "feed"))

    assert failed.value.why is Why.FORBIDDEN_ADDRESS


def test_a_host_whose_first_address_is_dead_is_asked_at_the_next(
    strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = socket.getaddrinfo
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),  # nobody listens there
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: both if "example" in host else looked_up(host, *a, **k)
    )
    strangers.at("/it", does.fixed(RSS))

    with fetcher(strangers, allow_addresses="127.0.0.1,::1") as made:
        response = made.get(Request(f"http://two.example:{strangers.port}/it", "feed"))

    assert response.body == RSS


def test_a_name_server_that_hangs_does_not_hold_up_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: gate.wait(60) and [])

    failed = failure_at("http://slow.example/", timeout_seconds=0.1)
    gate.set()

    assert failed.why is Why.TIMEOUT


def test_proxies_of_the_environment_are_not_used(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert fetch(strangers, does.fixed(RSS)).body == RSS


def test_only_the_ports_of_the_setting_are_asked(strangers: Strangers) -> None:
    failed = failure(strangers, does.fixed(RSS), ports="80,443,8000-8003")

    assert failed.why is Why.FORBIDDEN_ADDRESS
    assert "NEWS_FETCH__PORTS" in failed.sentence
    assert strangers.asked() == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/feed",
        "//example.org/feed",
        "ftp://example.org/feed",
        "file:///etc/passwd",
        "gopher://example.org/",
        "javascript:alert(1)",
        "data:text/xml,<rss/>",
        "http://",
        "http:///feed",
        "http://[::1",
        "http://a..b/",
        "http://.example.org/",
        "http://" + "a" * 64 + ".org/",
        "http://example.org:99999/",
        "http://example.org:x/",
        "http://user:secret@example.org/",
        "http://user@example.org/",
        "http://exa mple.org/",
        "http://\ud800.org/",
        "https://example.org/" + "a" * 10_000,
    ],
)
def test_what_is_no_address_is_refused_in_words(url: str) -> None:
    failed = failure_at(url)

    assert failed.why is Why.BAD_URL
    assert "secret" not in failed.sentence
    failed.sentence.encode()


@given(st.text() | st.builds("http://{}".format, st.text()) | st.builds("https://127.0.0.2:80{}".format, st.text()))
def test_any_text_as_a_url_ends_in_a_failure_in_words(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _nobody)
        failed = failure_at(url, timeout_seconds=5, ports="1-65535")

    failed.sentence.encode()
    assert len(failed.sentence) < 1000


@settings(max_examples=50)
@given(st.text())
def test_any_text_as_a_path_is_asked_for_or_fails_in_words(stranger: Strangers, text: str) -> None:
    with fetcher(stranger) as made, contextlib.suppress(FetchFailed):
        made.get(Request(stranger.url + "/" + text, "feed"))


@settings(max_examples=100)
@given(st.binary() | st.builds(b"HTTP/1.1 200 OK\r\n".__add__, st.binary()) | _ANSWERS)
def test_any_bytes_as_an_answer_are_read_or_fail_in_words(stranger: Strangers, answer: bytes) -> None:
    url = stranger.at("/any", does.raw(answer))
    for accept in ("feed", "robots"):
        with fetcher(stranger) as made, contextlib.suppress(FetchFailed):
            made.get(Request(url, accept))


@pytest.fixture(scope="module")
def stranger() -> Iterator[Strangers]:
    """One for all the examples of a test."""
    with Strangers() as server:
        yield server


def _nobody(host: str, *_: object, **__: object) -> list[Any]:
    host.encode("idna")  # what the real one does first
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


# Redirects ---------------------------------------------------------------------------------------------------------


def test_redirects_are_followed_and_what_was_permanent_all_the_way_is_said(strangers: Strangers) -> None:
    strangers.at("/b", does.redirect("c?x=1#part", 308))
    strangers.at("/c", does.fixed(RSS))

    response = fetch(strangers, does.redirect("/b", 301))

    assert response.url == response.moved_to == strangers.url + "/c?x=1"


@pytest.mark.parametrize("codes", [(302, 301), (301, 307), (303, 303)])
def test_a_redirect_that_is_temporary_moves_nothing(strangers: Strangers, codes: tuple[int, int]) -> None:
    strangers.at("/b", does.redirect("/c", codes[1]))
    strangers.at("/c", does.fixed(RSS))

    response = fetch(strangers, does.redirect("/b", codes[0]))

    assert (response.url, response.moved_to) == (strangers.url + "/c", None)


def test_a_moved_feed_that_has_not_changed_is_moved_all_the_same(strangers: Strangers) -> None:
    strangers.at("/b", does.conditional(RSS, etag='"1"'))

    response = fetch(strangers, does.redirect("/b", 301), etag='"1"')

    assert (response.status, response.moved_to) == (304, strangers.url + "/b")


def test_a_redirect_may_be_written_in_any_way(strangers: Strangers) -> None:
    strangers.at("/caf%C3%A9", does.fixed(RSS))

    response = fetch(strangers, does.raw("HTTP/1.1 302 Found\r\nLocation:  /x/../café \r\n\r\n".encode()))

    assert response.url == strangers.url + "/caf%C3%A9"


def test_a_cookie_is_not_carried_along(strangers: Strangers) -> None:
    strangers.at("/b", does.fixed(RSS))

    fetch(strangers, does.redirect("/b", 302, set_cookie="id=1; Path=/"))

    assert "cookie" not in strangers.asked("/b")[0].headers


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/it", "in a circle"),
        ("#again", "in a circle"),
        ("ftp://example.org/", "cannot be fetched"),
        ("http://user:secret@example.org/", "user name"),
        ("http://[::1/", "no address"),
        ("", "to nowhere"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_failure(strangers: Strangers, location: str, says: str) -> None:
    failed = failure(strangers, does.redirect(location))

    assert failed.why is Why.REDIRECTS
    assert says in failed.sentence
    assert "secret" not in failed.sentence


def test_redirects_without_end_end(strangers: Strangers) -> None:
    for number in range(20):
        strangers.at(f"/{number}", does.redirect(f"/{number + 1}", 301))

    failed = failure(strangers, does.redirect("/0"))

    assert failed.why is Why.REDIRECTS
    assert len(strangers.asked()) == 11


# Answers -----------------------------------------------------------------------------------------------------------


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


# The rest ----------------------------------------------------------------------------------------------------------


def test_tls_that_is_none_is_a_failure(strangers: Strangers) -> None:
    with fetcher(strangers) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(strangers.url.replace("http:", "https:"), "feed"))

    assert failed.value.why is Why.TLS


def test_a_handshake_that_never_ends_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failed = failure_at(
            f"https://127.0.0.1:{port}/",
            allow_addresses="127.0.0.1",
            ports=str(port),
            timeout_seconds=SHORT_SECONDS,
        )

    assert failed.why is Why.TIMEOUT


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself; with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: it makes a certificate for this test")
    made = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(made), "-out", str(made.with_suffix(".crt"))]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    made.write_text(made.read_text() + made.with_suffix(".crt").read_text())
    return made


@pytest.fixture
def safe_strangers(certificate: Path) -> Iterator[Strangers]:
    """A server that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Strangers(tls=context) as server:
        yield server


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The certificate is among those that are trusted."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    fetch_module._tls.cache_clear()
    yield
    fetch_module._tls.cache_clear()


def test_a_certificate_that_nobody_signed_is_a_failure(safe_strangers: Strangers) -> None:
    url = safe_strangers.at("/it", does.fixed(RSS))

    with fetcher(safe_strangers) as made, pytest.raises(FetchFailed, match="self-signed") as failed:
        made.get(Request(url, "feed"))

    assert failed.value.why is Why.TLS
    assert safe_strangers.asked() == []


@pytest.mark.usefixtures("trusted")
def test_a_server_with_a_good_certificate_is_fetched_from(safe_strangers: Strangers) -> None:
    url = safe_strangers.at("/it", does.chunks(RSS[:9], RSS[9:]))

    with fetcher(safe_strangers) as made:
        assert made.get(Request(url, "feed")).body == RSS


@pytest.mark.usefixtures("trusted")
def test_a_certificate_is_for_its_host_only(safe_strangers: Strangers) -> None:
    url = safe_strangers.at("/it", does.fixed(RSS)).replace("localhost", "127.0.0.1")

    with fetcher(safe_strangers) as made, pytest.raises(FetchFailed, match="IP address mismatch") as failed:
        made.get(Request(url, "feed"))

    assert failed.value.why is Why.TLS


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("behaviour", [does.drip_headers(), does.drip_body()])
def test_a_slow_stranger_gains_nothing_by_tls(safe_strangers: Strangers, behaviour: Behaviour) -> None:
    url = safe_strangers.at("/it", behaviour)

    with fetcher(safe_strangers, timeout_seconds=SHORT_SECONDS) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(url, "feed"))

    assert failed.value.why is Why.TIMEOUT


@pytest.mark.usefixtures("trusted")
def test_a_feed_that_moves_from_https_to_http_is_read_and_not_rewritten(
    strangers: Strangers, safe_strangers: Strangers
) -> None:
    plain = strangers.at("/it", does.fixed(RSS))
    url = safe_strangers.at("/it", does.redirect(plain, 301))

    with fetcher(strangers, ports=f"{strangers.port},{safe_strangers.port}") as made:
        response = made.get(Request(url, "feed"))

    assert (response.url, response.moved_to) == (plain, None)


def test_nobody_there_is_a_failure(strangers: Strangers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    failed = failure_at(f"http://127.0.0.1:{port}/", allow_addresses="127.0.0.1/32", ports=str(port))

    assert failed.why is Why.UNREACHABLE


def test_a_name_without_an_address_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _nobody)

    failed = failure_at("http://nowhere.invalid/")

    assert failed.why is Why.DNS
    assert "nowhere.invalid" in failed.sentence


def test_many_threads_fetch_at_once(strangers: Strangers) -> None:
    strangers.at("/it", does.after(0.05, does.fixed(RSS)))
    bodies: list[bytes] = []
    with fetcher(strangers) as made:
        threads = [
            threading.Thread(target=lambda: bodies.append(made.get(Request(strangers.url + "/it", "feed")).body))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG_SECONDS)

    assert bodies == [RSS] * 20
    assert strangers.most_at_once("/it") > 1


def test_closing_ends_what_is_under_way(strangers: Strangers) -> None:
    url = strangers.at("/it", does.drip_body())
    failures: list[FetchFailed] = []
    made = Fetcher(strangers.settings(timeout_seconds=60.0))

    def ask() -> None:
        try:
            made.get(Request(url, "feed"))
        except FetchFailed as failed:
            failures.append(failed)

    thread = threading.Thread(target=ask)
    thread.start()
    while not strangers.asked():
        time.sleep(0.001)
    made.close()
    thread.join(LONG_SECONDS)

    assert [failed.why for failed in failures] == [Why.UNREACHABLE]
    assert "ending" in failures[0].sentence
    with pytest.raises(FetchFailed, match="ending"):
        made.get(Request(url, "feed"))


def test_fetches_are_counted_by_their_result(strangers: Strangers) -> None:
    def counted(result: str) -> float:
        return float(metrics.fetches.labels(accept="feed", result=result)._value.get())

    before = counted("ok"), counted("unchanged"), counted("gone")

    fetch(strangers, does.fixed(RSS))
    fetch(strangers, does.status(304), etag='"1"')
    failure(strangers, does.status(410))

    assert (counted("ok"), counted("unchanged"), counted("gone")) == tuple(count + 1 for count in before)
