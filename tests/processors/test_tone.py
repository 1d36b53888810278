import pytest

from pipeline.records import Sentiment
from processors import tone
from processors.towards import Shares

GOOD, BAD, FLAT = Shares(0.1, 0.2, 0.7), Shares(0.8, 0.2, 0.0), Shares(0.1, 0.8, 0.1)


def sentiment(shares: Shares) -> Sentiment:
    found = tone.mean([shares])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shares", "label", "score"),
    [
        ([GOOD], "positive", 0.6),
        ([BAD], "negative", -0.8),
        ([FLAT], "neutral", 0.0),
        ([GOOD, BAD], "negative", -0.1),
        ([GOOD, GOOD, BAD], "positive", 0.1333),
        ([GOOD, FLAT, FLAT], "neutral", 0.2),
        ([Shares(0.5, 0.0, 0.5)], "negative", 0.0),
        ([Shares(0.4, 0.4, 0.2)], "neutral", -0.2),
    ],
)
def test_a_name_has_the_mean_of_its_mentions(shares: list[Shares], label: str, score: float) -> None:
    found = tone.mean(shares)

    assert found is not None
    assert (found.label, found.score) == (label, score)


def test_no_mention_has_no_sentiment() -> None:
    assert tone.mean([]) is None


@pytest.mark.parametrize(
    ("title", "names", "score"),
    [
        (GOOD, [], 0.6),
        (None, [(sentiment(GOOD), 0.5)], 0.6),
        (FLAT, [(sentiment(GOOD), 0.5)], 0.3),
        (BAD, [(sentiment(GOOD), 0.5)], -0.1),
        (None, [(sentiment(GOOD), 0.9), (sentiment(BAD), 0.1)], 0.46),
        (FLAT, [(sentiment(GOOD), 0.9), (sentiment(BAD), 0.1)], 0.23),
        (FLAT, [(sentiment(GOOD), 0.0)], 0.0),
        (FLAT, [(None, 0.9), (sentiment(GOOD), 0.1)], 0.3),
    ],
)
def test_an_article_has_half_of_its_title_and_half_of_its_names_by_salience(
    title: Shares | None, names: list[tuple[Sentiment | None, float]], score: float
) -> None:
    found = tone.of_article(title, names)

    assert found is not None
    assert found.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("names", [[], [(None, 0.5)], [(sentiment(GOOD), 0.0)]])
def test_an_article_without_title_and_names_has_no_sentiment(names: list[tuple[Sentiment | None, float]]) -> None:
    assert tone.of_article(None, names) is None
