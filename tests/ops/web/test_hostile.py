"""Clients that send too much, too slowly, or something else than they say."""

import contextlib
import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.web import protocol
from tests.ops.web.serving import NDJSON, Service, serving
from tests.running import until


def head(service: Service, *more: str, type: str = "application/json") -> bytes:
    lines = [
        "POST /v1/articles HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {service.key}",
        f"Content-Type: {type}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def heard(connection: socket.socket) -> bytes:
    """All until the server closes."""
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(service: Service) -> None:
    with service.open_raw() as connection:
        connection.sendall(head(service, "Content-Length: 999999999", "Expect: 100-continue"))
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in answer


def test_a_client_that_sends_it_all_the_same_hears_why(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_bytes=1 << 20) as service:
        plain = service.post(b"x" * (8 << 20))
        chunked = service.post(b"x" * (1 << 20) for _ in range(8))

        assert (plain.status, chunked.status) == (413, 413)
        assert plain.json["type"] == chunked.json["type"] == "/docs#too-large"
        assert "8,388,608" in plain.json["detail"]
        assert service.post({"body": "b"}).status == 202


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_bytes=1 << 20) as service:
        bomb = gzip.compress(b'{"body": "' + b"x" * (64 << 20))
        blank = gzip.compress(b"\n" * (64 << 20))

        assert service.post(bomb, Content_Encoding="gzip").status == 413
        answer = service.post(blank, Content_Encoding="gzip", type=NDJSON)
        assert (answer.status, "times its size" in answer.json["detail"]) == (413, True)


def test_a_body_that_stops_coming_is_408(service: Service) -> None:
    with service.open_raw() as connection:
        connection.sendall(head(service, "Content-Length: 100") + b'{"body": "')
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/docs#too-slow" in answer


@pytest.mark.parametrize("type", ["application/json", NDJSON])
def test_a_body_that_comes_drop_by_drop_is_408(service: Service, type: str) -> None:
    with service.open_raw() as connection:
        connection.sendall(head(service, "Content-Length: 100000", type=type) + b'{"body": "')
        connection.settimeout(0.1)
        answer = b""
        for _ in range(300):  # half a minute at most; the limit of a whole body or line is two seconds here
            with contextlib.suppress(ConnectionError):  # it has answered and closed: what it said can be read still
                connection.sendall(b"x")
            try:
                answer += connection.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if answer.endswith(b"}"):
                break

    assert answer.startswith(b"HTTP/1.1 408")


def test_a_stream_may_pause_between_its_lines_for_no_longer_than_that(service: Service) -> None:
    with service.open_raw() as connection:
        connection.sendall(head(service, "Content-Length: 100", type=NDJSON) + b'{"body": "Paused."}\n')
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["lines"] == 1


def test_a_head_that_comes_too_slowly_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    with serving(tmp_path) as service:
        with service.open_raw() as connection:
            connection.sendall(b"POST /v1/articles HTTP/1.1\r\nHost: ")
            assert heard(connection) == b""

        with service.open_raw() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /healthz HT")
            assert b"HTTP/1.1" not in heard(connection)


def test_a_client_that_goes_away_leaves_the_others_alone(service: Service) -> None:
    for type in ("application/json", NDJSON):
        with service.open_raw() as connection:
            connection.sendall(head(service, "Content-Length: 1000", type=type) + b'{"body": "Half')

    assert service.post({"body": "b"}).status == 202


@pytest.mark.parametrize("accept", ["*/*", NDJSON])
def test_a_stream_that_was_cut_off_gives_its_place_back(tmp_path: Path, accept: str) -> None:
    with serving(tmp_path, max_requests=1) as service:
        with service.open_raw() as connection:
            connection.sendall(head(service, "Content-Length: 1000", f"Accept: {accept}", type=NDJSON))
            connection.sendall(b'{"body": "Whole."}\n{"body": "Half')
            assert service.broker is not None
            broker = service.broker
            until("the whole line is taken", lambda: broker.sent, 30)
            assert service.post({"body": "b"}).status == 429

        until("its place is free", lambda: service.post({"body": "b"}).status == 202, 30)


@pytest.mark.parametrize(
    "request_head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/x\r\n\r\n",
        b"POST /v1/articles HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(service: Service, request_head: bytes) -> None:
    with service.open_raw() as connection:
        connection.sendall(request_head)
        try:
            answer = heard(connection)
        except ConnectionResetError:
            answer = b"HTTP/1.1 400"  # closed with more unread: then the answer may be lost

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
    assert service.get("/healthz").status == 200


def test_bombs_of_json_are_small(service: Service) -> None:
    nested = b"[" * 1_000_000
    numbers = b'{"body": "b", "observed_at": ' + b"9" * 100_000 + b"}"

    def many() -> Iterator[bytes]:
        yield b"["
        for _ in range(20):
            yield b"{}," * 100_000

    assert service.post(nested).status == 400
    assert service.post(many()).status == 413
    assert service.post(numbers).status == 202
    assert service.post(b'{"body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}").status == 400
