"""Why a decision was made, in words and side by side: on the seeds, as the real index and the real sink have them."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ops import explain
from ops.explain import Cell, Row
from pipeline.records import Decision
from processors.signature_index import SignatureIndex
from sinks.queries import TextLine
from tests import seeded
from tests.running import Outcome, run_news
from tests.seeded import DAY_MS

LOG_ID = UUID(int=0xB)
NOON_MS = 1_790_000_000_000

BERGEN = "https://www.northline.example/norway/landslide-blocks-bergen-railway"
AURORA = "https://dourochronicle.example/news/cinema-aurora-back-to-life"
AURORA_NOW = "https://dourochronicle.example/culture/film/cinema-aurora-reopens-friday"


def text(words: str, title: str = "Title", number: int = 1) -> TextLine:
    return TextLine(UUID(int=number), UUID(int=number), UUID(int=number), f"source {number}", None, title, words, ())


def rows(mine: str, theirs: str, *, full: bool = True) -> list[Row]:
    return list(explain.side_by_side(explain.compared(text(mine), text(theirs, number=2)), full=full))


def same(words: str) -> Row:
    return Row(Cell("=", words), Cell("=", words))


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("one two three", "one two three", [same("one two three")]),
        (
            "one two three new four five six",
            "one two three old four five six",
            [same("one two three"), Row(Cell("+", "new"), Cell("-", "old")), same("four five six")],
        ),
        (
            "one two three four five six",
            "one two three. Gone! four five six",
            [same("one two three"), Row(None, Cell("-", "Gone!")), same("four five six")],
        ),
        ("a b c", "x y z", [Row(Cell("+", "a b c"), Cell("-", "x y z"))]),
        ("a b c end", "a b c", [same("a b c"), Row(Cell("+", "end"), None)]),
        ("a b c", "start a b c end", [Row(None, Cell("-", "start")), same("a b c"), Row(None, Cell("-", "end"))]),
        ("d e f a b c", "a b c d e f", [same("d e f"), same("a b c")]),
    ],
)  # fmt: skip
def test_two_texts_stand_side_by_side(mine: str, theirs: str, expected: list[Row]) -> None:
    assert rows(mine, theirs) == expected


def test_a_long_passage_is_shortened_unless_all_is_wanted() -> None:
    words = " ".join(f"word{n}" for n in range(200))

    ((mine, _),) = rows(words, words, full=False)
    ((whole, _),) = rows(words, words)

    assert mine is not None
    assert len(mine.text) <= explain.MAX_SAME
    assert (mine.text[:11], mine.text[-7:]) == ("word0 word1", "word199")
    assert whole == Cell("=", words)


def decision(**fields: Any) -> Decision:
    first = seeded.deliveries()[0]
    made = SignatureIndex(LOG_ID, first.signature.rules_version, DAY_MS).apply(first.signature, 0, NOON_MS).decision
    return made.model_copy(update=fields)


# On a real PostgreSQL.


@pytest.fixture
def stored(database_url: str) -> str:
    """wire.jsonl, decided and stored; of the reef the near copy that a person would see, with its score."""
    records = []
    deliveries = seeded.deliveries()
    index = SignatureIndex(LOG_ID, deliveries[0].signature.rules_version, 7 * DAY_MS)
    made = [index.apply(d.signature, n, NOON_MS + n).decision for n, d in enumerate(deliveries)]
    original = made[4]
    near = {"kind": "copy", "method": "near", "of": original.article_id, "of_version": original.version_id,
            "of_delivery": original.delivery_id, "score": 0.83, "threshold": 0.45}  # fmt: skip
    kept_apart = {"resembles": made[7].article_id, "guard": "template", "score": 0.83, "threshold": 0.45}
    made[6] = made[6].model_copy(update=near)
    made[8] = made[8].model_copy(update=kept_apart)
    made[9] = made[9].model_copy(update={"contains": made[7].article_id})
    for delivery, each in zip(deliveries, made, strict=True):
        records += seeded.outcomes(delivery, each)
    seeded.store(database_url, records)
    return database_url


def news(stored: str, tmp_path: Path, *arguments: str) -> Outcome:
    return run_news(*arguments, NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored)


def told(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.status == 0, outcome
    return outcome.rows()


def article_of(stored: str, source: str) -> str:
    with psycopg.connect(stored) as connection:
        row = connection.execute("SELECT article_id FROM news.articles WHERE source = %s", [source]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.services
def test_an_article_is_told_by_all_its_deliveries_newest_last(stored: str, tmp_path: Path) -> None:
    found = told(news(stored, tmp_path, "explain", BERGEN, "--json"))

    assert [line["kind"] for line in found] == ["new", "revision", "unchanged", "redelivery"]
    assert [line["log_offset"] for line in found] == [0, 1, 2, 3]
    assert {line["log_id"] for line in found} == {str(LOG_ID)}
    new, revision, unchanged, redelivery = found
    assert (new["other"], new["passages"], new["shares"]) == (None, [], None)
    assert ("140", "164") in [
        (gone["text"], added["text"]) for gone, added in zip(revision["gone"], revision["added"], strict=False)
    ]
    assert revision["other"]["delivery_id"] == new["delivery_id"]
    for line in (unchanged, redelivery):
        assert f"its text was not kept: it says the same as version {revision['version_id']}" in " ".join(line["said"])


@pytest.mark.services
def test_the_passages_of_the_near_copy_stand_where_they_say(stored: str, tmp_path: Path) -> None:
    (line,) = told(news(stored, tmp_path, "explain", article_of(stored, "quaygazette.example"), "--json"))
    texts = {
        d.signature.source: d.body.text for d in seeded.deliveries()
        if d.signature.source in ("quaygazette.example", "coastalwire.example")
    }  # fmt: skip
    mine, theirs = texts["quaygazette.example"], texts["coastalwire.example"]

    assert (line["kind"], line["method"], line["score"], line["threshold"]) == ("copy", "near", 0.83, 0.45)
    assert (line["other"]["relation"], line["other"]["source"]) == ("of", "coastalwire.example")
    assert line["other"]["title"] == "Scientists chart Ireland's longest cold-water coral reef off Donegal"
    assert line["shares"]["text"] > 0.5
    assert len(line["passages"]) > 1
    for p in line["passages"]:
        assert mine[p["start"] : p["end"]] == p["text"]
        assert re.findall(r"\w+", theirs[p["of_start"] : p["of_end"]].lower()) == re.findall(r"\w+", p["text"].lower())
    assert all(theirs[gone["start"] : gone["end"]] == gone["text"] for gone in line["gone"])


@pytest.mark.services
def test_the_near_copy_reads_without_colour(stored: str, tmp_path: Path) -> None:
    outcome = news(stored, tmp_path, "explain", article_of(stored, "quaygazette.example"))
    words = " ".join(outcome.out.split())

    assert outcome.status == 0, outcome
    assert outcome.out.splitlines()[0] == "copy  (1 of 1)"
    assert "near: most sequences of three words of the smaller text stand in the larger one" in words
    assert "0.83 of the smaller text's sequences of three words stand in the larger one; 0.45 is needed" in words
    assert f"signature log {LOG_ID} offset 6" in words
    assert "= Marine scientists have charted a reef" in words
    assert re.search(r"^ +- Fishermen in Killybegs reacted warily", outcome.out, re.MULTILINE)
    assert re.search(r"^\+ The Quay Gazette reported in August", outcome.out, re.MULTILINE)
    assert "\x1b" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 120


@pytest.mark.services
def test_what_was_kept_apart_says_why(stored: str, tmp_path: Path) -> None:
    (kept,), (larger,) = (told(news(stored, tmp_path, "explain", delivery_at(stored, n), "--json")) for n in (8, 9))

    assert (kept["other"]["relation"], larger["other"]["relation"]) == ("resembles", "contains")
    assert kept["other"]["title"] == larger["other"]["title"] == "Spice warehouse burns in Piraeus, ferries halted"
    said = " ".join(kept["said"])
    assert "resembles: scores 0.83 against" in said
    assert "but is a template with other numbers or names" in said
    assert any(words.startswith("contains: the text of") for words in larger["said"])


@pytest.mark.services
def test_a_delivery_is_told_alone(stored: str, tmp_path: Path) -> None:
    (line,) = told(news(stored, tmp_path, "explain", delivery_at(stored, 1), "--json"))

    assert (line["kind"], line["log_offset"]) == ("revision", 1)
    assert [line["version_id"]] == [
        again["version_id"] for again in told(news(stored, tmp_path, "explain", line["version_id"], "--json"))[:1]
    ]


@pytest.mark.services
@pytest.mark.parametrize("url", [AURORA, AURORA_NOW, AURORA_NOW.replace("https://", "http://www.") + "/?utm_source=x"])
def test_an_article_that_moved_is_found_by_its_first_and_its_last_address(
    stored: str, tmp_path: Path, url: str
) -> None:
    found = told(news(stored, tmp_path, "explain", url, "--json"))

    assert [line["kind"] for line in found] == ["new", "unchanged", "revision"]
    assert found[1]["method"] == "item"


@pytest.mark.services
def test_the_revision_shows_what_was_added_and_what_went(stored: str, tmp_path: Path) -> None:
    outcome = news(stored, tmp_path, "explain", delivery_at(stored, 13))
    (row,) = [line for line in outcome.out.splitlines() if line.startswith("+ 421")]

    assert re.fullmatch(r"\+ 421\s+- 412", row)
    assert "+ All seats for the first weekend were gone" in outcome.out
    assert "against its own text before, version" in " ".join(outcome.out.split())


@pytest.mark.services
def test_what_cleaning_took_out_is_named(database_url: str, tmp_path: Path) -> None:
    article = seeded.deliveries()[4].article
    (with_footer,) = seeded.prepared([article.model_copy(update={"body": article.body + "\n\nLeave a Reply\n"})])
    made = decision(delivery_id=article.delivery_id)
    seeded.store(database_url, seeded.outcomes(with_footer, made))

    (line,) = told(news(database_url, tmp_path, "explain", str(article.delivery_id), "--json"))
    said = news(database_url, tmp_path, "explain", str(article.delivery_id)).out

    assert "Leave a Reply" in [span["text"].strip() for span in line["removed"]]
    assert re.search(r"cleaned +comment-form: “Leave a Reply”", said)


@pytest.mark.services
def test_a_text_that_is_still_being_enriched_is_not_there_yet(database_url: str, tmp_path: Path) -> None:
    waiting = seeded.outcomes(seeded.deliveries()[0], decision())[:1]
    seeded.store(database_url, waiting)

    (line,) = told(news(database_url, tmp_path, "explain", BERGEN, "--json"))

    assert any("not stored yet; `news where" in words for words in line["said"])


@pytest.mark.services
def test_of_many_decisions_the_newest_are_told_and_the_others_counted(database_url: str, tmp_path: Path) -> None:
    first = seeded.deliveries()[0]
    index = SignatureIndex(LOG_ID, first.signature.rules_version, DAY_MS)
    records = []
    for n in range(23):
        raw = first.signature.raw.model_copy(update={"offset": n})
        signature = first.signature.model_copy(update={"raw": raw, "delivery_id": UUID(int=100 + n)})
        records += seeded.outcomes(first, index.apply(signature, n, NOON_MS + n).decision)
    seeded.store(database_url, records)

    outcome = news(database_url, tmp_path, "explain", BERGEN, "--json")

    assert [line["log_offset"] for line in told(outcome)] == list(range(3, 23))
    assert "3 older decisions are not shown" in outcome.err
    assert "redelivery  (4 of 23)" in news(database_url, tmp_path, "explain", BERGEN).out


@pytest.mark.services
def test_of_two_long_texts_so_many_lines_are_shown_as_one_can_read(database_url: str, tmp_path: Path) -> None:
    deliveries = seeded.deliveries()[:2]
    bodies = [" ".join(f"{'odd' if n % 5 == rest else n} word{n}" for n in range(600)) for rest in (0, 4)]
    articles = [d.article.model_copy(update={"body": b}) for d, b in zip(deliveries, bodies, strict=True)]
    index = SignatureIndex(LOG_ID, deliveries[0].signature.rules_version, DAY_MS)
    records = []
    for n, delivery in enumerate(seeded.prepared(articles)):
        last = index.apply(delivery.signature, n, NOON_MS + n).decision
        records += seeded.outcomes(delivery, last)
    seeded.store(database_url, records)

    short = news(database_url, tmp_path, "explain", str(last.delivery_id)).out
    full = news(database_url, tmp_path, "explain", str(last.delivery_id), "--full").out

    assert len([line for line in short.splitlines() if line[:2] in ("= ", "+ ", "- ")]) <= 40
    assert re.search(r"… \d+ more passages: --full shows them", short)
    assert "word599" in full
    assert "more passages" not in full


@pytest.mark.services
def test_what_nobody_knows_ends_with_1(stored: str, tmp_path: Path) -> None:
    outcome = news(stored, tmp_path, "explain", "https://nobody.example/knows/this")

    assert (outcome.status, outcome.out) == (1, "")
    assert "No decision about https://nobody.example/knows/this is stored." in outcome.err
    assert news(stored, tmp_path, "explain", "neither").status == 2


def delivery_at(stored: str, offset: int) -> str:
    with psycopg.connect(stored) as connection:
        query = "SELECT delivery_id FROM news.decisions WHERE log_offset = %s"
        row = connection.execute(query, [offset]).fetchone()
    assert row is not None
    return str(row[0])
