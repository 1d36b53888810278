"""What changed between two texts: pure, at any size; and `news diff` on stored versions."""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops import difference as differing
from ops.commands import reading as commands
from ops.difference import Change, difference
from sinks import database, postgres
from tests.running import Outcome, run_news
from tests.sinks.samples import Feed, article, body, decided, decision, delivery, enriched, enrichment


def same(text: str) -> Change:
    return Change("same", text)


def removed(text: str) -> Change:
    return Change("removed", text)


def added(text: str) -> Change:
    return Change("added", text)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("", "Now it is.", [added("Now it is.")]),
        ("It was.", "", [removed("It was.")]),
        ("The same.", "The same.", [same("The same.")]),
        ("One. Two. Three.", "One. Three.", [same("One. "), removed("Two. "), same("Three.")]),
        ("One. Three.", "One. Two. Three.", [same("One. "), added("Two. "), same("Three.")]),
        (
            "The minister said on Monday that it is fine.",
            "The minister said on Tuesday that it is not fine.",
            [same("The minister said on "), removed("Monday"), added("Tuesday"), same(" that it is "),
             added("not "), same("fine.")],
        ),
        ("He left", "He left.\n", [same("He left"), added(".\n")]),
        ("One.\n\nTwo.", "One.\nTwo.", [same("One."), removed("\n\n"), added("\n"), same("Two.")]),
        ("Rain over Oslo all day", "Markets fell in Asia", [removed("Rain over Oslo all day"),
                                                            added("Markets fell in Asia")]),
        ("  Led by space.", "Led by space.", [removed("  "), same("Led by space.")]),
    ],
)  # fmt: skip
def test_what_changed_is_shown_by_sentences_and_words(old: str, new: str, expected: list[Change]) -> None:
    assert list(difference(old, new).changes) == expected


@given(st.text(alphabet='ab .\n"é', max_size=80), st.text(alphabet='ab .\n"é', max_size=80))
def test_both_texts_are_in_it_to_the_last_character(old: str, new: str) -> None:
    changes = difference(old, new).changes

    assert "".join(change.text for change in changes if change.kind != "added") == old
    assert "".join(change.text for change in changes if change.kind != "removed") == new
    assert all(change.text for change in changes)
    assert all(one.kind != other.kind for one, other in pairwise(changes))
    assert difference(old, old).is_none


def _sentences(count: int, seed: int) -> list[str]:
    words = random.Random(seed)
    return [" ".join(f"w{words.randrange(5000)}" for _ in range(10)) + ". " for _ in range(count)]


AGAIN = "Read on. "
BIG = _sentences(12_000, 1)
SIZES = {
    "one line with a change": ("".join(BIG), "".join([*BIG[:6000], "It is new. ", *BIG[6001:]]), False),
    "one word": ("x" * 1_000_000, "x" * 500_000 + "y" + "x" * 500_000, False),
    "nothing but full stops": ("." * 1_000_000, "." * 500_000 + "!" * 500_000, False),
    "one sentence again and again": (
        "Read on. " * 100_000,
        "Read on. " * 90_000 + "End. " + "Read on. " * 9_000,
        False,
    ),
    "two sentences in turns": ("Yes. No. " * 60_000, "No. Maybe. Yes. " * 40_000, True),
    "other texts": ("".join(BIG), "".join(_sentences(12_000, 2)), False),
    "the sentences shuffled": ("".join(BIG[:10] * 1000), "".join(BIG[10:0:-1] * 1000), True),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_megabyte_is_compared_within_its_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, is_coarse = SIZES[name]
    steps: list[int] = []
    take = differing._Budget.take
    monkeypatch.setattr(differing._Budget, "take", lambda self, n: (take(self, n), steps.append(n))[0])

    found = difference(old, new)

    assert found.is_coarse == is_coarse
    assert sum(steps) <= differing.MAX_STEPS + differing.MAX_WORD_STEPS
    assert "".join(change.text for change in found.changes if change.kind != "removed") == new


def test_nothing_in_it_is_an_order_to_a_terminal() -> None:
    changes = (same("a\x1b[2J\x9b31m"), removed("\x1b]0;title\x07"), added("x\u202ey\r\nz"))

    text = commands.rendered(changes, full=True).plain

    assert text == "a [2J 31m[- ]0;title -]{+x y +}¶\n{+z+}"


def test_what_stayed_the_same_is_shortened_and_long_changes_too() -> None:
    changes = (same("a" * 1000), removed("b" * 5000), same("c" * 1000))

    text = commands.rendered(changes, full=False).plain
    whole = commands.rendered(changes, full=True).plain

    assert text == "… " + "a" * 160 + "[-" + "b" * 2000 + "-] … 3,000 characters more: --full" + "c" * 160 + " …"
    assert whole == "a" * 1000 + "[-" + "b" * 5000 + "-]" + "c" * 1000


# On a real PostgreSQL.


@pytest.fixture
def stored(database_url: str) -> str:
    """One article in three versions, and one in a single version."""
    texts = {1: "The fire began at nine. Nobody was hurt.", 2: "The fire began at ten. Nobody was hurt.",
             3: "The fire began at ten. Two people were hurt.", 4: "Another story."}  # fmt: skip
    made = [
        decision("new", place=1, of_article=1, text=1, observed=1),
        decision("revision", place=2, of_article=1, text=2, observed=2),
        decision("revision", place=3, of_article=1, text=3, observed=3),
        decision("new", place=4, of_article=4, text=4, observed=4),
    ]
    records: list[Any] = []
    for n, each in enumerate(made, start=1):
        record = enriched(each, n, enrichment())
        kept = body(n).model_copy(update={"text": texts[n], "raw": texts[n], "removed": ()})
        records += [decided(each, n), record.model_copy(update={"body": kept})]
    connection = database.connect(database_url, 30)
    postgres.write_batch(connection, Feed().incoming(*records))
    connection.close()
    return database_url


def news(stored: str, tmp_path: Path, *arguments: str) -> Outcome:
    return run_news("diff", *arguments, NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored)


@pytest.mark.services
def test_the_last_two_versions_are_compared(stored: str, tmp_path: Path) -> None:
    outcome = news(stored, tmp_path, str(article(1)))

    assert outcome.status == 0, outcome
    lines = outcome.out.splitlines()
    assert lines[0].startswith("--- version 2 of 3, revision, 2026-03-01 12:02, ")
    assert lines[1].startswith("+++ version 3 of 3, revision, 2026-03-01 12:03, ")
    assert lines[2:] == [
        "",
        "title",
        "Title [-2-]{+3+}",
        "",
        "text",
        "The fire began at ten. [-Nobody was hurt.-]{+Two people were hurt.+}",
    ]


@pytest.mark.services
def test_any_two_versions_are_compared_by_their_numbers(stored: str, tmp_path: Path) -> None:
    (row,) = news(stored, tmp_path, "https://example.org/3", "1", "2", "--json").rows()
    listed = news(stored, tmp_path, str(delivery(2)), "--list", "--json").rows()

    assert (row["from"]["number"], row["to"]["number"], row["is_coarse"]) == (1, 2, False)
    assert row["text"] == [
        {"kind": "same", "text": "The fire began at "},
        {"kind": "removed", "text": "nine"},
        {"kind": "added", "text": "ten"},
        {"kind": "same", "text": ". Nobody was hurt."},
    ]
    assert [(v["number"], v["kind"], v["is_current"]) for v in listed] == [
        (1, "new", False),
        (2, "revision", False),
        (3, "revision", True),
    ]


@pytest.mark.services
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((str(article(4)),), 2, "It has one version"),
        ((str(article(1)), "1", "9"), 2, "the versions 1 to 3, none with the number 9"),
        ((str(article(99)),), 1, "is not stored"),
        (("no url",), 2, "neither an id nor an http(s) URL"),
    ],
)
def test_what_cannot_be_compared_is_said(
    arguments: tuple[str, ...], status: int, said: str, stored: str, tmp_path: Path
) -> None:
    outcome = news(stored, tmp_path, *arguments)

    assert (outcome.status, outcome.out) == (status, "")
    assert said in " ".join(outcome.err.split())
