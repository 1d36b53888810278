import pytest

from pipeline.records import Sentiment
from processors import sentiment

SENTENCES = [
    ("The new ferry is a great success and everybody loves it.", "positive"),
    ("The attack killed twelve people and destroyed the harbour.", "negative"),
    ("The council meets on Monday.", "neutral"),
    ("", "neutral"),
]


@pytest.mark.parametrize(("sentence", "label"), SENTENCES)
def test_a_sentence_has_the_sentiment_a_reader_would_give_it(sentence: str, label: str) -> None:
    found = sentiment.mean(sentiment.of_sentences([sentence]))

    assert found is not None
    assert found.label == label


@pytest.mark.parametrize(
    ("score", "label"),
    [(0.05, "positive"), (0.0499, "neutral"), (0.0, "neutral"), (-0.0499, "neutral"), (-0.05, "negative")],
)
def test_the_thresholds_are_those_of_the_authors(score: float, label: str) -> None:
    found = sentiment.mean([(score, 0.1, 0.8, 0.1)])

    assert found is not None
    assert (found.label, found.score) == (label, score)


def test_several_sentences_have_their_mean() -> None:
    assert sentiment.mean([(0.6, 0.0, 0.4, 0.6), (-0.2, 0.2, 0.8, 0.0)]) == Sentiment(
        label="positive", score=0.2, negative=0.1, neutral=0.6, positive=0.3
    )


def test_no_sentence_has_no_sentiment() -> None:
    assert sentiment.mean([]) is None
