"""A web server of strangers, for tests: on a path of 127.0.0.1 it does what a test tells it to, however badly.

    def test_…(strangers: Strangers) -> None:
        url = strangers.at("/feed", drip_headers())
        …
        assert strangers.asked("/feed")[0].headers["if-none-match"] == '"1"'

It speaks to the socket itself, so that it can break every rule. A path without a behaviour answers 404. Everything ends
with `close()`, a behaviour in the middle of a drip too.
"""

import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import brotli
import zstandard

from pipeline.settings import FetchSettings

MAX_REQUEST_BYTES: Final = 64 * 1024
PIECE: Final = 64 * 1024
TLS_HELLO: Final = b"\x16\x03"
DRIP_SECONDS: Final = 0.05
#: The server's own patience: no test waits so long for anything.
PATIENCE_SECONDS: Final = 60.0

Coding = Literal["gzip", "deflate", "raw-deflate", "br", "zstd"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it came: `target` with its query, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    at: float
    """time.monotonic() of its arrival."""


class Gone(Exception):
    """The client has hung up or the server is closing: the behaviour ends here."""


@dataclass(slots=True)
class Wire:
    """The connection to one client. Every call raises Gone where there is nobody to talk to any more."""

    socket: socket.socket
    stop: threading.Event

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            raise Gone from None

    def pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Gone

    def reset(self) -> None:
        """End the connection by RST instead of FIN."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def answer(self, status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """A whole, right answer; a header that is named takes the place of ours."""
        self.send(head(status, {"Content-Length": str(len(body)), **(headers or {})}) + body)


Behaviour = Callable[[Asked, Wire], None]


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """The beginning of an answer."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Whatever"
    lines = [f"HTTP/1.1 {status} {phrase}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class Strangers:
    """The server. Thread safe; `close()` ends it, with all that it is just doing."""

    def __init__(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._behaviours: dict[str, Behaviour] = {}
        self._asked: list[Asked] = []
        self._open: set[socket.socket] = set()
        self._at_once: Counter[str] = Counter()
        self._most_at_once: Counter[str] = Counter()
        self._threads: set[threading.Thread] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server((address, 0), backlog=512)
        self.host = address
        self.port: int = self._socket.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="strangers", daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        """The address of the server, without a slash at its end."""
        return f"http://{self.host}:{self.port}" if self._tls is None else f"https://localhost:{self.port}"

    def at(self, path: str, behaviour: Behaviour) -> str:
        """Do this at `path` from now on (whatever the query). The URL of it."""
        with self._lock:
            self._behaviours[path] = behaviour
        return self.url + path

    def asked(self, path: str | None = None) -> list[Asked]:
        """What was asked for, in order; of one path, or of all."""
        with self._lock:
            return [asked for asked in self._asked if path is None or urlsplit(asked.target).path == path]

    def forget(self) -> int:
        """Let go of what was noted of requests; gives how many they were."""
        with self._lock:
            asked, self._asked = len(self._asked), []
        return asked

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return len(self.asked(path))

    def most_at_once(self, path: str) -> int:
        """How many requests for a path were under way at the same time, at most."""
        with self._lock:
            return self._most_at_once[path]

    def settings(self, **changes: Any) -> FetchSettings:
        """Settings of a fetcher that may come here and does not wait long."""
        given = {
            "allow_addresses": f"{self.host}/32" + (",::1/128" if self._tls is not None else ""),  # localhost is both
            "ports": str(self.port),
            "timeout_seconds": 5.0,
            "host_delay_seconds": 0.0,
        }
        return FetchSettings(**{**given, **changes})

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(PATIENCE_SECONDS)
        self._socket.close()
        with self._lock:
            threads = list(self._threads)
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="stranger", daemon=True)
            with self._lock:
                self._open.add(connection)
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(PATIENCE_SECONDS)
            if self._tls is not None:
                connection = self._safe(connection, self._tls)
            asked = _read(connection)
            if asked is not None:
                self._answer(asked, Wire(connection, self._stop))
            _end(connection)
        except (Gone, OSError):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
                self._threads.discard(threading.current_thread())
            connection.close()

    def _safe(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        safe = tls.wrap_socket(connection, server_side=True)
        with self._lock:
            self._open.discard(connection)
            self._open.add(safe)
        return safe

    def _answer(self, asked: Asked, wire: Wire) -> None:
        path = urlsplit(asked.target).path
        with self._lock:
            self._asked.append(asked)
            behaviour = self._behaviours.get(path, status(404))
            self._at_once[path] += 1
            self._most_at_once[path] = max(self._most_at_once[path], self._at_once[path])
        try:
            behaviour(asked, wire)
        finally:
            with self._lock:
                self._at_once[path] -= 1


def _read(connection: socket.socket) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(PIECE)
        data += piece
        if data.startswith(TLS_HELLO):
            connection.sendall(head(400))  # what a server of plain http says to it
            return None
        if not piece or len(data) > MAX_REQUEST_BYTES:
            return None
    first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(method, rest.rpartition(" ")[0], headers, time.monotonic())


def _end(connection: socket.socket) -> None:
    """Say that nothing more comes, then wait for the client: closing at once could take back what was sent."""
    if connection.fileno() == -1:
        return
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1)
    while connection.recv(PIECE):
        pass


# What a stranger does ----------------------------------------------------------------------------------------------


def fixed(body: bytes | str, content_type: str | None = "application/rss+xml", **headers: str) -> Behaviour:
    """200 with this body. Headers by keyword: `cache_control="max-age=60"`."""
    content = body.encode() if isinstance(body, str) else body
    named = _named(headers)
    if content_type is not None:
        named = {"Content-Type": content_type, **named}
    return lambda asked, wire: wire.answer(200, named, content)


def page(html: bytes | str, content_type: str | None = "text/html; charset=utf-8", **headers: str) -> Behaviour:
    """200 with a web page."""
    return fixed(html, content_type, **headers)


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    """This status, whatever it means: status(429, retry_after="7")."""
    return lambda asked, wire: wire.answer(code, _named(headers), body)


def conditional(
    body: bytes | str,
    *,
    etag: str | None = None,
    modified: str | None = None,
    content_type: str = "application/rss+xml",
) -> Behaviour:
    """200 with ETag and Last-Modified; 304 for who sends either of them back as it was."""
    content = body.encode() if isinstance(body, str) else body
    tags = {name: value for name, value in (("ETag", etag), ("Last-Modified", modified)) if value is not None}

    def behave(asked: Asked, wire: Wire) -> None:
        known = asked.headers.get("if-none-match") if etag is not None else asked.headers.get("if-modified-since")
        if known is not None and known == (etag if etag is not None else modified):
            wire.send(head(304, tags))
        else:
            wire.answer(200, {"Content-Type": content_type, **tags}, content)

    return behave


def unchanged_for_ever(asked: Asked, wire: Wire) -> None:
    """304, asked for it or not."""
    wire.send(head(304, {"ETag": '"for-ever"'}))


def changing_etag(body: bytes | str, content_type: str = "application/rss+xml") -> Behaviour:
    """The same body each time, and each time another ETag."""
    content = body.encode() if isinstance(body, str) else body
    numbers = iter(range(1_000_000))

    def behave(asked: Asked, wire: Wire) -> None:
        wire.answer(200, {"Content-Type": content_type, "ETag": f'"{next(numbers)}"'}, content)

    return behave


def redirect(to: str, code: int = 302, **headers: str) -> Behaviour:
    """A redirect, absolute or relative; a loop is two of them."""
    named = {"Location": to, **_named(headers)}
    return lambda asked, wire: wire.answer(code, named)


def too_many(seconds: float, code: int = 429, *, as_date: bool = False) -> Behaviour:
    """429 or 503 with Retry-After, in seconds or as the date that is so many seconds ahead."""

    def behave(asked: Asked, wire: Wire) -> None:
        then = datetime.fromtimestamp(time.time() + seconds, tz=UTC)
        wire.answer(code, {"Retry-After": format_datetime(then, usegmt=True) if as_date else f"{seconds:.0f}"})

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other, request by request; the last one stays."""
    left = iter(behaviours)
    lock = threading.Lock()
    now = behaviours[-1]

    def behave(asked: Asked, wire: Wire) -> None:
        with lock:
            behaviour = next(left, now)
        behaviour(asked, wire)

    return behave


def after(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Wait, then do the other thing."""

    def behave(asked: Asked, wire: Wire) -> None:
        wire.pause(seconds)
        behaviour(asked, wire)

    return behave


def held(gate: threading.Event, behaviour: Behaviour) -> Behaviour:
    """Do the other thing when the test opens the gate."""

    def behave(asked: Asked, wire: Wire) -> None:
        while not gate.is_set():
            wire.pause(0.005)
        behaviour(asked, wire)

    return behave


def wrong_length(body: bytes, said: int, content_type: str = "application/rss+xml") -> Behaviour:
    """A Content-Length that is not the body's."""
    return fixed(body, content_type, content_length=str(said))


def cut_off(body: bytes, at: int, *, chunked: bool = False, reset: bool = False) -> Behaviour:
    """The connection ends in the middle of the body: in a length, in a chunk, or by a reset."""

    def behave(asked: Asked, wire: Wire) -> None:
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
        wire.send(head(200, {"Content-Type": "application/rss+xml", **length}))
        wire.send((f"{len(body):x}\r\n".encode() if chunked else b"") + body[:at])
        if reset:
            wire.reset()

    return behave


def chunks(*pieces: bytes, content_type: str = "application/rss+xml", **headers: str) -> Behaviour:
    """A whole body in chunks."""

    def behave(asked: Asked, wire: Wire) -> None:
        named = {"Content-Type": content_type, "Transfer-Encoding": "chunked", **_named(headers)}
        wire.send(head(200, named) + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n")

    return behave


def silent(asked: Asked, wire: Wire) -> None:
    """Take the request and never say anything."""
    while True:
        wire.pause(PATIENCE_SECONDS)


def hang_up(asked: Asked, wire: Wire) -> None:
    """Take the request and close."""


def reset(asked: Asked, wire: Wire) -> None:
    """Take the request and reset the connection."""
    wire.reset()


def raw(data: bytes) -> Behaviour:
    """These bytes, whatever they are, and then the end."""
    return lambda asked, wire: wire.send(data)


def drip_headers(pause_seconds: float = DRIP_SECONDS) -> Behaviour:
    """A slow-loris: a byte of a header at a time, for ever."""

    def behave(asked: Asked, wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            wire.send(b"a")
            wire.pause(pause_seconds)

    return behave


def drip_body(pause_seconds: float = DRIP_SECONDS, *, chunked: bool = False) -> Behaviour:
    """A slow-loris: good headers, then a byte of the body at a time, for ever."""

    def behave(asked: Asked, wire: Wire) -> None:
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": "1000000"}
        wire.send(head(200, {"Content-Type": "application/rss+xml", **length}))
        while True:
            wire.send(b"1\r\n \r\n" if chunked else b" ")
            wire.pause(pause_seconds)

    return behave


def endless(piece: bytes = b"<!-- more -->" * 1000, content_type: str = "application/rss+xml") -> Behaviour:
    """A body without a length that never ends."""

    def behave(asked: Asked, wire: Wire) -> None:
        wire.send(head(200, {"Content-Type": content_type}))
        while True:
            wire.send(piece)

    return behave


def header_flood(line: bytes = b"X-Flood: " + b"a" * 1000 + b"\r\n") -> Behaviour:
    """Headers that never end."""

    def behave(asked: Asked, wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            wire.send(line)

    return behave


def encoded(body: bytes, *codings: Coding, content_type: str = "application/rss+xml", **headers: str) -> Behaviour:
    """The body in these content encodings, the first one applied first."""
    for coding in codings:
        body = encode(body, coding)
    named = ", ".join(coding.removeprefix("raw-") for coding in codings)
    return fixed(body, content_type, **{"content_encoding": named, **headers})


def bomb(coding: Coding, megabytes: int = 20, content_type: str = "application/rss+xml") -> Behaviour:
    """A small body that decodes to a very large one."""
    return fixed(packed_zeros(coding, megabytes), content_type, content_encoding=coding.removeprefix("raw-"))


def robots(text: str, **headers: str) -> Behaviour:
    """A robots.txt, for `at("/robots.txt", …)`."""
    return fixed(text, "text/plain", **headers)


def encode(body: bytes, coding: Coding) -> bytes:
    """The body in one content encoding."""
    match coding:
        case "gzip":
            return gzip.compress(body, mtime=0)
        case "deflate":
            return zlib.compress(body)
        case "raw-deflate":
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            return packer.compress(body) + packer.flush()
        case "br":
            return bytes(brotli.compress(body, quality=4))
        case "zstd":
            return zstandard.ZstdCompressor().compress(body)


def packed_zeros(coding: Coding, megabytes: int) -> bytes:
    """So many MiB of nothing, packed without ever holding them."""
    block = b" " * 1024 * 1024
    if coding == "br":
        packer: Any = brotli.Compressor(quality=4)
        return b"".join([*(packer.process(block) for _ in range(megabytes)), packer.finish()])
    if coding == "zstd":
        packer = zstandard.ZstdCompressor().compressobj()
    else:
        windows = {"gzip": 31, "deflate": 15, "raw-deflate": -15}
        packer = zlib.compressobj(wbits=windows[coding])
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
