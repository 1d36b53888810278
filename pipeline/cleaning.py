"""Raw text -> published text: what is cut, by which rule, and how offsets find back.

Text is raw text minus removed spans and nothing else, so a place in one is a place in the other by arithmetic.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import re2
from pydantic import BaseModel, ConfigDict

#: At most this many runs of control characters are cut from one text; a text with more is left as it is there.
MAX_CONTROL_RUNS = 1000
#: A "cut" rule may take at most this share of the text: a quote of its words high up must not empty the article.
MAX_CUT_SHARE = 0.5
#: Rules look at lines of this length at most: no footer is longer, and a wall of text costs nothing.
MAX_RULE_LINE = 400
#: A text with more words than this is an article, whatever it says about cookies.
MAX_WALL_WORDS = 150

_CONTROL = re2.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]+")


class Span(BaseModel):
    """A piece cut from the raw text: code point offsets into it, the rule, and the words themselves."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    rule: str
    text: str


class Rule(BaseModel):
    """One line of cleaning-rules.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    where: Literal["tail", "anywhere", "cut"]
    pattern: str
    example: str


class Wall(BaseModel):
    """A sign of a paywall, a consent wall or a robot check."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pattern: str
    example: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one version of the file, their patterns compiled once."""

    version: int
    rules: tuple[Rule, ...]
    walls: tuple[Wall, ...]
    _patterns: tuple[Any, ...]
    _wall: Any

    def match(self, line: str) -> Rule | None:
        """The first rule whose pattern matches the whole line."""
        if len(line) > MAX_RULE_LINE:
            return None
        return next((r for r, p in zip(self.rules, self._patterns, strict=True) if p.fullmatch(line)), None)

    def is_wall(self, text: str) -> bool:
        """Whether a short text is a door in front of an article; a long one only talks about such doors."""
        return text.count(" ") < MAX_WALL_WORDS and self._wall.search(text) is not None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The published text and what was removed to get it."""

    text: str
    removed: tuple[Span, ...]


@cache
def load_rules() -> Rules:
    """The rules that come with this version of the pipeline."""
    data = tomllib.loads((resources.files("pipeline") / "cleaning-rules.toml").read_text(encoding="utf-8"))
    rules = tuple(Rule(**rule) for rule in data["rule"])
    walls = tuple(Wall(**wall) for wall in data["wall"])
    patterns = tuple(re2.compile(f"(?i:{rule.pattern})") for rule in rules)
    return Rules(
        data["version"], rules, walls, patterns, re2.compile("(?i)" + "|".join(f"({w.pattern})" for w in walls))
    )


def clean(raw: str, rules: Rules) -> Cleaned:
    """Cut boilerplate lines, control characters and white space at both ends."""
    spans = _boilerplate(raw, rules)
    spans += [Span(start=a, end=b, rule="control-character", text=raw[a:b]) for a, b in _control_runs(raw)]
    removed = tuple(_with_white_space_at_the_ends(raw, _disjoint(spans)))
    return Cleaned(_without(raw, removed), removed)


class RawOffsets:
    """Ranges of the published text as ranges of the raw one: logarithmic in the number of removed spans."""

    def __init__(self, removed: Sequence[Span]) -> None:
        self._text_starts: list[int] = []  # where in the published text each span was taken out
        self._shifts = [0]
        for span in removed:
            self._text_starts.append(span.start - self._shifts[-1])
            self._shifts.append(self._shifts[-1] + span.end - span.start)

    def range(self, start: int, end: int) -> tuple[int, int]:
        """The raw range of a non-empty range of the published text."""
        first = self._shifts[bisect_right(self._text_starts, start)]
        last = self._shifts[bisect_right(self._text_starts, end - 1)]
        return start + first, end + last


def _lines(raw: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in raw.splitlines(keepends=True):
        yield start, start + len(line)
        start += len(line)


def _boilerplate(raw: str, rules: Rules) -> list[Span]:
    lines = [(start, end, raw[start:end].strip()) for start, end in _lines(raw)]
    matched = [rules.match(line) if line else None for _, _, line in lines]
    found: list[Span] = []

    whole = len(raw.rstrip())
    only_boilerplate_from = len(lines)
    while only_boilerplate_from and (
        matched[only_boilerplate_from - 1] is not None or not lines[only_boilerplate_from - 1][2]
    ):
        only_boilerplate_from -= 1
    for i, rule in enumerate(matched):
        if rule is not None and rule.where == "cut":
            start = lines[i][0]
            if whole - start <= MAX_CUT_SHARE * whole or i >= only_boilerplate_from:
                found.append(Span(start=start, end=len(raw), rule=rule.name, text=raw[start:]))
                lines, matched = lines[:i], matched[:i]
                break

    in_tail = True
    for (start, end, line), rule in zip(reversed(lines), reversed(matched), strict=True):
        if not line:
            continue
        if rule is not None and (rule.where == "anywhere" or (rule.where == "tail" and in_tail)):
            found.append(Span(start=start, end=end, rule=rule.name, text=raw[start:end]))
        else:
            in_tail = False
    return found


def _control_runs(raw: str) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    if raw.isprintable() or not _CONTROL.search(raw):
        return runs
    for match in _CONTROL.finditer(raw):
        if len(runs) == MAX_CONTROL_RUNS:
            break
        runs.append(match.span())
    return runs


def _disjoint(spans: list[Span]) -> list[Span]:
    """In order, without overlaps: a line that goes takes its control characters with it."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _with_white_space_at_the_ends(raw: str, spans: list[Span]) -> list[Span]:
    """Add the white space that would otherwise be left before the first and after the last kept character."""
    first, last, place = len(raw), 0, 0
    for start, end in [*((s.start, s.end) for s in spans), (len(raw), len(raw))]:
        piece = raw[place:start]
        if piece.strip():
            first = min(first, place + len(piece) - len(piece.lstrip()))
            last = place + len(piece.rstrip())
        place = end
    if first >= last:
        return [Span(start=0, end=len(raw), rule=spans[0].rule if spans else "white-space", text=raw)] if raw else []
    gaps: list[Span] = []
    place = 0
    for start, end in [*((s.start, s.end) for s in spans), (len(raw), len(raw))]:
        for a, b in ((place, min(start, first)), (max(place, last), start)):
            if a < b:
                gaps.append(Span(start=a, end=b, rule="white-space", text=raw[a:b]))
        place = end
    return sorted([*spans, *gaps], key=lambda s: s.start)


def _without(raw: str, removed: Sequence[Span]) -> str:
    pieces, place = [], 0
    for span in removed:
        pieces.append(raw[place : span.start])
        place = span.end
    return "".join([*pieces, raw[place:]])
