"""Packed bytes -> bytes: gzip, deflate, br and zstd, with a bound on what comes out.

A bomb is never unpacked: each step gives out at most what may still come, and the first byte too many ends it.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import brotli
import zstandard

#: More layers than anybody has a reason for.
MAX_LAYERS: Final = 3
#: Members of one gzip file, frames of one zstd file: an empty one costs its sender 20 bytes, and us a new beginning.
MAX_MEMBERS: Final = 1000
#: What a zstd of the web may ask for (RFC 9659).
ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024
GZIP_MAGIC: Final = b"\x1f\x8b"
PIECE_BYTES: Final = 64 * 1024
#: zlib and brotli are told how much to give. zstd is not: 4 bytes can be 128 KiB, so these give 32 MiB at most.
ZSTD_PIECE_BYTES: Final = 1024


class Broken(ValueError):
    """The bytes are not what their encoding says, or they end too early."""


class TooLarge(ValueError):
    """More would come out than may."""


def decode(body: bytes, codings: Sequence[str], max_bytes: int, *, cut: bool = False) -> bytes:
    """The body without its content codings, which stand in the order in which they were applied.

    What is longer than `max_bytes` raises TooLarge, or is cut off there. Raises Broken.
    """
    layers = [coding for coding in (coding.strip().lower() for coding in codings) if coding not in ("", "identity")]
    if len(layers) > MAX_LAYERS:
        raise Broken(f"it is encoded {len(layers)} times")
    for coding in reversed(layers):
        unpack = _BY_CODING.get(coding)
        if unpack is None:
            raise Broken(f"nothing here reads the encoding {coding[:40]!r}")
        if not body:  # servers say an encoding of an empty body too
            return body
        body = unpack(body, max_bytes + 1)
        if len(body) > max_bytes and not cut:
            raise TooLarge
        body = body[:max_bytes]
    return body


def gunzip(body: bytes, limit: int) -> bytes:
    """All members of a gzip file, at most `limit` bytes; what follows the last one is no matter. Raises Broken."""
    found = bytearray()
    view = memoryview(body)
    at = 0
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(wbits=31)
        while not unpacker.eof and len(found) < limit:
            piece = unpacker.unconsumed_tail or view[at : (at := at + PIECE_BYTES)]
            if not piece:
                raise Broken("its gzip ends too early")
            found += _inflated(unpacker, piece, limit - len(found))
        at = min(at, len(body)) - len(unpacker.unused_data)
        if len(found) >= limit or bytes(view[at : at + 2]) != GZIP_MAGIC:
            return bytes(found)
    raise Broken(f"its gzip has more than {MAX_MEMBERS} members")


def _inflate(body: bytes, limit: int) -> bytes:
    # "deflate" means zlib; some servers send it without the zlib wrapping, whose first two bytes are a check of it.
    is_wrapped = body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS)
    found = _inflated(unpacker, body, limit)
    if not unpacker.eof and len(found) < limit:
        raise Broken("its deflate ends too early")
    return found


def _inflated(unpacker: Any, piece: bytes | memoryview, limit: int) -> bytes:
    try:
        return bytes(unpacker.decompress(piece, limit))
    except zlib.error as error:
        raise Broken(f"it is not what its encoding says: {error}") from None


def _unbrotli(body: bytes, limit: int) -> bytes:
    unpacker = brotli.Decompressor()
    found = bytearray()
    try:
        found += unpacker.process(body, output_buffer_limit=limit)
        while not unpacker.is_finished() and len(found) < limit:
            piece = unpacker.process(b"", output_buffer_limit=limit - len(found))
            if not piece:
                raise Broken("its brotli ends too early")
            found += piece
    except brotli.error:
        raise Broken("it is not what its encoding says: br") from None
    return bytes(found[:limit])


def _unzstd(body: bytes, limit: int) -> bytes:
    found = bytearray()
    view = memoryview(body)
    at = 0
    for _ in range(MAX_MEMBERS):
        unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).decompressobj()
        while not unpacker.eof and len(found) < limit:
            piece = view[at : (at := at + ZSTD_PIECE_BYTES)]
            if not piece:
                raise Broken("its zstd ends too early")
            try:
                found += unpacker.decompress(piece)
            except zstandard.ZstdError as error:
                raise Broken(f"it is not what its encoding says: {error}") from None
        at = min(at, len(body)) - len(unpacker.unused_data)
        if len(found) >= limit or at == len(body):
            return bytes(found[:limit])
    raise Broken(f"its zstd has more than {MAX_MEMBERS} frames")


_BY_CODING: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": gunzip, "x-gzip": gunzip, "deflate": _inflate, "br": _unbrotli, "zstd": _unzstd,
}  # fmt: skip
#: For the Accept-Encoding header: what is read here.
ACCEPTED: Final = "gzip, deflate, br, zstd"
