"""Prepared records -> the parts that are one transaction each."""

import itertools
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from sinks.parts import Parts, split
from sinks.rows import Incoming, Prepared, Rows, Version


def prepared(partition: int, offset: int, names: int = 0) -> Prepared:
    version = Version(None, (None,) * names) if names else None  # type: ignore[arg-type]
    return Prepared(Incoming("articles.enriched", UUID(int=1), partition, offset, b""), Rows(version=version))


def test_a_batch_of_usual_articles_is_one_transaction() -> None:
    batch = [prepared(0, offset, names=55) for offset in range(500)]

    assert list(split(batch)) == [batch]


def test_articles_of_very_many_names_are_written_in_several_transactions() -> None:
    batch = [prepared(0, offset, names=20_000) for offset in range(5)]

    assert [[p.incoming.offset for p in part] for part in split(batch)] == [[0, 1], [2, 3], [4]]


def test_an_article_that_is_too_much_alone_is_written_alone() -> None:
    batch = [prepared(0, 0), prepared(0, 1, names=200_000), prepared(0, 2)]

    assert [[p.incoming.offset for p in part] for part in split(batch)] == [[0], [1], [2]]


def test_records_of_very_many_bytes_are_written_in_several_transactions() -> None:
    large = [Prepared(Incoming("articles.enriched", UUID(int=1), 0, n, b"." * 8), Rows()) for n in range(5)]

    parts = list(split(large, most_bytes=16))

    assert [[p.incoming.offset for p in part] for part in parts] == [[0, 1], [2, 3], [4]]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(0, 9)), unique_by=lambda t: t[:2]))
def test_nothing_is_written_behind_what_is_not(places: list[tuple[int, int, int]]) -> None:
    """A suspect of the crash journal is prepared last, and still stands in its place."""
    batch = [prepared(*place) for place in places]

    parts = list(split(batch, most=10))

    written = [p.incoming for part in parts for p in part]
    assert len(written) == len(batch)
    for one, two in itertools.pairwise(written):
        assert (one.place, one.offset) < (two.place, two.offset)


def test_what_was_written_is_where_the_next_part_begins() -> None:
    parts = Parts([prepared(0, offset, names=20_000) for offset in range(5)], {(UUID(int=1), 0): 0})
    places: list[int] = []

    while parts:
        places.append(parts.reached[UUID(int=1), 0])
        parts.written()

    assert places == [0, 2, 4]


def test_a_part_that_takes_too_long_is_halved_until_a_record_is_alone() -> None:
    parts = Parts([prepared(0, offset) for offset in range(5)], {(UUID(int=1), 0): 0})

    for _ in range(4):
        parts.halve()

    assert [p.incoming.offset for p in parts.next] == [0]
    parts.written()
    assert [p.incoming.offset for p in parts.next] == [1]
    parts.written()
    assert [p.incoming.offset for p in parts.next] == [2, 3, 4]
    assert parts.reached == {(UUID(int=1), 0): 2}
