"""The hash table in arrays against a dict of lists."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.postings import NONE, Hashes, Postings


def in_bucket(bucket: int, number: int) -> int:
    """The `number`-th hash that falls into this bucket of the smallest table, which has 256."""
    return ((bucket << 24) + number) * pow(0x9E3779B1, -1, 2**32) % 2**32


#: Few hashes, so that they repeat, and fewer buckets.
HASHES = st.sampled_from([in_bucket(b, n) for b in (0, 1, 255) for n in (0, 1, 2**24 - 1)])
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


@given(BATCHES, st.lists(HASHES, max_size=20))
def test_the_newest_posting_of_each_hash_is_found(batches: list[list[int]], asked: list[int]) -> None:
    postings, model = filled(batches)

    found = postings.newest(postings.find(hashes(asked)))

    assert found.tolist() == [model[value][0] if model[value] else NONE for value in asked]


@given(BATCHES, HASHES)
def test_the_postings_of_a_hash_are_found_from_the_newest_to_the_oldest(batches: list[list[int]], value: int) -> None:
    postings, model = filled(batches)

    assert list(postings.chain(value)) == model[value]


@given(BATCHES, st.lists(st.tuples(HASHES, st.integers(-1, 4)), max_size=20))
def test_of_each_hash_as_many_postings_are_found_as_are_wanted(
    batches: list[list[int]], asked: list[tuple[int, int]]
) -> None:
    postings, model = filled(batches)

    places, found = postings.all(
        postings.find(hashes([value for value, _ in asked])), np.array([most for _, most in asked], dtype=int)
    )

    by_place = defaultdict(list)
    for place, posting in zip(places.tolist(), found.tolist(), strict=True):
        by_place[place].append(posting)
    assert [by_place[i] for i in range(len(asked))] == [model[value][: max(most, 0)] for value, most in asked]


@given(BATCHES, st.lists(HASHES, max_size=20))
def test_the_postings_of_each_hash_are_counted(batches: list[list[int]], asked: list[int]) -> None:
    postings, model = filled(batches)

    assert postings.counts(postings.find(hashes(asked))).tolist() == [len(model[value]) for value in asked]


class Counted(np.ndarray):
    """An array that counts how many of its elements are read."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        Counted.read += np.size(found)
        return found


def test_what_was_posted_a_hundred_thousand_times_costs_no_more_than_what_is_wanted_of_it() -> None:
    hot, in_its_bucket = in_bucket(7, 1), in_bucket(7, 0)
    postings = Postings(capacity=100_002, expected=1)
    postings.add(hashes([in_its_bucket]))
    postings.add(np.full(100_000, hot, dtype=np.uint32))
    Counted.read = 0
    postings._next = postings._next.view(Counted)

    chains = postings.find(hashes([in_its_bucket, hot]))
    _, found = postings.all(chains, np.array([65, 65]))

    assert sorted(found.tolist()) == [1, *range(99_937, 100_002)]
    assert postings.counts(chains).tolist() == [1, 100_000]
    assert postings.add(hashes([hot])) == 100_002
    assert postings.newest(postings.find(hashes([hot, in_its_bucket]))).tolist() == [100_002, 1]
    assert Counted.read < 200


@pytest.mark.parametrize("expected", [1, 256, 257, 100_000])
def test_a_table_holds_as_many_as_its_capacity_however_many_were_expected(expected: int) -> None:
    postings = Postings(capacity=1000, expected=expected)

    postings.add(np.arange(1000, dtype=np.uint32))

    assert postings.newest(postings.find(np.arange(1000, dtype=np.uint32))).tolist() == list(range(1, 1001))


def test_memory_is_counted_as_postings_come() -> None:
    postings = Postings(capacity=1_000_000, expected=1_000)
    empty = postings.nbytes

    postings.add(hashes([1, 2, 2, 3, 2]))

    assert postings.nbytes - empty == 5 * 8 + 12


@given(BATCHES, st.data())
def test_what_was_removed_is_found_by_nothing_and_all_others_are_found_as_before(
    batches: list[list[int]], data: st.DataObject
) -> None:
    postings, model = filled(batches)
    for _ in range(data.draw(st.integers(1, 4))):
        there = [value for value, numbers in sorted(model.items()) if numbers]
        if not there:
            break
        gone = {v: data.draw(st.sampled_from(model[v])) for v in data.draw(st.sets(st.sampled_from(there)))}
        postings.remove(np.array(sorted(gone.values()), dtype=np.int64))
        for value, number in gone.items():
            model[value].remove(number)
        more = data.draw(st.lists(HASHES, max_size=6))
        first = postings.add(hashes(more))
        for number, value in enumerate(more, start=first):
            model[value].insert(0, number)

    for value, numbers in model.items():
        assert list(postings.chain(value)) == numbers
    asked = sorted(model)
    chains = postings.find(hashes(asked))
    assert postings.newest(chains).tolist() == [model[v][0] if model[v] else NONE for v in asked]
    assert postings.counts(chains).tolist() == [len(model[v]) for v in asked]


def test_what_was_removed_does_not_say_any_more_what_it_was_of() -> None:
    postings, _ = filled([[7, 9], [7]])

    postings.remove(np.array([2, 3], dtype=np.int64))

    held = postings._hashes[1:4].tolist()
    assert held == [7 * 0x9E3779B1 % 2**32, 0, 0]
