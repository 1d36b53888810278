"""A request, what is asked and what is kept of it; several at once."""

import socket
import threading
import time
from datetime import UTC

import pytest

from pipeline import metrics
from producers.net.fetch import Fetcher, FetchFailed, Request, Response, Why
from tests import strangers as does
from tests.producers.net.fetches import LONG_SECONDS, RSS, failure, failure_at, fetch, fetcher
from tests.strangers import Strangers


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


def test_nobody_there_is_a_failure(strangers: Strangers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    failed = failure_at(f"http://127.0.0.1:{port}/", allow_addresses="127.0.0.1/32", ports=str(port))

    assert failed.why is Why.UNREACHABLE


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
