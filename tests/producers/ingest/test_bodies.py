"""Bodies are cut into articles before anything is decoded."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.formats import lines
from producers.ingest import bodies
from producers.ingest.bodies import Body, BrokenBody, LineCutter, TooManyArticles

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=40)
@given(st.lists(JSON, max_size=8), st.booleans(), st.sampled_from([None, 2]))
def test_the_pieces_of_an_array_are_its_elements(values: list[object], is_ascii: bool, indent: int | None) -> None:
    body = json.dumps(values, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "surrogatepass")

    found = bodies.split(body)

    assert found.is_list
    assert [json.loads(text.decode("utf-8", "surrogatepass")) for text in found.texts] == values


@pytest.mark.parametrize("body", [b'{"a": [1, 2]}', b' \r\n{"a": [1, 2]}\n', b'\xef\xbb\xbf{"a": [1, 2]}'])
def test_what_is_no_array_is_one_article(body: bytes) -> None:
    assert bodies.split(body) == Body((b'{"a": [1, 2]}',), is_list=False)


def test_one_broken_article_leaves_its_neighbours_whole() -> None:
    assert bodies.split(b'[{"a": 1}, nul, {"b" 2}, "\xff"]').texts == (b'{"a": 1}', b"nul", b'{"b" 2}', b'"\xff"')


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty"),
        (b" \n", "The body is empty"),
        (b"[", "has no end"),
        (b'[{"a": 1}', "has no end"),
        (b'[{"a": "1}]', "string that begins at byte 8 has no end"),
        (b'[{"a": 1},]', "behind the last comma"),
        (b"[,]", "before the comma at byte 2"),
        (b'[{"a": 1},,{}]', "before the comma at byte 11"),
        (b'[{"a": 1}}', "ends with a brace"),
        (b"[{}] {}", "follows the array at byte 5"),
    ],
)
def test_what_is_no_array_as_a_whole_is_broken(body: bytes, said: str) -> None:
    with pytest.raises(BrokenBody, match=said):
        bodies.split(body)


def test_a_bomb_of_articles_is_given_up_before_it_is_read() -> None:
    bomb = b"[" + b"{}," * (10 << 20)

    began = time.process_time()
    with pytest.raises(TooManyArticles):
        bodies.split(bomb)

    assert time.process_time() - began < 5  # of an array of ten million, five thousand were looked at


def test_quotes_that_never_end_are_read_once() -> None:
    with pytest.raises(BrokenBody, match="no end"):
        bodies.split(b'["' + b'\\"' * (1 << 20))


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b)), st.integers(1, 7))
def test_lines_are_the_same_however_they_come(given_lines: list[bytes], size: int) -> None:
    stream = b"\n".join(given_lines)
    cutter = LineCutter()

    found = [line for at in range(0, len(stream), size) for line in cutter.cut(stream[at : at + size])] + cutter.end()

    expected = [(number, line.strip(b" \t\r\n")) for number, line in enumerate(given_lines, start=1)]
    assert [(line.number, line.text) for line in found] == [(number, text) for number, text in expected if text]


def test_a_line_that_is_too_long_is_not_held() -> None:
    cutter = LineCutter()
    piece = b"x" * (1 << 20)

    found = [line for _ in range(20) for line in cutter.cut(piece)]
    assert found == []
    assert cutter.is_inside
    found = cutter.cut(b'x\n{"a": 1}\n')

    assert [(line.number, line.text) for line in found] == [(1, None), (2, b'{"a": 1}')]
    assert not cutter.is_inside
    assert lines.MAX_PIECE_BYTES < 20 << 20
