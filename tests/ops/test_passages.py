"""Passages: the words are those that fingerprint counts, each with its place, and what is said to be equal is equal."""

import re
import time
from itertools import pairwise
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops import passages
from ops.passages import changed, matched
from pipeline.identity import normalised

REEF = "Marine scientists have charted a reef of cold-water coral longer than any known in Irish waters."

#: Few words, so that they meet; characters that normalising joins, parts, takes out or turns round.
FEW = st.lists(st.sampled_from(["a", "b", "c", "die", "½", "e\u0301", "’", "\u200b", "-"]), max_size=60).map(" ".join)
ODD = st.text(
    st.sampled_from(
        "aB ß½¼㏂\u00a8\u0301\u0308\u0345\u200b\u00ad\u1100\u1161\u11a8\u09c7\u09be…’ﬁ\ufdfaİΣ가漢Ⅷ²\n\u3000\u0323ǰ_1"
    ),
    max_size=40,
)
TEXTS = st.one_of(FEW, ODD, st.text(max_size=60))


def words(text: str) -> list[str]:
    """As processors/fingerprint.py has them."""
    return re.findall(r"\w+", normalised(text))


def shown(text: str, other: str) -> list[tuple[str, str]]:
    return [(text[p.start : p.end], other[p.of_start : p.of_end]) for p in matched(text, other)]


@given(TEXTS)
def test_the_words_are_those_of_the_fingerprint(text: str) -> None:
    numbers: dict[str, int] = {}
    found = passages.words_of(text, numbers)
    names = list(numbers)

    assert [names[number] for number in found.ids] == words(text)
    assert all(0 <= start < end <= len(text) for start, end in zip(found.starts, found.ends, strict=True))
    assert sorted(found.starts) == list(found.starts)
    assert sorted(found.ends) == list(found.ends)


@given(TEXTS, TEXTS)
def test_passages_are_in_order_and_equal_in_both_texts(text: str, other: str) -> None:
    found = matched(text, other)

    assert all(a.end <= b.start for a, b in pairwise(found))
    for p in found:
        assert 0 <= p.start < p.end <= len(text)
        assert 0 <= p.of_start < p.of_end <= len(other)
        same = words(text[p.start : p.end])
        assert same == words(other[p.of_start : p.of_end])
        assert len(same) == p.words


@given(TEXTS)
def test_equal_texts_match_as_a_whole(text: str) -> None:
    assert sum(p.words for p in matched(text, text)) == len(words(text))
    assert len(matched(text, text)) == (1 if words(text) else 0)
    assert passages.share(text, matched(text, text)) == (1 if words(text) else 0)


@given(st.lists(st.sampled_from("abcd"), max_size=50), st.lists(st.sampled_from("abcd"), max_size=50))
def test_every_word_of_a_common_shingle_is_in_a_passage_and_no_other(ours: list[str], theirs: list[str]) -> None:
    text, other = " ".join(ours), " ".join(theirs)
    common = {tuple(theirs[n : n + 3]) for n in range(len(theirs) - 2)}
    covered = {n + i for n in range(len(ours) - 2) if tuple(ours[n : n + 3]) in common for i in range(3)}
    if len(ours) < 3 and ours == theirs:
        covered = set(range(len(ours)))

    assert {n // 2 for p in matched(text, other) for n in range(p.start, p.end, 2)} == covered


@given(TEXTS, TEXTS)
def test_passages_and_what_changed_are_the_whole_text(text: str, other: str) -> None:
    found = matched(text, other)
    left = changed(text, found)
    parts = sorted([(p.start, p.end) for p in found] + [(s.start, s.end) for s in left])

    assert all(a[1] <= b[0] for a, b in pairwise(parts))
    between = "".join(text[a[1] : b[0]] for a, b in zip([(0, 0), *parts], [*parts, (len(text), 0)], strict=True))
    assert re.search(r"\w", between) is None


@pytest.mark.parametrize(
    ("text", "other", "same", "added", "removed"),
    [
        (REEF, REEF.replace("’", "'"), [REEF[:-1]], [], []),
        (f"DONEGAL - {REEF}", REEF, [REEF[:-1]], ["DONEGAL -"], []),
        (REEF, REEF.upper(), [REEF[:-1]], [], []),
        (
            REEF.replace("a reef", "two reefs"),
            REEF,
            ["Marine scientists have charted", "of cold-water coral longer than any known in Irish waters"],
            ["two reefs"],
            ["a reef"],
        ),
        ("The “quoted” na\u00efve café said so", "the \"quoted\" nai\u0308ve cafe\u0301 SAID so.",
         ["The “quoted” na\u00efve café said so"], [], []),
        ("Two words", "two Words!", ["Two words"], [], []),
        ("Two words", "Two words more", [], ["Two words"], ["Two words more"]),
        ("", REEF, [], [], [REEF]),
        ("A b c. (Four!) Five six seven.", "A b c. Five six seven.", ["A b c", "Five six seven"], ["(Four!)"], []),
        ("one two three four", "five six seven eight", [], ["one two three four"], ["five six seven eight"]),
        ("a b c x a b c", "a b c", ["a b c", "a b c"], ["x"], []),
    ],
)  # fmt: skip
def test_what_two_texts_share_and_what_not(
    text: str, other: str, same: list[str], added: list[str], removed: list[str]
) -> None:
    found, back = matched(text, other), matched(other, text)

    assert [text[p.start : p.end] for p in found] == same
    assert [text[s.start : s.end] for s in changed(text, found)] == added
    assert [other[s.start : s.end] for s in changed(other, back)] == removed


def test_a_passage_that_moved_is_found_where_it_is_now() -> None:
    first, second = "The mayor spoke for an hour.", "Rain fell on the square all day."

    assert shown(f"{second} {first}", f"{first} {second}") == [
        ("Rain fell on the square all day", "Rain fell on the square all day"),
        ("The mayor spoke for an hour", "The mayor spoke for an hour"),
    ]


def test_of_repeated_words_the_next_place_is_taken() -> None:
    other = "".join(f"The mayor of the town said {n}. " for n in range(9))
    text = "".join(f"The mayor of the town said that {n}. " for n in range(9))

    expected = ["The mayor of the town said", *(f"{n}. The mayor of the town said" for n in range(8))]
    assert [text[p.start : p.end] for p in matched(text, other)] == expected
    assert [p.of_start for p in matched(text, other)] == [other.index(passage) for passage in expected]


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("word " * (MEGABYTE // 5), "word " * (MEGABYTE // 5)),
        ("a " * (MEGABYTE // 2), "a " * (MEGABYTE // 2 - 1) + "b"),
        ("a b " * (MEGABYTE // 4), "b a c " * (MEGABYTE // 6)),
        ("é" * MEGABYTE, "é" * MEGABYTE),
        ("e\u0301" * (MEGABYTE // 2), "\u0301" * MEGABYTE),
        ("½" * MEGABYTE, "1⁄2" * (MEGABYTE // 3)),
        ("\u1100\u1161" * (MEGABYTE // 2), "가" * (MEGABYTE // 2)),
        (" ".join(ascii_lowercase[n * n % 25] for n in range(MEGABYTE // 2)), "a b c d e f g h " * (MEGABYTE // 16)),
        (" ".join(map(str, range(MEGABYTE // 7))), " ".join(map(str, reversed(range(MEGABYTE // 7))))),
        ("x" * MEGABYTE, "x" * MEGABYTE),
    ],
    ids=["one word", "one letter", "two letters", "one long word", "accents", "fractions", "syllables", "few letters",
         "backwards", "no space"],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_seconds(text: str, other: str) -> None:
    began = time.process_time()
    found = matched(text, other)
    changed(text, found)

    assert time.process_time() - began < 20
