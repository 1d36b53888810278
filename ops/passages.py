"""Two published texts -> the passages they share: what `news explain` shows side by side.

Words are those of processors/fingerprint.py (`\\w+` of the normalised text), but each with its place in the text as it
is. A passage is a run of words whose 3-shingles all stand in the other text too: the measure by which copies are found.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.identity import normalised
from processors.fingerprint import SHINGLE_WORDS

#: So many places of one shingle are tried: the first ones, and the next one behind the passage before.
MAX_PLACES: Final = 4
#: The first words of a run are compared by so many, then twice as many each time.
_FIRST_STRETCH: Final = 16

_WORD = re.compile(r"\w+")
_ENDS_A_SENTENCE = re.compile(r"^[\s.,;:!?)\]]+")  # what stands behind the passage before
_TOKEN = re.compile(r"\S+")

Numbers = npt.NDArray[np.int64]


class Passage(NamedTuple):
    """The same words in both texts: code points into the text, and into the other one."""

    start: int
    end: int
    of_start: int
    of_end: int
    words: int


class Stretch(NamedTuple):
    """A piece of one text that the other one does not have."""

    start: int
    end: int


class Words(NamedTuple):
    """The words of a text by number, each with its place; equal numbers are equal words."""

    ids: Numbers
    starts: Numbers
    ends: Numbers

    def glued(self, at: int) -> bool:
        """Whether the words before and at `at` share a character ("½" is "1" and "2"): no passage parts them."""
        return 0 < at < len(self.starts) and bool(self.starts[at] < self.ends[at - 1])


def words_of(text: str, numbers: dict[str, int]) -> Words:
    """The words of a text; `numbers` gives each word its number, and learns new ones."""
    ids: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    for word, start, end in _words(text):
        ids.append(numbers.setdefault(word, len(numbers)))
        starts.append(start)
        ends.append(end)
    return Words(*(np.array(values, dtype=np.int64) for values in (ids, starts, ends)))


def matched(text: str, other: str) -> list[Passage]:
    """The passages of `text` that stand in `other`, in the order of `text`, disjoint in it.

    Every word of `text` that is in a 3-shingle of both texts is in one of them. Linear in both lengths.
    """
    numbers: dict[str, int] = {}
    ours, theirs = words_of(text, numbers), words_of(other, numbers)
    return [
        Passage(
            int(ours.starts[at]),
            int(ours.ends[at + count - 1]),
            int(theirs.starts[of]),
            int(theirs.ends[of + count - 1]),
            count,
        )
        for at, of, count in _whole(_runs(ours.ids, theirs.ids, len(numbers)), ours, theirs)
    ]


def changed(text: str, passages: Sequence[Passage]) -> list[Stretch]:
    """What `matched` leaves of the text: the stretches between the passages that have a word in them."""
    found: list[Stretch] = []
    place = 0
    for start, end in [*((p.start, p.end) for p in passages), (len(text), len(text))]:
        piece = text[place:start]
        if _WORD.search(piece):
            first = place + len(piece) - len(_ENDS_A_SENTENCE.sub("", piece))
            found.append(Stretch(first, place + len(piece.rstrip())))
        place = max(place, end)
    return found


def share(text: str, passages: Sequence[Passage]) -> float:
    """How much of the words of a text its passages are, 0 to 1."""
    count = sum(1 for _ in _words(text))
    return sum(p.words for p in passages) / count if count else 0.0


Run = tuple[int, int, int]  # first word, first word in the other text, how many


def _runs(ours: Numbers, theirs: Numbers, known: int) -> Iterator[Run]:
    """Runs of equal words: at each shingle that both have, the longest one among some of its places."""
    shortest = min(len(ours), len(theirs))
    if shortest < SHINGLE_WORDS:  # a text with fewer words is one shingle by itself
        if len(ours) == len(theirs) and shortest and bool((ours == theirs).all()):
            yield 0, 0, shortest
        return
    sought, keys = _shingles(ours, theirs, known)
    places = np.argsort(keys, kind="stable")
    firsts = np.searchsorted(keys, sought, side="left", sorter=places)
    lasts = np.searchsorted(keys, sought, side="right", sorter=places)
    there = np.flatnonzero(lasts > firsts)

    told = 0  # words before this one have been given out
    behind = 0  # where the run before ended in the other text
    for at in there.tolist():
        if at + SHINGLE_WORDS <= told:
            continue  # inside of the run before
        candidates = places[firsts[at] : lasts[at]]
        wanted = behind - max(0, told - at)
        following = int(np.searchsorted(candidates, wanted))
        tried = [int(c) for c in (*candidates[following : following + 1], *candidates[:MAX_PLACES])]
        count, of = max(((_equal(ours, theirs, at, c), c) for c in tried), key=lambda found: found[0])
        given = max(0, told - at)
        yield at + given, of + given, count - given
        told, behind = at + count, of + count


def _shingles(ours: Numbers, theirs: Numbers, known: int) -> tuple[Numbers, Numbers]:
    """The shingles of both texts by number; pairs are numbered first, so that no product outgrows 64 bits."""
    pairs = [ids[:-1] * known + ids[1:] for ids in (ours, theirs)]
    _, numbered = np.unique(np.concatenate(pairs), return_inverse=True)
    first, second = numbered[: len(pairs[0])], numbered[len(pairs[0]) :]
    return first[:-1] * known + ours[2:], second[:-1] * known + theirs[2:]


def _equal(ours: Numbers, theirs: Numbers, at: int, of: int) -> int:
    """How many words from these places on are the same."""
    count, stretch = 0, _FIRST_STRETCH
    while True:
        left, right = ours[at + count : at + count + stretch], theirs[of + count : of + count + stretch]
        size = min(len(left), len(right))
        differs = np.flatnonzero(left[:size] != right[:size])
        if len(differs):
            return count + int(differs[0])
        count += size
        if size < stretch:
            return count
        stretch *= 2


def _whole(runs: Iterator[Run], ours: Words, theirs: Words) -> Iterator[Run]:
    """The runs without words at their ends that share a character with a word outside."""
    for at, of, count in runs:
        first, last = 0, count
        while first < last and (ours.glued(at + first) or theirs.glued(of + first)):
            first += 1
        while first < last and (ours.glued(at + last) or theirs.glued(of + last)):
            last -= 1
        if first < last:
            yield at + first, of + first, last - first


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words as fingerprint has them, with their places; white space parts them before and after normalising."""
    if text.isascii():
        for found in _WORD.finditer(text.lower()):
            yield found.group(), found.start(), found.end()
        return
    for token in _TOKEN.finditer(text):
        if token.group().isascii():
            for found in _WORD.finditer(token.group().lower()):
                yield found.group(), token.start() + found.start(), token.start() + found.end()
        else:
            yield from _words_of_token(token.group(), token.start())


def _words_of_token(token: str, start: int) -> Iterator[tuple[str, int, int]]:
    pieces = [_alone(char) for char in token]
    clean = "".join(pieces)
    froms = list(range(len(token) + 1))
    if clean != _plain(token):  # characters of it become one, or change their order: by clusters then
        pieces, froms = _clusters(token)
        clean = "".join(pieces)
    places = [n for n, piece in enumerate(pieces) for _ in piece]
    for found in _WORD.finditer(clean):
        yield found.group(), start + froms[places[found.start()]], start + froms[places[found.end() - 1] + 1]


def _clusters(token: str) -> tuple[list[str], list[int]]:
    """Pieces that are normalised each by itself, and where each begins: a letter with its accents is one."""
    pieces: list[str] = []
    froms = [0]
    for at, char in enumerate(token):
        held = token[froms[-1] : at] if _may_begin(char) else ""
        if held and _plain(held + char) == _plain(held) + _alone(char):
            pieces.append(_plain(held))
            froms.append(at)
    return [*pieces, _plain(token[froms[-1] :])], [*froms, len(token)]


def _may_begin(char: str) -> bool:
    """Whether a character could stand by itself: no accent, and not one of those that normalising takes out."""
    alone = _alone(char)
    return bool(alone) and not unicodedata.combining(alone[0])


@lru_cache(maxsize=1 << 14)
def _alone(char: str) -> str:
    return _plain(char)


def _plain(piece: str) -> str:
    """`normalised`, with the white space that comes out of single characters ("¨") at both ends too."""
    return normalised(f"\x01{piece}\x01")[1:-1]
