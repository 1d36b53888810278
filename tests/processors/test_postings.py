"""The hash table in arrays against a dict of lists."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.postings import NONE, Hashes, Postings

#: Few hashes, so that they repeat; every second one falls into one chain with another (the smallest table has 256).
HASHES = st.sampled_from([0, 1, 2, 256, 257, 258, 512, 2**32 - 256, 2**32 - 1])
BATCHES = st.lists(st.lists(HASHES, max_size=12), max_size=8)


def hashes(values: list[int]) -> Hashes:
    return np.array(values, dtype=np.uint32)


def filled(batches: list[list[int]]) -> tuple[Postings, dict[int, list[int]]]:
    """A table, and what it must hold: of each hash its postings, the newest first."""
    postings, model, number = Postings(capacity=100, expected=100), defaultdict(list), 0
    for batch in batches:
        assert postings.add(hashes(batch)) == number + 1
        for value in batch:
            number += 1
            model[value].insert(0, number)
    assert postings.count == number
    return postings, model


def chain(postings: Postings, value: int) -> Iterator[int]:
    posting = postings.first(value)
    while posting != NONE:
        yield posting
        posting = postings.older(posting)


@given(BATCHES, st.lists(HASHES, max_size=20))
def test_the_newest_posting_of_each_hash_is_found(batches: list[list[int]], asked: list[int]) -> None:
    postings, model = filled(batches)

    found = postings.newest(hashes(asked))

    assert found.tolist() == [model[value][0] if model[value] else NONE for value in asked]


@given(BATCHES, HASHES)
def test_the_postings_of_a_hash_are_found_from_the_newest_to_the_oldest(batches: list[list[int]], value: int) -> None:
    postings, model = filled(batches)

    assert list(chain(postings, value)) == model[value]


@given(BATCHES, st.lists(st.tuples(HASHES, st.integers(-1, 4)), max_size=20))
def test_of_each_hash_as_many_postings_are_found_as_are_wanted(
    batches: list[list[int]], asked: list[tuple[int, int]]
) -> None:
    postings, model = filled(batches)

    places, found = postings.all(
        hashes([value for value, _ in asked]), np.array([most for _, most in asked], dtype=int)
    )

    by_place = defaultdict(list)
    for place, posting in zip(places.tolist(), found.tolist(), strict=True):
        by_place[place].append(posting)
    assert [by_place[i] for i in range(len(asked))] == [model[value][: max(most, 0)] for value, most in asked]


@pytest.mark.parametrize("expected", [1, 256, 257, 100_000])
def test_a_table_holds_as_many_as_its_capacity_however_many_were_expected(expected: int) -> None:
    postings = Postings(capacity=1000, expected=expected)

    postings.add(np.arange(1000, dtype=np.uint32))

    assert postings.newest(np.arange(1000, dtype=np.uint32)).tolist() == list(range(1, 1001))


def test_memory_is_counted_as_postings_come() -> None:
    postings = Postings(capacity=1_000_000, expected=1_000)
    empty = postings.nbytes

    postings.add(hashes([1, 2, 3]))

    assert postings.nbytes - empty == 3 * 8
