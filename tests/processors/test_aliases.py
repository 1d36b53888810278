from collections.abc import Sequence

import pytest

from processors import aliases


def full_forms(*mentions: str, pairs: Sequence[tuple[str, str]] = (), title: str = "") -> list[str]:
    """What each mention ("Anna Lind/PERSON", in the order of the text) stands for."""
    labels: dict[str, str] = {}
    starts: dict[str, list[int]] = {}
    names = []
    for start, mention in enumerate(mentions):
        name, _, label = mention.rpartition("/")
        labels.setdefault(name, label)
        starts.setdefault(name, []).append(start)
        names.append(name)
    known = aliases.of(labels, starts, pairs, title)
    return [known.full(name, start) for start, name in enumerate(names)]


SAME = {
    "a surname": (("Antony Blinken/PERSON", "Blinken/PERSON"), "Antony Blinken"),
    "a surname before the full name": (("Blinken/PERSON", "Antony Blinken/PERSON"), "Antony Blinken"),
    "a first name": (("Steve Jobs/PERSON", "Steve/PERSON"), "Steve Jobs"),
    "a name with a number": (("Abdullah II/PERSON", "Abdullah/PERSON"), "Abdullah II"),
    "a name with an article": (("Bashar al-Assad/PERSON", "Assad/PERSON", "al-Assad/PERSON"), "Bashar al-Assad"),
    "an initial": (("George Bush/PERSON", "George W. Bush/PERSON", "Bush/PERSON"), "George W. Bush"),
    "the last words": (("Susilo Bambang Yudhoyono/PERSON", "Bambang Yudhoyono/PERSON", "Yudhoyono/PERSON"),
                       "Susilo Bambang Yudhoyono"),
    "capitals": (("Porto/GPE", "PORTO/GPE"), "Porto"),
    "a person in capitals": (("BLINKEN/PERSON", "Antony Blinken/PERSON", "Blinken/PERSON"), "Antony Blinken"),
    "a state in short": (("US/GPE", "U.S./GPE", "United States/GPE"), "United States"),
    "a state that is never spelled out": (("U.S./GPE",), "United States"),
    "initials of a body": (("General Motors/ORG", "GM/ORG", "G.M./ORG"), "General Motors"),
    "a company without its form": (("Boeing/ORG", "Boeing Co./ORG"), "Boeing Co."),
}  # fmt: skip


@pytest.mark.parametrize(("mentions", "full"), SAME.values(), ids=list(SAME))
def test_forms_of_one_name_are_one(mentions: tuple[str, ...], full: str) -> None:
    assert set(full_forms(*mentions)) == {full}


APART = {
    "State and the State Department": ("State Department/ORG", "State/ORG"),
    "New York and its paper": ("New York Times/ORG", "New York/GPE"),
    "two people of one first name": ("Anna Lind/PERSON", "Anna Ek/PERSON", "Anna/PERSON"),
    "a place and a person": ("Michael Jordan/PERSON", "Jordan/GPE"),
    "initials of two bodies": ("General Motors/ORG", "Grand Marine/ORG", "GM/ORG"),
    "letters of a place": ("General Motors/ORG", "GM/GPE"),
}


@pytest.mark.parametrize("mentions", APART.values(), ids=list(APART))
def test_names_that_are_not_surely_one_stay_apart(mentions: tuple[str, ...]) -> None:
    assert full_forms(*mentions) == [mention.rpartition("/")[0] for mention in mentions]


def test_a_surname_of_two_people_is_the_one_named_in_full_last() -> None:
    mentions = ("Clinton/PERSON", "Bill Clinton/PERSON", "Clinton/PERSON", "Hillary Clinton/PERSON", "Clinton/PERSON")

    assert full_forms(*mentions) == [
        "Bill Clinton",
        "Bill Clinton",
        "Bill Clinton",
        "Hillary Clinton",
        "Hillary Clinton",
    ]


def test_an_acronym_is_what_the_text_says_it_is() -> None:
    pairs = [("World Health Organization", "WHO")]

    assert full_forms("WHO/ORG", "World Health Organization/ORG", pairs=pairs) == ["World Health Organization"] * 2
    assert full_forms("WHO/ORG", "World Hunger Office/ORG", "World Health Organization/ORG") == [
        "WHO", "World Hunger Office", "World Health Organization",
    ]  # fmt: skip


TITLES = {
    "Antony Blinken meets the king in Oslo": "Antony Blinken",
    "Secretary of State Antony Blinken's trip ends": "Antony Blinken",
    "Why Blinken left": "Blinken",
    "Israeli Blinken left": "Blinken",
    "Blinken Meets With Netanyahu In Renewed Push": "Blinken",
    "Angry Men Hold Antony Blinken Back": "Blinken",
    "": "Blinken",
}


@pytest.mark.parametrize(("title", "full"), TITLES.items())
def test_a_full_name_may_stand_in_the_title_alone(title: str, full: str) -> None:
    assert full_forms("Blinken/PERSON", title=title) == [full]


def test_forms_are_told_apart_from_the_name_by_frequency() -> None:
    assert aliases.forms(["Lind", "Anna Lind", "A. Lind", "Lind"], "Anna Lind") == ("Lind", "A. Lind")


def test_names_that_point_at_each_other_end_somewhere() -> None:
    known = aliases.of({"AB/ORG": "ORG", "A B": "ORG"}, {"AB/ORG": [0], "A B": [1]}, [("A B", "AB"), ("AB", "A B")], "")

    assert known.full("AB", 0) in {"AB", "A B"}
