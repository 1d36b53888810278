"""The lines of an extracted text -> its paragraphs, without what surely is none: only whole lines, and clear ones, go.

What stands before the first paragraph (the title again, the byline) and after the last (links to read more, shares,
newsletters) goes only there; in the middle of a text only what can be nothing else.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipeline import identity

#: So many lines at each end are looked at.
EDGE_LINES: Final = 8
#: A longer line is a paragraph, whatever it begins with.
LONGEST: Final = 200
#: A paragraph that stands there so often is said once; shorter lines may be refrains, answers, scores.
OFTEN: Final = 3
OFTEN_CHARACTERS: Final = 100

_ITEM: Final = re.compile(r"^(?:- |\d{1,3}\. |\|)")


def _lines(table: str) -> re.Pattern[str]:
    lines = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))[table]
    return re.compile(rf"(?:- )?(?:{'|'.join(lines)})[.:!]?", re.IGNORECASE)


_ANYWHERE: Final = _lines("anywhere")
_AT_THE_BEGINNING: Final = _lines("at_the_beginning")
_AT_THE_END: Final = _lines("at_the_end")


def paragraphs(text: str, title: str, byline: str | None) -> str:
    """The text by paragraphs, parted by blank lines; items of a list and rows of a table stand one under the other."""
    lines = [line for line in (line.strip() for line in text.splitlines()) if line]
    lines = _without_repeats([line for line in lines if not _is(_ANYWHERE, line)] or lines)
    lines = _without_edges(lines, title, byline)
    parts: list[str] = []
    for number, line in enumerate(lines):
        if number:
            parts.append("\n" if _ITEM.match(line) and _ITEM.match(lines[number - 1]) else "\n\n")
        parts.append(line)
    return "".join(parts)


def _is(pattern: re.Pattern[str], line: str) -> bool:
    return len(line) <= LONGEST and pattern.fullmatch(line) is not None


def _without_repeats(lines: Sequence[str]) -> list[str]:
    """Said once: a quote that stands there many times over, and a text that stands there twice as a whole."""
    often = {line for line, times in Counter(lines).items() if times >= OFTEN and len(line) >= OFTEN_CHARACTERS}
    if len({line for line in lines if len(line) >= OFTEN_CHARACTERS} - often) < OFTEN:
        often = set()  # hardly anything else: nobody can tell what repeats what
    seen: set[str] = set()
    kept: list[str] = []
    for line in lines:
        if line not in often or line not in seen:
            kept.append(line)
        seen.add(line)
    half = len(kept) // 2
    return kept[:half] if half >= OFTEN and kept[:half] == kept[half:] else kept


def _without_edges(lines: list[str], title: str, byline: str | None) -> list[str]:
    known = {identity.normalised(known) for known in (title, byline or "", f"by {byline}") if known}
    begin = 0
    kept: list[str] = []
    for line in lines[:EDGE_LINES]:
        if not (identity.normalised(line) in known or _is(_AT_THE_BEGINNING, line)):
            kept.append(line)
        begin += 1
    rest = kept + lines[begin:]
    end = len(rest)
    while end > 1 and len(rest) - end < EDGE_LINES * 2 and _is(_AT_THE_END, rest[end - 1]):
        end -= 1
    return rest[:end] or lines
