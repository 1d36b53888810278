import hashlib
import io

import pytest

from producers.formats import lines
from producers.formats.lines import Position


@pytest.mark.timeout(60)
def test_a_line_that_comes_byte_by_byte_is_gathered_at_little_cost() -> None:
    # Were all that is there copied for each piece, this would be 4 TB.
    content = io.BytesIO(b"x" * 3_000_000 + b"\ny")

    first, last = lines.split(lambda _: content.read(1))

    assert (first.piece.content, first.end) == (b"x" * 3_000_000, Position(3_000_001, 1))
    assert (last.piece.content, last.is_terminated) == (b"y", False)


@pytest.mark.parametrize("step", [1000, lines.CHUNK_BYTES, lines.MAX_PIECE_BYTES, 2 * lines.MAX_PIECE_BYTES])
def test_of_a_line_too_long_the_beginning_length_and_hash_are_kept(step: int) -> None:
    content = bytes(range(97, 123)) * (lines.MAX_PIECE_BYTES // 26 + 1000)
    stream = io.BytesIO(content + b"\nnext\n")

    first, second = lines.split(lambda _: stream.read(step))

    assert (first.piece.length, first.piece.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert content.startswith(first.piece.content)
    assert len(first.piece.content) == lines.BEGINNING_BYTES
    assert second.piece.content == b"next"
