import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import parts, sentences

SENTENCE = "Anna Lind sang in Oslo on Monday. "


def test_an_article_of_usual_length_stays_whole() -> None:
    text = SENTENCE * 100

    assert list(parts.of(text)) == [(0, text)]


def test_a_long_text_is_cut_between_sentences() -> None:
    text = SENTENCE * 1000

    found = list(parts.of(text))

    assert len(found) == 6
    assert all(part.strip().startswith("Anna Lind") and part.rstrip().endswith("Monday.") for _, part in found)


@pytest.mark.parametrize("text", ["x" * 50_000, "\n" * 50_000, "x \n" * 20_000, " " * 9000 + "x" * 9000, ". " * 9000])
def test_a_text_without_sentences_is_cut_all_the_same(text: str) -> None:
    found = list(parts.of(text))

    assert "".join(part for _, part in found) == text
    assert all(len(part.strip()) <= parts.LARGEST for _, part in found)


@given(st.text(st.sampled_from("aB .!?\n\u201d)")), st.integers(1, 900))
def test_the_parts_are_the_text_and_no_sentence_is_cut(text: str, times: int) -> None:
    text *= times
    found = list(parts.of(text, largest=sentences.MAX_SENTENCE))

    assert "".join(part for _, part in found) == text
    assert all(text[start : start + len(part)] == part for start, part in found)
    assert [words for _, part in found for words in _sentences(part)] == _sentences(text)


def _sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentences.spans(text)]
