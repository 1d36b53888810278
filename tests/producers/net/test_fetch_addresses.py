"""Which addresses are asked, and which never."""

import socket
import threading
from typing import Any

import pytest

from producers.net.fetch import FetchFailed, Request, Why
from tests import strangers as does
from tests.producers.net.fetches import RSS, failure, failure_at, fetch, fetcher, nobody
from tests.strangers import Strangers


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


def test_a_name_without_an_address_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", nobody)

    failed = failure_at("http://nowhere.invalid/")

    assert failed.why is Why.DNS
    assert "nowhere.invalid" in failed.sentence
