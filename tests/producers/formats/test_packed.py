import gzip
import io
import tracemalloc

import pytest
import zstandard

from producers.formats import packed
from producers.formats.packed import Damaged, Kind, Unpacker

PARTS = [b"one " * 1000, b"two " * 50_000, b"", b"three"]


def pack(kind: Kind, part: bytes) -> bytes:
    return gzip.compress(part) if kind == "gzip" else zstandard.ZstdCompressor(write_checksum=True).compress(part)


def unpacked(content: bytes, kind: Kind, most: int = 10_000) -> tuple[bytes, Damaged | None]:
    unpacker = Unpacker(io.BytesIO(content).read, kind)
    parts = []
    try:
        while part := unpacker.read(most):
            assert len(part) <= most
            parts.append(part)
    except Damaged as damage:
        with pytest.raises(Damaged):
            unpacker.read(most)  # it stays so
        return b"".join(parts), damage
    return b"".join(parts), None


def damaged(content: bytes, place: int) -> bytes:
    return content[:place] + bytes(byte ^ 0xFF for byte in content[place : place + 4]) + content[place + 4 :]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_members_are_read_one_after_the_other(kind: Kind) -> None:
    content = b"".join(pack(kind, part) for part in PARTS)

    assert packed.kind_of(content[: packed.BEGINNING_BYTES]) == kind
    assert unpacked(content, kind) == (b"".join(PARTS), None)


@pytest.mark.parametrize(
    "beginning", [b"", b"{", b'{"body": "x"}', b"\xef\xbb\xbfid", b"(\xb5", b"\x1f\x8b", b"PK\x03\x04"]
)
def test_no_text_is_taken_for_something_packed(beginning: bytes) -> None:
    assert packed.kind_of(beginning) is None


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("lost", [1, 4, 30])
def test_what_is_cut_off_gives_what_came_before_and_says_so(kind: Kind, lost: int) -> None:
    last = pack(kind, b"".join(i.to_bytes(2, "big") for i in range(500)))
    content, damage = unpacked(pack(kind, PARTS[0]) + last[:-lost], kind)

    assert content.startswith(PARTS[0])
    assert damage is not None
    assert damage.is_cut_off
    assert "cut off" in damage.detail


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_what_is_damaged_gives_what_came_before_and_says_where(kind: Kind) -> None:
    first = pack(kind, PARTS[0])
    content, damage = unpacked(first + damaged(pack(kind, PARTS[1]), 9) + pack(kind, PARTS[3]), kind)

    assert content.startswith(PARTS[0])
    assert damage is not None
    assert not damage.is_cut_off
    assert f"byte {len(first):,}" in damage.detail


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_what_follows_and_is_not_packed_is_said(kind: Kind) -> None:
    content, damage = unpacked(pack(kind, b"one") + b"no member", kind)

    assert content == b"one"
    assert damage is not None
    assert damage.detail.endswith(f"is not {kind}.")


def test_padding_behind_gzip_and_frames_to_be_passed_over_are_no_damage() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"

    assert unpacked(gzip.compress(b"one") + bytes(700), "gzip") == (b"one", None)
    assert unpacked(skippable + pack("zstd", b"one") + skippable, "zstd") == (b"one", None)
    assert packed.kind_of(skippable) == "zstd"


def test_frames_that_share_the_dictionary_of_the_file_are_read() -> None:
    samples = [b"A record of the archive, number %d, with what all of them have." % i for i in range(500)]
    dictionary = zstandard.train_dictionary(2048, samples)
    frames = b"".join(zstandard.ZstdCompressor(dict_data=dictionary).compress(sample) for sample in samples[:3])
    for kept in (dictionary.as_bytes(), zstandard.compress(dictionary.as_bytes())):
        content = b"\x5d\x2a\x4d\x18" + len(kept).to_bytes(4, "little") + kept + frames

        assert unpacked(content, "zstd") == (b"".join(samples[:3]), None)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_unpacked_in_bounded_memory(kind: Kind) -> None:
    bomb = pack(kind, bytes(150_000_000))
    unpacker = Unpacker(io.BytesIO(bomb).read, kind)

    tracemalloc.start()
    length = 0
    while part := unpacker.read(256 * 1024):
        length += len(part)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert length == 150_000_000
    assert most < 100_000_000


def test_a_frame_that_wants_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    content, damage = unpacked(compressor.compress(b"one") + compressor.flush(), "zstd")

    assert content == b""
    assert damage is not None
