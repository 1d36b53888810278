import pytest

from processors import language

ENGLISH = "The ferry sank near Bergen on Monday, the rescue service said."
GERMAN = "Die F\u00e4hre sank am Montag vor der K\u00fcste, wie der Rettungsdienst mitteilte."

SAID = [
    ("en", "en"),
    ("en-GB", "en"),
    ("EN_us", "en"),
    (" de ", "de"),
    ("nds", "nds"),
    ("pt-BR-x-private", "pt"),
]


@pytest.mark.parametrize(("said", "found"), SAID)
def test_the_word_of_the_source_counts_first(said: str, found: str) -> None:
    assert language.of(said, "", GERMAN if found == "en" else ENGLISH) == found


@pytest.mark.parametrize("said", [None, "", "und", "english", "e", "1n", "x-klingon", "-"])
def test_where_the_source_says_nothing_usable_the_text_does(said: str | None) -> None:
    assert language.of(said, "", ENGLISH) == "en"
    assert language.of(said, "", GERMAN) == "de"


def test_the_title_helps_a_text_that_is_too_short() -> None:
    assert language.of(None, ENGLISH, "OK.") == "en"


@pytest.mark.parametrize("text", ["", "OK.", "1234567890 " * 20, "\U0001f68c" * 50])
def test_a_text_with_hardly_a_letter_has_no_language(text: str) -> None:
    assert language.of(None, "", text) is None
