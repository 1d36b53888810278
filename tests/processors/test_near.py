"""Whole texts through the real fingerprint: what is a copy though words differ, what is none though they agree."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.records import Decision
from processors import likeness, near
from tests.processors.stories import (
    COURIER_FOOT,
    COURIER_ITEMS,
    FERRY_IN_GERMAN,
    FERRY_IN_RUSSIAN,
    HARVEST,
    LIGHTHOUSE,
    LIGHTHOUSE_IN_OTHER_WORDS,
    Told,
    earnings,
    joined,
    obituary,
    paragraphs,
    result,
    signature,
    stocks,
    tell,
    weather,
)

LEAD, TOWER, QUOTE, FISHERMEN, PLANS = paragraphs(LIGHTHOUSE)
FROST, OLIN, STATIONS, MACHINES, LOANS = paragraphs(HARVEST)
MIRROR_FOOT = "This report first appeared in our morning edition.\n\nMirror Media House, Harbour Street 5, Port Ellis"
WIRE = Told("wire", LIGHTHOUSE, "Lighthouse at Skarvoy goes dark", url="https://wire.example/lighthouse")
MIRROR = "https://mirror.example/lamp"
DAY = 24


def assert_stands_alone(decision: Decision) -> None:
    assert (decision.kind, decision.score, decision.of) == ("new", None, None)
    assert (decision.resembles, decision.contains, decision.guard) == (None, None, None)


# What desks do to an agency's text.

DESKS = {
    "shortened from below": joined([LEAD, TOWER, QUOTE]),
    "shortened in the middle": joined([LEAD, QUOTE, PLANS]),
    "an excerpt": joined([TOWER, QUOTE]),
    "every second sentence": " ".join(LIGHTHOUSE.replace("\n\n", " ").split(". ")[::2]),
    "dressed": f"Skarvoy loses its light\n\nTROMVIK (Mirror) - {LIGHTHOUSE}\n\n{MIRROR_FOOT}",
    "expanded": joined([LEAD, TOWER, FROST, QUOTE, FISHERMEN, PLANS]),
    "with one number corrected": LIGHTHOUSE.replace("164 years", "146 years"),
    "with one name corrected": LIGHTHOUSE.replace("Brekke", "Brekken"),
    "told in another order": joined([QUOTE, FISHERMEN, PLANS, LEAD, TOWER]),
    "as one long line": LIGHTHOUSE.replace("\n\n", " ") + " Read more in the printed issue.",
    "in capitals and curly quotes": LIGHTHOUSE.replace(' "We', " “We").upper() + " AGENCIES",
}


@pytest.mark.parametrize("body", DESKS.values(), ids=list(DESKS))
def test_what_a_desk_makes_of_an_agency_text_is_a_copy_of_it(body: str) -> None:
    wire, mirror = tell(WIRE, Told("mirror", body, "A lamp goes out"))

    assert (mirror.kind, mirror.method, mirror.threshold) == ("copy", "near", 0.45)
    assert mirror.score is not None
    assert 0.45 <= mirror.score <= 1
    assert (mirror.of, mirror.of_version, mirror.of_delivery) == (wire.article_id, wire.version_id, wire.delivery_id)
    assert (mirror.contains, mirror.resembles, mirror.guard) == (None, None, None)


@pytest.mark.parametrize("body", DESKS.values(), ids=list(DESKS))
def test_the_agency_text_that_comes_after_what_a_desk_made_of_it_is_the_copy(body: str) -> None:
    mirror, wire = tell(Told("mirror", body), WIRE)

    assert (wire.kind, wire.method, wire.of) == ("copy", "near", mirror.article_id)


def test_a_text_that_swallows_a_shorter_one_is_new_and_says_what_it_contains() -> None:
    wire, magazine = tell(WIRE, Told("magazine", joined([HARVEST, LIGHTHOUSE])))

    assert (magazine.kind, magazine.of, magazine.contains) == ("new", None, wire.article_id)
    assert (magazine.score, magazine.threshold, magazine.guard) == (1.0, 0.45, None)


def test_a_text_with_less_than_its_half_of_its_own_is_a_copy() -> None:
    wire, magazine = tell(WIRE, Told("magazine", joined([FROST, OLIN, LIGHTHOUSE])))

    assert (magazine.kind, magazine.of) == ("copy", wire.article_id)


def test_a_text_with_few_words_of_its_own_is_a_copy_however_short_the_other() -> None:
    brief, longer = tell(Told("wire", joined([LEAD, TOWER])), Told("mirror", joined([LEAD, TOWER, QUOTE, FROST])))

    assert (longer.kind, longer.of) == ("copy", brief.article_id)


def test_the_same_event_in_other_words_is_another_article() -> None:
    _, other = tell(WIRE, Told("mirror", LIGHTHOUSE_IN_OTHER_WORDS))

    assert_stands_alone(other)


def test_another_matter_is_another_article() -> None:
    _, other = tell(WIRE, Told("mirror", HARVEST))

    assert_stands_alone(other)


# Who is whose copy.


def test_a_near_copy_of_a_copy_names_the_original() -> None:
    dressed = f"TROMVIK (Mirror) - {LIGHTHOUSE}\n\n{MIRROR_FOOT}"
    wire, mirror, blog = tell(WIRE, Told("mirror", dressed), Told("blog", joined([QUOTE, FISHERMEN, MIRROR_FOOT])))

    assert (mirror.kind, mirror.of) == ("copy", wire.article_id)
    assert (blog.kind, blog.of) == ("copy", wire.article_id)


def test_what_an_outlet_adds_to_a_copy_makes_no_copies() -> None:
    _, mirror, blog = tell(WIRE, Told("mirror", joined([LIGHTHOUSE, FROST, OLIN])), Told("blog", joined([FROST, OLIN])))

    assert mirror.kind == "copy"
    assert_stands_alone(blog)


def test_of_two_originals_the_earlier_has_the_copy() -> None:
    wire, other, blog = tell(
        WIRE, Told("other", joined([HARVEST, LIGHTHOUSE])), Told("blog", joined([LEAD, TOWER, QUOTE]))
    )

    assert other.contains == wire.article_id
    assert (blog.kind, blog.of) == ("copy", wire.article_id)


def test_one_outlet_that_publishes_its_text_twice_has_a_copy() -> None:
    first, second = tell(WIRE, Told("wire", f"Updated at noon\n\n{LIGHTHOUSE}"))

    assert (second.kind, second.method, second.of) == ("copy", "near", first.article_id)


def test_a_copy_that_comes_within_the_window_is_one_and_after_it_a_text_of_its_own() -> None:
    shortened = joined([LEAD, TOWER, QUOTE])
    _, late = tell(WIRE, Told("mirror", shortened, after_hours=7 * DAY))
    _, too_late = tell(WIRE, Told("mirror", shortened, after_hours=7 * DAY + 1))

    assert late.kind == "copy"
    assert_stands_alone(too_late)


def test_a_text_that_leaves_the_window_leaves_its_copies_without_candidates() -> None:
    kinds = [
        decision.kind
        for decision in tell(
            WIRE,
            Told("mirror", joined([LEAD, TOWER, QUOTE]), after_hours=6 * DAY),
            Told("blog", joined([TOWER, QUOTE]), after_hours=2 * DAY),
        )
    ]

    assert kinds == ["new", "copy", "new"]


# Edits.


def test_a_copy_that_is_edited_and_still_matches_names_its_original() -> None:
    wire, _, edited = tell(
        WIRE,
        Told("mirror", joined([LEAD, TOWER, QUOTE]), url=MIRROR),
        Told("mirror", joined([LEAD, TOWER, QUOTE, FISHERMEN]), url=MIRROR),
    )

    assert (edited.kind, edited.method, edited.same_text_as) == ("revision", "url", wire.article_id)
    assert (edited.of, edited.score, edited.threshold) == (edited.article_id, 1.0, 0.45)


def test_a_copy_that_is_rewritten_stands_alone() -> None:
    _, copy, rewritten = tell(
        WIRE,
        Told("mirror", joined([LEAD, TOWER, QUOTE]), url=MIRROR),
        Told("mirror", LIGHTHOUSE_IN_OTHER_WORDS, url=MIRROR),
    )

    assert (rewritten.kind, rewritten.of_version) == ("revision", copy.version_id)
    assert (rewritten.same_text_as, rewritten.score, rewritten.resembles) == (None, None, None)


def test_a_copy_that_is_corrected_together_with_its_original_still_matches() -> None:
    corrected = LIGHTHOUSE.replace("164 years", "146 years")
    wire, _, wire_again, mirror_again = tell(
        WIRE,
        Told("mirror", f"{LIGHTHOUSE}\n\n{MIRROR_FOOT}", url=MIRROR),
        WIRE._replace(body=corrected),
        Told("mirror", f"{corrected}\n\n{MIRROR_FOOT}", url=MIRROR),
    )

    assert (wire_again.kind, wire_again.same_text_as) == ("revision", None)
    assert (mirror_again.kind, mirror_again.same_text_as) == ("revision", wire.article_id)


def test_an_article_that_becomes_anothers_text_names_it() -> None:
    wire, own, changed = tell(
        WIRE, Told("mirror", HARVEST, url=MIRROR), Told("mirror", joined([LEAD, TOWER, QUOTE]), url=MIRROR)
    )

    assert own.kind == "new"
    assert (changed.kind, changed.same_text_as) == ("revision", wire.article_id)


def test_two_articles_that_each_return_to_the_others_text_name_each_other_and_a_third_names_the_first() -> None:
    longer = f"{LIGHTHOUSE}\n\nMore follows."
    wire, mirror, wire_turns, mirror_turns, blog = tell(
        WIRE,
        Told("mirror", HARVEST, url=MIRROR),
        WIRE._replace(body=f"{HARVEST}\n\nMore follows."),
        Told("mirror", longer, url=MIRROR),
        Told("blog", joined([LEAD, TOWER, QUOTE])),
    )

    assert (wire_turns.kind, wire_turns.same_text_as) == ("revision", mirror.article_id)
    assert (mirror_turns.kind, mirror_turns.same_text_as) == ("revision", wire.article_id)
    assert (blog.kind, blog.of, blog.of_version) == ("copy", wire.article_id, wire.version_id)


UNCHANGED = {
    "white space": Told("wire", LIGHTHOUSE.replace("\n\n", "\n \t\n").replace(". ", ".  ")),
    "quotes": Told("wire", LIGHTHOUSE.replace(' "', " “").replace('" ', "” ").replace("'", "’")),
    "dashes": Told("wire", LIGHTHOUSE.replace("great-granddaughter", "great\u2011granddaughter")),
    "spaces that do not break": Told("wire", LIGHTHOUSE.replace("38 metres", "38\u00a0metres")),
    "capitals": Told("wire", LIGHTHOUSE.replace("lighthouse", "Lighthouse")),
    "a boilerplate line": Told("wire", f"{LIGHTHOUSE}\n\nLeave a Reply"),
    "the byline": Told("wire", LIGHTHOUSE, byline="Inga Moen"),
    "the outlet behind the title": Told("wire", LIGHTHOUSE, "Lighthouse at Skarvoy goes dark - Wire"),
}


@pytest.mark.parametrize("edited", UNCHANGED.values(), ids=list(UNCHANGED))
def test_an_edit_that_changes_no_word_leaves_an_article_unchanged(edited: Told) -> None:
    first, second = tell(WIRE, edited._replace(url=WIRE.url, title=edited.title or WIRE.title))

    assert (second.kind, second.of, second.of_version) == ("unchanged", first.article_id, first.version_id)


def test_one_other_number_is_a_revision() -> None:
    _, second = tell(WIRE, WIRE._replace(body=LIGHTHOUSE.replace("1,200", "1,300")))

    assert second.kind == "revision"


# Forms: the same sentences, about somebody or something else.

NORWOLD = result(
    "Norwold Rovers", "Tidewell United", "2-1", "4,210", ["Hakan Demir", "Jonas Falk", "Peter Moss"], "Ruben Ortega", 17
)
ELMSWORTH = result(
    "Elmsworth City", "Greyport Town", "3-3", "1,875", ["Tomasz Wrona", "Ben Quist", "Luis Prado"], "Anders Quill", 9
)
FJORDVIK = earnings(
    "Fjordvik Paper", "Lena Brandt", "412.7 6.1 38.2 9.3 5,120 1,650 27.40 1.15".split(), "Drammen"
)  # fmt: skip
FJORDVIK_NEXT = earnings(
    "Fjordvik Paper", "Lena Brandt", "431.9 4.7 41.8 9.7 5,233 1,710 29.15 1.20".split(), "Drammen"
)
KESTREL = earnings("Kestrel Robotics", "Omar Haddad", "88.4 14.9 11.6 13.1 940 365 61.05 0.40".split(), "Eindhoven")
ARDEL = weather("the Ardel valley", "24 16 35 12 18 9 4".split(), ["Sundre", "Lomma", "Tarn", "Haldby"])
ARDEL_NEXT = weather("the Ardel valley", "19 11 60 31 17 5 2".split(), ["Sundre", "Lomma", "Tarn", "Haldby"])
ISLES = weather("the southern isles", "27 21 20 3 22 15 6".split(), ["Port Ellis", "Marrow", "Kelda", "Strand"])
NYBERG = obituary(
    "Astrid Nyberg",
    "Halmstad",
    "the tannery",
    "Saint Olaf church",
    ["Gustav", "Erik", "Birgit", "Solveig Dahl", "Maria Lund"],
    ["87", "4th", "1939", "41", "11.30"],
)
MOREAU = obituary(
    "Vincent Moreau",
    "Ashcombe",
    "Harland shipyard",
    "the chapel of Saint Anne",
    ["Claire", "Denis", "Pauline", "Odette Roche", "Samuel Pike"],
    ["79", "16th", "1947", "35", "14.00"],
)
MONDAY = stocks(
    "Monday",
    "12.40 88.15 7.02 140.5 33.33 61.70 5.55 19.95 240.1 77.40 8.08 51.25".split(),
    "0.4 1.2 0.7 2.1 0.3 1.9 3.4 0.9 1.1 0.6 2.8 1.5".split(),
)
TUESDAY = stocks(
    "Tuesday",
    "12.90 86.95 7.12 143.0 32.80 60.05 5.80 20.40 238.6 78.10 7.94 52.00".split(),
    "4.0 1.4 1.6 1.8 1.3 2.7 4.5 2.3 0.5 0.8 1.7 2.2".split(),
)
FORMS = {
    "football": (NORWOLD, ELMSWORTH),
    "earnings of another company": (FJORDVIK, KESTREL),
    "earnings of the next quarter": (FJORDVIK, FJORDVIK_NEXT),
    "the weather of the next day": (ARDEL, ARDEL_NEXT),
    "the weather of another place": (ARDEL, ISLES),
    "obituaries": (NYBERG, MOREAU),
    "stock tables": (MONDAY, TUESDAY),
}


@pytest.mark.parametrize("source", ["bot", "rival"], ids=["of one outlet", "of two outlets"])
@pytest.mark.parametrize(("one", "other"), FORMS.values(), ids=list(FORMS))
def test_a_form_with_other_numbers_or_names_is_another_article(one: str, other: str, source: str) -> None:
    first, second = tell(Told("bot", one), Told(source, other))

    assert (second.kind, second.of, second.guard) == ("new", None, "template")
    assert second.resembles == first.article_id
    assert second.score is not None
    assert second.score >= likeness.THRESHOLD


@pytest.mark.parametrize(("one", "other"), FORMS.values(), ids=list(FORMS))
def test_a_true_copy_of_a_form_is_a_copy_of_that_one(one: str, other: str) -> None:
    _, second, copy = tell(Told("bot", one), Told("bot", other), Told("mirror", f"{other}\n\n{MIRROR_FOOT}"))

    assert (copy.kind, copy.method, copy.of) == ("copy", "near", second.article_id)


@pytest.mark.parametrize(("one", "other"), FORMS.values(), ids=list(FORMS))
def test_a_form_that_is_filled_anew_under_its_old_address_matches_nothing(one: str, other: str) -> None:
    page = "https://mirror.example/today"

    _, _, filled = tell(Told("bot", one), Told("mirror", HARVEST, url=page), Told("mirror", other, url=page))

    assert (filled.kind, filled.same_text_as) == ("revision", None)


# What an outlet puts under everything.


def test_the_boilerplate_of_an_outlet_makes_none_of_its_articles_alike() -> None:
    decisions = tell(*(Told("courier", f"{item}\n\n{COURIER_FOOT}") for item in COURIER_ITEMS))

    assert [decision.kind for decision in decisions] == ["new"] * 10
    assert (decisions[1].guard, decisions[1].resembles) == ("boilerplate", decisions[0].article_id)
    assert decisions[9].guard == "boilerplate"


def test_a_mirror_of_an_article_with_much_boilerplate_is_a_copy_of_that_article() -> None:
    told = [Told("courier", f"{item}\n\n{COURIER_FOOT}") for item in COURIER_ITEMS]
    *originals, copy = tell(*told, Told("mirror", f"From the valley\n\n{COURIER_ITEMS[6]}\n\n{COURIER_FOOT}"))

    assert (copy.kind, copy.of) == ("copy", originals[6].article_id)


def test_a_mirror_that_leaves_the_boilerplate_out_is_a_copy_too() -> None:
    told = [Told("courier", f"{item}\n\n{COURIER_FOOT}") for item in COURIER_ITEMS]
    *originals, copy = tell(*told, Told("mirror", f"From the valley: {COURIER_ITEMS[6]}"))

    assert (copy.kind, copy.of) == ("copy", originals[6].article_id)


# Too little to tell.


def test_short_texts_that_differ_in_a_word_are_never_near_copies() -> None:
    short = " ".join(LEAD.split()[:36])
    _, near, same, same_here = tell(
        Told("wire", short),
        Told("wire", f"Breaking: {short}"),
        Told("mirror", short),
        Told("wire", short),
    )

    assert_stands_alone(near)
    assert_stands_alone(same)
    assert (same_here.kind, same_here.method) == ("copy", "exact")


def test_forty_words_are_enough() -> None:
    long_enough = " ".join(LIGHTHOUSE.split()[:45])
    wire, mirror = tell(Told("wire", long_enough), Told("mirror", f"Breaking: {long_enough}"))

    assert (mirror.kind, mirror.method, mirror.of) == ("copy", "near", wire.article_id)


def test_a_wall_is_no_copy_across_sources_however_long() -> None:
    wall = f"{LEAD}\n\n{TOWER}\n\nSubscribe to continue reading this article."
    _, mirror, dressed = tell(Told("wire", wall), Told("mirror", wall), Told("blog", f"Seen elsewhere\n\n{wall}"))

    assert signature(1, Told("wire", wall)).wall
    assert_stands_alone(mirror)
    assert_stands_alone(dressed)


# Many candidates.


def test_an_articles_own_versions_take_no_place_among_the_candidates() -> None:
    cut = joined([LEAD, TOWER, QUOTE])
    wire, first, *_, last = tell(
        WIRE, *(Told("mirror", f"{cut} Version {n} of this report.", "A lamp goes out", url=MIRROR) for n in range(30))
    )

    assert (first.kind, first.of) == ("copy", wire.article_id)
    assert (last.kind, last.same_text_as) == ("revision", wire.article_id)


def test_a_candidate_shares_something_however_few_hashes_are_expected() -> None:
    assert near._fewest(np.array([0.0, 0.1, 1.0, 4.0]), likeness.THRESHOLD).min() == 0


# Other scripts.


@pytest.mark.parametrize("ferry", [FERRY_IN_GERMAN, FERRY_IN_RUSSIAN], ids=["German", "Russian"])
def test_texts_in_other_languages_are_told_apart_and_together_alike(ferry: str) -> None:
    first, second, third, fourth = paragraphs(ferry)
    wire, shortened, dressed, other = tell(
        Told("wire", ferry),
        Told("mirror", joined([first, second])),
        Told("blog", joined(["Tarsay", first, third, second, fourth, MIRROR_FOOT])),
        Told("magazine", LIGHTHOUSE),
    )

    assert (shortened.kind, shortened.of) == ("copy", wire.article_id)
    assert (dressed.kind, dressed.of) == ("copy", wire.article_id)
    assert_stands_alone(other)


def test_a_translation_is_another_article() -> None:
    _, russian = tell(Told("wire", FERRY_IN_GERMAN), Told("wire", FERRY_IN_RUSSIAN))

    assert_stands_alone(russian)


# What nobody would write.

HOSTILE: dict[str, Callable[[], str]] = {
    "200,000 words": lambda: " ".join(f"word{n}" for n in range(200_000)),
    "200,000 times the same word": lambda: "ferry " * 200_000,
    "a million characters without a space": lambda: "ferry" * 200_000,
    "5,000 numbers": lambda: " ".join(f"{n}.{n % 7}" for n in range(5_000)),
    "5,000 names": lambda: "said " + " ".join(f"Anna{chr(97 + n % 26)}{n}" for n in range(5_000)),
    "200,000 lines": lambda: "\n".join(f"a{n}" for n in range(200_000)),
    "40 symbols that are no letters": lambda: "x " * 40 + "∑∮∯ " * 4_000,
}


@pytest.mark.parametrize("write", HOSTILE.values(), ids=list(HOSTILE))
def test_a_text_that_nobody_would_write_is_decided_like_any_other(write: Callable[[], str]) -> None:
    text = write()
    first, again, same, ordinary = tell(
        Told("a", text, url="https://a.example/1"),
        Told("a", text, url="https://a.example/1"),
        Told("a", text, url="https://a.example/2"),
        WIRE,
    )

    assert [d.kind for d in (first, again, same)] == ["new", "redelivery", "copy"]
    assert same.of == first.article_id
    assert_stands_alone(ordinary)


def test_a_book_that_another_outlet_cuts_by_a_third_is_still_a_copy() -> None:
    words = [f"word{n}" for n in range(60_000)]
    book, cut = tell(Told("a", " ".join(words)), Told("b", " ".join(words[:40_000])))

    assert (cut.kind, cut.method, cut.of) == ("copy", "near", book.article_id)


def test_two_tables_of_5000_numbers_are_two_articles() -> None:
    tables = [" ".join(f"row {n} {n * step}.{n % 9}" for n in range(1, 2_500)) for step in (3, 7)]
    _, second = tell(Told("a", tables[0]), Told("a", tables[1]))

    assert second.kind == "new"
