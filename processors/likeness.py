"""How alike two texts are, from their hashes alone: containment, and what it must not be taken for.

Containment is the share of the smaller text's word 3-shingles that the larger one has (Broder 1997, "On the resemblance
and containment of documents"). An agency text that was shortened, or got another headline and other boilerplate, keeps
most of it while its Jaccard similarity falls.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.records import MAX_OTHERS
from processors.postings import Hashes
from processors.window import Sets

Mask = npt.NDArray[np.bool_]

#: What a copy's containment must reach. Real copies lie above, reports of one event in other words below 0.25.
THRESHOLD: Final = 0.45
#: What is compared of sets that were cut must have so many shingles at least.
FEWEST_SHINGLES: Final = 16
#: A newer text with more than this share, and this many words, of its own is an article that contains the older one.
OWN_SHARE: Final = 0.5
OWN_WORDS: Final = 150
#: Fillings of one form differ in more numbers and names than this, plus so many per shingle of the smaller text. A
#: correction, or several, stays below.
FEWEST_SWAPS: Final = 3
SWAPS_PER_SHINGLE: Final = 0.015
#: Of the shingles that differ, so many at least must be due to them: a replaced paragraph has names of its own too.
SWAPS_PER_DIFFERENCE: Final = 0.15
#: They are about equally long.
SAME_FORM_LENGTHS: Final = 0.6
#: Below this containment such a share of the smaller text's numbers and names must be in the larger one too, if it has
#: so many: what an outlet puts under all its articles is alike without them. Of one outlet it must be more.
SURE: Final = 0.75
SUBJECT_SHARE: Final = 0.5
SUBJECT_SHARE_OF_ONE_SOURCE: Final = 0.75
FEWEST_SUBJECTS: Final = 4


class Text(NamedTuple):
    """What is compared: the sets, and the sizes that their caps may hide."""

    sets: Sets
    shingle_count: int
    words: int
    source: int


class Likeness(NamedTuple):
    """Of a newer text and an older one."""

    containment: float
    own_words: int  # words of the newer text that the older one does not have
    swapped: bool  # the same form with other numbers or names
    contains: bool  # the newer text has the older one as its smaller part
    other_subject: bool  # what is alike hardly names what the texts are about


def isin(some: Hashes, among: Hashes) -> Mask:
    """Which hashes of a sorted set stand in another one."""
    if not len(among):
        return np.zeros(len(some), dtype=bool)
    found: Mask = among.take(among.searchsorted(some), mode="clip") == some
    return found


def common(a: Hashes, b: Hashes) -> int:
    """How many hashes two sorted sets share."""
    return int(np.count_nonzero(isin(a, b) if len(a) < len(b) else isin(b, a)))


def compare(newer: Text, older: Text) -> Likeness | None:
    """Hold a newer text against an older one; nothing for those that share less than the threshold."""
    a, b = newer.sets.shingles, older.sets.shingles
    a, b = _comparable(a, b, newer.shingle_count <= len(a), older.shingle_count <= len(b))
    shared = common(a, b)
    smaller = min(len(a), len(b))
    is_cut = len(a) < newer.shingle_count or len(b) < older.shingle_count
    if smaller < (FEWEST_SHINGLES if is_cut else 1):  # a few hashes beside a set that was cut prove nothing
        return None
    containment = shared / smaller
    if containment < THRESHOLD:
        return None
    own = 1 - shared / len(a) if len(a) else 0.0
    own_words = round(own * newer.words)
    is_larger = newer.shingle_count > older.shingle_count
    return Likeness(
        containment=containment,
        own_words=own_words,
        swapped=_swapped(newer.sets, older.sets, len(a), len(b), shared),
        contains=is_larger and own > OWN_SHARE and own_words > OWN_WORDS,
        other_subject=containment < SURE and _other_subject(newer, older),
    )


def _comparable(a: Hashes, b: Hashes, whole_a: bool, whole_b: bool) -> tuple[Hashes, Hashes]:
    """Of a set larger than its cap only the smallest hashes were kept: both as far as the lower of the ends."""
    if (whole_a and whole_b) or not len(a) or not len(b):
        return a, b
    end = min(a[-1] if not whole_a else b[-1], b[-1] if not whole_b else a[-1])
    return a[: a.searchsorted(end, side="right")], b[: b.searchsorted(end, side="right")]


def _subjects(newer: Sets, older: Sets) -> tuple[tuple[Hashes, Hashes], ...]:
    """The numbers of both, and the names of both."""
    pairs = (newer.numbers, older.numbers), (newer.names, older.names)
    return tuple(_comparable(a, b, len(a) < MAX_OTHERS, len(b) < MAX_OTHERS) for a, b in pairs)


def _swapped(newer: Sets, older: Sets, shingles: int, older_shingles: int, shared: int) -> bool:
    """Whether the two are one form with other numbers and names in it: results, earnings, weather, obituaries.

    Only what *both* have of their own counts: a paragraph more or less, or other boilerplate, adds to one side alone.
    """
    smaller, larger = sorted((shingles, older_shingles))
    if smaller < SAME_FORM_LENGTHS * larger:
        return False
    swaps = sum(min(len(a), len(b)) - common(a, b) for a, b in _subjects(newer, older))
    return swaps > max(FEWEST_SWAPS + SWAPS_PER_SHINGLE * smaller, SWAPS_PER_DIFFERENCE * (smaller - shared))


def _other_subject(newer: Text, older: Text) -> bool:
    """Whether the larger text lacks most numbers and names of the smaller one."""
    smaller, larger = sorted((newer, older), key=lambda text: text.shingle_count)
    pairs = _subjects(smaller.sets, larger.sets)
    subjects = sum(len(a) for a, _ in pairs)
    if subjects < FEWEST_SUBJECTS:
        return False
    kept = sum(common(a, b) for a, b in pairs)
    share = SUBJECT_SHARE_OF_ONE_SOURCE if newer.source == older.source else SUBJECT_SHARE
    return kept < share * subjects
