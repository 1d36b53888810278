"""The body of a request, piece by piece: unpacked, counted, and never waited for without end.

uvicorn reads on for as long as something comes, however slowly and however much; the limits are here.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request

from ops.web.problems import Problem
from pipeline.topics import KIB, MIB

PIECE_BYTES: Final = 256 * KIB
#: Text packs to a tenth; what unpacks to so many times its size, beyond the first megabytes, was made to do so.
MAX_RATIO: Final = 100
RATIO_FROM_BYTES: Final = 4 * MIB
#: zlib's number for the gzip format with the largest window.
_GZIP: Final = 31

Result = TypeVar("Result")


class Incoming:
    """One body. `max_bytes` limits it unpacked; None: it is a stream."""

    def __init__(self, request: Request, *, read_seconds: float, max_bytes: int | None) -> None:
        self._receive = request.receive
        self._read_seconds = read_seconds
        self._max_bytes = max_bytes
        self._packed = self._count = 0
        self._unpacker: zlib._Decompress | None = None
        self._is_unpacked = False
        self._is_gzip = _is_gzip(request.headers.get("content-encoding", ""))
        length = request.headers.get("content-length", "")
        if max_bytes is not None and length.isdigit() and int(length) > max_bytes:
            raise self._too_large(f"The body has {int(length):,} bytes")

    async def whole(self, seconds: float, hold: Callable[[int], None]) -> bytes:
        """All of it; `hold` is told of each piece. Raises Problem: `too-large`, `too-slow`, `broken-body`."""
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                async for piece in self.pieces():
                    hold(len(piece))
                    body += piece
        except TimeoutError:
            raise Problem("too-slow", f"The body was not complete after {seconds:.0f} s.") from None
        return bytes(body)

    async def while_there(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What `work` gives, once the whole body has come; given up with ClientDisconnect where the client goes."""
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientDisconnect
            return working.result()
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, unpacked. Raises as `whole` does."""
        async for chunk in self._chunks():
            self._packed += len(chunk)
            if not self._is_gzip:
                self._counted(len(chunk))
                yield chunk
                continue
            async for piece in self._unpacked(chunk):
                yield piece
        if self._is_gzip and not self._is_unpacked:
            raise Problem("broken-body", "The gzip data was cut off.")

    async def _chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            try:
                message = await asyncio.wait_for(self._receive(), self._read_seconds)
            except TimeoutError:
                raise Problem("too-slow", f"Nothing came for {self._read_seconds:.0f} s.") from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk

    async def _unpacked(self, chunk: bytes) -> AsyncIterator[bytes]:
        while chunk:
            if self._unpacker is None:
                self._unpacker, self._is_unpacked = zlib.decompressobj(_GZIP), False
            try:
                piece = self._unpacker.decompress(chunk, PIECE_BYTES)
            except zlib.error:
                raise Problem("broken-body", "The body is not what Content-Encoding says: it is no gzip.") from None
            if piece:
                self._counted(len(piece))
                yield piece
                await asyncio.sleep(0)  # a body that unpacks to very much must not keep the others waiting
            if self._unpacker.eof:  # another one may follow, as `cat a.gz b.gz` makes it
                chunk, self._unpacker, self._is_unpacked = self._unpacker.unused_data, None, True
            else:
                chunk = self._unpacker.unconsumed_tail

    def _counted(self, length: int) -> None:
        self._count += length
        if self._max_bytes is not None and self._count > self._max_bytes:
            raise self._too_large("The body has more")
        if self._is_gzip and self._count > max(RATIO_FROM_BYTES, MAX_RATIO * self._packed):
            raise Problem("too-large", f"The body unpacks to more than {MAX_RATIO} times its size.")

    def _too_large(self, said: str) -> Problem:
        return Problem("too-large", f"{said}; {self._max_bytes:,} bytes are taken, unpacked.")


def _is_gzip(encoding: str) -> bool:
    named = encoding.strip().lower()
    if named not in ("", "identity", "gzip", "x-gzip"):
        raise Problem("unsupported-media-type", f"Content-Encoding: {encoding!r} is not unpacked; gzip is.")
    return named in ("gzip", "x-gzip")
