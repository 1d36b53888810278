"""The bytes of a .txt file -> title, byline, body.

    Harbour wall closed after crack is found        title: the first line that is not blank
                                                    (blank lines do not matter)
    By Ngaire Tamatea                               byline: the next one, if it is "By NAME"

    The harbour wall ...                            body: the rest, as delivered

A first line that is no title stays in the body: the only line of a file; a line of more than 300 characters, which is a
paragraph; and a line that goes on directly beneath it in lower case, which is wrapped text.
"""

import re
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InvalidRecord, Reason

MAX_TITLE: Final = 300
MAX_BYLINE: Final = 100
MAX_BYLINE_WORDS: Final = 12

# "By Monday, the water was gone." begins a story: a byline does not end like a sentence, save for "Jr." or "M.D."
_BYLINE: Final = re.compile(r"by[ \t:]+(?P<name>\S.*)", re.IGNORECASE)
_ENDS_A_SENTENCE: Final = re.compile(r"(?:[!?:;,…]|\.{2,}|\w{4,}\.)[\"'”’)]*$")


@dataclass(frozen=True, slots=True)
class PlainText:
    """What a .txt file says; `title` is empty where no line is one."""

    title: str
    byline: str | None
    body: str


def read(content: bytes) -> PlainText:
    """Read a whole file.

    Raises InvalidRecord: `empty` (0 bytes), `not-utf-8` (with the place), `no-text` (nothing but white space).
    """
    if not content:
        raise InvalidRecord(Reason.EMPTY, "The file has 0 bytes.")
    text = _decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InvalidRecord(Reason.NO_TEXT, "The file has nothing but white space.")

    whole = _without_leading_blank_lines(text)
    first, _, rest = whole.partition("\n")
    if not _is_title(first, rest):
        return PlainText("", None, whole)

    body = _without_leading_blank_lines(rest)
    second, _, after = body.partition("\n")
    byline = byline_of(second)
    if byline is not None and after.strip():
        return PlainText(first.strip(), byline, _without_leading_blank_lines(after))
    return PlainText(first.strip(), None, body)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        hint = " It looks like UTF-16: save it as UTF-8." if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise InvalidRecord(Reason.NOT_UTF8, f"Byte {error.start} is not UTF-8 ({error.reason}).{hint}") from None


def _without_leading_blank_lines(text: str) -> str:
    first_word = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, first_word) + 1 :]


def _is_title(line: str, rest: str) -> bool:
    beneath = rest.partition("\n")[0].strip()
    runs_on = beneath[:1].islower() and byline_of(beneath) is None
    return bool(rest.strip()) and len(line.strip()) <= MAX_TITLE and not runs_on


def byline_of(line: str) -> str | None:
    """The name in a line that is nothing but "By NAME"."""
    match = _BYLINE.fullmatch(line.strip())
    if match is None or len(line.strip()) > MAX_BYLINE:
        return None
    name = match["name"].strip()
    is_name = len(name.split()) <= MAX_BYLINE_WORDS and not _ENDS_A_SENTENCE.search(name)
    return name if is_name else None
