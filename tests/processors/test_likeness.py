"""What two texts are to each other, from small sets of hashes."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.records import MAX_OTHERS, MAX_SHINGLES
from processors import likeness
from processors.likeness import Likeness, Text
from processors.window import Sets

WIRE, MIRROR = 1, 2


def text(
    shingles: Iterable[int],
    numbers: Iterable[int] = (),
    names: Iterable[int] = (),
    *,
    words: int | None = None,
    source: int = WIRE,
) -> Text:
    """A text of these hashes, capped as the fingerprint caps them; as many words as shingles."""
    sets = [np.array(sorted(s), dtype=np.uint32) for s in (shingles, numbers, names)]
    count = len(sets[0])
    capped = Sets(sets[0][:MAX_SHINGLES], sets[1][:MAX_OTHERS], sets[2][:MAX_OTHERS])
    return Text(capped, count, count if words is None else words, source)


def compared(newer: Text, older: Text) -> Likeness:
    like = likeness.compare(newer, older)
    assert like is not None
    return like


class Shares(NamedTuple):
    """How many shingles two texts have, and have in common, and what comes of it."""

    newer: int
    older: int
    common: int
    containment: float | None


CONTAINMENT = {
    "the same": Shares(100, 100, 100, 1.0),
    "an excerpt": Shares(30, 100, 30, 1.0),
    "an expansion": Shares(100, 30, 30, 1.0),
    "just enough": Shares(100, 200, 45, 0.45),
    "just too little": Shares(100, 200, 44, None),
    "half of the smaller": Shares(1000, 100, 50, 0.5),
    "nothing": Shares(100, 100, 0, None),
    "one shingle each": Shares(1, 1, 1, 1.0),
}


@pytest.mark.parametrize("shares", CONTAINMENT.values(), ids=list(CONTAINMENT))
def test_containment_is_the_share_of_the_smaller_text_that_the_larger_one_has(shares: Shares) -> None:
    newer = text(range(shares.newer))
    older = text(range(shares.newer - shares.common, shares.newer - shares.common + shares.older))

    like = likeness.compare(newer, older)

    assert (like and like.containment) == shares.containment


@pytest.mark.parametrize(("newer", "older"), [(0, 0), (0, 5), (5, 0)])
def test_a_text_without_shingles_is_like_nothing(newer: int, older: int) -> None:
    assert likeness.compare(text(range(newer)), text(range(older))) is None


EVERYWHERE = np.random.default_rng(1).permutation(2**20)[:60_000].tolist()
CAPPED = {
    "a book and two thirds of it": (EVERYWHERE, EVERYWHERE[:40_000]),
    "two thirds and the book": (EVERYWHERE[:40_000], EVERYWHERE),
    "a book and a page of it": (EVERYWHERE, EVERYWHERE[:2_000]),
    "two books": (EVERYWHERE, EVERYWHERE),
}


@pytest.mark.parametrize(("newer", "older"), CAPPED.values(), ids=list(CAPPED))
def test_of_texts_larger_than_the_cap_only_what_both_kept_is_compared(newer: list[int], older: list[int]) -> None:
    assert compared(text(newer), text(older)).containment == 1.0


def test_of_two_books_that_share_half_the_estimate_is_about_half() -> None:
    like = compared(text(EVERYWHERE[:40_000]), text(EVERYWHERE[20_000:]))

    assert like.containment == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("newer", "older"), CAPPED.values(), ids=list(CAPPED))
def test_numbers_and_names_beyond_the_cap_are_no_swaps(newer: list[int], older: list[int]) -> None:
    like = compared(text(newer, newer, newer), text(older, older, older))

    assert not like.swapped
    assert not like.other_subject


class Swap(NamedTuple):
    """Of two texts with 200 shingles each: how many they share, and the numbers and names of each."""

    common: int
    newer: tuple[Iterable[int], Iterable[int]]
    older: tuple[Iterable[int], Iterable[int]]
    swapped: bool


SWAPS = {
    "nothing to swap": Swap(180, ((), ()), ((), ()), False),
    "one corrected number": Swap(197, (range(1, 9), ()), (range(8), ()), False),
    "six others of eight": Swap(180, (range(6, 14), ()), (range(8), ()), False),
    "seven others of eight": Swap(180, (range(7, 15), ()), (range(8), ()), True),
    "four names and three numbers": Swap(180, (range(10, 13), range(10, 14)), (range(3), range(4)), True),
    "new names on one side only": Swap(180, ((), range(50)), ((), range(4)), False),
    "none on one side": Swap(180, (range(50), ()), ((), ()), False),
    "as many as a replaced paragraph brings": Swap(140, (range(9), ()), (range(9, 18), ()), False),
    "more than a replaced paragraph brings": Swap(140, (range(10), ()), (range(10, 20), ()), True),
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=list(SWAPS))
def test_two_fillings_of_a_form_differ_in_more_numbers_and_names_than_a_correction(swap: Swap) -> None:
    newer = text(range(200), *swap.newer)
    older = text(range(200 - swap.common, 400 - swap.common), *swap.older)

    assert compared(newer, older).swapped is swap.swapped
    assert compared(older, newer).swapped is swap.swapped, "whoever is first"


@pytest.mark.parametrize(("longer", "swapped"), [(333, True), (334, False)])
def test_two_fillings_of_a_form_are_about_equally_long(longer: int, swapped: bool) -> None:
    newer = text(range(200), range(20))
    older = text(range(20, 20 + longer), range(20, 40))

    assert compared(newer, older).swapped is swapped


CONTAINS = {
    "over half its own": (401, 200, 401, True),
    "just half": (400, 200, 400, False),
    "150 words of its own": (200, 50, 200, False),
    "151 words of its own": (201, 50, 201, True),
    "it is the smaller one": (200, 401, 200, False),
    "many shingles of few words": (401, 200, 200, False),
}


@pytest.mark.parametrize(("newer", "older", "words", "contains"), CONTAINS.values(), ids=list(CONTAINS))
def test_a_newer_text_contains_an_older_one_that_is_its_smaller_part(
    newer: int, older: int, words: int, contains: bool
) -> None:
    like = compared(text(range(newer), words=words), text(range(older)))

    assert like.contains is contains


@pytest.mark.parametrize(
    ("kept", "source", "other_subject"),
    [(10, MIRROR, False), (9, MIRROR, True), (15, WIRE, False), (14, WIRE, True)],
    ids=["half at another outlet", "less", "three quarters at the same outlet", "less there"],
)
def test_what_is_alike_must_name_what_the_smaller_text_is_about(kept: int, source: int, other_subject: bool) -> None:
    smaller = text(range(100), range(12), range(8))
    larger = text(range(30, 1030), range(12 - min(kept, 12), 12), range(8 - max(kept - 12, 0), 8), source=source)

    assert compared(smaller, larger).other_subject is other_subject
    assert compared(larger, smaller).other_subject is other_subject


@pytest.mark.parametrize(("common", "subjects"), [(75, 20), (60, 3)], ids=["it is sure", "there are too few to tell"])
def test_the_subject_is_not_asked_for(common: int, subjects: int) -> None:
    like = compared(text(range(100), range(subjects)), text(range(100 - common, 1100 - common)))

    assert not like.other_subject


@pytest.mark.parametrize(("a", "b", "shared"), [([], [], 0), ([1], [], 0), ([1, 5, 2**32 - 1], [0, 5, 2**32 - 1], 2)])
def test_what_two_sets_share_is_counted(a: list[int], b: list[int], shared: int) -> None:
    one, other = np.array(a, dtype=np.uint32), np.array(b, dtype=np.uint32)

    assert likeness.common(one, other) == likeness.common(other, one) == shared
