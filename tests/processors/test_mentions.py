import pytest

from pipeline.cleaning import Span
from pipeline.records import Evidence, Sentiment
from processors import mentions
from processors.ladder import Name
from processors.names import Found
from processors.questions import Towards

TEXT = "Anna Lind met Bo. Lind left."
ANNA = Name("Anna Lind", "PERSON", (Found(0, 9, "PERSON"), Found(18, 22, "PERSON")), ("Lind",), "people/1", 0.5)
NOBODY = Towards()
BO = Name("Bo", "PERSON", (Found(14, 16, "PERSON"),), (), None, 0.1)


def test_a_name_becomes_an_entity_with_all_its_mentions() -> None:
    anna, bo = mentions.entities(TEXT, [ANNA, BO], (), [NOBODY, NOBODY])

    assert (anna.name, anna.label, anna.id, anna.aliases, anna.count, anna.salience) == (
        "Anna Lind", "PERSON", "people/1", ("Lind",), 2, 0.5,
    )  # fmt: skip
    assert [(m.start, m.end, m.text) for m in anna.mentions] == [(0, 9, "Anna Lind"), (18, 22, "Lind")]
    assert (bo.name, bo.id, bo.count) == ("Bo", None, 1)


def test_mentions_point_into_the_text_and_into_the_raw_text() -> None:
    raw = "Share this\nAnna \x07Lind met Bo."
    removed = (
        Span(start=0, end=11, rule="share", text="Share this\n"),
        Span(start=16, end=17, rule="control-character", text="\x07"),
    )

    (anna,) = mentions.entities("Anna Lind met Bo.", [ANNA._replace(spans=ANNA.spans[:1])], removed, [NOBODY])

    (mention,) = anna.mentions
    assert (mention.start, mention.end, mention.raw_start, mention.raw_end) == (0, 9, 11, 21)
    assert raw[11:21] == "Anna \x07Lind"


def test_an_entity_has_the_sentiment_of_its_place() -> None:
    good = Sentiment(label="positive", score=0.5)
    says_so = (Evidence(start=0, end=17, score=0.5),)

    anna, bo = mentions.entities(TEXT, [ANNA, BO], (), [Towards(good, says_so), NOBODY])

    assert (anna.sentiment, bo.sentiment) == (good, None)
    assert (anna.evidence, bo.evidence) == (says_so, ())


def test_a_sentiment_is_needed_for_each_name() -> None:
    with pytest.raises(ValueError, match="zip"):
        mentions.entities(TEXT, [ANNA, BO], (), [NOBODY])


def test_mentions_and_aliases_are_capped_and_counts_stay_true() -> None:
    text = "Bo " * (mentions.MAX_MENTIONS + 5) + "Anna"
    spans = tuple(Found(i * 3, i * 3 + 2, "PERSON") for i in range(mentions.MAX_MENTIONS + 5))
    many = Name("Bo", "PERSON", spans, tuple(f"Bo {i}" for i in range(99)), None, 1.0)
    anna = Name("Anna", "PERSON", (Found(len(text) - 4, len(text), "PERSON"),), (), None, 0.1)

    first, second = mentions.entities(text, [many, anna], (), [NOBODY, NOBODY])

    assert (first.count, len(first.mentions), len(first.aliases)) == (
        len(spans),
        mentions.MAX_MENTIONS,
        mentions.MAX_ALIASES,
    )
    assert (second.count, second.mentions) == (1, ())
