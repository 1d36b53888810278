"""VADER (Hutto & Gilbert 2014), a lexicon for English, on whole sentences: what the pipeline is compared to."""

from typing import Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.records import SentimentLabel

NAME: Final = "vader-3.3.2"
#: The thresholds that VADER's authors give for its compound score.
THRESHOLD: Final = 0.05

_analyzer = SentimentIntensityAnalyzer()


def label(sentence: str) -> SentimentLabel:
    """The label of a sentence, whomever it speaks of."""
    score = _analyzer.polarity_scores(sentence)["compound"]
    if abs(score) < THRESHOLD:
        return "neutral"
    return "positive" if score > 0 else "negative"
