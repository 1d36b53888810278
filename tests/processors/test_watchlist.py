"""What the user declares is found as declared; what cannot be declared is refused with the place that is wrong."""

import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Exit, SettingError
from processors import watchlist
from processors.watchlist import WatchList

SEEDS = Path(__file__).parents[2] / "seeds"


@pytest.fixture(scope="module")
def english() -> Any:
    return watchlist.tokenizer("en")


def declared(*entries: dict[str, Any]) -> watchlist.Entries:
    return watchlist.entries_of({"entry": [{"id": f"e{n}", "label": "ORG", **each} for n, each in enumerate(entries)]})


def found(nlp: Any, text: str, *entries: dict[str, Any]) -> list[tuple[str, str]]:
    """(id, words) of what is found; the places are checked on the way."""
    spans = WatchList(declared(*entries), nlp).find(nlp.make_doc(text), text)
    assert spans == sorted(spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))
    return [(span.id, text[span.start : span.end]) for span in spans]


def test_an_entry_is_found_by_its_name_and_its_aliases_with_its_own_id(english: Any) -> None:
    text = "Meta Platforms, once Facebook, sued. Facebook's lawyers did not; META-led others did."
    entries = declared({"id": "Q380", "name": "Meta Platforms", "aliases": ["Facebook"], "label": "ORG"})

    spans = WatchList(entries, english).find(english.make_doc(text), text)

    assert [tuple(span) for span in spans] == [
        (0, 14, "ORG", "Q380", "Meta Platforms"),
        (21, 29, "ORG", "Q380", "Meta Platforms"),
        (37, 45, "ORG", "Q380", "Meta Platforms"),
    ]


EXACT = {
    "another case": ("apple rose", "Apple", []),
    "another case, ignored": ("APPLE rose, apple fell", "Apple", ["APPLE", "apple"]),
    "a part of a word": ("Applebee and Pineapple", "Apple", []),
    "a possessive": ("Apple's", "Apple", ["Apple"]),
    "in quotation marks": ("\u201cApple\u201d", "Apple", ["Apple"]),
    "in brackets": ("(Apple)", "Apple", ["Apple"]),
    "with a hyphen behind": ("Apple-owned", "Apple", ["Apple"]),
    "with a slash": ("Reuters/Apple", "Apple", ["Apple"]),
    "at the end of a sentence": ("He read Malcolm X.", "Malcolm X", ["Malcolm X"]),
    "before an abbreviation's full stop": ("He sued Apple Inc. again", "Apple Inc", ["Apple Inc"]),
    "with its full stop": ("He sued Apple Inc.", "Apple Inc.", ["Apple Inc."]),
    "over two lines": ("Malcolm\nX said", "Malcolm X", ["Malcolm\nX"]),
    "with two spaces": ("Malcolm  X said", "Malcolm X", ["Malcolm  X"]),
    "over two paragraphs": ("He said Malcolm\n\nX marks", "Malcolm X", []),
    "letters of others": ("Müller and 東京 met", "Müller", ["Müller"]),
}


@pytest.mark.parametrize(("text", "name", "expected"), EXACT.values(), ids=list(EXACT))
def test_a_name_is_found_as_whole_words_as_it_is_written(
    english: Any, text: str, name: str, expected: list[str]
) -> None:
    ignored = len(expected) > 1
    assert [words for _, words in found(english, text, {"name": name, "ignore_case": ignored})] == expected


TICKERS = {
    "as a word": ("Buy AAPL now", "AAPL", ["AAPL"]),
    "with its mark": ("Buy $AAPL.", "AAPL", ["AAPL"]),
    "with its exchange": ("(NASDAQ:AAPL)", "AAPL", ["AAPL"]),
    "of a class of shares": ("Buy BRK.B.", "BRK.B", ["BRK.B"]),
    "in small letters": ("aapl", "AAPL", []),
    "a short one is a word": ("F is a letter. IT WORKS, A F", "F", []),
    "a short one with its mark": ("$F, (F), NYSE: F and Nyse:F", "F", ["F", "F", "F", "F"]),
}


@pytest.mark.parametrize(("text", "ticker", "expected"), TICKERS.values(), ids=list(TICKERS))
def test_a_ticker_is_found_in_capitals_and_a_short_one_where_it_is_marked(
    english: Any, text: str, ticker: str, expected: list[str]
) -> None:
    entry = {"name": "Nobody Names It", "tickers": [ticker], "ignore_case": True}

    assert [words for _, words in found(english, text, entry)] == expected


def test_a_pattern_is_found_anywhere_in_the_text(english: Any) -> None:
    entry = {"name": "Resolutions", "patterns": [r"Resolution \d{1,4}", r"\bUNSCR\b"]}

    assert found(english, "Ü: Resolution 2728 (UNSCR), resolution 1", entry) == [
        ("e0", "Resolution 2728"),
        ("e0", "UNSCR"),
    ]


def test_a_match_without_a_letter_or_a_digit_is_no_name(english: Any) -> None:
    assert found(english, "Oslo  and\u200bBergen", {"name": "X", "patterns": [r"\s+", r"\x{200b}"]}) == []


def test_what_an_entry_ignores_its_patterns_ignore_too(english: Any) -> None:
    entry = {"name": "Resolutions", "patterns": [r"resolution \d+"], "ignore_case": True}

    assert found(english, "RESOLUTION 2728", entry) == [("e0", "RESOLUTION 2728")]


def test_the_longest_counts_and_none_lies_over_another(english: Any) -> None:
    entries = (
        {"name": "York"},
        {"name": "New York Times"},
        {"name": "New York"},
        {"name": "Times Square Alliance"},
        {"name": "Never", "patterns": ["York T"]},
    )

    assert found(english, "New York Times Square Alliance of New York, York", *entries) == [
        ("e2", "New York"),
        ("e3", "Times Square Alliance"),
        ("e2", "New York"),
        ("e0", "York"),
    ]


def test_a_name_as_written_counts_before_one_in_any_case_and_a_name_before_a_pattern(english: Any) -> None:
    entries = ({"name": "P", "patterns": ["Apple"]}, {"name": "apple", "ignore_case": True}, {"name": "Apple"})

    assert found(english, "Apple APPLE", *entries) == [("e2", "Apple"), ("e1", "APPLE")]
    assert found(english, "Apple", *entries[:2]) == [("e1", "Apple")]


def test_the_same_is_found_again_and_in_the_memory_zones_of_the_pipeline(english: Any) -> None:
    text = "Apple met the unheard-of Zyxwvut of Apple."
    watch = WatchList(declared({"name": "Apple"}, {"name": "Zyxwvut"}), english)

    results = []
    for _ in range(3):
        with english.memory_zone():
            results.append(watch.find(english.make_doc(text), text))

    assert results[0] == results[1] == results[2]
    assert [span.start for span in results[0]] == [0, 25, 36]


@pytest.mark.parametrize("language", ["de", "fr", "xq", "ja", None])
def test_texts_without_a_model_are_looked_through_with_the_words_of_their_language(language: str | None) -> None:
    nlp = watchlist.tokenizer(language)

    assert found(nlp, "Die Firma Apple, (Apple) Apple.", {"name": "Apple"}) == [("e0", "Apple")] * 3


def test_the_elisions_of_a_language_are_its_own() -> None:
    assert found(watchlist.tokenizer("fr"), "l'usine d'Apple", {"name": "Apple"}) == [("e0", "Apple")]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "." * 10_000, "\u202e\u200f" * 500, "\U0001f68c" * 5000, "Apple" * 5000],
    ids=["nothing", "a space", "lines", "punctuation", "marks", "emoji", "no words"],
)
def test_a_text_without_a_name_has_none(english: Any, text: str) -> None:
    assert found(english, text, {"name": "Apple", "patterns": ["Q+R"]}) == []


def test_fifty_thousand_names_in_one_text_are_all_found_in_bounded_time(english: Any) -> None:
    text = "Apple Anna Lind " * 50_000
    watch = WatchList(declared({"name": "Apple"}, {"name": "Anna Lind"}), english)
    doc = english.make_doc(text)

    began = time.process_time()
    spans = watch.find(doc, text)

    assert len(spans) == 100_000
    assert time.process_time() - began < 20


def test_a_pattern_that_looks_to_the_end_each_time_is_bounded(english: Any) -> None:
    """re2 is linear for one match, and quadratic for all where each looks on in vain."""
    text = "a" * 500_000
    watch = WatchList(declared({"name": "X", "patterns": ["(?s)a.*b|a"]}), english)
    doc = english.make_doc("a")

    began = time.process_time()
    spans = watch.find(doc, text)

    assert len(spans) == watchlist.MAX_MATCHES
    assert time.process_time() - began < 20


def test_ten_thousand_names_cost_an_article_next_to_nothing(english: Any) -> None:
    names = [{"name": f"Company{n} {('Bank', 'Steel', 'Air')[n % 3]}"} for n in range(10_000)]
    watch = WatchList(declared(*names), english)
    text = "The Company77 Air jet and Company9998 Air met. " + "It rained on Monday in the north of Norway. " * 40
    doc = english.make_doc(text)
    watch.find(doc, text)

    began = time.process_time()
    for _ in range(100):
        spans = watch.find(doc, text)
    milliseconds = (time.process_time() - began) * 10

    assert [span.id for span in spans] == ["e77", "e9998"]
    assert milliseconds < 10  # 0.3 on a quiet machine


# The file


def written(folder: Path, text: str) -> Path:
    path = folder / "watch.toml"
    path.write_text(text, encoding="utf-8")
    return path


ENTRY = '[[entry]]\nid = "Q1"\nname = "Anna Lind"\nlabel = "PERSON"\n'

WRONG = {
    "no TOML": ("[[entry", "is no TOML"),
    "nothing in it": ("", "entry: Field required"),
    "a misspelt table": ("[[entries]]\n", "entry: Field required"),
    "no id": ('[[entry]]\nname = "A"\nlabel = "ORG"\n', "entry 1, id: Field required"),
    "an id with a space": (ENTRY.replace("Q1", "Q 1"), "entry 1 ('Q 1'), id: an id has no spaces"),
    "a number for an id": (ENTRY.replace('"Q1"', "1"), "entry 1 (1), id: Input should be a valid string"),
    "an id twice": (ENTRY + ENTRY.replace("Anna", "Bo"), "the id 'Q1' is declared twice"),
    "a name of two": (ENTRY + ENTRY.replace("Q1", "Q2"), "'Anna Lind' is a name of 'Q1' and of 'Q2'"),
    "no such label": (ENTRY.replace("PERSON", "PER"), "entry 1 ('Q1'), label: there is no label 'PER'"),
    "no letters": (ENTRY.replace("Anna Lind", "--"), "entry 1 ('Q1'), name: a name has at least one letter"),
    "a name too long": (ENTRY.replace("Anna", "A" * 300), "entry 1 ('Q1'), name: String should have at most 200"),
    "a misspelt key": (ENTRY + 'alias = ["A"]\n', "entry 1 ('Q1'), alias: Extra inputs are not permitted"),
    "no list": (ENTRY + 'aliases = "A"\n', "entry 1 ('Q1'), aliases: Input should be a valid tuple"),
    "no ticker": (ENTRY + 'tickers = ["aapl"]\n', "entry 1 ('Q1'), tickers: 'aapl' is no ticker"),
    "a bad pattern": (ENTRY + "patterns = ['a(b']\n", "patterns: re2 does not take the pattern 'a(b': missing )"),
    "a pattern that looks behind": (ENTRY + "patterns = ['(?<=a)b']\n", "does not take the pattern '(?<=a)b'"),
    "a pattern that refers back": (ENTRY + "patterns = ['(a)\\1']\n", r"does not take the pattern '(a)\\1'"),
    "a pattern too large": (ENTRY + "patterns = ['((a{99}){99}){99}']\n", "does not take the pattern"),
    "a pattern for nothing": (ENTRY + "patterns = ['x*']\n", "the pattern 'x*' matches where nothing stands"),
    "a pattern for an edge": (ENTRY + "patterns = ['\\b']\n", "matches where nothing stands"),
    "an empty pattern": (ENTRY + "patterns = ['']\n", "the pattern '' matches where nothing stands"),
    "the second of two": (ENTRY + ENTRY.replace("Q1", "Q2").replace("PERSON", "X"), "entry 2 ('Q2'), label"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=list(WRONG))
def test_a_file_with_a_mistake_is_a_wrong_setting_that_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(SettingError) as caught:
        watchlist.load(path)

    assert str(caught.value).startswith(f"NEWS_NLP__WATCH_LIST: {path}")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == Exit.USAGE


def test_a_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SettingError, match=r"NEWS_NLP__WATCH_LIST: .* cannot be read"):
            watchlist.load(path)


def test_bytes_that_are_no_text_are_a_wrong_setting(tmp_path: Path) -> None:
    path = tmp_path / "watch.toml"
    path.write_bytes(b'[[entry]]\nid = "\xff"\n')

    with pytest.raises(SettingError, match="is not UTF-8"):
        watchlist.load(path)


def test_brackets_without_end_are_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="NEWS_NLP__WATCH_LIST"):
        watchlist.load(written(tmp_path, "a = " + "[" * 100_000))


def test_the_digest_is_the_same_for_what_finds_the_same_and_another_for_what_does_not(tmp_path: Path) -> None:
    two = ENTRY + 'aliases = ["A. Lind", "Lind"]\n', ENTRY.replace("Q1", "Q2").replace("Anna", "Bo")
    same = [
        "".join(two),
        "# a comment\n" + two[1] + two[0],
        two[0].replace('"A. Lind", "Lind"', '"Lind", "A. Lind", "Lind"') + two[1],
    ]
    others = [two[0], "".join(two).replace("PERSON", "ORG", 1), "".join(two) + "ignore_case = true\n"]

    digests = [watchlist.load(written(tmp_path, text)).digest for text in (*same, *others)]

    assert len(set(digests[:3])) == 1
    assert len(set(digests)) == 1 + len(others)


def test_the_example_finds_what_it_declares(english: Any) -> None:
    entries = watchlist.load(SEEDS / "watchlist.toml")
    text = (
        "Hamas and Ayman al-Safadi met at the RAFAH Crossing over Security Council resolution 2728; Apple (AAPL) fell."
    )

    spans = WatchList(entries, english).find(english.make_doc(text), text)

    assert [(span.id, text[span.start : span.end]) for span in spans] == [
        ("Q7747", "Hamas"),
        ("Q23781155", "Ayman al-Safadi"),
        ("desk:rafah-crossing", "RAFAH Crossing"),
        ("desk:un-resolutions", "Security Council resolution 2728"),
        ("Q312", "Apple"),
        ("Q312", "AAPL"),
    ]
