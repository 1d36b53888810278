import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import ladder, mentions
from processors.ladder import Name
from processors.names import LABELS, Found, Watched
from processors.questions import Towards


def marked(text: str) -> tuple[str, list[Found]]:
    """A text with the model's spans in it: "[Anna Lind|PERSON] met [Bo|ORG]"."""
    plain, found = "", []
    for piece in re.split(r"(\[[^|\]]+\|[A-Z]+\])", text):
        if piece.startswith("[") and piece.endswith("]"):
            words, label = piece[1:-1].split("|")
            found.append(Found(len(plain), len(plain) + len(words), label))
            plain += words
        else:
            plain += piece
    return plain, found


def shown(text: str, names: list[Name]) -> dict[str, tuple[str, list[str]]]:
    return {name.name: (name.label, [text[s.start : s.end] for s in name.spans]) for name in names}


def names_of(article: str, title: str = "", watched: tuple[Watched, ...] = ()) -> dict[str, tuple[str, list[str]]]:
    text, found = marked(article)
    return shown(text, ladder.names(text, title, found, watched))


def test_everybody_is_there_once_under_the_full_name() -> None:
    article = (
        "U.S. Secretary of [State|ORG] [Antony Blinken|PERSON] met "
        "[the Israeli Prime Minister Benjamin Netanyahu|PERSON]. "
        "[State Department|ORG] spokesman [Matthew Miller|PERSON] said [Blinken|ORG] told [Netanyahu’s|ORG] aides. "
        "Miller said that Blinken met [Herzog, Blinken|ORG] in [Israel|GPE] and [Isaac Herzog|PERSON]."
    )

    assert names_of(article) == {
        "Antony Blinken": ("PERSON", ["Antony Blinken", "Blinken", "Blinken", "Blinken"]),
        "Benjamin Netanyahu": ("PERSON", ["Benjamin Netanyahu", "Netanyahu"]),
        "Matthew Miller": ("PERSON", ["Matthew Miller", "Miller"]),
        "Isaac Herzog": ("PERSON", ["Herzog", "Isaac Herzog"]),
        "State Department": ("ORG", ["State Department"]),
        "Israel": ("GPE", ["Israel"]),
    }


def test_a_body_and_its_acronym_are_one() -> None:
    article = "The [World Health|ORG] Organization (WHO) met. WHO said no. The [WHO|ORG]’s head left [Geneva|GPE]."

    assert names_of(article) == {
        "World Health Organization": ("ORG", ["World Health Organization", "WHO", "WHO", "WHO"]),
        "Geneva": ("GPE", ["Geneva"]),
    }


def test_the_other_forms_of_a_name_are_its_aliases() -> None:
    text, found = marked("[Antony Blinken|PERSON] left. [Blinken|PERSON] said. [Mr. Blinken|PERSON] [Tony|PERSON]")

    assert [(name.name, name.aliases) for name in ladder.names(text, "", found)] == [
        ("Antony Blinken", ("Blinken",)),
        ("Tony", ()),
    ]


def test_a_full_name_may_stand_in_the_title_alone() -> None:
    text, found = marked("[Blinken|PERSON] met [Lind|PERSON].")

    blinken, lind = ladder.names(text, "Antony Blinken meets a king", found)

    assert (blinken.name, blinken.aliases, blinken.salience) == ("Antony Blinken", ("Blinken",), 1.0)
    assert (lind.name, lind.aliases, lind.salience) == ("Lind", (), 0.6)


def test_what_is_no_name_is_not_there() -> None:
    article = (
        "[WE SHOUT|ORG] ABOUT THIS\n[1,200|ORG] [X|PERSON] [read more|ORG] [Monday|DATE] [the|ORG] [Read more here|ORG]"
    )

    assert names_of(article) == {}


def test_the_adjective_of_a_place_stays_one() -> None:
    assert names_of("[Israeli|GPE] and [Gazan|PERSON] sides of [Gaza|GPE]") == {
        "Israeli": ("NORP", ["Israeli"]),
        "Gazan": ("NORP", ["Gazan"]),
        "Gaza": ("GPE", ["Gaza"]),
    }


def test_labels_that_are_no_names_do_not_count() -> None:
    assert names_of("[Monday|DATE] [ten|CARDINAL] [Oslo|GPE]") == {"Oslo": ("GPE", ["Oslo"])}


class TestWatched:
    ENTRY = ("GPE", "watch/1", "The Harbour Town")

    def test_a_watched_span_stays_as_it_is_and_what_overlaps_gives_way(self) -> None:
        text, found = marked("[the port of Oslo|ORG] and [Oslo’s|ORG] mayor in [Oslo|ORG].")
        watched = [Watched(m.start(), m.end(), *self.ENTRY) for m in re.finditer("Oslo", text)]

        (name,) = ladder.names(text, "", found, watched)

        assert (name.name, name.label, name.id, name.aliases) == ("The Harbour Town", "GPE", "watch/1", ("Oslo",))
        assert name.spans == tuple(Found(w.start, w.end, "GPE") for w in watched)

    def test_the_surname_that_the_model_found_joins_the_watched_person(self) -> None:
        text, found = marked("[Antony Blinken|ORG] left. [Blinken|ORG] said so, Blinken did.")
        watched = [Watched(0, 14, "PERSON", "people/1", "Antony Blinken")]

        (name,) = ladder.names(text, "", found, watched)

        assert (name.id, name.label) == ("people/1", "PERSON")
        assert [text[s.start : s.end] for s in name.spans] == ["Antony Blinken", "Blinken", "Blinken"]
        assert {s.label for s in name.spans} == {"PERSON"}

    def test_a_surname_joins_a_person_watched_under_another_form(self) -> None:
        text, found = marked("Tony Blinken left. [Blinken|PERSON] said so.")
        watched = [Watched(0, 12, "PERSON", "people/1", "Antony Blinken")]

        (name,) = ladder.names(text, "", found, watched)

        assert (name.name, name.aliases, len(name.spans)) == ("Antony Blinken", ("Tony Blinken", "Blinken"), 2)

    def test_a_longer_form_of_the_model_joins_the_watched_company(self) -> None:
        text, found = marked("Boeing rose. [Boeing Co.|ORG] said so.")
        watched = [Watched(0, 6, "ORG", "companies/1", "Boeing")]

        (name,) = ladder.names(text, "", found, watched)

        assert (name.name, name.id, name.aliases, len(name.spans)) == ("Boeing", "companies/1", ("Boeing Co.",), 2)

    def test_a_surname_is_nobody_s_whose_full_name_does_not_stand_there(self) -> None:
        text, found = marked("The ambassador met [Doe|PERSON]. [Doe|PERSON] said no.")
        watched = [Watched(4, 14, "PERSON", "people/2", "Jane Doe")]

        assert [(name.id, name.name, len(name.spans)) for name in ladder.names(text, "", found, watched)] == [
            (None, "Doe", 2), ("people/2", "Jane Doe", 1),
        ]  # fmt: skip

    def test_what_is_watched_is_kept_however_many_names_there_are(self) -> None:
        found, text = [], ""
        for i in range(ladder.MAX_NAMES + 10):
            found.append(Found(len(text), len(text) + len(f"An{i} Lind"), "PERSON"))
            text += f"An{i} Lind, "
        watched = [Watched(len(text), len(text) + 4, "GPE", "places/1", "Oslo")]

        names = ladder.names(text + "Oslo", "", found, watched)

        assert len(names) == ladder.MAX_NAMES + 1
        assert names[-1].id == "places/1"

    def test_two_entries_of_one_name_stay_two(self) -> None:
        watched = [Watched(0, 6, "ORG", "a", "Boeing"), Watched(7, 13, "ORG", "b", "Boeing")]

        assert [name.id for name in ladder.names("Boeing Boeing", "", [], watched)] == ["a", "b"]


def test_in_a_wrapped_text_a_name_behind_a_title_goes_on_in_the_next_line() -> None:
    before = "The ministers of nine countries met on Monday in the old town of\n" * 5
    text, found = marked(before + "Oslo, and [Prime Minister Benjamin\nNetanyahu|PERSON] said no.")

    (name,) = ladder.names(text, "", found)

    assert (name.name, [text[s.start : s.end] for s in name.spans]) == ("Benjamin Netanyahu", ["Benjamin\nNetanyahu"])


def test_without_steps_the_spans_of_the_model_come_back() -> None:
    text, found = marked("[the Oslo’s|GPE] [Mr. Lind|PERSON] [Oslo|GPE]")

    assert sorted(span for name in ladder.names(text, "", found, (), ()) for span in name.spans) == found


@pytest.mark.parametrize("count", range(len(ladder.ORDER) + 1))
def test_each_beginning_of_the_ladder_can_be_taken(count: int) -> None:
    text, found = marked("[Anna Lind|PERSON] of the [World Bank|ORG] (WB). [Lind|ORG] left.")

    names = ladder.names(text, "", found, (), ladder.ORDER[:count])

    assert "Anna Lind" in {name.name for name in names}


HOSTILE = {
    "nothing": ("", []),
    "one letter": ("A", [Found(0, 1, "PERSON")]),
    "punctuation": ("-" * 300_000, [Found(i, i + 3, "ORG") for i in range(0, 300_000, 30)]),
    "one word": ("X" * 300_000, [Found(0, 300_000, "ORG")]),
    "line breaks": ("\n" * 300_000, [Found(0, 300_000, "ORG")]),
    "brackets": ("Aa (" * 75_000, []),
    "acronyms": ("Alpha Beta (AB) " * 10_000, [Found(i * 16, i * 16 + 10, "ORG") for i in range(10_000)]),
    "shouting": ("LOUD WORDS HERE " * 10_000, [Found(i * 16, i * 16 + 4, "ORG") for i in range(10_000)]),
    "right to left": ("\u202eAnna\u202c Lind \u200fOslo", [Found(0, 11, "PERSON"), Found(12, 17, "GPE")]),
    "emoji": ("😀 Anna 😀", [Found(0, 8, "PERSON")]),
    "dots": ("." * 20 + " " * 20 + ".", [Found(0, 41, "ORG")]),
}


@pytest.mark.parametrize(("text", "found"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_text_ends(text: str, found: list[Found]) -> None:
    check(text, ladder.names(text, text, found))


def test_fifty_thousand_mentions_of_a_name_are_one_entity() -> None:
    text = "Anna Lind sang. " * 50_000

    (name,) = ladder.names(text, "", [Found(0, 9, "PERSON")])

    assert (name.name, len(name.spans)) == ("Anna Lind", 50_000)


def test_of_twenty_thousand_people_of_one_surname_the_most_mentioned_are_kept() -> None:
    text, found = "", []
    for i in range(20_000):
        first = f"An{i}"
        found += [Found(len(text), len(text) + len(first) + 5, "PERSON")]
        text += f"{first} Lind, "
    found.append(Found(len(text), len(text) + 4, "PERSON"))
    text += "Lind."

    names = ladder.names(text, "", found)

    assert len(names) == ladder.MAX_NAMES
    assert [text[s.start : s.end] for s in names[0].spans] == ["An19999 Lind", "Lind"]


def check(text: str, names: list[Name]) -> None:
    """What is true of all names of any text."""
    spans = sorted(span for name in names for span in name.spans)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(one.end <= two.start for one, two in pairwise(spans))
    for name in names:
        assert name.name.strip()
        assert name.spans
        assert list(name.spans) == sorted(name.spans)
        assert {span.label for span in name.spans} == {name.label}
        assert 0 <= name.salience <= 1
        assert name.name not in name.aliases
        assert all(alias.strip() for alias in name.aliases)
    keys = [(name.name, name.label) for name in names if name.id is None]
    assert len(keys) == len(set(keys))
    for entity in mentions.entities(text, names, (), [Towards()] * len(names)):
        assert all(text[m.start : m.end] == m.text for m in entity.mentions)


PIECES = st.sampled_from(
    "Anna Lind Bo ANNA Oslo U.S. US United States the The of Mr. President World Bank (WB) ( ) , . - — ’s 's \n \n\n "
    '\u200b \u202e 😀 Israeli Inc. Jr. II al-Assad 7 x State Secretary IN OSLO " AT&T Ltd. de Abdullah and'.split(" ")
)
TEXTS = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", " ", " "])).map("".join), max_size=60).map("".join)


@st.composite
def articles(draw: st.DrawFn) -> tuple[str, list[Found], list[Watched]]:
    text = draw(TEXTS)
    places = sorted(draw(st.lists(st.integers(0, len(text)), unique=True, max_size=24)))
    found, watched = [], []
    for start, end in zip(places[::2], places[1::2], strict=False):
        label = draw(st.sampled_from(sorted(LABELS)))
        if draw(st.integers(0, 5)) == 0 and text[start:end].strip(" \n\u200b\u202e"):
            watched.append(
                Watched(start, end, label, str(draw(st.integers(0, 2))), draw(st.sampled_from(["Anna Lind", "Oslo"])))
            )
        else:
            shift = draw(st.integers(-3, 3))
            found.append(Found(max(0, start + shift), min(len(text), max(1, end + shift)), label))
    return text, [span for span in found if span.start < span.end], watched


@settings(max_examples=200, deadline=None)
@given(articles(), TEXTS, st.integers(0, len(ladder.ORDER)))
def test_names_are_disjoint_and_stand_where_they_say(
    article: tuple[str, list[Found], list[Watched]], title: str, count: int
) -> None:
    text, found, watched = article
    labels = {entry.id: entry.label for entry in reversed(watched)}
    watched = [entry._replace(label=labels[entry.id]) for entry in watched]

    names = ladder.names(text, title, found, watched, ladder.ORDER[:count])

    check(text, names)
    places = {(span.start, span.end): name.id for name in names for span in name.spans}
    assert all(places[entry.start, entry.end] == entry.id for entry in watched)
