"""The bytes of a document -> its characters, whatever it says about them: declarations of encodings are often wrong.

byte order mark           is right
valid UTF-8               is UTF-8, whatever is declared: text in another encoding is hardly ever valid by chance
nearly valid UTF-8        is UTF-8 with a few broken characters (cut off, or two sources pasted together)
declared, and it fits     the document's own word first, then the server's
otherwise                 Windows-1252 where the bytes look western, else what charset-normalizer makes of them
"""

import codecs
import re
from dataclasses import dataclass
from typing import Final

import charset_normalizer
from w3lib.encoding import resolve_encoding

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: How "<?" or "<r" begins in what has no mark.
_WIDE_STARTS: Final = (
    (re.compile(rb"<\x00\x00\x00[!-~]\x00\x00\x00"), "utf-32-le"),
    (re.compile(rb"\x00\x00\x00<\x00\x00\x00[!-~]"), "utf-32-be"),
    (re.compile(rb"[<{]\x00[!-~\s]\x00"), "utf-16-le"),
    (re.compile(rb"\x00[<{]\x00[!-~\s]"), "utf-16-be"),
)
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']", re.IGNORECASE)
# Python also knows codecs that unpack, run escapes or take quadratic time: none of these is a character set.
_CHARACTER_SETS: Final = re.compile(
    r"cp\d+|iso8859-\d+|iso2022_\w+|koi8-\w|mac-\w+|gb18030|gbk|hz|big5\w*|euc_\w+|shift_jis\w*|johab|utf-(?:8|16|32)\w*|"
    r"utf-(?:16|32)-[lb]e|tis-620|ptcp154|kz1048"
)
#: Escape sequences of seven-bit encodings, which are valid ASCII and so valid UTF-8.
_SEVEN_BIT: Final = re.compile(r"iso2022_\w+|hz")
#: At most one broken character to so many whole ones in what is called UTF-8 all the same.
_WHOLE_TO_BROKEN: Final = 10
_SAMPLE_BYTES: Final = 20_000
_HIGH_RUNS: Final = re.compile(rb"[\x80-\xff]+")
#: Western texts have single letters beyond ASCII, other scripts whole words of them.
_WESTERN_RUN: Final = 2.0
_GUESSES: Final = [
    "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "gb18030", "big5",
    "shift_jis", "euc_jp", "euc_kr",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decoded:
    """A document's characters, and what was wrong with what it says about them."""

    text: str
    notes: tuple[str, ...] = ()


def decoded(content: bytes, charset: str | None) -> Decoded:
    """The characters of a document of XML, HTML or JSON; `charset` is the server's word. Never fails."""
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return _by_mark(content[len(mark) :], marked)
    for start, wide in _WIDE_STARTS:
        if start.match(content.lstrip(b" \t\r\n")):
            return Decoded(content.decode(wide, "replace"))

    own = _DECLARED.search(content, 0, 4096)
    said = list(
        dict.fromkeys(
            encoding
            for label in (own and own[1].decode("ascii"), charset)
            if label and (encoding := _character_set(label)) is not None
        )
    )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return _not_utf8(content, said)
    if said and _SEVEN_BIT.fullmatch(said[0]):
        return Decoded(content.decode(said[0], "replace"))
    if said and "utf-8" not in said and not content.isascii():
        return Decoded(text, (f"It says that it is {said[0]}, and is UTF-8.",))
    return Decoded(text)


def _by_mark(content: bytes, encoding: str) -> Decoded:
    text = content.decode(encoding, "replace")
    if encoding == "utf-8" and "\ufffd" in text and not _is_nearly_utf8(text, content):
        return _guessed(content)
    return Decoded(text.lstrip("\ufeff"))


def _character_set(label: str) -> str | None:
    encoding: str | None = resolve_encoding(label.strip())
    return encoding if encoding is not None and _CHARACTER_SETS.fullmatch(encoding) else None


def _not_utf8(content: bytes, said: list[str]) -> Decoded:
    text = content.decode("utf-8", "replace")
    if _is_nearly_utf8(text, content):
        broken = text.count("\ufffd")
        return Decoded(text, (f"{broken:,} of its characters {'is' if broken == 1 else 'are'} broken UTF-8.",))
    for encoding in said:
        if not encoding.startswith("utf"):
            try:
                return Decoded(content.decode(encoding))
            except (UnicodeDecodeError, LookupError):
                if encoding == "cp1252" and _looks_western(content):
                    return Decoded(content.decode("cp1252", "replace"))
    return _guessed(content)


def _is_nearly_utf8(text: str, content: bytes) -> bool:
    broken = text.count("\ufffd")
    beyond_ascii = len(text) - len(content.translate(None, _HIGH_BYTES))
    return beyond_ascii - broken >= broken * _WHOLE_TO_BROKEN


_HIGH_BYTES: Final = bytes(range(0x80, 0x100))


def _looks_western(content: bytes) -> bool:
    runs = _HIGH_RUNS.findall(content[: 50 * _SAMPLE_BYTES])
    return sum(map(len, runs)) < len(runs) * _WESTERN_RUN


def _guessed(content: bytes) -> Decoded:
    encoding = "cp1252"
    if not _looks_western(content):
        first = _HIGH_RUNS.search(content)
        start = max(0, (first.start() if first else 0) - 100)
        best = charset_normalizer.from_bytes(
            content[start : start + _SAMPLE_BYTES], cp_isolation=_GUESSES, preemptive_behaviour=False
        ).best()
        encoding = best.encoding if best is not None else encoding
    text = content.decode(encoding, "replace")
    return Decoded(text, (f"It is neither UTF-8 nor what it may call itself; it was read as {encoding}.",))
