"""Two texts -> what one has and the other has not, in the order of both: `news diff`.

difflib compares sentences, and the words of those that differ. It is quadratic at worst, and worse than that where much
is repeated, so its steps are counted: where they are too many, the two texts are shown as one piece that went and one
that came, and `is_coarse` says so.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import Match, SequenceMatcher
from itertools import accumulate, chain, groupby
from typing import Final, Literal, NamedTuple

#: A sentence is no longer than this in characters: a text may be one line, or one word.
MAX_SENTENCE: Final = 400
#: So many steps difflib may take for the sentences of a pair of texts, and for their words: a second or two.
MAX_STEPS: Final = 5_000_000
MAX_WORD_STEPS: Final = 5_000_000
#: Passages longer than this in characters, both together, are not compared by words.
MAX_PASSAGE: Final = 200_000
#: Passages with less than this in common read better one after the other than word by word.
MIN_ALIKE: Final = 0.4

#: Each piece is what is compared, and the white space behind it.
_SENTENCE: Final = re.compile(
    rf"(\S[^\n]{{0,{MAX_SENTENCE - 1}}}?(?:(?<=[.!?…。！？])[\"'”’»)\]]{{0,3}}(?=\s|\Z)|(?=\n|\Z))"
    rf"|\S[^\n]{{0,{MAX_SENTENCE - 1}}})(\s*)"
)
_WORD: Final = re.compile(r"(\w+|[^\w\s])(\s*)")

Kind = Literal["same", "removed", "added"]


class Change(NamedTuple):
    """A stretch of text. All but `added` make up the old text, all but `removed` the new one."""

    kind: Kind
    text: str


class Difference(NamedTuple):
    """All of both texts. `is_coarse`: there was too much to compare it finely."""

    changes: tuple[Change, ...]
    is_coarse: bool

    @property
    def is_none(self) -> bool:
        """Whether the texts are equal."""
        return all(change.kind == "same" for change in self.changes)


def difference(old: str, new: str) -> Difference:
    """What went and what came, by sentences, and by words inside of those that stayed alike."""
    changes: list[Change] = []
    is_coarse = False
    words_left = _Budget(MAX_WORD_STEPS)
    for run in _matched(_pieces(_SENTENCE, old), _pieces(_SENTENCE, new), _Budget(MAX_STEPS)):
        if run.is_same:
            changes += _side_by_side(run)
            continue
        words = None if run.is_coarse else _by_words(run, words_left)
        is_coarse = is_coarse or run.is_coarse
        changes += words or [Change("removed", run.old), Change("added", run.new)]
    return Difference(tuple(_joined(changes)), is_coarse)


class _TooMuch(Exception):
    """The steps are used up."""


class _Budget:
    """Steps that are left."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def take(self, steps: int) -> None:
        """Raises _TooMuch where there are not so many."""
        if steps > self._left:
            raise _TooMuch
        self._left -= steps


class _Counting(SequenceMatcher[str]):
    """Counts its steps before it takes them: each look at a piece, and at each piece that is equal to it."""

    def __init__(self, one: Sequence[str], other: Sequence[str], budget: _Budget) -> None:
        self._budget = budget
        counts = Counter(other)
        self._steps = list(accumulate((1 + counts[piece] for piece in one), initial=0))
        self._end = len(one)
        super().__init__(None, one, other, autojunk=False)

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """As difflib's. Raises _TooMuch."""
        self._budget.take(self._steps[self._end if ahi is None else ahi] - self._steps[alo])
        return super().find_longest_match(alo, ahi, blo, bhi)


class _Piece(NamedTuple):
    words: str
    space: str


class _Run(NamedTuple):
    """Pieces of both texts that are equal but for white space, or that have nothing to do with each other."""

    before: Sequence[_Piece]
    after: Sequence[_Piece]
    is_same: bool
    is_coarse: bool = False

    @property
    def old(self) -> str:
        return "".join(chain.from_iterable(self.before))

    @property
    def new(self) -> str:
        return "".join(chain.from_iterable(self.after))


def _pieces(pattern: re.Pattern[str], text: str) -> list[_Piece]:
    """All of the text; white space in front of it all stands behind an empty piece."""
    lead = text[: len(text) - len(text.lstrip())]
    return ([_Piece("", lead)] if lead else []) + [_Piece(*found) for found in pattern.findall(text, len(lead))]


def _matched(before: Sequence[_Piece], after: Sequence[_Piece], budget: _Budget) -> Iterator[_Run]:
    """Runs in the order of both texts; what is equal at both ends is not compared again."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    yield _Run(before[:head], after[:head], True)
    gone, came = before[head : len(before) - tail], after[head : len(after) - tail]
    one, other = [piece.words for piece in gone], [piece.words for piece in came]
    try:
        for kind, i, end_i, j, end_j in _Counting(one, other, budget).get_opcodes():
            yield _Run(gone[i:end_i], came[j:end_j], kind == "equal")
    except _TooMuch:
        yield _Run(gone, came, False, is_coarse=True)
    yield _Run(before[len(before) - tail :], after[len(after) - tail :], True)


def _by_words(run: _Run, budget: _Budget) -> list[Change] | None:
    """None where too little of it is alike, or there is too much to compare."""
    if len(run.old) + len(run.new) > MAX_PASSAGE:
        return None
    before, after = _pieces(_WORD, run.old), _pieces(_WORD, run.new)
    changes: list[Change] = []
    for part in _matched(before, after, budget):
        if part.is_coarse:
            return None
        changes += _side_by_side(part) if part.is_same else [Change("removed", part.old), Change("added", part.new)]
    same = sum(len(change.text.strip()) for change in changes if change.kind == "same")
    return changes if same >= MIN_ALIKE * max(len(run.old), len(run.new)) else None


def _side_by_side(run: _Run) -> Iterator[Change]:
    for one, other in zip(run.before, run.after, strict=True):
        yield Change("same", one.words)
        if one.space == other.space:
            yield Change("same", one.space)
        else:
            yield Change("removed", one.space)
            yield Change("added", other.space)


def _common(before: Sequence[_Piece], after: Sequence[_Piece]) -> int:
    """So many pieces at the beginning have the same words."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one.words != other.words:
            break
        count += 1
    return count


def _joined(changes: Iterable[Change]) -> list[Change]:
    """Of what changed between two that stayed, first what went, then what came; white space behind both stayed."""
    joined: list[Change] = []

    def add(kind: Kind, text: str) -> None:
        if joined and joined[-1].kind == kind:
            joined[-1] = Change(kind, joined[-1].text + text)
        elif text:
            joined.append(Change(kind, text))

    for is_same, run in groupby((c for c in changes if c.text), key=lambda change: change.kind == "same"):
        stretch = list(run)
        if is_same:
            add("same", "".join(change.text for change in stretch))
            continue
        gone = "".join(change.text for change in stretch if change.kind == "removed")
        came = "".join(change.text for change in stretch if change.kind == "added")
        space = gone[len(gone.rstrip()) :]
        if not came or came[len(came.rstrip()) :] != space:
            space = ""
        add("removed", gone.removesuffix(space))
        add("added", came.removesuffix(space))
        add("same", space)
    return joined
