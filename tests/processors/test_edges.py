import pytest

from processors import edges
from processors.names import Found


def found(text: str, words: str, label: str = "PERSON") -> Found:
    start = text.index(words)
    return Found(start, start + len(words), label)


TITLES = {
    "President Joe Biden": "Joe Biden",
    "Israeli Prime Minister Benjamin Netanyahu": "Benjamin Netanyahu",
    "Secretary of State Antony Blinken": "Antony Blinken",
    "former President Bill Clinton": "Bill Clinton",
    "ex-President Bill Clinton": "Bill Clinton",
    "Lt. Gen. Anna Lind": "Anna Lind",
    "Deputy Foreign Minister Bo Ek": "Bo Ek",
    "Mrs. Lind": "Lind",
    "State Department spokesman Matthew Miller": "Matthew Miller",
    "King Abdullah II": "Abdullah II",
    "Ludwig van Beethoven": "Ludwig van Beethoven",
    "President": "President",
    "Prince": "Prince",
    "Anna Lind": "Anna Lind",
}


@pytest.mark.parametrize(("words", "name"), TITLES.items())
def test_a_person_is_named_without_titles(words: str, name: str) -> None:
    kept = edges.without_titles(words, found(words, words))

    assert kept is not None
    assert words[kept.start : kept.end] == name


def test_who_is_called_spokeswoman_is_a_person_whatever_the_model_says() -> None:
    text = "Spokeswoman Sandy Angers said"

    assert edges.without_titles(text, found(text, "Spokeswoman Sandy Angers", "ORG")) == Found(12, 24, "PERSON")


def test_a_body_keeps_its_first_words() -> None:
    text = "President Bank"

    assert edges.without_titles(text, found(text, text, "ORG")) == Found(0, 14, "ORG")


NAMES = ["NATO", "iPhone", "al-Assad", "Bo", "习近平", "U.S.", "3M Company"]
NO_NAMES = [
    "X",
    "X.",
    "1,200",
    "7th",
    "he",
    "They",
    "Monday",
    "Read more about Oslo",
    "anna@lind.example",
    "www.oslo.example",
]


@pytest.mark.parametrize("words", NAMES)
def test_words_that_may_be_a_name_stay(words: str) -> None:
    assert edges.is_name(words, Found(0, len(words), "ORG"))


@pytest.mark.parametrize("words", NO_NAMES)
def test_words_that_are_no_name_go(words: str) -> None:
    assert not edges.is_name(words, Found(0, len(words), "ORG"))


def test_a_headline_is_no_person() -> None:
    text = "Blinken Meets With Netanyahu"

    assert not edges.is_name(text, found(text, text))


def test_the_end_of_a_title_is_no_body() -> None:
    text = "Secretary of State Antony Blinken and the State Department"

    assert not edges.is_name(text, found(text, "State", "ORG"))
    assert edges.is_name(text, found(text, "State Department", "ORG"))


def test_shouted_lines_have_no_names_but_those_that_stand_elsewhere_too() -> None:
    text = "NATO LEADERS MEET IN OSLO AND SHOUT\nLeaders of NATO met in Oslo."
    spans = [Found(0, 4, "ORG"), Found(21, 25, "GPE"), Found(30, 35, "ORG"), Found(47, 51, "ORG"), Found(59, 63, "GPE")]

    kept = edges.without_shouting(text, spans)

    assert [text[s.start : s.end] for s in kept] == ["NATO", "OSLO", "NATO", "Oslo"]


def test_an_acronym_in_a_line_that_is_not_shouted_stays() -> None:
    text = "WASHINGTON (AP) _ The EU and NATO met"

    assert edges.without_shouting(text, [found(text, "WASHINGTON", "GPE")]) == [found(text, "WASHINGTON", "GPE")]


def test_several_names_in_one_span_are_no_name() -> None:
    text = "Isaac Herzog. Antony Blinken. Herzog, Blinken. U.S.-Jordan. Guinea-Bissau. Rolls-Royce."
    whole = ["Isaac Herzog", "Antony Blinken", "Guinea-Bissau", "Rolls-Royce"]
    spans = sorted(found(text, words, "ORG") for words in [*whole, "Herzog, Blinken", "U.S.-Jordan"])

    kept = edges.without_compounds(text, spans)

    assert [text[s.start : s.end] for s in kept] == whole


def test_a_surname_takes_the_first_name_that_the_model_left_out() -> None:
    text = "They asked Moses Mendelssohn, then Finance Minister Lind. Angry Ek left. A friend of George W. Bush came."
    spans = [found(text, "Mendelssohn"), found(text, "Lind"), found(text, "Ek"), found(text, "Bush")]

    kept = edges.with_first_names(text, spans)

    assert [text[s.start : s.end] for s in kept] == ["Moses Mendelssohn", "Lind", "Ek", "George W. Bush"]


def test_a_text_that_is_broken_in_the_middle_of_sentences_is_wrapped() -> None:
    line = "The ministers of nine countries met on Monday in the old town of\n"

    assert edges.is_wrapped(line * 5 + "Oslo.")
    assert not edges.is_wrapped("The ministers of nine countries met on Monday in the old town of Oslo.\n" * 6)
    assert not edges.is_wrapped("Norway 1\nSweden 2\nDenmark 3\n" * 5)


def test_each_line_is_tested_once() -> None:
    asked = []

    def test(line: str) -> bool:
        asked.append(line)
        return True

    of_place = edges.lines("a\nb", test)

    assert all([of_place(0), of_place(1), of_place(2), of_place(0), of_place(2)])
    assert asked == ["a", "b"]
