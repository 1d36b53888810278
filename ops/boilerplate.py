"""Texts of one source -> lines and sentences that many of them repeat -> rules that would cut them; pure.

Nothing is learnt: what comes out is a proposal, for somebody to read.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Final, Literal, NamedTuple

import xxhash

from pipeline import cleaning, identity
from processors import sentences

Where = Literal["head", "tail", "anywhere"]

#: So many lines at the end of a text count as its tail; at its head cleaning says how many (HEAD_LINES).
TAIL_LINES: Final = 5
#: Pieces held at once. When there are more, those seen in one article only are forgotten.
MAX_PIECES: Final = 1_000_000
#: So many are told, the most frequent.
MAX_REPEATED: Final = 500
#: Pieces with fewer letters than this say nothing: "***", a number.
MIN_LETTERS: Final = 3
#: What stands in a smaller part of a source's articles is its subject, not its page.
MIN_SHARE: Final = 0.05
NAME_WORDS: Final = 6

_LONGEST: Final[int] = cleaning.Rule.model_fields["longest"].default
_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$<>")
_NAME_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Repeated:
    """A line, or a sentence inside longer lines, that stands in several articles, and in how many at which place."""

    text: str
    is_line: bool
    articles: int
    of: int
    at_head: int
    at_tail: int

    @property
    def share(self) -> float:
        """In which part of the articles it stands."""
        return self.articles / self.of

    @property
    def elsewhere(self) -> int:
        """In how many articles it stands neither at the head nor at the tail."""
        return self.articles - self.at_head - self.at_tail

    @property
    def where(self) -> Where:
        """The least that a rule must look at: the head or the tail where it mostly stands there."""
        if self.at_tail * 10 >= self.articles * 9:
            return "tail"
        return "head" if self.at_head * 10 >= self.articles * 9 else "anywhere"


@dataclass(slots=True)
class _Count:
    is_line: bool
    articles: int = 0
    at_head: int = 0
    at_tail: int = 0
    text: str = ""  # kept from the second article on


class _Piece(NamedTuple):
    text: str
    is_line: bool
    place: Where


def repeated(
    texts: Iterable[str],
    rules: cleaning.Rules,
    *,
    min_articles: int = 5,
    min_share: float = MIN_SHARE,
    max_pieces: int = MAX_PIECES,
) -> list[Repeated]:
    """What stands in at least `min_articles` texts and in `min_share` of them, most frequent first.

    What `rules` would remove by now does not count. A piece is known by a 64-bit hash of its normalised text; a text is
    kept only for what repeats, so memory is bounded whatever comes.
    """
    counts: dict[int, _Count] = {}
    of, is_full = 0, False
    for text in texts:
        of += 1
        for key, piece in _pieces(cleaning.clean(text, rules).text).items():
            if key not in counts and len(counts) >= max_pieces:
                if not is_full:
                    counts = {k: count for k, count in counts.items() if count.articles > 1}
                    is_full = len(counts) > max_pieces // 2
                if is_full:
                    continue
            count = counts.setdefault(key, _Count(piece.is_line))
            count.articles += 1
            count.at_head += piece.place == "head"
            count.at_tail += piece.place == "tail"
            if count.articles == 2:
                count.text = piece.text
    enough = max(2, min_articles, min_share * of)
    found = [
        Repeated(c.text, c.is_line, c.articles, of, c.at_head, c.at_tail)
        for c in counts.values()
        if c.articles >= enough
    ]
    most = sorted(found, key=lambda r: (-r.articles, not r.is_line, r.text))[:MAX_REPEATED]
    return list(_without_parts(most))


def _pieces(text: str) -> dict[int, _Piece]:
    """The distinct pieces of one text by their hashes; of a piece that stands there twice, its last place counts."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found: dict[int, _Piece] = {}
    for i, line in enumerate(lines):
        place: Where = "tail" if i >= len(lines) - TAIL_LINES else "head" if i < cleaning.HEAD_LINES else "anywhere"
        for piece, is_line in _line_and_sentences(line):
            key = xxhash.xxh3_64_intdigest(identity.normalised(piece).encode(), seed=is_line)
            found[key] = _Piece(piece, is_line, place)
    return found


def _line_and_sentences(line: str) -> Iterator[tuple[str, bool]]:
    if len(line) <= cleaning.MAX_RULE_LINE and _says_something(line):
        yield line, True
    inside = [line[start:end] for start, end in sentences.spans(line)]
    for sentence in inside if len(inside) > 1 else ():
        if len(sentence) <= cleaning.MAX_RULE_LINE and _says_something(sentence):
            yield sentence, False


def _says_something(piece: str) -> bool:
    return sum(map(str.isalpha, piece)) >= MIN_LETTERS


def _without_parts(found: Sequence[Repeated]) -> Iterator[Repeated]:
    """Leave out the sentences that repeat only because their line does."""
    lines = [r for r in found if r.is_line]
    for r in found:
        if r.is_line or not any(r.text in line.text and line.articles >= r.articles for line in lines):
            yield r


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that would cut what repeats, or none where it stands inside longer lines."""

    repeated: Repeated
    rule: cleaning.Rule | None

    def as_row(self) -> dict[str, object]:
        """For programs."""
        r = self.repeated
        counts = {"articles": r.articles, "of": r.of, "share": round(r.share, 4)}
        places = {"at_head": r.at_head, "at_tail": r.at_tail, "elsewhere": r.elsewhere}
        rule = {key: getattr(self.rule, key, None) for key in ("name", "where", "pattern", "longest")}
        return {**counts, **places, "text": r.text, **rule}

    def as_toml(self) -> str:
        """For cleaning-rules.toml; what no rule can cut is a comment."""
        r = self.repeated
        places = f"at the head {r.at_head}, at the tail {r.at_tail}, elsewhere {r.elsewhere}"
        head = f"# in {r.articles} of {r.of} articles ({r.share:.0%}): {places}\n"
        if self.rule is None:
            return f"{head}# a part of longer lines, which no rule cuts: {_quoted(r.text)}\n"
        rule = self.rule
        lines = [
            f"name = {_quoted(rule.name)}",
            f"where = {_quoted(rule.where)}",
            f"pattern = {_literal(rule.pattern)}",
        ]
        if rule.longest != _LONGEST:
            lines.append(f"longest = {rule.longest}")
        return head + "\n".join(["[[rule]]", *lines, f"example = {_quoted(rule.example)}"]) + "\n"


def proposals(found: Iterable[Repeated], taken: Iterable[str] = ()) -> list[Proposal]:
    """A rule for each line that repeats, under a name that is not `taken` by another rule."""
    names = set(taken)
    made = []
    for r in found:
        rule = None
        if r.is_line:
            name = _free(_name(r.text), names)
            names.add(name)
            longest = max(_LONGEST, len(r.text))
            rule = cleaning.Rule(name=name, where=r.where, pattern=_escaped(r.text), example=r.text, longest=longest)
        made.append(Proposal(r, rule))
    return made


def _name(text: str) -> str:
    plain = unicodedata.normalize("NFKD", identity.stream_safe(text)).encode("ascii", "ignore").decode().lower()
    return "-".join(_NAME_WORD.findall(plain)[:NAME_WORDS]) or "line"


def _free(name: str, taken: Collection[str]) -> str:
    return next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n not in taken)


def _escaped(text: str) -> str:
    """A pattern for exactly this line; what cannot be seen is written by its number."""
    return "".join(map(_escaped_character, text.replace("\xa0", " ")))


def _escaped_character(c: str) -> str:
    if c in _SPECIAL:
        return "\\" + c
    return c if c.isprintable() else f"\\x{{{ord(c):x}}}"


def _literal(pattern: str) -> str:
    return _quoted(pattern) if "'" in pattern else f"'{pattern}'"


def _quoted(text: str) -> str:
    """A TOML string in which nothing is invisible: control characters are orders to a terminal."""
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
