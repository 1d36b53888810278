import io

import pytest

from pipeline.errors import InvalidRecord, Reason
from producers.formats import csv_rows, lines
from producers.formats.csv_rows import CsvRow
from producers.formats.lines import Position


def rows_of(content: bytes) -> list[CsvRow]:
    header = csv_rows.read_header(io.BytesIO(content).read)
    assert header is not None
    return list(csv_rows.rows(io.BytesIO(content[header.end.byte :]).read, header, header.end))


def cells_of(content: bytes) -> list[dict[str, str] | str]:
    return [row.cells.detail if isinstance(row.cells, InvalidRecord) else dict(row.cells) for row in rows_of(content)]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        pytest.param(b"title,body\nA,B\n", [{"title": "A", "body": "B"}], id="comma"),
        pytest.param(b"title;body\nA;B,C\n", [{"title": "A", "body": "B,C"}], id="semicolon"),
        pytest.param(b"title\tbody\nA\tB\n", [{"title": "A", "body": "B"}], id="tab"),
        pytest.param(b"title|body\nA|B\n", [{"title": "A", "body": "B"}], id="bar"),
        pytest.param(b"\xef\xbb\xbftitle,body\r\nA,B\r\n", [{"title": "A", "body": "B"}], id="as Excel saves it"),
        pytest.param(b'title,body\n"A ""x""","one\n\ntwo"\n', [{"title": 'A "x"', "body": "one\n\ntwo"}], id="quoted"),
        pytest.param(b"title, body \n\nA,B\n , \n", [{"title": "A", "body": "B"}], id="blank rows"),
        pytest.param(b"body\nA", [{"body": "A"}], id="one column, no last line feed"),
        pytest.param(b"body,\nA,x\n", [{"body": "A"}], id="a column without a name"),
        pytest.param("body\nGrüße\n".encode(), [{"body": "Grüße"}], id="UTF-8"),
        pytest.param(b"title,body\n", [], id="no rows"),
    ],
)
def test_rows_become_cells_by_column(content: bytes, cells: list[dict[str, str]]) -> None:
    assert cells_of(content) == cells


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b"A", "The row has 1 columns; the header has 2."),
        (b"A,B,C", "The row has 3 columns; the header has 2."),
        (b'A,"B" C', "The row is no CSV: ',' expected after '\"'."),
        ("A,Grüße".encode("latin-1"), "Byte 4 of the line is not UTF-8 (invalid start byte)."),
        (b"A,B\0C", "Byte 3 of the line is NUL, which no text has."),
        (b'A,"B', "A quotation mark opens a cell that is never closed."),
    ],
)
def test_a_bad_row_costs_itself_only(row: bytes, says: str) -> None:
    before, bad, after = rows_of(b"title,body\n1,one\n" + row + b"\n2,two\n")

    assert isinstance(bad.cells, InvalidRecord)
    assert bad.cells.detail == says
    assert bad.piece.content == row
    assert (before.cells, after.cells) == ({"title": "1", "body": "one"}, {"title": "2", "body": "two"})
    assert bad.end == after.start == Position(len(b"title,body\n1,one\n" + row + b"\n"), 3)


@pytest.mark.timeout(60)
def test_cells_that_are_never_closed_line_after_line_cost_little() -> None:
    # Were each looked for to its end in all that a row may have, this would take hours.
    bad = 100_000

    found = rows_of(b"title,body\n" + b'b","\n' * bad + b"A,B\n")

    assert len(found) == bad + 1
    assert "never closed" in str(found[0].cells)
    assert found[-1].cells == {"title": "A", "body": "B"}


def test_long_rows_are_read_whole_again_behind_cells_that_are_never_closed() -> None:
    rows = b'A,"%s"\n' % (b"line\n" * 100) * 5

    found = rows_of(b"title,body\n" + b'A,"B\n' * 6 + b"A,B\n" * 400 + rows)

    assert [row.cells["title"] for row in found[-5:] if isinstance(row.cells, dict)] == ["A"] * 5


def test_a_row_has_an_end() -> None:
    found = rows_of(b'title,body\nA,"' + b"\n" * 10_001 + b'"\nA,B\n')

    assert isinstance(found[0].cells, InvalidRecord)
    assert found[-1].cells == {"title": "A", "body": "B"}


def test_a_row_may_begin_anywhere_in_the_file_again() -> None:
    content = b'title,body\n1,"one\nand more"\n2,two\n3,three\n'
    header = csv_rows.read_header(io.BytesIO(content).read)
    assert header is not None
    all_rows = rows_of(content)

    for i, row in enumerate(all_rows):
        rest = list(csv_rows.rows(io.BytesIO(content[row.end.byte :]).read, header, row.end))
        assert rest == all_rows[i + 1 :]


def test_a_row_that_is_too_large_keeps_its_beginning_and_hash() -> None:
    large = b"1," + b"x" * (lines.MAX_PIECE_BYTES + 10)
    bad, after = rows_of(b"title,body\n" + large + b"\n2,two\n")

    assert isinstance(bad.cells, InvalidRecord)
    assert bad.cells.reason == Reason.TOO_LARGE
    assert (bad.piece.length, bad.piece.is_whole) == (len(large), False)
    assert after.cells == {"title": "2", "body": "two"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("\ufeffbody\nx".encode("utf-16-le"), "UTF-16"),
        (b"b\xf6dy\n", "not UTF-8"),
        (b"body,body\n", "twice"),
        (b'"body\n', "cannot be read"),
        (b"a," * 2000 + b"body\n", "2,001 columns"),
    ],
)
def test_a_header_that_cannot_be_read_is_said(content: bytes, says: str) -> None:
    with pytest.raises(InvalidRecord, match=says):
        csv_rows.read_header(io.BytesIO(content).read)


def test_a_blank_file_has_no_header() -> None:
    assert csv_rows.read_header(io.BytesIO(b"\xef\xbb\xbf\r\n\n").read) is None
