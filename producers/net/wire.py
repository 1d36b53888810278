"""One request and its answer over a connection of its own, within a deadline and a number of bytes.

http.client reads HTTP/1.1; what it reads from is ours: every single read asks the deadline first, so that a server that
sends a byte from time to time (in its headers, in its body, in TLS) gains nothing by it.
"""

import http.client
import io
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from producers.net.deadline import Deadline

#: Status line and headers, with what http.client reads ahead.
MAX_HEADER_BYTES: Final = 128 * 1024
#: Sizes of chunks and the like, beside a body of which so much is read.
OVERHEAD_BYTES: Final = 64 * 1024
PIECE_BYTES: Final = 64 * 1024


class TooMuch(Exception):
    """The server sends more than may come."""


class CutOff(Exception):
    """The answer ended before its end."""


class Answer:
    """Status and headers are here; the body is read when it is asked for."""

    def __init__(self, response: http.client.HTTPResponse, incoming: "_Incoming") -> None:
        self._response = response
        self._incoming = incoming
        self.status = response.status

    def header(self, name: str) -> str | None:
        """A header's value, several of them joined by commas."""
        return self._response.getheader(name)

    def body(self, max_bytes: int, *, cut: bool = False) -> bytes:
        """The body as it is on the wire. One that is longer raises TooMuch, or is cut off there.

        Raises CutOff and HTTPException, and what a connection raises.
        """
        response = self._response
        coding = self.header("Transfer-Encoding")
        if coding is not None and not response.chunked:
            raise http.client.HTTPException(f"a transfer encoding that nobody asked for: {coding[:40]}")
        if not cut and response.length is not None and response.length > max_bytes:
            raise TooMuch
        self._incoming.may_come = 2 * max_bytes + OVERHEAD_BYTES
        found = bytearray()
        try:
            while len(found) <= max_bytes and (piece := response.read(PIECE_BYTES)):
                found += piece
        except http.client.IncompleteRead:
            raise CutOff from None
        except ValueError:  # a chunk with a negative length
            raise http.client.HTTPException("a chunk that cannot be") from None
        if len(found) > max_bytes:
            if not cut:
                raise TooMuch
            return bytes(found[:max_bytes])
        if response.length:
            raise CutOff
        return bytes(found)


class Sockets:
    """Those that are open, so that another thread can end what they wait for."""

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.is_closed = False

    def add(self, connection: socket.socket) -> None:
        """This one is open from now on. Raises CutOff when all are to be closed."""
        with self._lock:
            if self.is_closed:
                raise CutOff
            self._open.add(connection)

    def discard(self, connection: socket.socket) -> None:
        """Its thread closes this one."""
        with self._lock:
            self._open.discard(connection)

    def shut(self) -> None:
        """End all: who waits for one of them hears that it is over."""
        with self._lock:
            self.is_closed = True
            for connection in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS's own would change it for its reader


@contextmanager
def asked(
    connection: socket.socket,
    tls: ssl.SSLContext | None,
    host: str,
    selector: str,
    headers: Mapping[str, str],
    deadline: Deadline,
    sockets: Sockets,
) -> Iterator[Answer]:
    """GET `selector` over this connection, which is closed with the block.

    Raises TimeoutError, ssl.SSLError, OSError, http.client.HTTPException, CutOff.
    """
    try:
        if tls is not None:
            connection.settimeout(deadline.left())
            connection = tls.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
        sockets.add(connection)
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        incoming = _Incoming(connection, deadline)
        exchange = http.client.HTTPConnection(host, 80)
        exchange.sock = _Timed(connection, incoming, deadline)
        exchange.request("GET", selector, headers=headers)
        with _response(exchange) as response:
            yield Answer(response, incoming)
    finally:
        sockets.discard(connection)
        connection.close()


def _response(exchange: http.client.HTTPConnection) -> http.client.HTTPResponse:
    try:
        return exchange.getresponse()
    except TooMuch:
        raise http.client.HTTPException(f"more than {MAX_HEADER_BYTES // 1024} KiB of headers") from None


class _Incoming(io.RawIOBase):
    """What comes in: each read takes no longer than what is left of the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline
        self.may_come = MAX_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.may_come <= 0:
            raise TooMuch
        self._connection.settimeout(self._deadline.left())
        count = self._connection.recv_into(buffer)
        self.may_come -= count
        return count


class _Timed:
    """What http.client wants of a socket. It is closed by who opened it."""

    def __init__(self, connection: socket.socket, incoming: _Incoming, deadline: Deadline) -> None:
        self._connection = connection
        self._incoming = incoming
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(self._deadline.left())
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._incoming)

    def close(self) -> None:
        """The block of `asked` does it."""
