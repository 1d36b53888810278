"""Shares of mentions and of titles -> the sentiment of a name and of an article; pure.

The sentiment of an article is the mean of two halves: its title, read as if the whole title were the mention, and the
names in it, each with the weight of its salience. Where one half is missing the other stands alone, and without both
the article has none. So an article about one person is as positive as what it says about that person, and a name that
a last paragraph drops hardly counts. It says how the article speaks of whom it speaks of: neither the author's opinion
nor how good the news is.
"""

from collections.abc import Iterable, Sequence

from pipeline.records import Sentiment, SentimentLabel
from processors.towards import Shares


def mean(shares: Sequence[Shares]) -> Sentiment | None:
    """One sentiment out of those of several mentions; None of none."""
    return weighted([(each, 1.0) for each in shares])


def of_article(title: Shares | None, names: Iterable[tuple[Sentiment | None, float]]) -> Sentiment | None:
    """The sentiment of an article, of its title's shares and its names' (sentiment, salience)."""
    known = [(shares, salience) for sentiment, salience in names if (shares := _shares_of(sentiment)) is not None]
    total = sum(salience for _, salience in known)
    halves = [(title, 1.0)] if title is not None else []
    if total > 0:
        halves += [(shares, salience / total) for shares, salience in known]
    return weighted(halves)


def weighted(shares: Sequence[tuple[Shares, float]]) -> Sentiment | None:
    """The mean of shares with weights, as a sentiment: the label with most, and positive less negative as score."""
    total = sum(weight for _, weight in shares)
    if total <= 0:
        return None
    negative, neutral, positive = (
        sum(each[i] * weight for each, weight in shares) / total for i in range(len(Shares._fields))
    )
    return Sentiment(
        label=label(Shares(negative, neutral, positive)),
        score=round(positive - negative, 4),
        negative=round(negative, 4),
        neutral=round(neutral, 4),
        positive=round(positive, 4),
    )


def label(shares: Shares) -> SentimentLabel:
    """The label with the largest share; of equal ones, neutral."""
    names: dict[SentimentLabel, float] = {
        "neutral": shares.neutral,
        "negative": shares.negative,
        "positive": shares.positive,
    }
    return max(names, key=names.__getitem__)


def _shares_of(sentiment: Sentiment | None) -> Shares | None:
    if sentiment is None or sentiment.negative is None or sentiment.neutral is None or sentiment.positive is None:
        return None
    return Shares(sentiment.negative, sentiment.neutral, sentiment.positive)
