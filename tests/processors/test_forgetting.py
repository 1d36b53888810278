"""An erased article in the index: what its records say goes, what was decided stays, and every replica agrees."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.records import FORGET_KEY, Decision, Signature, Verdict
from pipeline.records import Forget as ForgetRecord
from processors import entry, window
from processors.entry import Forget
from processors.signature_index import SignatureIndex
from processors.window import NO_CONTENT, NO_ROW
from tests.processors.deliveries import DAY_MS, HOUR_MS, LOG_ID, delivery, index
from tests.processors.test_determinism import SEEDS, WINDOW_MS, Record, log_of

SHINGLES = [n * 2**24 for n in range(200)]
FERRY = delivery(0, "The ferry sank.", url="wire.example/ferry", shingles=SHINGLES[:100])
COPY = delivery(1, "Ferry: it sank.", url="mirror.example/1", source="mirror", shingles=SHINGLES[:95])
WORD_FOR_WORD = delivery(2, "The ferry sank.", url="echo.example/1", source="echo", shingles=SHINGLES[:100])
LATER = delivery(3, "The ferry, at noon.", url="late.example/1", source="late", shingles=SHINGLES[5:100])
AFTER_THAT = delivery(4, "The ferry, at one.", url="last.example/1", source="last", shingles=SHINGLES[10:100])


class Told(NamedTuple):
    """What the log tells to forget, at a place in it."""

    article: UUID
    offset: int
    log_ms: int


def forget(to: SignatureIndex, article: UUID, offset: int, log_ms: int | None = None) -> None:
    to.forget(Forget(offset, offset * HOUR_MS if log_ms is None else log_ms, article.bytes))


def said(to: SignatureIndex, signature: Signature, offset: int, log_ms: int | None = None) -> Decision:
    return to.apply(signature, offset, offset * HOUR_MS if log_ms is None else log_ms).decision


def kinds(*decisions: Decision) -> list[tuple[str, UUID | None]]:
    return [(d.kind, d.of) for d in decisions]


def test_a_forgotten_text_is_nobodys_original_any_more() -> None:
    known = index()
    first, copy = said(known, FERRY, 0), said(known, COPY, 1)
    forget(known, FERRY.article_id, 2)

    word_for_word, near = said(known, WORD_FOR_WORD, 3), said(known, AFTER_THAT, 4)

    assert kinds(first, copy) == [("new", None), ("copy", FERRY.article_id)]
    assert kinds(word_for_word, near) == [("new", None), ("copy", WORD_FOR_WORD.article_id)]


def test_in_a_batch_too_only_what_comes_after_it_cannot_find_the_text() -> None:
    known = index()
    known.apply_all([entry.of(FERRY, 0, 0), entry.of(COPY, 1, 1)])
    forget(known, FERRY.article_id, 2, 2)

    later = known.apply_all([entry.of(LATER, 3, 3), entry.of(AFTER_THAT, 4, 4)])

    assert [one.kind for one in later] == ["new", "copy"]
    assert known.decision(later[1].row, AFTER_THAT).of == LATER.article_id


@pytest.mark.parametrize(
    "again",
    [
        delivery(5, "The ferry sank.", url="wire.example/ferry"),
        delivery(5, "The ferry sank twice.", url="wire.example/ferry"),
        delivery(5, "The ferry sank.", url="wire.example/ferry", metadata="other"),
        delivery(5, "The ferry sank.", url="wire.example/ferry", hour=-3),
    ],
    ids=["the same text", "another text", "other metadata", "observed before"],
)
def test_whatever_an_erased_article_says_later_is_a_redelivery_and_its_text_is_not_kept(again: Signature) -> None:
    known = index()
    said(known, FERRY, 0)
    forget(known, FERRY.article_id, 1)

    decision = said(known, again, 5)

    assert (decision.kind, decision.method, decision.of) == ("redelivery", "url", FERRY.article_id)
    assert (decision.of_version, decision.of_delivery) == (None, None)
    assert known.window.row(known.rows([again])[0]).content == NO_CONTENT
    assert known.holding([FERRY.article_id.bytes]) == []


def test_an_erased_article_that_moved_is_known_by_its_own_id() -> None:
    known = index()
    first = delivery(0, "The ferry sank.", url="wire.example/ferry", item="77")
    moved = delivery(1, "The ferry sank, again.", url="wire.example/moved", item="77")
    said(known, first, 0)
    forget(known, first.article_id, 1)

    decision = said(known, moved, 2)

    assert (decision.kind, decision.method, decision.article_id) == ("redelivery", "item", first.article_id)


def test_an_article_may_be_forgotten_before_it_comes() -> None:
    known = index()
    forget(known, FERRY.article_id, 0)

    decisions = [said(known, signature, n) for n, signature in enumerate([FERRY, COPY], start=1)]

    assert kinds(*decisions) == [("redelivery", FERRY.article_id), ("new", None)]


def test_a_decision_that_is_said_again_after_a_crash_is_what_it_was() -> None:
    known = index()
    first, correction = said(known, FERRY, 0), delivery(1, "The ferry did not sink.", url="wire.example/ferry")
    second = said(known, correction, 1)
    forget(known, FERRY.article_id, 2)

    replays = [known.apply(signature, n, n * HOUR_MS) for n, signature in ((3, FERRY), (4, correction))]

    assert [(r.replay, r.decision) for r in replays] == [(True, first), (True, second)]


def test_the_same_delivery_sent_again_is_the_redelivery_that_it_was() -> None:
    known = index()
    first = said(known, FERRY, 0)
    forget(known, FERRY.article_id, 1)

    again = said(known, FERRY.model_copy(update={"raw": FERRY.raw.model_copy(update={"offset": 9})}), 2)

    assert (again.kind, again.of_delivery) == ("redelivery", first.delivery_id)
    assert known.holding([FERRY.article_id.bytes]) == []


def test_it_is_known_as_erased_for_a_window_after_its_last_delivery() -> None:
    known = index(window_ms=7 * DAY_MS)
    article = FERRY.article_id.bytes
    forget(known, FERRY.article_id, 0, 0)
    states = []
    for number, day in enumerate([6, 12, 20], start=1):
        again = delivery(number, f"Text {number}", url="wire.example/ferry")
        states.append((known.is_forgotten(article), said(known, again, number, day * DAY_MS).kind))

    # The worker reads articles.withdrawals and tells the log again before what comes after that.
    assert states == [(True, "redelivery"), (True, "redelivery"), (True, "new")]
    assert not known.is_forgotten(article)
    assert known.holding([article]) == [article]


def test_the_bytes_are_overwritten_where_they_lay(tmp_path: Path) -> None:
    known = SignatureIndex(LOG_ID, 1, 7 * DAY_MS, tmp_path)
    numbers = [3 * 2**20 + n for n in range(5)]
    said(known, delivery(0, "The ferry sank.", url="wire.example/ferry", shingles=SHINGLES, numbers=numbers), 0)
    said(known, COPY, 1)
    (segment,) = known.window._segments
    sets, content = np.array(SHINGLES, dtype=np.uint32).tobytes(), bytes.fromhex(FERRY.content_hash)
    held = [sets in segment._sets[:4000], content in segment._rows[:4000], int(segment.samples._hashes[5])]

    forget(known, FERRY.article_id, 2)

    assert held[:2] == [True, True]
    assert held[2] != 0
    assert segment._sets[: 4 * 205] == bytes(4 * 205)
    assert content not in segment._rows[:4000]
    assert not segment.samples._hashes[1 : segment.samples.count + 1].any()
    assert known.window.posted  # and still there: decisions
    assert known.decision(known.rows([FERRY])[0], FERRY).kind == "new"


def test_being_told_twice_changes_nothing() -> None:
    decisions = []
    for offsets in ([2], [2, 3]):
        known = index()
        said(known, FERRY, 0)
        said(known, COPY, 1)
        for offset in offsets:
            forget(known, FERRY.article_id, offset, 2)
        decisions.append(said(known, LATER, 9))

    assert [d.kind for d in decisions] == ["new", "new"]


def test_what_left_the_window_and_is_still_held_is_overwritten_too() -> None:
    known = index(window_ms=DAY_MS)
    said(known, FERRY, 0, 0)
    said(known, delivery(9, "Something else.", url="other.example/1"), 1, 2 * HOUR_MS)
    said(known, delivery(10, "Something else again.", url="other.example/2"), 2, DAY_MS + HOUR_MS)
    assert known.window.live == 1
    assert known.holding([FERRY.article_id.bytes]) == [FERRY.article_id.bytes]

    forget(known, FERRY.article_id, 3, DAY_MS + HOUR_MS)

    assert known.window.row(0).content == NO_CONTENT
    assert known.holding([FERRY.article_id.bytes]) == []


def test_of_a_text_that_others_have_too_theirs_stays() -> None:
    known = index()
    for number in range(70):
        own = range(10 * number + 10, 10 * number + 20)
        said(known, delivery(number, f"Same {number}", url=f"a.example/{number}", shingles=[5, 6, *own]), number)
    asked = np.array([5, 6, 10, 20], dtype=np.uint32)

    forget(known, delivery(0, "", url="a.example/0").article_id, 70)
    places, rows, frequent = known.window.texts(asked, 100, 70 * HOUR_MS)

    assert not frequent.any()
    found = sorted(zip(asked[places].tolist(), rows.tolist(), strict=True))
    assert found == [(5, n) for n in range(1, 70)] + [(6, n) for n in range(1, 70)] + [(20, 1)]


def test_forgetting_an_article_with_many_versions_in_many_segments() -> None:
    known = index(largest_segment=3)
    versions = [delivery(n, f"Version {n}", url="wire.example/ferry", shingles=SHINGLES[n : n + 90]) for n in range(40)]
    for n, version in enumerate(versions):
        said(known, version, n)

    forget(known, FERRY.article_id, 40)

    assert known.holding([FERRY.article_id.bytes]) == []
    other = delivery(41, "Version 7, elsewhere", url="late.example/1", source="late", shingles=SHINGLES[7:97])
    assert said(known, other, 41).kind == "new"


# One log, one answer, with what is to be forgotten in it.


def with_forgets(records: Sequence[Record], seed: int) -> list[Record | Told]:
    """The same log, told now and then to forget an article: of what was delivered, or of what never comes."""
    chance = random.Random(seed)
    articles = [*{r.signature.article_id for r in records}, UUID(int=5)]
    found: list[Record | Told] = []
    for record in records:
        found.append(record._replace(offset=len(found)))
        if chance.random() < 0.15:
            found.append(Told(chance.choice(articles), len(found), record.log_ms))
    return found


def told(known: SignatureIndex, records: Sequence[Record | Told]) -> list[tuple[Decision, Verdict] | None]:
    """What a replica says that takes the log record by record; nothing of what it forgets."""
    found: list[tuple[Decision, Verdict] | None] = []
    for record in records:
        if isinstance(record, Told):
            forget(known, *record)
            found.append(None)
            continue
        decision = known.apply(*record).decision
        (row,) = known.rows([record.signature])
        verdict = known.verdict(row, record.signature, record.offset)
        found.append((decision, Verdict.model_validate_json(verdict.model_dump_json(exclude_none=True))))
    return found


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 120), SEEDS, st.sampled_from([1, 3, 40, 100_000]))
def test_batches_and_segments_of_any_size_give_the_same_decisions(
    seed: int, length: int, split: int, largest_segment: int
) -> None:
    records = with_forgets(log_of(seed, length, pauses=(0, 1, HOUR_MS, DAY_MS, 9 * DAY_MS)), split)
    expected = [said[0] for said in told(index(), records) if said is not None]
    chance, known, decisions = random.Random(split), index(largest_segment=largest_segment), []
    waiting: list[Record] = []

    def take() -> None:
        entries = [record.entry() for record in waiting]
        for record, one in zip(waiting, known.apply_all(entries) if entries else (), strict=True):
            decisions.append(known.decision(one.row, record.signature) if one.row >= known.window.live else None)
        waiting.clear()

    for record in records:
        if isinstance(record, Record):
            waiting.append(record)
        if isinstance(record, Told) or chance.random() < 0.2:
            take()
        if isinstance(record, Told):
            forget(known, *record)
    take()

    assert [d or e for d, e in zip(decisions, expected, strict=True)] == expected


@settings(max_examples=60)
@given(SEEDS, st.integers(2, 120), SEEDS)
def test_a_replica_that_joins_late_and_takes_verdicts_decides_like_one_that_has_the_whole_log(
    seed: int, length: int, split: int
) -> None:
    records = with_forgets(log_of(seed, length, replays=False, pauses=(0, HOUR_MS, DAY_MS, 2 * DAY_MS)), split)
    expected = told(index(), records)
    chance = random.Random(split)
    joined = chance.randrange(len(records))
    before_ms = records[joined].log_ms - WINDOW_MS
    latest_start = next((n for n, record in enumerate(records) if record.log_ms >= before_ms), 0)
    start = chance.randint(0, latest_start)
    late = index(largest_segment=chance.choice((1, 5, 1000)))

    for record, one in zip(records[start:joined], expected[start:joined], strict=True):
        if isinstance(record, Told):
            forget(late, *record)
        else:
            assert one is not None
            late.apply_all([record.entry(one[1])])

    assert told(late, records[joined:]) == expected[joined:]


@settings(max_examples=40)
@given(SEEDS, st.integers(2, 120))
def test_nothing_is_held_of_what_was_erased_when_the_log_ends_with_it(seed: int, length: int) -> None:
    records = log_of(seed, length, pauses=(0, HOUR_MS, DAY_MS))
    known = index(largest_segment=20)
    of = {bytes.fromhex(r.signature.content_hash): set[UUID]() for r in records}
    for record in records:  # an own id may say that it is an article known by another address
        of[bytes.fromhex(record.signature.content_hash)].add(known.apply(*record).decision.article_id)
    article = random.Random(seed).choice(sorted(set.union(*of.values())))
    own = [content for content, articles in of.items() if articles == {article}]

    forget(known, article, length, records[-1].log_ms)

    assert known.holding([article.bytes]) == []
    rows = [segment._rows[: segment.count * window._ROW.size] for segment in known.window._segments]
    assert not any(content in held for held in rows for content in own)


def test_what_nobody_delivered_is_not_held() -> None:
    known = index()
    said(known, FERRY, 0)

    assert known.holding([UUID(int=7).bytes]) == []
    assert known.holding([]) == []
    assert known.rows([COPY]) == [NO_ROW]


# The record.


def test_the_record_says_which_article() -> None:
    value = ForgetRecord(article_id=FERRY.article_id).to_bytes()

    assert entry.read_forget(value, 3, 4) == Forget(3, 4, FERRY.article_id.bytes)


def test_a_worker_that_does_not_know_such_records_cannot_take_it_for_a_signature() -> None:
    value: Any = ForgetRecord(article_id=FERRY.article_id).to_bytes()

    assert FORGET_KEY == b"forget"
    with pytest.raises(InvalidRecord, match="Field required"):
        entry.read(value, 0, 0)
