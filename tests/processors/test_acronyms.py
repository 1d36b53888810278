import pytest

from processors import acronyms
from processors.names import Found

GIVEN = {
    "behind the name": ("the World Health Organization (WHO) said", ("World Health Organization", "WHO")),
    "before the name": ("the WHO (World Health Organization) said", ("World Health Organization", "WHO")),
    "in quotation marks": ("the “Atomic Energy Agency” (“AEA”)", ("Atomic Energy Agency", "AEA")),
    "with small words": ("the Department of Defense (DoD)", ("Department of Defense", "DoD")),
    "without small words": ("the University of the Sea (US)", ("University of the Sea", "US")),
    "with full stops": ("United Nations (U.N.)", ("United Nations", "U.N.")),
    "of joined words": ("Organization for Security and Co-operation in Europe (OSCE)",
                        ("Organization for Security and Co-operation in Europe", "OSCE")),
    "of more than one": ("Air Direction Centers (ADCs)", ("Air Direction Centers", "ADCs")),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), GIVEN.values(), ids=list(GIVEN))
def test_a_short_form_in_brackets_is_found(text: str, expected: tuple[str, str]) -> None:
    (pair,) = acronyms.introduced(text, [])

    assert (text[slice(*pair.long)], text[slice(*pair.short)]) == expected


NOT_GIVEN = {
    "other initials": "the World Health Organization (NATO)",
    "a lower case word between": "World champions health Organization (WHO)",
    "another sentence": "The World. Health is\nOrganization (WHO)",
    "other brackets between": "World (Health) Organization (WHO)",
    "a party and a state": "Senator Anna Lind (D-Ohio)",
    "nothing": "()",
}


@pytest.mark.parametrize("text", NOT_GIVEN.values(), ids=list(NOT_GIVEN))
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert list(acronyms.introduced(text, [])) == []


def test_half_of_the_letters_are_enough_behind_a_name_that_the_model_found() -> None:
    text = "the Kurdistan Workers' Party (PKK) and Real Madrid (ESP)"
    spans = [Found(4, 28, "ORG"), Found(39, 50, "ORG")]

    pairs = list(acronyms.introduced(text, spans))

    assert [(text[slice(*pair.long)], text[slice(*pair.short)]) for pair in pairs] == [
        ("Kurdistan Workers' Party", "PKK")
    ]


def test_both_forms_become_spans_where_the_model_found_one_of_them() -> None:
    text = "the World Health Organization (WHO) in Bern"
    pairs = list(acronyms.introduced(text, []))

    spans, kept = acronyms.spans_with([Found(10, 29, "ORG"), Found(39, 43, "GPE")], pairs)

    assert spans == [Found(4, 29, "ORG"), Found(31, 34, "ORG"), Found(39, 43, "GPE")]
    assert kept == pairs


def test_a_longer_span_of_the_model_is_the_long_form() -> None:
    text = "U.S. Geological Survey (GS)"
    pairs = list(acronyms.introduced(text, []))

    spans, (pair,) = acronyms.spans_with([Found(0, 22, "ORG")], pairs)

    assert spans == [Found(0, 22, "ORG"), Found(24, 26, "ORG")]
    assert text[slice(*pair.long)] == "U.S. Geological Survey"


def test_a_pair_in_which_the_model_found_no_body_does_not_count() -> None:
    text = "Computer Aided Design (CAD)"

    assert acronyms.spans_with([], list(acronyms.introduced(text, []))) == ([], [])
