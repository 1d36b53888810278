from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Stop
from pipeline.records import Decision, Kind, Signature
from processors.near import SHORT_TEXT_WORDS
from processors.signature_index import Outcome
from processors.window import NO_ROW
from tests.processors.deliveries import DAY_MS, HOUR_MS, apply_all, decide, delivery, index

FERRY = "news.example/ferry"
MIRROR = "mirror.example/ferry"


def kinds(decisions: Sequence[Decision]) -> list[Kind]:
    return [decision.kind for decision in decisions]


def test_the_first_delivery_of_a_text_is_new_and_held_against_nothing() -> None:
    signature = delivery(1, "The ferry sank.")

    (first,) = decide(signature)

    assert (first.kind, first.method, first.of, first.of_version, first.of_delivery) == ("new", None, None, None, None)
    assert first.article_id == signature.article_id
    assert (first.log_offset, first.raw.offset, first.rules_version) == (1, 1, 1)


def test_a_second_outlet_with_the_same_text_has_a_copy_of_the_first() -> None:
    wire, mirror = decide(
        delivery(1, "The ferry sank.", url=FERRY), delivery(2, "The ferry sank.", url=MIRROR, source="mirror")
    )

    assert (mirror.kind, mirror.method, mirror.score, mirror.threshold) == ("copy", "exact", 1.0, 1.0)
    assert (mirror.of, mirror.of_version, mirror.of_delivery) == (wire.article_id, wire.version_id, wire.delivery_id)


def test_a_third_outlet_has_a_copy_of_the_earliest_and_not_of_the_copy() -> None:
    wire, _, blog = decide(
        delivery(1, "The ferry sank.", url=FERRY),
        delivery(2, "The ferry sank.", url=MIRROR, source="mirror"),
        delivery(3, "The ferry sank.", url="blog.example/1", source="blog"),
    )

    assert (blog.kind, blog.of) == ("copy", wire.article_id)


def test_a_copy_is_no_candidate_when_its_original_has_left_the_window() -> None:
    known = index(window_ms=2 * HOUR_MS)

    decisions = [
        outcome.decision
        for outcome in apply_all(
            known,
            [
                delivery(1, "The ferry sank.", url=FERRY),
                delivery(3, "The ferry sank.", url=MIRROR, source="mirror"),
                delivery(4, "The ferry sank.", url="blog.example/1", source="blog"),
            ],
        )
    ]

    assert kinds(decisions) == ["new", "copy", "new"]


def test_the_markets_are_closed_today_at_two_outlets_independently() -> None:
    short = SHORT_TEXT_WORDS - 1

    assert kinds(
        decide(
            delivery(1, "Markets are closed today.", url="a.example/1", source="a", words=short),
            delivery(2, "Markets are closed today.", url="b.example/1", source="b", words=short),
        )
    ) == ["new", "new"]


def test_the_same_short_text_twice_at_one_outlet_is_a_copy() -> None:
    short = SHORT_TEXT_WORDS - 1

    assert kinds(
        decide(
            delivery(1, "Markets are closed today.", url="a.example/1", words=short),
            delivery(2, "Markets are closed today.", url="a.example/2", words=short),
        )
    ) == ["new", "copy"]


def test_the_same_short_text_at_one_outlet_is_a_copy_however_many_others_said_it_since() -> None:
    short = SHORT_TEXT_WORDS - 1
    others = [
        delivery(n, "Markets are closed today.", url=f"o{n}.example/1", source=f"o{n}", words=short)
        for n in range(2, 102)
    ]

    decisions = decide(
        delivery(1, "Markets are closed today.", url="a.example/1", source="a", words=short),
        *others,
        delivery(102, "Markets are closed today.", url="a.example/2", source="a", words=short),
    )

    assert (decisions[-1].kind, decisions[-1].of) == ("copy", decisions[0].article_id)


def test_a_text_just_long_enough_is_a_copy_across_sources() -> None:
    assert kinds(
        decide(
            delivery(1, "Forty words.", url="a.example/1", source="a", words=SHORT_TEXT_WORDS),
            delivery(2, "Forty words.", url="b.example/1", source="b", words=SHORT_TEXT_WORDS),
        )
    ) == ["new", "copy"]


def test_two_outlets_behind_the_same_paywall_have_no_copies_of_each_other() -> None:
    assert kinds(
        decide(
            delivery(1, "Subscribe to continue.", url="a.example/1", source="a", wall=True),
            delivery(2, "Subscribe to continue.", url="b.example/1", source="b", wall=True),
            delivery(3, "Subscribe to continue.", url="a.example/2", source="a", wall=True),
        )
    ) == ["new", "new", "copy"]


def test_an_edited_article_is_a_revision_of_its_current_version() -> None:
    first, second, third = decide(delivery(1, "140 people."), delivery(2, "164 people."), delivery(3, "165 people."))

    assert kinds([first, second, third]) == ["new", "revision", "revision"]
    assert (second.method, second.of, second.of_version) == ("url", first.article_id, first.version_id)
    assert (third.of_version, third.of_delivery) == (second.version_id, second.delivery_id)
    assert len({first.version_id, second.version_id, third.version_id}) == 3


def test_an_article_that_goes_back_to_an_earlier_text_is_revised() -> None:
    first, second, back = decide(delivery(1, "140 people."), delivery(2, "164 people."), delivery(3, "140 people."))

    assert (back.kind, back.of_version) == ("revision", second.version_id)
    assert back.version_id == first.version_id


def test_an_archive_that_comes_late_never_becomes_the_current_version() -> None:
    live, archive, again = decide(
        delivery(1, "164 people.", hour=12),
        delivery(2, "140 people.", hour=6),
        delivery(3, "165 people.", hour=13),
    )

    assert (archive.kind, archive.of_version) == ("revision", live.version_id)
    assert again.of_version == live.version_id, "the archive's version is not the one that is revised"


def test_an_archive_that_brings_a_known_version_late_is_a_redelivery() -> None:
    first, _, archive = decide(
        delivery(1, "140 people.", hour=6), delivery(2, "164 people.", hour=12), delivery(3, "140 people.", hour=6)
    )

    assert (archive.kind, archive.of_version, archive.of_delivery) == (
        "redelivery",
        first.version_id,
        first.delivery_id,
    )


@pytest.mark.parametrize(
    "again",
    [
        delivery(2, "The ferry sank.", raw_text="The  ferry\nsank."),
        delivery(2, "The ferry sank.", raw_text="The ferry sank.\nLeave a Reply"),
        delivery(2, "The ferry sank.", metadata="another byline"),
    ],
    ids=["white space", "boilerplate", "metadata"],
)
def test_an_article_that_says_the_same_is_unchanged(again: Signature) -> None:
    first, second = decide(delivery(1, "The ferry sank."), again)

    assert (second.kind, second.method) == ("unchanged", "url")
    assert (second.of, second.of_version, second.of_delivery) == (
        first.article_id,
        first.version_id,
        first.delivery_id,
    )


def test_metadata_that_changes_back_is_unchanged_content_and_no_redelivery() -> None:
    assert kinds(
        decide(
            delivery(1, "The ferry sank.", metadata="Anna"),
            delivery(2, "The ferry sank.", metadata="Anna Lind"),
            delivery(3, "The ferry sank.", metadata="Anna"),
        )
    ) == ["new", "unchanged", "unchanged"]


def test_the_same_version_at_another_place_is_a_redelivery_of_the_first() -> None:
    first, again, once_more = decide(*(delivery(n, "The ferry sank.") for n in (1, 2, 3)))

    assert kinds([again, once_more]) == ["redelivery", "redelivery"]
    assert (again.of, again.of_version) == (first.article_id, first.version_id)
    assert again.of_delivery == once_more.of_delivery == first.delivery_id


def test_a_delivery_that_the_producer_sent_twice_is_a_redelivery_whatever_came_between() -> None:
    first, _, again = decide(
        delivery(1, "140 people.", delivery_id=7), delivery(2, "164 people."), delivery(3, "140 people.", delivery_id=7)
    )

    assert (again.kind, again.of_version, again.of_delivery) == ("redelivery", first.version_id, first.delivery_id)


def test_an_article_that_moved_to_a_new_address_is_known_by_its_own_id() -> None:
    first, moved = decide(
        delivery(1, "140 people.", url=FERRY, item="nl-1"),
        delivery(2, "164 people.", url="news.example/moved", item="nl-1"),
    )

    assert (moved.kind, moved.method, moved.article_id) == ("revision", "item", first.article_id)


def test_the_same_own_id_at_another_source_is_another_article() -> None:
    first, other = decide(
        delivery(1, "140 people.", url=FERRY, item="1"),
        delivery(2, "Goal!", url="sport.example/1", item="1", source="sport"),
    )

    assert (other.kind, other.article_id != first.article_id) == ("new", True)


def test_an_article_without_an_address_is_known_by_its_own_id() -> None:
    first, edited = decide(
        delivery(1, "140 people.", url=None, item="nl-1"), delivery(2, "164 people.", url=None, item="nl-1")
    )

    assert (edited.kind, edited.method, edited.of) == ("revision", "item", first.article_id)


def test_a_revision_that_says_what_another_article_says_names_it() -> None:
    ferry, train, revised = decide(
        delivery(1, "The ferry sank.", url=FERRY),
        delivery(2, "The train stopped.", url="news.example/train"),
        delivery(3, "The ferry sank.", url="news.example/train"),
    )

    assert (revised.kind, revised.of, revised.same_text_as) == ("revision", train.article_id, ferry.article_id)


def test_a_revised_copy_that_still_matches_names_its_original_and_one_that_does_not_stands_alone() -> None:
    wire, _, _, same, alone = decide(
        delivery(1, "140 people.", url=FERRY),
        delivery(2, "140 people.", url=MIRROR, source="mirror"),
        delivery(3, "164 people.", url=FERRY),
        delivery(4, "164 people.", url=MIRROR, source="mirror"),
        delivery(5, "Our own words.", url=MIRROR, source="mirror"),
    )

    assert (same.kind, same.same_text_as) == ("revision", wire.article_id)
    assert (alone.kind, alone.same_text_as) == ("revision", None)


def test_a_text_that_left_the_window_makes_no_copies() -> None:
    known = index(window_ms=10 * HOUR_MS)

    outcomes = apply_all(
        known,
        [
            delivery(0, "The ferry sank.", url=FERRY),
            delivery(10, "The ferry sank.", url=MIRROR),
            delivery(11, "The ferry sank.", url="blog.example/1"),
        ],
    )

    assert kinds([outcome.decision for outcome in outcomes]) == ["new", "copy", "new"]


def test_an_article_that_is_still_delivered_is_still_known() -> None:
    known = index(window_ms=10 * HOUR_MS)

    outcomes = apply_all(known, [delivery(n, "The ferry sank.") for n in (0, 9, 18, 27)])

    assert kinds([outcome.decision for outcome in outcomes]) == ["new", "redelivery", "redelivery", "redelivery"]


def test_a_clock_of_the_broker_that_goes_back_brings_nothing_back() -> None:
    known = index(window_ms=10 * HOUR_MS)
    known.apply(delivery(1, "The ferry sank.", url=FERRY), 1, 0)
    known.apply(delivery(2, "Something else.", url="a.example/1"), 2, 11 * HOUR_MS)

    late = known.apply(delivery(3, "The ferry sank.", url=MIRROR), 3, HOUR_MS).decision

    assert late.kind == "new"
    assert late.decided_at.timestamp() == 11 * 3600


def test_the_same_raw_coordinates_again_repeat_the_decision_and_say_so() -> None:
    known = index()
    first = delivery(1, "140 people.")
    before = known.apply(first, 1, HOUR_MS)
    known.apply(delivery(2, "164 people."), 2, 2 * HOUR_MS)

    again = known.apply(first, 3, 3 * HOUR_MS)

    assert again == Outcome(before.decision, replay=True)
    assert (before.replay, again.decision.log_offset) == (False, 1)
    assert known.outcome(first) == before.decision


def test_a_replay_moves_no_current_version() -> None:
    known = index()
    first, second = delivery(1, "140 people."), delivery(2, "164 people.")
    known.apply(first, 1, HOUR_MS)
    current = known.apply(second, 2, 2 * HOUR_MS).decision
    known.apply(first, 3, 3 * HOUR_MS)

    assert known.apply(delivery(4, "165 people."), 4, 4 * HOUR_MS).decision.of_version == current.version_id


def test_a_delivery_that_never_came_through_the_log_has_no_outcome() -> None:
    assert index().outcome(delivery(1, "The ferry sank.")) is None


def test_a_worker_that_meets_newer_rules_than_its_own_stops_and_decides_nothing() -> None:
    known = index(rules_version=1)

    with pytest.raises(Stop, match="holds rules version 2, this worker has 1: update it"):
        known.apply(delivery(1, "The ferry sank.", rules_version=2), 1, 0)

    assert known.outcome(delivery(1, "The ferry sank.")) is None


def test_older_rules_are_compared_all_the_same() -> None:
    known = index(rules_version=2)

    outcomes = apply_all(known, [delivery(1, "140 people."), delivery(2, "164 people.", rules_version=2)])

    assert [(o.decision.kind, o.decision.rules_version) for o in outcomes] == [("new", 1), ("revision", 2)]


class Step(NamedTuple):
    """A delivery in a generated story, and how long after the one before it is appended."""

    signature: Signature
    after_ms: int


@st.composite
def stories(draw: st.DrawFn) -> list[Step]:
    """Few articles, texts, sources and ids, so that everything collides; time steps up to more than the window."""
    steps = []
    for number in range(draw(st.integers(1, 14))):
        text = draw(st.sampled_from(["one", "two", "three"]))
        signature = delivery(
            number,
            text,
            url=draw(st.sampled_from([None, "a.example/1", "b.example/1", "b.example/2"])),
            item=draw(st.sampled_from([None, "i", "j"])),
            source=draw(st.sampled_from(["a", "b"])),
            raw_text=draw(st.sampled_from([None, f"{text} Share this"])),
            hour=draw(st.integers(0, 3)),
            words=draw(st.sampled_from([5, 300])),
            metadata=draw(st.sampled_from(["", "byline"])),
            delivery_id=draw(st.sampled_from([None, 7])),
        )
        steps.append(Step(signature, draw(st.sampled_from([0, 1, HOUR_MS, DAY_MS, 3 * DAY_MS, 9 * DAY_MS]))))
    return steps


#: Between two offsets of a story there is room for what a replay appends.
ROOM = 100


def told(steps: Sequence[Step]) -> list[Decision]:
    known, now, decisions = index(), 0, []
    for number, step in enumerate(steps):
        now += step.after_ms
        decisions.append(known.apply(step.signature, number * ROOM, now).decision)
    return decisions


@given(stories())
def test_two_replicas_of_one_log_say_the_same(steps: list[Step]) -> None:
    assert told(steps) == told(steps)


@given(stories(), st.data())
def test_replays_anywhere_change_no_decision(steps: list[Step], data: st.DataObject) -> None:
    plain = told(steps)
    known, now, decisions = index(), 0, []
    times: list[int] = []

    for number, step in enumerate(steps):
        now += step.after_ms
        times.append(now)
        decisions.append(known.apply(step.signature, number * ROOM, now).decision)
        in_the_window = [i for i, time in enumerate(times) if time >= now - 7 * DAY_MS]
        for extra, i in enumerate(data.draw(st.lists(st.sampled_from(in_the_window), max_size=4)), start=1):
            replayed = known.apply(steps[i].signature, number * ROOM + extra, now)
            assert replayed == Outcome(plain[i], replay=True)

    assert decisions == plain


@given(stories())
def test_an_index_forgets_everything_that_left_the_window(steps: list[Step]) -> None:
    known, now = index(), 0
    for number, step in enumerate(steps):
        now += step.after_ms
        known.apply(step.signature, number, now)

    known.apply(delivery(999, "something else", url="last.example/1"), 1000, now + 8 * DAY_MS)

    assert len(known) == 1
    assert known.rows([step.signature for step in steps]) == [NO_ROW] * len(steps)


def test_an_index_gives_back_the_memory_and_the_disk_of_what_left_the_window() -> None:
    known = index(window_ms=100 * HOUR_MS)
    taken = []
    for number in range(1000):
        signature = delivery(number, f"text {number}", url=f"a.example/{number}", shingles=range(number, number + 99))
        known.apply(signature, number, number * HOUR_MS)
        taken.append((known.window.memory_bytes, known.window.file_bytes))

    assert len(known) == 101
    assert max(memory for memory, _ in taken[300:]) <= max(memory for memory, _ in taken[:300])
    assert max(disk for _, disk in taken[300:]) <= max(disk for _, disk in taken[:300])


@given(stories())
def test_a_decision_names_only_what_was_sent_to_be_enriched_or_is_the_article_itself(steps: list[Step]) -> None:
    enriched = set()
    for decision in told(steps):
        if decision.kind == "copy":
            assert (decision.of, decision.of_version) in enriched
        elif decision.kind != "new":
            assert decision.of == decision.article_id
        if decision.same_text_as is not None:
            assert decision.same_text_as in {article for article, _ in enriched} - {decision.article_id}
        if decision.kind in ("new", "revision"):
            enriched.add((decision.article_id, decision.version_id))
