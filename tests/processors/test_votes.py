import pytest

from processors import votes
from processors.names import Found


def labels(*mentions: str) -> dict[str, str]:
    """Labels of an article of mentions like "Oslo/GPE", a sentence each."""
    text, spans = "", []
    for mention in mentions:
        words, _, label = mention.rpartition("/")
        before, _, name = words.rpartition("~")
        text += before
        spans.append(Found(len(text), len(text) + len(name), label))
        text += f"{name}. "
    return votes.labels(text, spans)


VOTES = {
    "the majority": (("Oslo/GPE", "Oslo/PERSON", "Oslo/GPE"), {"Oslo": "GPE"}),
    "the first of equals": (("Oslo/GPE", "Oslo/PERSON"), {"Oslo": "GPE"}),
    "places together": (("Gaza/PERSON", "Gaza/LOC", "Gaza/GPE", "Gaza/GPE", "Gaza/PERSON"), {"Gaza": "GPE"}),
    "a person before a body": (("Kesha/ORG", "Kesha/ORG", "Kesha/PERSON"), {"Kesha": "PERSON"}),
    "a body that has most votes by far": (("Acme/PERSON", *["Acme/ORG"] * 4), {"Acme": "ORG"}),
    "an acronym by count": (("GM/PERSON", "GM/ORG", "GM/ORG"), {"GM": "ORG"}),
    "an adjective": (("Israeli/GPE", "Gazan/PERSON", "Palestinians/ORG"),
                     {"Israeli": "NORP", "Gazan": "NORP", "Palestinians": "NORP"}),
    "a place by its preposition": (("sailed in ~Hydra/PERSON",), {"Hydra": "GPE"}),
    "no person has an article": (("saw the ~Mara/PERSON",), {"Mara": "GPE"}),
    "a country": (("Mongolia/PERSON", "Slovakia/ORG"), {"Mongolia": "GPE", "Slovakia": "GPE"}),
    "a surname behind its full name": (("Antony Blinken/PERSON", "Blinken/ORG", "Blinken/GPE"),
                                       {"Antony Blinken": "PERSON", "Blinken": "PERSON"}),
    "a surname said to be a people": (("Delwyn Langejans/PERSON", *["Langejans/NORP"] * 9),
                                      {"Delwyn Langejans": "PERSON", "Langejans": "PERSON"}),
    "a company before its founder": (("Ford/ORG", "Henry Ford/PERSON", "Ford/ORG"),
                                     {"Ford": "ORG", "Henry Ford": "PERSON"}),
    "a company of more words": (("Henry Ford/PERSON", "Ford Motor Company/ORG", "Ford/ORG"),
                                {"Henry Ford": "PERSON", "Ford Motor Company": "ORG", "Ford": "ORG"}),
    "a full name by its surname": (("Sigrid Kaag/ORG", "Kaag/PERSON"), {"Sigrid Kaag": "PERSON", "Kaag": "PERSON"}),
}  # fmt: skip


@pytest.mark.parametrize(("mentions", "expected"), VOTES.values(), ids=list(VOTES))
def test_a_name_has_one_label(mentions: tuple[str, ...], expected: dict[str, str]) -> None:
    assert labels(*mentions) == expected


SURNAMES = {
    "Antony Blinken": "Blinken",
    "William Clay Ford Jr.": "Ford",
    "William Clay Ford, Jr.": "Ford",
    "Abdullah II": "Abdullah",
    "Bashar al-Assad": "Assad",
    "Bo": "Bo",
}


@pytest.mark.parametrize(("name", "surname"), SURNAMES.items())
def test_the_surname_is_the_last_word_that_is_no_number(name: str, surname: str) -> None:
    assert votes.surname(name) == surname
