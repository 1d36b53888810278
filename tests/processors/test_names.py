import pytest

from pipeline.cleaning import Span
from pipeline.records import Sentiment
from processors import names
from processors.names import Found


def found(text: str, words: str, label: str = "PERSON") -> Found:
    start = text.index(words)
    return Found(start, start + len(words), label)


TRIMMED = {
    "the United Nations": "United Nations",
    "The  Hague": "Hague",
    "an Oslo": "Oslo",
    "Antony Blinken's": "Antony Blinken",
    "Israel\u2019s": "Israel",
    "\u201cBrage\u201d,": "Brage",
    "(Reuters)": "Reuters",
    "U.S.": "U.S.",
    "U.S.'s": "U.S.",
    "Bergen.": "Bergen",
    "Antony Blinken\nMore": "Antony Blinken",
    "\nAntony Blinken\nMore": "Antony Blinken",
    "Theodore": "Theodore",
    "Angela": "Angela",
    "Ann": "Ann",
}


@pytest.mark.parametrize(("words", "name"), TRIMMED.items())
def test_a_span_of_the_model_is_trimmed_to_the_name(words: str, name: str) -> None:
    text = f"... {words} ..."

    kept = names.trimmed(text, found(text, words))

    assert kept is not None
    assert (text[kept.start : kept.end], kept.label) == (name, "PERSON")


@pytest.mark.parametrize("words", ["the ", "\u2014", "'s", "A", "7", "1,200", "x" * 201])
def test_what_is_no_name_goes(words: str) -> None:
    text = f"{words}"

    assert names.trimmed(text, Found(0, len(text), "ORG")) is None


TEXT = "Anna Lind met Bo.\nAnna\nLind left Bo. Anna Lind sang."


def test_mentions_of_a_name_are_one_entity_and_the_most_mentioned_comes_first() -> None:
    spans = [
        Found(0, 9, "PERSON"), Found(14, 16, "PERSON"), Found(18, 27, "PERSON"), Found(33, 35, "PERSON"),
        Found(37, 46, "PERSON"),
    ]  # fmt: skip

    anna, bo = names.entities(TEXT, spans, (), {})

    assert (anna.name, anna.count, [(m.start, m.text) for m in anna.mentions]) == (
        "Anna Lind",
        3,
        [(0, "Anna Lind"), (18, "Anna\nLind"), (37, "Anna Lind")],
    )
    assert (bo.name, bo.count) == ("Bo", 2)


def test_one_name_with_two_labels_is_two_entities() -> None:
    spans = [Found(0, 9, "PERSON"), Found(37, 46, "ORG")]

    assert [(e.name, e.label) for e in names.entities(TEXT, spans, (), {})] == [
        ("Anna Lind", "PERSON"),
        ("Anna Lind", "ORG"),
    ]


def test_mentions_point_into_the_text_and_into_the_raw_text() -> None:
    raw = "Share this\nAnna \x07Lind met Bo."
    removed = (
        Span(start=0, end=11, rule="share", text="Share this\n"),
        Span(start=16, end=17, rule="control-character", text="\x07"),
    )

    (anna,) = names.entities("Anna Lind met Bo.", [Found(0, 9, "PERSON")], removed, {})

    (mention,) = anna.mentions
    assert (mention.start, mention.end, mention.raw_start, mention.raw_end) == (0, 9, 11, 21)
    assert raw[11:21] == "Anna \x07Lind"


def test_an_entity_has_the_sentiment_that_was_found_for_it() -> None:
    good = Sentiment(label="positive", score=0.5)

    (anna,) = names.entities(TEXT, [Found(0, 9, "PERSON")], (), {("Anna Lind", "PERSON"): good})

    assert anna.sentiment == good


def test_mentions_are_capped_and_counts_stay_true() -> None:
    text = "Bo " * (names.MAX_MENTIONS + 5) + "Anna"
    spans = [Found(i * 3, i * 3 + 2, "PERSON") for i in range(names.MAX_MENTIONS + 5)]

    bo, anna = names.entities(text, [*spans, found(text, "Anna")], (), {})

    assert (bo.count, len(bo.mentions)) == (names.MAX_MENTIONS + 5, names.MAX_MENTIONS)
    assert (anna.count, anna.mentions) == (1, ())
