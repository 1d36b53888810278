from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cleaning
from pipeline.cleaning import RawOffsets, Rule, Wall

RULES = cleaning.load_rules()
SEED = Path(__file__).parents[2] / "seeds" / "voa-blinken-netanyahu.txt"
ARTICLE = "The harbour tunnel opened on Monday.\nThousands walked through it, the city said."


def by_name(thing: Rule | Wall) -> str:
    return thing.name


@pytest.mark.parametrize("rule", RULES.rules, ids=by_name)
def test_the_example_of_each_rule_is_cut_below_an_article(rule: Rule) -> None:
    raw = f"{ARTICLE}\n\n{rule.example}\n"

    cleaned = cleaning.clean(raw, RULES)

    assert cleaned.text == ARTICLE
    assert rule.name in {span.rule for span in cleaned.removed}


@pytest.mark.parametrize("rule", RULES.rules, ids=by_name)
def test_the_example_of_each_rule_stays_where_it_is_part_of_a_sentence(rule: Rule) -> None:
    raw = f"He had written the words {rule.example!r} on the wall, the police said later.\n{ARTICLE}"

    assert cleaning.clean(raw, RULES).text == raw


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.where == "tail"], ids=by_name)
def test_a_tail_rule_leaves_a_line_alone_that_the_article_goes_on_after(rule: Rule) -> None:
    raw = f"{rule.example}\n{ARTICLE}"

    assert cleaning.clean(raw, RULES).text == raw


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.where == "anywhere"], ids=by_name)
def test_an_anywhere_rule_cuts_a_line_in_the_middle_of_an_article(rule: Rule) -> None:
    first, second = ARTICLE.split("\n")

    assert cleaning.clean(f"{first}\n{rule.example}\n{second}", RULES).text == ARTICLE


@pytest.mark.parametrize("wall", RULES.walls, ids=by_name)
def test_the_example_of_each_wall_is_a_wall(wall: Wall) -> None:
    assert RULES.is_wall(f"Harbour tunnel opens\n{wall.example}\nBack to the front page")


@pytest.mark.parametrize("wall", RULES.walls, ids=by_name)
def test_a_long_article_that_quotes_a_wall_is_an_article(wall: Wall) -> None:
    assert not RULES.is_wall(f"{ARTICLE * 30} {wall.example}")


def test_an_ordinary_short_text_is_no_wall() -> None:
    assert not RULES.is_wall(ARTICLE)


def test_the_three_boilerplate_lines_of_the_voa_article_go_and_nothing_else() -> None:
    raw = SEED.read_text(encoding="utf-8")

    cleaned = cleaning.clean(raw, RULES)

    assert [(span.rule, span.text.strip()) for span in cleaned.removed if span.text.strip()] == [
        ("voa-signature", "The VOA is the Voice of America"),
        (
            "comment-form",
            "Leave a Reply\n\nYour email address will not be published. Required fields are marked *",
        ),
    ]
    assert cleaned.text.startswith("Blinken Meets With Netanyahu")
    assert cleaned.text.endswith("VOA\u2019s Cindy Saine contributed to this report.")


def test_a_sentence_about_leaving_a_reply_stays() -> None:
    raw = (
        "The button says Leave a Reply.\nLeave a Reply to this letter by Friday, the minister said, or lose "
        "the grant.\nThe council did not."
    )

    assert cleaning.clean(raw, RULES).text == raw


def test_a_comment_form_high_up_takes_no_more_than_its_own_half() -> None:
    raw = f"Headline\nLeave a Reply\n{ARTICLE}"

    assert cleaning.clean(raw, RULES).text == raw


def test_a_text_of_nothing_but_boilerplate_is_empty() -> None:
    cleaned = cleaning.clean("\n Leave a Reply\n\nShare this article\n", RULES)

    assert cleaned.text == ""
    assert "".join(span.text for span in cleaned.removed) == "\n Leave a Reply\n\nShare this article\n"


def test_control_characters_go_and_tabs_and_line_breaks_stay() -> None:
    cleaned = cleaning.clean("A\x07 bell\x1b\x1b\tand\r\na \x85break", RULES)

    assert cleaned.text == "A bell\tand\r\na break"
    assert [(s.start, s.end, s.rule) for s in cleaned.removed] == [
        (1, 2, "control-character"),
        (7, 9, "control-character"),
        (17, 18, "control-character"),
    ]


def test_a_text_of_control_characters_costs_no_more_than_a_thousand_spans() -> None:
    cleaned = cleaning.clean("a\x07" * 5000, RULES)

    assert len(cleaned.removed) == cleaning.MAX_CONTROL_RUNS


def test_a_line_longer_than_any_footer_is_no_boilerplate() -> None:
    line = "Related: " + "x" * cleaning.MAX_RULE_LINE

    assert cleaning.clean(f"{ARTICLE}\n{line}", RULES).text.endswith(line)


@pytest.mark.timeout(60)
def test_a_text_of_comment_forms_is_cleaned_in_linear_time() -> None:
    raw = "Leave a Reply\n" * 40_000 + "The harbour tunnel opened on Monday.\n" * 20_000

    assert cleaning.clean(raw, RULES).text == raw.strip()


PIECES = st.lists(
    st.sampled_from(
        [
            *(rule.example for rule in RULES.rules),
            "Share this",
            "\n",
            "\r\n",
            " \t",
            "\u2028",
            "\x07\x08",
            "\x85",
            "The tunnel opened.",
            "\U0001f68c",
            "e\u0301",
        ]
    )
    | st.text(max_size=5),
    max_size=14,
).map("".join)


@given(PIECES)
def test_the_text_is_the_raw_text_minus_the_removed_spans(raw: str) -> None:
    cleaned = cleaning.clean(raw, RULES)

    places = [(span.start, span.end) for span in cleaned.removed]
    assert all(0 <= start < end <= len(raw) for start, end in places)
    assert all(one_end <= other_start for (_, one_end), (other_start, _) in pairwise(places))
    assert [raw[span.start : span.end] for span in cleaned.removed] == [span.text for span in cleaned.removed]
    gone = {i for start, end in places for i in range(start, end)}
    assert cleaned.text == "".join(c for i, c in enumerate(raw) if i not in gone)
    assert cleaned.text == cleaned.text.strip()


@given(PIECES, st.data())
def test_a_range_of_the_text_finds_its_place_in_the_raw_text(raw: str, data: st.DataObject) -> None:
    cleaned = cleaning.clean(raw, RULES)
    if not cleaned.text:
        return
    start = data.draw(st.integers(0, len(cleaned.text) - 1))
    end = data.draw(st.integers(start + 1, len(cleaned.text)))

    raw_start, raw_end = RawOffsets(cleaned.removed).range(start, end)

    gone = {i for span in cleaned.removed for i in range(span.start, span.end)}
    assert {raw_start, raw_end - 1}.isdisjoint(gone), "the range begins and ends with kept characters"
    assert "".join(raw[i] for i in range(raw_start, raw_end) if i not in gone) == cleaned.text[start:end]
