"""What the sentiment model is asked about an article, and what its answers come to."""

from collections.abc import Sequence

import pytest

from pipeline.records import Target
from processors import questions
from processors.ladder import Name
from processors.names import Found
from processors.towards import Sentence, Shares

BAD, CALM, GOOD = Shares(0.9, 0.1, 0.0), Shares(0.1, 0.8, 0.1), Shares(0.0, 0.2, 0.8)
TEXT = "Anna praised Peter. It rained. Peter thanked Anna."


def name(text: str, words: str, label: str = "PERSON", salience: float = 1.0) -> Name:
    spans, at = [], -1
    while (at := text.find(words, at + 1)) >= 0:
        spans.append(Found(at, at + len(words), label))
    return Name(words, label, tuple(spans), (), None, salience)


def names_of(text: str, *words: str) -> list[Name]:
    return [name(text, each) for each in words]


def answered(names: Sequence[Name], text: str, *shares: tuple[Shares, ...], title: str = "") -> questions.Answers:
    return questions.answers(questions.of(title, text, names), names, iter(shares))


def test_a_sentence_is_asked_once_for_all_the_names_in_it() -> None:
    asked = questions.of("", TEXT, names_of(TEXT, "Anna", "Peter"))

    assert asked.sentences == [
        Sentence("Anna praised Peter.", ((0, 4), (13, 18))),
        Sentence("Peter thanked Anna.", ((0, 5), (14, 18))),
    ]
    assert asked.owners == ((0, 1), (1, 0))


def test_the_title_is_asked_as_a_whole_and_an_empty_one_is_not() -> None:
    assert questions.of("Rain in Oslo", "", []).sentences == [Sentence("Rain in Oslo", ((0, 12),))]
    assert questions.of(" \n", "", []).sentences == []


def test_a_name_that_goes_over_the_end_of_its_sentence_is_asked_in_the_first() -> None:
    text = "They met at Yahoo! Inc. It rained."
    span = Found(text.index("Yahoo"), text.index("Inc") + 3, "ORG")

    asked = questions.of("", text, [Name("Yahoo! Inc", "ORG", (span,), (), None, 1.0)])

    assert asked.sentences == [Sentence("They met at Yahoo!", ((12, 18),))]


def test_a_name_has_the_mean_of_its_mentions() -> None:
    anna, peter = answered(names_of(TEXT, "Anna", "Peter"), TEXT, (GOOD, CALM), (CALM, BAD)).names

    assert anna.sentiment is not None
    assert (anna.sentiment.label, anna.sentiment.score) == ("negative", -0.05)
    assert peter.sentiment is not None
    assert (peter.sentiment.label, peter.sentiment.score) == ("neutral", 0.0)


def test_the_sentences_that_say_so_are_shown_the_clearest_first() -> None:
    text = "Anna lost. Anna failed. Anna slept. Anna fell. Anna won. Anna lied."
    worse = Shares(0.95, 0.05, 0.0)

    (anna,) = answered(names_of(text, "Anna"), text, (BAD,), (worse,), (CALM,), (BAD,), (GOOD,), (BAD,)).names

    assert anna.sentiment is not None
    assert anna.sentiment.label == "negative"
    assert [(text[e.start : e.end], e.score) for e in anna.evidence] == [
        ("Anna failed.", -0.95), ("Anna lost.", -0.9), ("Anna fell.", -0.9),
    ]  # fmt: skip


def test_what_is_said_calmly_needs_no_sentence_that_says_so() -> None:
    (anna,) = answered(names_of("Anna slept.", "Anna"), "Anna slept.", (CALM,)).names

    assert anna.evidence == ()


def test_an_article_is_as_good_as_its_title_and_its_names() -> None:
    article = answered(names_of("Anna fell.", "Anna"), "Anna fell.", (GOOD,), (BAD,), title="Rain").article

    assert article is not None
    assert article.score == pytest.approx(-0.05)


def test_an_article_without_title_and_names_has_no_sentiment() -> None:
    assert answered([], "It rained.").article is None


def test_a_name_that_is_said_a_thousand_times_is_asked_for_its_first_mentions() -> None:
    text = "Anna slept. " * 1000

    assert len(questions.of("", text, names_of(text, "Anna")).sentences) == questions.MOST_MENTIONS


TARGETS = {
    "a name": ("Peter", Sentence("Anna praised Peter.", ((13, 18),))),
    "a whole sentence": ("It rained.", Sentence("It rained.", ((0, 10),))),
    "the end of one sentence and the beginning of the next": ("rained. Peter", Sentence("It rained.", ((3, 10),))),
}


@pytest.mark.parametrize(("words", "asked"), TARGETS.values(), ids=list(TARGETS))
def test_a_target_is_asked_in_the_first_sentence_that_it_touches(words: str, asked: Sentence) -> None:
    start = TEXT.index(words)
    target = Target(start=start, end=start + len(words))

    assert questions.of("", "", [], [target], TEXT).targets == (asked,)


@pytest.mark.parametrize("target", [Target(start=10, end=5), Target(start=9000, end=9001), Target(start=19, end=20)])
def test_a_target_that_is_nowhere_is_not_asked_and_has_no_sentiment(target: Target) -> None:
    asked = questions.of("", "", [], [target], TEXT)

    assert asked.sentences == []
    assert questions.answers(asked, [], iter(())).targets == (None,)
