"""Sentiment of sentences by VADER (Hutto & Gilbert 2014): a lexicon for English, here until a trained model stands in.

The sentiment of a name is the mean over the sentences that mention it; of the article, over its title and sentences.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from pipeline.records import Sentiment, SentimentLabel

NAME: Final = "vader-3.3.2"
#: The thresholds that VADER's authors give for its compound score.
THRESHOLD: Final = 0.05


@cache
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def score(sentence: str) -> tuple[float, float, float, float]:
    """VADER's compound score in [-1, 1] and its shares: (compound, negative, neutral, positive)."""
    found = _analyzer().polarity_scores(sentence)
    return found["compound"], found["neg"], found["neu"], found["pos"]


def mean(scores: Sequence[tuple[float, float, float, float]]) -> Sentiment | None:
    """One sentiment out of those of several sentences; None of none."""
    if not scores:
        return None
    compound, negative, neutral, positive = (
        round(sum(column) / len(scores), 4) for column in zip(*scores, strict=True)
    )
    label: SentimentLabel = "neutral"
    if abs(compound) >= THRESHOLD:
        label = "positive" if compound > 0 else "negative"
    return Sentiment(label=label, score=compound, negative=negative, neutral=neutral, positive=positive)


def of_sentences(sentences: Iterable[str]) -> list[tuple[float, float, float, float]]:
    """The scores of sentences, in order."""
    return [score(sentence) for sentence in sentences]
