"""Raw text -> published text: what is cut, by which rule, and how offsets find back; titles -> titles to compare.

Text is raw text minus removed spans and nothing else, so a place in one is a place in the other by arithmetic.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, NamedTuple

import re2
from pydantic import BaseModel, ConfigDict

#: At most this many runs of control characters are cut from one text; a text with more is left as it is there.
MAX_CONTROL_RUNS = 1000
#: A "cut" rule may take at most this share of the text: a quote of its words high up must not empty the article.
MAX_CUT_SHARE = 0.5
#: Rules look at lines of this length at most: no footer is longer, and a wall of text costs nothing.
MAX_RULE_LINE = 400
#: A byline is one of so many lines at the head, a dateline in one of so many that stay; empty lines do not count.
HEAD_LINES = 5
LEAD_LINES = 2
#: A dateline stands in so many characters, and at least so many follow it: a headline is no paragraph.
MAX_LEAD = 160
MIN_AFTER_LEAD = 40
#: A text with more words, or more characters, than this is an article, whatever it says about cookies.
MAX_WALL_WORDS = 150
MAX_WALL_LENGTH = 3000
#: A title has at most so many labels and outlets at one end, and each of them at most so many characters.
MAX_TITLE_PARTS = 4
MAX_TITLE_PART = 80

_CONTROL = re2.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]+")
_NO_WORD = re.compile(r"[\W_]+")
_SEPARATOR = re.compile(r"\s(?:[-–—|•·»]|::)\s")
_LIST = re.compile(r"<([a-z-]+)>")
_NOTHING: Final = r"[^\x00-\x{10ffff}]"
#: For the states of one set: one that has no room for some states matches nothing, one that has too little is slow.
_MEMORY: Final = 32 << 20


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
    where: Literal["tail", "anywhere", "cut", "head", "lead", "end"]
    pattern: str
    example: str
    unless: str | None = None
    longest: int = 160
    keeps: tuple[str, ...] = ()


class Wall(BaseModel):
    """A sign of a paywall, a consent wall or a robot check."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pattern: str
    example: str


class TitleRule(BaseModel):
    """What is no part of a title when titles are compared; the example is a title that it shortens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    where: Literal["start", "end"]
    pattern: str
    example: str
    keeps: tuple[str, ...] = ()


class Outlets(BaseModel):
    """Names that stand behind a title: known ones, and what a name like theirs looks like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    looks_like: str
    examples: tuple[str, ...]
    keeps: tuple[str, ...]


class _Line(NamedTuple):
    """A line that is not empty: where it begins and ends, its break with it, and the rules that match it."""

    start: int
    end: int
    matches: tuple[Rule, ...]

    def rule(self, *where: str) -> Rule | None:
        return next((rule for rule in self.matches if rule.where in where), None)


#: What goes: start, end, name of the rule.
_Cut = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one version of the file, their patterns compiled once."""

    version: int
    rules: tuple[Rule, ...]
    walls: tuple[Wall, ...]
    titles: tuple[TitleRule, ...]
    outlets: Outlets
    _line_rules: tuple[Rule, ...]
    _lines: Any  # a set of patterns: one pass over a line, however many rules there are
    _unless: Any
    _leads: tuple[tuple[Rule, Any, Any], ...]
    _ends: tuple[tuple[Rule, Any], ...]
    _wall: Any
    _title_starts: Any
    _title_ends: Any
    _outlet_keys: frozenset[str]
    _outlet: Any

    def match(self, line: str) -> tuple[Rule, ...]:
        """The rules that match a whole line, in the order of the file."""
        if len(line) > MAX_RULE_LINE:
            return ()
        found = self._lines.Match(line)
        if found is None:
            return ()
        kept = self._unless.Match(line) or ()
        rules = [self._line_rules[i] for i in sorted(found) if i not in kept]
        return tuple(rule for rule in rules if len(line) <= rule.longest)

    def lead(self, line: str) -> tuple[Rule, int] | None:
        """The rule that matches the beginning of a line, and its length with the white space behind it."""
        beginning = line[:MAX_LEAD]
        for rule, pattern, unless in self._leads:
            found = pattern.match(beginning)
            if found is None or (unless is not None and unless.fullmatch(found.group()) is not None):
                continue
            rest = line[found.end() :].lstrip()
            # A sentence follows: behind "NATO - the alliance of" it does not.
            if len(rest) >= MIN_AFTER_LEAD and not rest[0].islower():
                return rule, len(line) - len(rest)
        return None

    def end(self, line: str) -> tuple[Rule, int] | None:
        """The rule that matches the end of a line, and where that begins."""
        begin = max(0, len(line) - MAX_LEAD)
        for rule, pattern in self._ends:
            found = pattern.search(line[begin:])
            if found is not None and begin + found.start():
                return rule, begin + found.start()
        return None

    def is_wall(self, text: str) -> bool:
        """Whether a short text is a door in front of an article; a long one only talks about such doors."""
        return len(text) <= MAX_WALL_LENGTH and text.count(" ") < MAX_WALL_WORDS and self._wall.search(text) is not None

    def shortened(self, title: str, source: str | None) -> str:
        """The title without one label at its start and one label or outlet at its end."""
        if (found := self._title_starts.match(title[:MAX_TITLE_PART])) is not None:
            title = title[found.end() :]
        begin = max(0, len(title) - MAX_TITLE_PART)
        last = title[begin:]
        if (found := self._title_ends.search(last)) is not None:
            return title[: begin + found.start()].strip()
        separators = list(_SEPARATOR.finditer(last))
        if separators and self._is_outlet(last[separators[-1].end() :], source):
            return title[: begin + separators[-1].start()].strip()
        return title.strip()

    def _is_outlet(self, name: str, source: str | None) -> bool:
        key = _key(name)
        return bool(key) and (
            key in self._outlet_keys or self._outlet.fullmatch(name.strip()) is not None or key in _source_keys(source)
        )


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The published text and what was removed to get it."""

    text: str
    removed: tuple[Span, ...]


@cache
def load_rules() -> Rules:
    """The rules that come with this version of the pipeline."""
    return rules_of((resources.files("pipeline") / "cleaning-rules.toml").read_text(encoding="utf-8"))


def rules_of(toml: str) -> Rules:
    """The rules that a text like cleaning-rules.toml holds; `<name>` in a pattern stands for a list of the file."""
    data = tomllib.loads(toml)
    lists: Mapping[str, str] = data["lists"]

    def compiled(pattern: str) -> Any:
        return re2.compile(f"(?i:{_written_out(pattern, lists)})")

    rules = tuple(Rule(**rule) for rule in data["rule"])
    walls = tuple(Wall(**wall) for wall in data["wall"])
    titles = tuple(TitleRule(**title) for title in data["title"])
    outlets = Outlets(**data["outlets"])
    line_rules = tuple(rule for rule in rules if rule.where not in ("lead", "end"))
    starts, ends = ("|".join(f"(?:{t.pattern})" for t in titles if t.where == where) for where in ("start", "end"))
    return Rules(
        version=data["version"],
        rules=rules,
        walls=walls,
        titles=titles,
        outlets=outlets,
        _line_rules=line_rules,
        _lines=_set([_written_out(rule.pattern, lists) for rule in line_rules]),
        _unless=_set([_written_out(rule.unless or _NOTHING, lists) for rule in line_rules]),
        _leads=tuple(
            (rule, compiled(rule.pattern), compiled(rule.unless) if rule.unless else None)
            for rule in rules
            if rule.where == "lead"
        ),
        _ends=tuple((rule, compiled(rf"(?:{rule.pattern})\z")) for rule in rules if rule.where == "end"),
        _wall=compiled("|".join(f"({wall.pattern})" for wall in walls)),
        _title_starts=compiled(starts),
        _title_ends=compiled(rf"(?:{ends})\s*\z"),
        _outlet_keys=frozenset(map(_key, outlets.names)),
        _outlet=re2.compile(_written_out(outlets.looks_like, lists)),
    )


def _set(patterns: Sequence[str]) -> Any:
    options = re2.Options()
    options.never_capture = True
    options.max_mem = _MEMORY
    made = re2.Set.FullMatchSet(options)
    for pattern in patterns:
        made.Add(f"(?i:{pattern})")
    made.Compile()
    return made


def _written_out(pattern: str, lists: Mapping[str, str]) -> str:
    return _LIST.sub(lambda found: f"(?:{_written_out(lists[found[1]], lists)})", pattern.replace("\n", ""))


def clean(raw: str, rules: Rules) -> Cleaned:
    """Cut boilerplate lines, control characters and white space at both ends."""
    cuts = _boilerplate(raw, rules)
    cuts += ((start, end, "control-character") for start, end in _control_runs(raw))
    removed = tuple(
        Span(start=start, end=end, rule=rule, text=raw[start:end])
        for start, end, rule in _with_white_space_at_the_ends(raw, _disjoint(cuts))
    )
    return Cleaned(_without(raw, removed), removed)


def clean_title(title: str, rules: Rules, source: str | None = None) -> str:
    """The title as it is compared: without labels ("Exclusive:") and outlets ("| BBC News") at its ends.

    What would leave no word is not cut. `source` is who delivers it: its name is an outlet too.
    """
    for _ in range(MAX_TITLE_PARTS):
        shorter = rules.shortened(title, source)
        if shorter == title or not any(map(str.isalnum, shorter)):
            break
        title = shorter
    return title


def _key(name: str) -> str:
    return _NO_WORD.sub("", name.casefold()).removeprefix("the")


def _source_keys(source: str | None) -> tuple[str, ...]:
    """The ways in which a source names itself: "www.coastal-wire.example" is Coastal Wire."""
    if source is None:
        return ()
    host = source.lower().removeprefix("www.")
    return _key(source), _key(host.rpartition(".")[0]), _key(host.partition(".")[0])


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


def _lines(raw: str, rules: Rules) -> Iterator[_Line]:
    start = 0
    for piece in raw.replace("\xa0", " ").splitlines(keepends=True):
        end = start + len(piece)
        if line := piece.strip():
            yield _Line(start, end, rules.match(line))
        start = end


def _boilerplate(raw: str, rules: Rules) -> list[_Cut]:
    lines = list(_lines(raw, rules))
    found: list[_Cut] = []
    cut = _cut_from(lines, len(raw.rstrip()))
    if cut is not None:
        at, from_here = cut
        found.append((lines[at].start, len(raw), from_here.name))
        del lines[at:]

    kept: list[_Line] = []  # from the last to the first
    for i in range(len(lines) - 1, -1, -1):
        line = lines[i]
        rule = _rule_for(line, is_head=i < HEAD_LINES, is_tail=not kept) if line.matches else None
        if rule is None:
            kept.append(line)
        else:
            found.append((line.start, line.end, rule.name))
    if kept:
        found += _ends_of(raw, kept, rules)
    return found


def _rule_for(line: _Line, *, is_head: bool, is_tail: bool) -> Rule | None:
    rule = line.rule("anywhere", "tail") if is_tail else line.rule("anywhere")
    return line.rule("head") if rule is None and is_head else rule


def _cut_from(lines: Sequence[_Line], length: int) -> tuple[int, Rule] | None:
    """The first line from which on everything goes."""
    only_boilerplate_from = len(lines)
    while only_boilerplate_from and lines[only_boilerplate_from - 1].rule("tail", "anywhere", "cut"):
        only_boilerplate_from -= 1
    for i, line in enumerate(lines):
        rule = line.rule("cut") if line.matches else None
        if rule is not None and (length - line.start <= MAX_CUT_SHARE * length or i >= only_boilerplate_from):
            return i, rule
    return None


def _ends_of(raw: str, kept: Sequence[_Line], rules: Rules) -> Iterator[_Cut]:
    """The dateline before the article, and the mark of an agency behind it."""
    for line in kept[: -LEAD_LINES - 1 : -1]:
        piece = raw[line.start : line.end]
        text = piece.strip()
        start = line.start + len(piece) - len(piece.lstrip())
        if (lead := rules.lead(text.replace("\xa0", " "))) is not None:
            yield start, start + lead[1], lead[0].name
            break
    last = kept[0]
    piece = raw[last.start : last.end]
    text = piece.strip()
    if (end := rules.end(text.replace("\xa0", " "))) is not None:
        start = last.start + len(piece) - len(piece.lstrip())
        yield start + end[1], start + len(text), end[0].name


def _control_runs(raw: str) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    if not _CONTROL.search(raw):
        return runs
    for match in _CONTROL.finditer(raw):
        if len(runs) == MAX_CONTROL_RUNS:
            break
        runs.append(match.span())
    return runs


def _disjoint(cuts: list[_Cut]) -> list[_Cut]:
    """In order, without overlaps, and neighbours of one rule as one: a line takes its control characters with it."""
    kept: list[_Cut] = []
    for begin, end, rule in sorted(cuts, key=lambda cut: (cut[0], -cut[1])):
        start = max(begin, kept[-1][1]) if kept else begin
        if kept and (start, rule) == kept[-1][1:]:
            kept[-1] = (kept[-1][0], max(start, end), rule)
        elif start < end:
            kept.append((start, end, rule))
    return kept


def _with_white_space_at_the_ends(raw: str, cuts: list[_Cut]) -> list[_Cut]:
    """Add the white space that would otherwise be left before the first and after the last kept character."""
    stays = list(zip([0, *(cut[1] for cut in cuts)], [*(cut[0] for cut in cuts), len(raw)], strict=True))
    first = next((b - len(kept) for a, b in stays if (kept := raw[a:b].lstrip())), None)
    if first is None:
        return [(0, len(raw), cuts[0][2] if cuts else "white-space")] if raw else []
    last = next(a + len(kept) for a, b in reversed(stays) if (kept := raw[a:b].rstrip()))
    gaps: list[_Cut] = []
    for a, b in stays:
        if a < first:
            gaps.append((a, min(b, first), "white-space"))
        if b > last:
            gaps.append((max(a, last), b, "white-space"))
    return sorted([*cuts, *(gap for gap in gaps if gap[0] < gap[1])]) if gaps else cuts


def _without(raw: str, removed: Sequence[Span]) -> str:
    pieces, place = [], 0
    for span in removed:
        pieces.append(raw[place : span.start])
        place = span.end
    return "".join([*pieces, raw[place:]])
