"""The body of a request -> the JSON of each article in it; nothing is decoded here.

A decoder makes of a body that was made for it (`[{},{},…`) thirty times as much memory before anybody can count, and
one broken article would take its neighbours with it. So the array is cut first, and each piece is decoded by itself.
"""

import re
from dataclasses import dataclass
from typing import Final

from producers.formats import lines

#: In one request that is no stream; all of it is one transaction and one answer.
MAX_ARTICLES: Final = 5000

_WHITE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
# A string as a whole (its end is group 1), or what gives an array its shape. Possessive: linear whatever stands there.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{},]', re.DOTALL)


class BrokenBody(Exception):
    """The body is no JSON as a whole; the message is a sentence."""


class TooManyArticles(Exception):
    """The array has more articles than one request may have."""


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON of one article, or of each of an array."""

    texts: tuple[bytes, ...]
    is_list: bool


def split(body: bytes) -> Body:
    """One object or an array of them. Raises BrokenBody, TooManyArticles; whether a piece is JSON is not looked at."""
    text = body.removeprefix(_BOM).strip(_WHITE)
    if not text:
        raise BrokenBody("The body is empty: one article or an array of them is wanted.")
    if not text.startswith(b"["):
        return Body((text,), is_list=False)
    return Body(tuple(_elements(text)), is_list=True)


def _elements(text: bytes) -> list[bytes]:
    found: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        kind = text[token.start()]
        if kind in b"[{":
            depth += 1
        elif kind in b"]}":
            depth -= 1
            if depth == 0:
                return _ended(text, found, text[start : token.start()].strip(_WHITE), token.end())
        elif kind == b","[0]:
            if depth == 1:
                element = text[start : token.start()].strip(_WHITE)
                if not element:
                    raise BrokenBody(f"Nothing stands before the comma at byte {token.start() + 1}.")
                if len(found) >= MAX_ARTICLES - 1:
                    raise TooManyArticles
                found.append(element)
                start = token.end()
        elif not token[1]:
            raise BrokenBody(f"The string that begins at byte {token.start() + 1} has no end.")
    raise BrokenBody("The array has no end: the body was cut off, or a bracket is missing.")


def _ended(text: bytes, found: list[bytes], last: bytes, end: int) -> list[bytes]:
    if text[end - 1] != b"]"[0]:
        raise BrokenBody(f"The array ends with a brace at byte {end}.")
    if text[end:].strip(_WHITE):
        raise BrokenBody(f"Something follows the array at byte {end + 1}; many arrays or objects are sent as NDJSON.")
    if last:
        return [*found, last]
    if found:
        raise BrokenBody("Nothing stands behind the last comma.")
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a stream that is not blank; counted from 1. `text` is None where it was too long to keep."""

    number: int
    text: bytes | None


class LineCutter:
    """Cuts what comes into lines and holds no more than one of them."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_too_long = False
        self._number = 1

    @property
    def is_inside(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._held) or self._is_too_long

    def cut(self, chunk: bytes) -> list[Line]:
        """The lines that end in this chunk."""
        *ends, rest = chunk.split(b"\n")
        found: list[Line] = []
        for part in ends:
            if part or self._held or self._is_too_long:  # what unpacks to a million blank lines passes quickly
                self._hold(part)
                found += self._taken()
            self._number += 1
        self._hold(rest)
        return found

    def end(self) -> list[Line]:
        """The last line, if it has no line feed."""
        return self._taken()

    def _hold(self, part: bytes) -> None:
        if len(self._held) + len(part) > lines.MAX_PIECE_BYTES:
            self._held.clear()
            self._is_too_long = True
        elif not self._is_too_long:
            self._held += part

    def _taken(self) -> list[Line]:
        text, is_too_long = bytes(self._held).strip(_WHITE), self._is_too_long
        self._held.clear()
        self._is_too_long = False
        if is_too_long:
            return [Line(self._number, None)]
        return [Line(self._number, text)] if text else []
