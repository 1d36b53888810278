"""What comes of a poll and of a page: functions of what was brought and what was known."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline import topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import RawArticle
from producers.deliveries import Row
from producers.formats.entries import Entry
from producers.formats.page import Page
from producers.net.fetch import Why
from producers.sources import poll
from producers.sources.answers import Answer, Failed, PageAnswer, Read, Unchanged, request
from producers.sources.declared import Source
from producers.sources.poll import Outcome, PageOutcome
from producers.sources.state import Seen, Standing, WaitingPage
from tests.producers.sources.samples import NOW, WORDS, entry, source

HALF = 0.5  # the chance that spreads nothing


def standing(**changes: Any) -> Standing:
    return replace(Standing.of(source(), NOW), **changes)


def polled_before(**changes: Any) -> Standing:
    an_hour_ago = NOW - timedelta(hours=1)
    return standing(
        **{"read_at": an_hour_ago, "succeeded_at": an_hour_ago, "interval_seconds": 3600.0, "etag": '"1"', **changes}
    )


def seen(entries: Iterable[Entry], at: datetime = NOW) -> dict[str, Seen]:
    return {e.key: Seen.of(e, at) for e in entries}


def outcome(
    found: Read | Unchanged | Failed,
    before: Standing,
    known: dict[str, Seen] | None = None,
    declared: Source | None = None,
    since: datetime | None = None,
) -> Outcome:
    answer = Answer(before.url, NOW, found, 1.0)
    return poll.outcome(declared or source(), before, answer, known or {}, now=NOW, chance=HALF, since=since)


def read(*entries: Entry, **changes: Any) -> Read:
    return Read(entries, **{"url": source().url, "etag": '"2"', **changes})


def articles(rows: Iterable[Row]) -> list[RawArticle]:
    return [RawArticle.from_bytes(row.value) for row in rows if row.topic == topics.RAW]


def test_a_first_poll_takes_all_and_begins_with_the_usual_interval() -> None:
    found = outcome(read(entry("e2"), entry("e1")), standing())

    assert [article.source_item_id for article in articles(found.rows)] == ["e1", "e2"]  # as the news came
    assert {e.key for e in found.seen} == {"e1", "e2"}
    assert (found.new, found.changed, found.known, found.gap) == (2, 0, 0, False)
    assert found.after.interval_seconds == 1800
    assert found.after.next_poll_at == NOW + timedelta(seconds=1800)
    assert (found.after.etag, found.after.read_at, found.after.succeeded_at) == ('"2"', NOW, NOW)


def test_known_entries_are_left_alone_and_changed_ones_delivered_again() -> None:
    same, before, new = entry("same"), entry("changed"), entry("new")
    after = replace(before, digest="another", text=f"Corrected. {WORDS}")

    found = outcome(read(new, after, same), polled_before(), seen([same, before]))

    assert [article.source_item_id for article in articles(found.rows)] == ["new", "changed"]
    assert (found.new, found.changed, found.known) == (1, 1, 1)
    assert {e.key for e in found.seen} == {"new", "changed"}
    assert found.after.known_share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("changes", "since", "is_taken"),
    [
        (4, timedelta(0), True),
        (5, timedelta(minutes=9), False),
        (5, timedelta(minutes=10), True),
        (7, timedelta(minutes=39), False),
        (7, timedelta(minutes=40), True),
        (1000, timedelta(hours=11), False),
        (1000, timedelta(hours=12), True),
    ],
)
def test_an_entry_that_says_something_else_each_time_is_taken_ever_more_rarely(
    changes: int, since: timedelta, is_taken: bool
) -> None:
    before = replace(Seen.of(entry(), NOW - since), changes=changes)

    found = outcome(read(entry(digest="another")), polled_before(), {"e1": before})

    assert (len(found.rows), len(found.seen)) == (int(is_taken), int(is_taken))


def test_an_entry_that_stands_in_its_feed_for_days_is_marked_once_a_day() -> None:
    stays = entry("stays")

    today = outcome(read(stays), polled_before(), seen([stays], NOW - timedelta(hours=23)))
    tomorrow = outcome(read(stays), polled_before(), seen([stays], NOW - timedelta(hours=25)))

    assert (today.seen, tomorrow.seen) == ((), (stays,))


def test_of_a_key_that_stands_twice_in_a_feed_the_first_entry_counts() -> None:
    found = outcome(read(entry("e1", digest="first"), entry("e1", digest="second")), standing())

    assert [e.digest for e in found.seen] == ["first"]
    assert len(found.rows) == 1


def test_a_first_poll_of_a_long_feed_takes_the_newest_and_remembers_the_rest() -> None:
    old_first = [entry(f"e{day}", published_at=NOW - timedelta(days=10 - day)) for day in range(10)]

    found = outcome(read(*old_first), standing(), declared=source(max_entries=3))

    assert [article.source_item_id for article in articles(found.rows)] == ["e7", "e8", "e9"]
    assert (len(found.seen), len(found.passed_over)) == (3, 7)
    assert found.left_out == 7
    assert found.said == ("a: of 10 entries the 3 newest are taken.",)


def test_later_polls_take_all_that_is_new() -> None:
    known, new = entry("known"), [entry(f"e{n}") for n in range(5)]

    found = outcome(read(*new, known), polled_before(), seen([known]), source(max_entries=3))

    assert len(found.rows) == 5


def test_what_is_dated_before_the_wish_is_left_out() -> None:
    old, undated = entry("old", published_at=NOW - timedelta(days=9)), entry("undated", published_at=None)

    found = outcome(read(entry("new"), old, undated), standing(), since=NOW - timedelta(days=1))

    assert {article.source_item_id for article in articles(found.rows)} == {"new", "undated"}
    assert found.left_out == 1


@pytest.mark.parametrize(
    ("full_text", "changes", "expected"),
    [
        ("auto", {}, "row"),
        ("auto", {"is_full": False}, "page"),
        ("auto", {"is_full": False, "url": None}, "row"),
        ("auto", {"is_full": False, "url": "mailto:a@a.example"}, "row"),
        ("feed", {"is_full": False}, "row"),
        ("page", {}, "page"),
        ("page", {"url": None}, "row"),
    ],
)
def test_the_text_comes_from_the_feed_or_from_the_page(full_text: Any, changes: dict[str, Any], expected: str) -> None:
    found = outcome(read(entry("e1", **changes)), standing(), declared=source(full_text=full_text))

    assert ("row" if found.rows else "page") == expected
    assert len(found.rows) + len(found.pages) == 1


def test_an_entry_with_neither_text_nor_link_is_a_dead_letter() -> None:
    found = outcome(read(entry("e1", text="", url=None, is_full=False)), standing())

    assert [row.topic for row in found.rows] == [topics.DEAD_LETTER]
    assert found.letters == (Reason.NO_TEXT,)
    assert [e.key for e in found.seen] == ["e1"]  # it is one once


def test_the_language_is_that_of_feeds_toml_else_of_the_entry_else_of_the_feed() -> None:
    def languages(declared: Source, said: str | None) -> str | None:
        found = outcome(read(entry("e1", language=said), language="de"), standing(), declared=declared)
        return articles(found.rows)[0].language

    assert languages(source(language="nb"), "en") == "nb"
    assert languages(source(), "en") == "en"
    assert languages(source(), None) == "de"


def test_where_nothing_is_known_any_more_something_may_have_been_missed() -> None:
    found = outcome(read(entry("e1")), polled_before())

    assert found.gap
    assert found.after.interval_seconds == 900
    assert found.said == ("a: none of its 1 entries was known; some may have been missed before.",)


def test_an_unchanged_feed_is_asked_ever_more_rarely() -> None:
    found = outcome(Unchanged(None, None, None), polled_before())

    assert found.after.interval_seconds == 4500
    assert (found.after.etag, found.after.succeeded_at, found.after.read_at) == (
        '"1"', NOW, NOW - timedelta(hours=1),
    )  # fmt: skip


def test_a_304_never_clears_a_failure() -> None:
    failing = polled_before(failures=3, why="timeout", reason="It was away.")

    unchanged = outcome(Unchanged(None, None, None), failing).after
    read_again = outcome(read(entry("e1")), failing).after

    assert (unchanged.failures, unchanged.why, unchanged.reason) == (3, "timeout", "It was away.")
    assert unchanged.succeeded_at == NOW - timedelta(hours=1)
    assert (read_again.failures, read_again.why, read_again.reason) == (0, None, None)


def test_a_failure_is_kept_in_words_and_waited_out() -> None:
    failed = Failed(Why.TIMEOUT, "a.example did not answer within 30 s.")

    first = outcome(failed, polled_before())
    second = outcome(failed, first.after)

    assert (second.after.failures, second.after.why) == (2, "timeout")
    assert second.after.reason == "a.example did not answer within 30 s."
    assert first.after.next_poll_at == NOW + timedelta(seconds=900)
    assert second.after.next_poll_at == NOW + timedelta(seconds=1800)
    assert second.after.interval_seconds == 3600
    assert (first.said, second.said) == (("a cannot be read: a.example did not answer within 30 s.",), ())


def test_retry_after_is_a_lower_bound() -> None:
    found = outcome(Failed(Why.TOO_MANY, "Too many.", 7200.0), polled_before())

    assert found.after.next_poll_at == NOW + timedelta(seconds=7200)


def test_what_is_gone_is_polled_no_more() -> None:
    found = outcome(Failed(Why.GONE, "a.example says that it is gone for good."), polled_before())

    assert (found.after.gone, found.after.next_poll_at) == ("a.example says that it is gone for good.", None)
    assert not found.after.is_polled
    assert found.after.state(NOW).state == "gone"


def test_an_address_that_moved_for_good_is_the_one_from_now_on() -> None:
    found = outcome(read(entry("e1"), url="https://a.example/new"), standing())

    assert (found.after.url, found.after.declared_url) == ("https://a.example/new", "https://a.example/feed")


def test_what_left_the_feed_long_ago_is_forgotten_once_a_day() -> None:
    daily = outcome(read(entry("e1")), polled_before(pruned_at=NOW - timedelta(days=2)))
    just_now = outcome(read(entry("e1")), polled_before(pruned_at=NOW - timedelta(hours=2)))
    after_a_long_sleep = outcome(read(entry("e1")), polled_before(read_at=NOW - timedelta(days=100)))

    assert daily.forget_before == NOW - timedelta(days=60)
    assert just_now.forget_before is None
    # What stood in the last answer may stand in this one still, however long ago that was.
    assert after_a_long_sleep.forget_before is not None
    assert after_a_long_sleep.forget_before < NOW - timedelta(days=101)


# Pages


def waiting(tries: int = 0, **changes: Any) -> WaitingPage:
    return WaitingPage(1, "a", entry("e1", **{"is_full": False, "text": "", **changes}), tries, NOW, "")


def page_outcome(found: Page | InvalidRecord | Failed, page: WaitingPage) -> PageOutcome:
    return poll.page_outcome(page, PageAnswer(NOW, found, 1.0), now=NOW, chance=HALF)


def page(**changes: Any) -> Page:
    given: dict[str, Any] = {
        "url": "https://a.example/e1", "title": "Title", "byline": None, "text": WORDS, "language": "en",
        "published_at": NOW, "published_at_from": "page", "updated_at": None, "flags": (), "categories": (),
        "extractor": "e 1", "notes": (),
    }  # fmt: skip
    return Page(**{**given, **changes})


def test_a_page_is_an_article_of_its_source() -> None:
    found = page_outcome(page(), waiting())

    assert found.end == "article"
    (article,) = articles(found.rows)
    assert (article.source, article.source_item_id, article.body) == ("a", "e1", WORDS)


@pytest.mark.parametrize("why", [Why.TIMEOUT, Why.SERVER_ERROR, Why.TOO_MANY, Why.DNS, Why.UNREACHABLE])
def test_a_page_that_is_away_is_tried_again_a_few_times(why: Why) -> None:
    waits = [page_outcome(Failed(why, "away"), waiting(tries)).next_try_at for tries in range(5)]

    assert [at and at - NOW for at in waits] == [
        timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6), None,
    ]  # fmt: skip


def test_a_page_waits_as_long_as_its_host_says() -> None:
    found = page_outcome(Failed(Why.TOO_MANY, "Too many.", 3600.0), waiting())

    assert found.next_try_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("why", [Why.NOT_FOUND, Why.GONE, Why.ROBOTS, Why.WRONG_TYPE, Why.FORBIDDEN_ADDRESS])
def test_a_page_that_can_never_be_had_is_a_dead_letter_with_its_address(why: Why) -> None:
    found = page_outcome(Failed(why, "It is not there."), waiting())

    assert (found.end, found.letters) == ("dead-letter", (Reason.UNFETCHABLE,))
    (row,) = found.rows
    assert row.topic == topics.DEAD_LETTER
    assert dict(row.headers)["dl-origin"] == b"https://a.example/e1"
    assert dict(row.headers)["dl-detail"] == b"It is not there."


@pytest.mark.parametrize(
    "found", [Failed(Why.NOT_FOUND, "It is not there."), InvalidRecord(Reason.NO_TEXT, "No text.")]
)
def test_where_the_page_gives_nothing_the_teaser_is_the_article_and_says_so(found: Failed | InvalidRecord) -> None:
    kept = page_outcome(found, waiting(text="The harbour of Larvik opens later."))

    assert kept.end == "teaser"
    (article,) = articles(kept.rows)
    said = found.sentence if isinstance(found, Failed) else found.detail
    assert article.body == "The harbour of Larvik opens later."
    assert article.notes[-1] == f"only the feed's teaser: {said}"


def test_a_page_without_an_article_and_without_a_teaser_is_a_dead_letter() -> None:
    found = page_outcome(InvalidRecord(Reason.NO_TEXT, "No text."), waiting())

    assert (found.end, found.letters) == ("dead-letter", (Reason.NO_TEXT,))


def test_a_source_is_asked_for_all_it_has_when_it_failed_or_once_a_day() -> None:
    assert request(polled_before(), "feed", NOW).etag == '"1"'
    assert request(polled_before(failures=1), "feed", NOW).etag is None
    assert request(polled_before(read_at=NOW - timedelta(days=2)), "feed", NOW).etag is None
    assert request(standing(), "feed", datetime.now(UTC)).etag is None


def test_one_poll_queues_so_many_pages_and_the_others_come_with_the_next() -> None:
    teasers = [entry(f"e{n}", is_full=False) for n in range(1500)]
    changed = seen([replace(teaser, digest="before") for teaser in teasers])

    for known in ({}, changed):
        found = outcome(read(*teasers), polled_before(), known)
        assert len(found.pages) == len(found.seen) == found.new + found.changed == 1000
        assert (found.after.etag, found.after.read_at) == (None, polled_before().read_at)
        assert "500 pages are left for the next polls" in found.said[0]

    assert len(outcome(read(*teasers), standing(), declared=source(max_entries=50_000)).pages) == 1500


def test_what_is_not_looked_at_is_said_each_time() -> None:
    found = outcome(read(notes=("broken",), cut=("too many",)), polled_before())

    assert found.said == ("a: too many",)
