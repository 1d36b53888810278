"""NDJSON without end: in bounded memory, answered at the end or as it goes, and told how far it came."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from tests.ops.web.serving import NDJSON, Service, serving
from tests.running import until


def line(number: int, length: int = 20) -> bytes:
    return json.dumps({"id": str(number), "body": f"Text {number}. " + "x" * length}).encode() + b"\n"


def test_a_stream_is_summed_up_with_what_was_refused(service: Service) -> None:
    answer = service.post(b'{"body": "a"}\n\n{"title": 1}\nno json\n{"body": "b"}', type=NDJSON)

    assert answer.status == 202
    assert (answer.json["accepted"], answer.json["refused"], answer.json["lines"]) == (2, 2, 5)
    assert [(said["line"], said["reason"]) for said in answer.json["refusals"]] == [(3, "wrong-shape"), (4, "not-json")]


def test_a_stream_without_an_article_is_422(service: Service) -> None:
    assert service.post(b"\n\n", type=NDJSON).status == 422
    assert service.post(b"{}\n", type=NDJSON).json["refusals"][0]["field"] == "body"
    assert service.post(b"\n", type=NDJSON, Accept=NDJSON).status == 422


def test_a_client_that_reads_while_it_sends_hears_of_each_line_at_once(service: Service) -> None:
    with service.open_raw() as connection:
        connection.sendall(
            b"POST /v1/articles HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            b"Accept: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
            b"Authorization: Bearer " + service.key.encode() + b"\r\n\r\n"
        )
        heard = b""
        for number in range(3):
            text = line(number)
            connection.sendall(b"%x\r\n%s\r\n" % (len(text), text))
            while b'"line": %d' % (number + 1) not in heard:
                heard += connection.recv(65536)
        connection.sendall(b"0\r\n\r\n")
        while b"\r\n0\r\n\r\n" not in heard:
            heard += connection.recv(65536)

    assert heard.startswith(b"HTTP/1.1 202")
    assert heard.count(b'"status": "accepted"') == 3


def test_all_lines_of_a_long_stream_are_answered_in_order(service: Service) -> None:
    answer = service.post((line(number) for number in range(3000)), type=NDJSON, Accept=NDJSON)

    assert answer.status == 202
    assert [said["line"] for said in answer.lines] == list(range(1, 3001))
    assert {said["status"] for said in answer.lines} == {"accepted"}


def test_memory_does_not_grow_with_the_stream(service: Service) -> None:
    assert service.broker is not None
    pieces, lines_a_piece = 40, 10

    def stream() -> Iterator[bytes]:
        for piece in range(pieces):
            yield b"".join(line(piece * lines_a_piece + i, 100_000) for i in range(lines_a_piece))
            service.broker.sent.clear()  # type: ignore[union-attr]

    tracemalloc.start()
    try:
        answer = service.post(stream(), type=NDJSON)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert answer.json["accepted"] == pieces * lines_a_piece
    assert peak < 25 << 20  # of 40 MB, sent and received in this process


def test_a_line_that_is_too_long_is_refused_and_the_next_one_is_read(service: Service) -> None:
    def stream() -> Iterator[bytes]:
        yield b'{"body": "'
        for _ in range(10):
            yield b"x" * (1 << 20)
        yield b'"}\n{"body": "Short."}\n'

    answer = service.post(stream(), type=NDJSON)

    assert (answer.status, answer.json["accepted"]) == (202, 1)
    assert [(said["line"], said["reason"]) for said in answer.json["refusals"]] == [(1, "too-large")]


def test_a_stream_that_is_not_acknowledged_says_how_far_it_came(tmp_path: Path) -> None:
    with serving(tmp_path, acknowledge_seconds=3) as service:
        assert service.broker is not None
        broker = service.broker

        def stream() -> Iterator[bytes]:
            yield line(1)
            until("the first line is taken", lambda: broker.sent, 30)
            broker.go_away()
            yield line(2)

        whole = service.post(stream(), type=NDJSON)
        assert (whole.status, whole.json["type"]) == (503, "/docs#not-acknowledged")
        assert (whole.json["accepted"], whole.json["lines"]) == (1, 1)

        broker.come_back()
        until("what was safe on disk is sent", lambda: len(broker.sent) == 2, 30)
        broker.sent.clear()
        each = service.post(stream(), type=NDJSON, Accept=NDJSON)
        assert [said["status"] for said in each.lines] == ["accepted", "problem"]
        assert each.lines[-1]["problem"]["status"] == 503


def test_a_stream_is_slowed_down_to_what_its_key_may_send(tmp_path: Path) -> None:
    with serving(tmp_path, read_seconds=1) as service, service.keys() as keys:
        key = keys.create("slow", per_minute=5)

        with service.open_raw() as connection:
            body = b"".join(line(number) for number in range(20))
            connection.sendall(
                b"POST /v1/articles HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (key.encode(), len(body), body)
            )
            assert service.broker is not None
            broker = service.broker
            until("what it may send is there", lambda: len(broker.sent) == 5, 30)
            connection.settimeout(1.5)
            try:
                answered = connection.recv(1) != b""
            except TimeoutError:
                answered = False

        assert not answered
        assert len(broker.sent) == 5
