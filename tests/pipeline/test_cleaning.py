from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cleaning
from pipeline.cleaning import RawOffsets, Rule, TitleRule, Wall

RULES = cleaning.load_rules()
SEED = Path(__file__).parents[2] / "seeds" / "voa-blinken-netanyahu.txt"
ARTICLE = "The harbour tunnel opened on Monday.\nThousands walked through it, the city said."


SENTENCE = "The harbour tunnel opened on Monday, and thousands walked through it, the city said."
LINE_RULES = [rule for rule in RULES.rules if rule.where not in ("lead", "end")]
LEADS = [rule for rule in RULES.rules if rule.where == "lead"]
ENDS = [rule for rule in RULES.rules if rule.where == "end"]


def by_name(thing: Rule | Wall | TitleRule) -> str:
    return thing.name


def removed_by(raw: str) -> set[str]:
    return {span.rule for span in cleaning.clean(raw, RULES).removed}


def kept(rules: list[Rule]) -> list[tuple[Rule, str]]:
    return [(rule, line) for rule in rules for line in rule.keeps]


def test_the_version_stands_in_the_file_and_no_two_rules_have_one_name() -> None:
    names = [thing.name for thing in (*RULES.rules, *RULES.walls, *RULES.titles)]

    assert RULES.version == 2
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", [rule for rule in RULES.rules if rule.where == "head"], ids=by_name)
def test_the_example_of_each_head_rule_is_cut_above_an_article(rule: Rule) -> None:
    raw = f"{rule.example}\n\n{ARTICLE}"

    assert cleaning.clean(raw, RULES).text == ARTICLE
    assert rule.name in removed_by(raw)


@pytest.mark.parametrize("rule", [rule for rule in LINE_RULES if rule.where != "head"], ids=by_name)
def test_the_example_of_each_rule_is_cut_below_an_article(rule: Rule) -> None:
    raw = f"{ARTICLE}\n\n{rule.example}\n"

    cleaned = cleaning.clean(raw, RULES)

    assert cleaned.text == ARTICLE
    assert rule.name in {span.rule for span in cleaned.removed}


@pytest.mark.parametrize(("rule", "line"), kept(LINE_RULES), ids=lambda value: getattr(value, "name", value))
def test_a_line_that_a_rule_keeps_is_not_cut_by_it(rule: Rule, line: str) -> None:
    assert rule not in RULES.match(line)


@pytest.mark.parametrize("rule", LEADS, ids=by_name)
@pytest.mark.parametrize("before", ["", "Harbour tunnel opens\n\n", "By Nike Ching\n\n", " \t"])
def test_the_example_of_a_lead_is_cut_before_the_first_sentence(rule: Rule, before: str) -> None:
    cleaned = cleaning.clean(f"{before}{rule.example}{SENTENCE}\nIt rained.", RULES)

    headline = "Harbour tunnel opens\n\n" if before.startswith("Harbour") else ""
    assert cleaned.text == f"{headline}{SENTENCE}\nIt rained."
    assert [span.text.strip() for span in cleaned.removed if span.rule == rule.name] == [rule.example.strip()]


@pytest.mark.parametrize("rule", LEADS, ids=by_name)
def test_a_lead_stays_before_what_is_no_sentence_and_further_down(rule: Rule) -> None:
    for raw in (f"{rule.example}and {SENTENCE}", f"{rule.example}Rain", f"One.\nTwo.\n{rule.example}{SENTENCE}"):
        assert cleaning.clean(raw, RULES).text == raw


@pytest.mark.parametrize(("rule", "line"), kept(LEADS), ids=lambda value: getattr(value, "name", value))
def test_a_sentence_that_a_lead_keeps_stays_whole(rule: Rule, line: str) -> None:
    assert cleaning.clean(line, RULES).text == line


@pytest.mark.parametrize(
    "dateline",
    [
        "PARIS (AP) \u2014 ",
        "LONDON, March 3 (Reuters) - ",
        "JERUSALEM \u2014 ",
        "NEW YORK \u2013\u00a0",
        "WASHINGTON-- ",
        "VOSS, Norway - ",
        "KILLYBEGS, Ireland, Oct 20 (Coastal Wire) - ",
        "COLUMBIA, S.C. \u2014 ",
        "Paris (AFP) - ",
        "Berlin/Paris (dpa/lhe) \u2013 ",
        "PARIS, 3 mars 2026 (AFP) - ",
        "Madrid, 3 mar (EFE).- ",
        "SAINT-DI\u00c9-DES-VOSGES - ",
        "(CNN) ",
        "(AP) \u2014 ",
        "CNN \u2014 ",
    ],
)
def test_a_dateline_is_cut_and_nothing_else(dateline: str) -> None:
    assert cleaning.clean(f"{dateline}{SENTENCE}\n\n{ARTICLE}", RULES).text == f"{SENTENCE}\n\n{ARTICLE}"


@pytest.mark.parametrize("rule", ENDS, ids=by_name)
def test_the_example_of_an_end_is_cut_behind_the_last_sentence(rule: Rule) -> None:
    raw = f"{ARTICLE}{rule.example}\n\nShare this article\n"

    assert cleaning.clean(raw, RULES).text == ARTICLE
    assert rule.name in removed_by(raw)


@pytest.mark.parametrize("rule", ENDS, ids=by_name)
def test_an_end_stays_further_up_and_where_it_is_all_there_is(rule: Rule) -> None:
    assert rule.name not in removed_by(f"It rained.{rule.example}\n{ARTICLE}")
    assert rule.name not in removed_by(rule.example)


@pytest.mark.parametrize(("rule", "line"), kept(ENDS), ids=lambda value: getattr(value, "name", value))
def test_a_sentence_that_an_end_keeps_stays_whole(rule: Rule, line: str) -> None:
    assert rule.name not in removed_by(line)


BYLINES = [
    "By Nike Ching",
    "By JANE DOE, Associated Press",
    "By Jane Doe and Max Roe for The Harbour Monitor",
    "by Ludwig van Beethoven in Berlin",
    "By Jane Doe | March 3, 2026",
    "By AFP",
    "Von Max Mustermann",
    "Por Juan P\u00e9rez",
]


@pytest.mark.parametrize("byline", BYLINES)
def test_a_byline_goes_at_the_head_only(byline: str) -> None:
    cleaned = cleaning.clean(f"Harbour tunnel opens\n\n{byline}\n\n{ARTICLE}", RULES)

    assert cleaned.text == f"Harbour tunnel opens\n\n\n{ARTICLE}"
    raw = f"One.\nTwo.\nThree.\nFour.\nFive.\n{byline}\n{ARTICLE}"
    assert cleaning.clean(raw, RULES).text == raw


@pytest.mark.parametrize("rule", LINE_RULES, ids=by_name)
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
def test_no_rule_takes_a_wall_away(wall: Wall) -> None:
    raw = f"{wall.example}\nShare this article"

    assert RULES.is_wall(cleaning.clean(raw, RULES).text)


@pytest.mark.parametrize("wall", RULES.walls, ids=by_name)
def test_a_long_article_that_quotes_a_wall_is_an_article(wall: Wall) -> None:
    assert not RULES.is_wall(f"{ARTICLE * 30} {wall.example}")


def test_an_ordinary_short_text_is_no_wall() -> None:
    assert not RULES.is_wall(ARTICLE)


def test_the_boilerplate_lines_of_the_voa_article_go_and_nothing_else() -> None:
    raw = SEED.read_text(encoding="utf-8")

    cleaned = cleaning.clean(raw, RULES)

    assert [(span.rule, span.text.strip()) for span in cleaned.removed if span.text.strip()] == [
        ("byline", "By Nike Ching"),
        ("contributed", "VOA\u2019s Cindy Saine contributed to this report."),
        ("voa-signature", "The VOA is the Voice of America"),
        (
            "comment-form",
            "Leave a Reply\n\nYour email address will not be published. Required fields are marked *",
        ),
    ]
    assert cleaned.text.startswith("Blinken Meets With Netanyahu")
    assert cleaned.text.endswith("help and support and the assistance they need.\u201d")


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


HOSTILE = {
    "a line of 1 MB": "x y z " * 170_000,
    "a name of 1 MB": "By " + "Ann " * 250_000,
    "a dateline of 1 MB": "PARIS, " * 150_000,
    "empty lines": "\n" * 200_000,
    "short boilerplate": "Share\n" * 100_000,
    "short lines": "".join(f"Share {i}\n" for i in range(100_000)),
    "comment forms": "Leave a Reply\n" * 40_000 + "The harbour tunnel opened on Monday.\n" * 20_000,
    "control characters": "\x07" * 1_000_000,
    "control characters here and there": "a\x07" * 500_000,
    "lines as long as rules look": ("Read more: " + "Ann and " * 49)[:399].join(["\n"] * 2600),
    "letters of many scripts": "".join(chr(0xA1 + i * 7919 % 0x2000) for i in range(1_000_000)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("raw", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_text_is_cleaned_in_linear_time(raw: str) -> None:
    cleaned = cleaning.clean(raw, RULES)

    assert len(cleaned.removed) <= cleaning.MAX_CONTROL_RUNS + 2
    assert len(cleaned.text) + sum(span.end - span.start for span in cleaned.removed) == len(raw)


def test_a_text_of_comment_forms_stays() -> None:
    raw = HOSTILE["comment forms"]

    assert cleaning.clean(raw, RULES).text == raw.strip()


def test_boilerplate_lines_of_one_rule_that_touch_are_one_span() -> None:
    cleaned = cleaning.clean(f"{ARTICLE}\nShare this\nShare this article\n", RULES)

    assert [span.text for span in cleaned.removed if span.rule == "share"] == ["Share this\nShare this article\n"]


def test_a_line_that_goes_takes_only_its_own_part_of_a_run_of_control_characters() -> None:
    cleaned = cleaning.clean("The tunnel opened.\x07\x85\x07Share this\nIt rained.", RULES)

    assert cleaned.text == "The tunnel opened.Share this\nIt rained."


PIECES = st.lists(
    st.sampled_from(
        [
            *(rule.example for rule in RULES.rules),
            *(line for rule in RULES.rules for line in rule.keeps),
            SENTENCE,
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


@pytest.mark.parametrize("rule", RULES.titles, ids=by_name)
def test_the_example_of_each_title_rule_is_shortened(rule: TitleRule) -> None:
    assert cleaning.clean_title(rule.example, RULES) == "Ferry sinks"


@pytest.mark.parametrize("title", RULES.outlets.examples)
def test_an_outlet_behind_a_title_is_no_part_of_it(title: str) -> None:
    assert cleaning.clean_title(title, RULES) == "Ferry sinks"


KEPT_BY_TITLES = [title for rule in RULES.titles for title in rule.keeps]


@pytest.mark.parametrize("title", [*RULES.outlets.keeps, *KEPT_BY_TITLES, "", " ", "| - |", "Ferry"])
def test_a_title_that_only_looks_labelled_stays(title: str) -> None:
    assert cleaning.clean_title(title, RULES).strip() == title.strip()


@pytest.mark.parametrize(
    ("title", "source", "compared"),
    [
        ("EXCLUSIVE: Ferry sinks (AP) - ABC News", None, "Ferry sinks"),
        ("Opinion | Ferry sinks | World news | The Guardian", None, "Ferry sinks"),
        ("Ferry sinks - Coastal Wire", "coastalwire.example", "Ferry sinks"),
        ("Ferry sinks - Coastal Wire", "www.coastal-wire.example", "Ferry sinks"),
        ("Ferry sinks \u2013 The Coastal Wire", "Coastal Wire", "Ferry sinks"),
        ("Ferry sinks - Coastal Wire", "islandherald.example", "Ferry sinks - Coastal Wire"),
        ("Ferry sinks - Coastal Wire", None, "Ferry sinks - Coastal Wire"),
        ("Opinion | The New York Times", None, "The New York Times"),
        ("BBC News - The Guardian", None, "BBC News"),
        ("- The New York Times", None, "- The New York Times"),
    ],
)
def test_a_title_is_compared_without_labels_and_outlets(title: str, source: str | None, compared: str) -> None:
    assert cleaning.clean_title(title, RULES, source) == compared


TITLE_PIECES = st.lists(
    st.sampled_from(
        [" - ", " | ", "The New York Times", "Opinion", "Exclusive: ", "(AP)", "UPDATE 2-", " ", "Ferry", "wire"]
    )
    | st.text(max_size=3),
    max_size=8,
).map("".join)


@given(TITLE_PIECES, st.none() | st.sampled_from(["wire", "www.wire.example", ""]))
def test_a_compared_title_is_a_part_of_the_title_and_keeps_a_word(title: str, source: str | None) -> None:
    compared = cleaning.clean_title(title, RULES, source)

    assert compared in title
    assert any(map(str.isalnum, compared)) == any(map(str.isalnum, title))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["UPDATE 2-", "Exclusive: ", "Ferry - BBC News", " - ", "|", "(AP) ", "x"])
def test_a_hostile_title_is_compared_in_linear_time(piece: str) -> None:
    assert cleaning.clean_title(piece * (1_000_000 // len(piece)), RULES)
