import pytest

from processors import names
from processors.names import Found


def found(text: str, words: str, label: str = "PERSON") -> Found:
    start = text.index(words)
    return Found(start, start + len(words), label)


TRIMMED = {
    "the United Nations": "United Nations",
    "The  Hague": "The  Hague",
    "The Oslo": "Oslo",
    "Apple Inc.": "Apple Inc.",
    "Moody\u2019s": "Moody\u2019s",
    "an Oslo": "Oslo",
    "Antony Blinken's": "Antony Blinken",
    "Israel\u2019s": "Israel",
    "\u201cBrage\u201d,": "Brage",
    "(Reuters)": "Reuters",
    "U.S.": "U.S.",
    "U.S.'s": "U.S.",
    "Bergen.": "Bergen",
    "Antony Blinken\nMore": "Antony Blinken",
    "\nAntony Blinken\nMore": "Antony Blinken",
    "Theodore": "Theodore",
    "Angela": "Angela",
    "Ann": "Ann",
}


@pytest.mark.parametrize(("words", "name"), TRIMMED.items())
def test_a_span_of_the_model_is_trimmed_to_the_name(words: str, name: str) -> None:
    text = f"... {words} ..."

    kept = names.trimmed(text, found(text, words))

    assert kept is not None
    assert (text[kept.start : kept.end], kept.label) == (name, "PERSON")


@pytest.mark.parametrize("words", ["the ", "\u2014", "'s", "A", "7", "1,200", "x" * 201])
def test_what_is_no_name_goes(words: str) -> None:
    text = f"{words}"

    assert names.trimmed(text, Found(0, len(text), "ORG")) is None


def test_of_a_wrapped_text_a_name_goes_on_behind_a_line_break() -> None:
    text = "Antony\nBlinken\n\nMore"

    assert names.trimmed(text, Found(0, len(text), "PERSON"), is_wrapped=True) == Found(0, 14, "PERSON")
    assert names.trimmed(text, Found(0, len(text), "PERSON")) == Found(0, 6, "PERSON")


def test_a_full_stop_behind_many_spaces_is_no_abbreviation() -> None:
    text = "Oslo" + " " * 20 + "."

    assert names.trimmed(text, Found(0, len(text), "GPE")) == Found(0, 4, "GPE")
