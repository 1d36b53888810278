import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from producers.formats import plain_text
from producers.formats.plain_text import PlainText

STORY = "The harbour wall was closed.\n\nNobody was hurt.\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(f"Wall shut\n\nBy Ana Silva\n\n{STORY}", PlainText("Wall shut", "Ana Silva", STORY), id="all"),
        pytest.param(
            f"Wall shut\n\n\nBY ANA SILVA\n{STORY}", PlainText("Wall shut", "ANA SILVA", STORY), id="capitals"
        ),
        pytest.param(
            f"Wall shut\nby ana silva\n{STORY}", PlainText("Wall shut", "ana silva", STORY), id="no blank lines"
        ),
        pytest.param(f"Wall shut\n\n{STORY}", PlainText("Wall shut", None, STORY), id="no byline"),
        pytest.param(f"Wall shut\n{STORY}", PlainText("Wall shut", None, STORY), id="title and body together"),
        pytest.param(f"\n \n  Wall shut  \n \n{STORY}", PlainText("Wall shut", None, STORY), id="blank lines before"),
        pytest.param(f"\ufeffWall shut\r\n\r\n{STORY}", PlainText("Wall shut", None, STORY), id="BOM and CRLF"),
        pytest.param(f"Wall shut\r\r{STORY}", PlainText("Wall shut", None, STORY), id="CR"),
        pytest.param("Only one line.", PlainText("", None, "Only one line."), id="one line is the body"),
        pytest.param("Title\n\nBy Ana Silva\n", PlainText("Title", None, "By Ana Silva\n"), id="no text but a byline"),
        pytest.param(
            "The wall that was built\nin 1902 has a crack.\n",
            PlainText("", None, "The wall that was built\nin 1902 has a crack.\n"),
            id="one wrapped paragraph",
        ),
        pytest.param("x" * 301 + "\n\nMore.", PlainText("", None, "x" * 301 + "\n\nMore."), id="a paragraph first"),
        pytest.param(
            "Wall shut\n\nBy Monday, the water was gone.\nMore.",
            PlainText("Wall shut", None, "By Monday, the water was gone.\nMore."),
            id="a sentence that begins with By",
        ),
        pytest.param(
            f"Wall shut\n\nBy Ana Silva Jr.\n\n{STORY}", PlainText("Wall shut", "Ana Silva Jr.", STORY), id="Jr."
        ),
        pytest.param("T\n\n  Indented.\n", PlainText("T", None, "  Indented.\n"), id="indentation stays"),
    ],
)
def test_a_file_is_read_as(content: str, expected: PlainText) -> None:
    assert plain_text.read(content.encode()) == expected


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        (b"", Reason.EMPTY, "The file has 0 bytes."),
        (b"\xef\xbb\xbf", Reason.NO_TEXT, "The file has nothing but white space."),
        (b" \n\t\r\n ", Reason.NO_TEXT, "The file has nothing but white space."),
        ("Le café".encode("latin-1"), Reason.NOT_UTF8, "Byte 6 is not UTF-8 (unexpected end of data)."),
        (
            "Wall".encode("utf-16"),
            Reason.NOT_UTF8,
            "Byte 0 is not UTF-8 (invalid start byte). It looks like UTF-16: save it as UTF-8.",
        ),
    ],
)
def test_a_file_is_refused_with_its_reason(content: bytes, reason: Reason, detail: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        plain_text.read(content)

    assert (refused.value.reason, refused.value.detail) == (reason, detail)


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        text = plain_text.read(content)
    except InvalidRecord:
        return
    assert text.body.strip()
