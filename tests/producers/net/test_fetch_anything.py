"""Any URL and any answer is read, or fails in words."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.net.fetch import FetchFailed, Request
from tests import strangers as does
from tests.producers.net.fetches import failure_at, fetcher, nobody
from tests.strangers import Strangers

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


@given(st.text() | st.builds("http://{}".format, st.text()) | st.builds("https://127.0.0.2:80{}".format, st.text()))
def test_any_text_as_a_url_ends_in_a_failure_in_words(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", nobody)
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
