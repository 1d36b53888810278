from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import sentences

TEXTS = {
    "": [],
    " \n ": [],
    "One.": ["One."],
    "One. Two! Three? Four": ["One.", "Two!", "Three?", "Four"],
    "One\n\n Two": ["One", "Two"],
    "He said \u201cNo.\u201d She left.": ["He said \u201cNo.\u201d", "She left."],
    "He said (no.) She left.": ["He said (no.)", "She left."],
    "It cost 1.5 million. Yes.": ["It cost 1.5 million.", "Yes."],
    "See news.example for more.": ["See news.example for more."],
    "Mr. Lind met Dr. Bo. They sang.": ["Mr. Lind met Dr. Bo.", "They sang."],
    "The U.S. Congress met. It voted.": ["The U.S. Congress met.", "It voted."],
    "John F. Kennedy spoke. He left.": ["John F. Kennedy spoke.", "He left."],
    "On Oct. 7 it began. It ended.": ["On Oct. 7 it began.", "It ended."],
    "It was 5 p.m. in Oslo.": ["It was 5 p.m. in Oslo."],
    "Wait\u2026 What?": ["Wait\u2026", "What?"],
    "x" * 4500: ["x" * 2000, "x" * 2000, "x" * 500],
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.items(), ids=[text[:20] for text in TEXTS])
def test_a_text_falls_into_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences.spans(text)] == expected


@given(st.text(st.sampled_from("aB .!?\n\u201d)U\u2026\u00a0") | st.characters(exclude_categories=["Cs"])))
def test_between_sentences_stands_nothing_but_white_space(text: str) -> None:
    places = list(sentences.spans(text))

    assert all(start < end for start, end in places)
    for (_, end), (start, _) in pairwise([(0, 0), *places, (len(text), len(text))]):
        assert end <= start
        assert not text[end:start].strip()
