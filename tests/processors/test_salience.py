import pytest

from processors import salience


@pytest.mark.parametrize(
    ("count", "most", "first", "in_title", "expected"),
    [
        (10, 10, 0, True, 1.0),
        (10, 10, 0, False, 0.6),
        (5, 10, 0, False, 0.4),
        (1, 10, 900, False, 0.14),
        (1, 10, 5000, False, 0.04),
        (1, 10, 5000, True, 0.44),
    ],
)
def test_the_title_the_lead_and_the_mentions_count(
    count: int, most: int, first: int, in_title: bool, expected: float
) -> None:
    assert salience.of(count, most, first, in_title) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "title", "stands"),
    [
        ("Oslo", "Fire in Oslo", True),
        ("Oslo", "Oslo's port", True),
        ("Oslo", "The Osloer", False),
        ("Oslo", "The Osloer of Oslo", True),
        ("Oslo", "", False),
    ],
)
def test_a_name_stands_in_a_title_as_whole_words(name: str, title: str, stands: bool) -> None:
    assert salience.stands_in(name, title) is stands
