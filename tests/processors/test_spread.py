import pytest

from processors import spread
from processors.names import Found


def spread_over(text: str, labels: dict[str, str], *found: str) -> list[str]:
    spans = [Found(text.index(words), text.index(words) + len(words), "ORG") for words in found]
    return [text[s.start : s.end] for s in spread.over(text, sorted(spans), labels)]


TEXTS = {
    "each mention": ("Oslo met Bergen. Near Oslo, too.", {"Oslo": "GPE"}, ["Oslo", "Oslo"]),
    "whole words alone": ("Oslo, Osloer, NewOslo, Oslo.", {"Oslo": "GPE"}, ["Oslo", "Oslo"]),
    "as it is written": ("OSLO and oslo", {"Oslo": "GPE"}, []),
    "the longest name": ("a New York Times vendor", {"New York": "GPE", "New York Times": "ORG"}, ["New York Times"]),
    "names with marks": ("a U.S. ship of Ek & Sons", {"U.S.": "GPE", "Ek & Sons": "ORG"}, ["U.S.", "Ek & Sons"]),
    "not over two lines": ("by Anna\nLind and Anna Lind", {"Anna Lind": "PERSON"}, ["Anna Lind"]),
    "possessives": ("Oslo's port, Oslo’s ships", {"Oslo": "GPE"}, ["Oslo", "Oslo"]),
    "no part of a compound": ("the Oslo-based firm, pre-Oslo", {"Oslo": "GPE"}, []),
    "no part of an address": ("mail anna@Oslo.example or #Oslo", {"Oslo": "GPE"}, []),
    "no part of a longer name": ("the Montreal Victorias and Bank Oslo", {"Montreal": "GPE", "Oslo": "GPE"}, []),
    "behind a title or an adjective": ("saw President Lind and Norwegian Lind", {"Lind": "PERSON"}, ["Lind", "Lind"]),
    "no common word": ("Target fell. The target was missed.", {"Target": "ORG"}, []),
    "in a headline": ("Blinken Meets With Netanyahu In Push", {"Blinken": "PERSON", "Netanyahu": "PERSON"},
                      ["Blinken", "Netanyahu"]),
    "a name of no words": ("nothing", {"": "ORG"}, []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "labels", "expected"), TEXTS.values(), ids=list(TEXTS))
def test_missed_mentions_are_found(text: str, labels: dict[str, str], expected: list[str]) -> None:
    assert spread_over(text, labels) == expected


def test_no_name_is_found_inside_another() -> None:
    text = "the Bank of Oslo in Oslo"

    assert spread_over(text, {"Oslo": "GPE", "Bank of Oslo": "ORG"}, "Bank of Oslo") == ["Bank of Oslo", "Oslo"]


def test_a_longer_name_takes_the_place_of_the_spans_inside_it() -> None:
    assert spread_over("songs of Thirty Seconds to Mars here", {"Seconds to Mars": "ORG"}, "Mars") == ["Mars"]
    assert spread_over("songs of Linkin Park here", {"Linkin Park": "ORG"}, "Park") == ["Linkin Park"]


def test_a_span_that_only_touches_a_longer_name_stays() -> None:
    assert spread_over("saw Linkin Park here", {"Linkin Park": "ORG"}, "Park here") == ["Park here"]


def test_a_span_keeps_its_label_and_what_is_found_has_that_of_the_name() -> None:
    assert spread.over("Oslo, Oslo", [Found(0, 4, "ORG")], {"Oslo": "GPE"}) == [Found(0, 4, "ORG"), Found(6, 10, "GPE")]


class Counting(dict[str, spread._Node]):
    """Counts the looks that are taken at it."""

    looks = 0

    def __contains__(self, key: object) -> bool:
        Counting.looks += 1
        return super().__contains__(key)


def test_a_repeated_name_costs_a_few_looks_for_each_word(monkeypatch: pytest.MonkeyPatch) -> None:
    init = spread._Node.__init__

    def counting(node: spread._Node) -> None:
        init(node)
        node.below = Counting()

    monkeypatch.setattr(spread._Node, "__init__", counting)
    words = 20_000
    text = "Aa " * words

    assert spread.over(text, [], {"Aa " * 11 + "Aa": "ORG", "Aa " * 12 + "Aa": "ORG"}) == []

    assert Counting.looks <= words * (spread.MAX_TOKENS + 2)
