import gzip
import zlib
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from producers.formats import encodings
from tests.strangers import Coding, encode, packed_zeros

CODINGS: tuple[Coding, ...] = ("gzip", "deflate", "raw-deflate", "br", "zstd")
BODY = b"Some text that is packed. " * 100


def header(coding: Coding) -> str:
    return coding.removeprefix("raw-")


@pytest.mark.parametrize("coding", CODINGS)
def test_what_was_packed_is_unpacked(coding: Coding) -> None:
    assert encodings.decode(encode(BODY, coding), [header(coding)], len(BODY)) == BODY


@pytest.mark.parametrize("coding", CODINGS)
def test_a_byte_too_many_is_too_large(coding: Coding) -> None:
    with pytest.raises(encodings.TooLarge):
        encodings.decode(encode(BODY, coding), [header(coding)], len(BODY) - 1)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_cut_where_that_is_wanted(coding: Coding) -> None:
    assert encodings.decode(packed_zeros(coding, 5), [header(coding)], 1000, cut=True) == b" " * 1000


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("missing", [1, 4, 20])
def test_what_ends_too_early_is_broken(coding: Coding, missing: int) -> None:
    with pytest.raises(encodings.Broken, match="ends too early"):
        encodings.decode(encode(BODY, coding)[:-missing], [header(coding)], len(BODY) + 1)


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary())
def test_any_bytes_are_unpacked_or_broken(coding: Coding, body: bytes) -> None:
    try:
        encodings.decode(body, [header(coding)], 1000)
    except (encodings.Broken, encodings.TooLarge):
        return


@pytest.mark.parametrize(
    ("body", "unpacked"),
    [
        (gzip.compress(b"a") + gzip.compress(b"b"), b"ab"),
        (gzip.compress(b"a") + b"\x00" * 512, b"a"),
        (gzip.compress(BODY) * 50, BODY * 50),
    ],
)
def test_a_gzip_may_have_several_members_and_something_behind_them(body: bytes, unpacked: bytes) -> None:
    assert encodings.decode(body, ["x-gzip"], len(unpacked)) == unpacked


def test_a_zstd_may_have_several_frames() -> None:
    frames = zstandard.compress(b"a") + zstandard.compress(b"b")

    assert encodings.decode(frames, ["zstd"], 10) == b"ab"


@pytest.mark.parametrize(("coding", "empty"), [("gzip", gzip.compress(b"")), ("zstd", zstandard.compress(b""))])
def test_members_without_end_are_broken(coding: str, empty: bytes) -> None:
    with pytest.raises(encodings.Broken, match="more than 1000"):
        encodings.decode(empty * 5000, [coding], 10)


def test_a_zstd_that_wants_all_the_memory_is_broken() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer: Any = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    with pytest.raises(encodings.Broken):
        encodings.decode(packer.compress(BODY) + packer.flush(), ["zstd"], len(BODY))


@pytest.mark.parametrize("codings", [[], [""], ["identity"], [" IDENTITY ", ""]])
def test_what_is_not_packed_stays_as_it_is(codings: list[str]) -> None:
    assert encodings.decode(BODY, codings, 10**6) == BODY


def test_several_encodings_are_undone_in_their_order() -> None:
    assert encodings.decode(encode(encode(BODY, "br"), "gzip"), ["br", " GZIP"], 10**6) == BODY


@pytest.mark.parametrize(
    ("codings", "says"),
    [(["gzip"] * 4, "encoded 4 times"), (["lzw"], "nothing here reads the encoding 'lzw'"), (["gzip"], "not what")],
)
def test_what_nobody_can_read_is_broken(codings: list[str], says: str) -> None:
    with pytest.raises(encodings.Broken, match=says):
        encodings.decode(BODY, codings, 10**6)


def test_an_empty_body_is_empty_whatever_it_says() -> None:
    assert encodings.decode(b"", ["gzip"], 10) == b""
    assert encodings.decode(zlib.compress(b""), ["deflate", "identity"], 10) == b""
