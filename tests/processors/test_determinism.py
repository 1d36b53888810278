"""One log, one answer: whatever the batches, the segments, the hashes that collide, and where a replica begins."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Decision, Signature, Verdict
from processors import entry
from processors.entry import Entry
from processors.signature_index import Outcome, SignatureIndex
from processors.window import Row
from tests.pipeline.samples import SIGNATURE
from tests.processors.deliveries import DAY_MS, HOUR_MS, delivery, index

WINDOW_MS = 7 * DAY_MS
SEEDS = st.integers(0, 2**32)


class Record(NamedTuple):
    """A record of the log."""

    signature: Signature
    offset: int
    log_ms: int

    def entry(self, verdict: Verdict | None = None) -> Entry:
        return entry.of(self.signature, self.offset, self.log_ms, verdict)


def log_of(
    seed: int,
    length: int,
    *,
    replays: bool = True,
    resends: bool = False,
    pauses: Sequence[int] = (0, 1, HOUR_MS, DAY_MS),
) -> list[Record]:
    """A log in which much is alike: texts out of a few shared paragraphs, forms, boilerplate; few addresses and ids."""
    chance = random.Random(seed)
    # Of the hashes in a paragraph some are small enough to be posted by any text.
    paragraphs = [[chance.randrange(2**32) >> chance.choice((0, 6)) for _ in range(30)] for _ in range(8)]
    crowded = chance.choice((0.1, 0.9))  # the share of texts with the last paragraph: frequent, or nearly so
    often = chance.choice(((0, 0, 1), (0, 0, 0, *pauses), pauses))
    records: list[Record] = []
    now = 0
    for offset in range(length):
        now += chance.choice(often)
        if replays and records and chance.random() < 0.1:
            records.append(Record(chance.choice(records[-20:]).signature, offset, now))
            continue
        if resends and records and chance.random() < 0.2:
            records.append(Record(sent_again(chance.choice(records[-20:]).signature, offset), offset, now))
            continue
        parts = chance.sample(range(7), chance.randint(1, 3)) + ([7] if chance.random() < crowded else [])
        shingles = {h for part in parts for h in paragraphs[part]}
        shingles ^= set(chance.sample(sorted(shingles), chance.choice((0, 0, 1, 5, len(shingles) // 2))))
        filled = chance.randrange(4) if chance.random() < 0.3 else 0
        words = chance.choice((5, 200, 200, 200, 900))
        signature = delivery(
            offset,
            chance.choice((f"{sorted(parts)} {filled}", "the same everywhere", f"{offset}")),
            url=chance.choice((None, f"{chance.choice('ab')}.example/{chance.randrange(6)}", f"c.example/{offset}")),
            item=chance.choice((None, None, "i", "j")),
            source=chance.choice("abc"),
            raw_text=chance.choice((None, f"{offset} as delivered")),
            hour=chance.randint(0, offset),
            words=words,
            wall=chance.random() < 0.05,
            metadata=chance.choice(("", "byline")),
            delivery_id=chance.choice((None, None, None, 7)) if replays else None,
            shingles=shingles,
            numbers=[*parts, *range(100 * filled, 100 * filled + 10)],
            names=parts,
        )
        records.append(Record(signature, offset, now))
    return records


def sent_again(signature: Signature, number: int) -> Signature:
    """The same delivery at another place of articles.raw: the producer did not hear the broker."""
    return signature.model_copy(update={"raw": signature.raw.model_copy(update={"offset": number})})


def decided(known: SignatureIndex, records: Sequence[Record]) -> list[Outcome]:
    return [known.apply(*record) for record in records]


def portions(records: Sequence[Record], seed: int) -> Iterator[Sequence[Record]]:
    chance = random.Random(seed)
    begin = 0
    while begin < len(records):
        end = begin + chance.choice((1, 2, 3, 10, 50, 1000))
        yield records[begin:end]
        begin = end


def decided_in_portions(known: SignatureIndex, records: Sequence[Record], seed: int) -> list[Outcome]:
    outcomes = []
    for portion in portions(records, seed):
        applied = known.apply_all([record.entry() for record in portion])
        # What a row says is asked at once: later it may have left the window.
        for record, one in zip(portion, applied, strict=True):
            if one.row >= known.window.live:
                outcomes.append(Outcome(known.decision(one.row, record.signature), one.replay))
            else:
                outcomes.append(Outcome(None, one.replay))  # type: ignore[arg-type]
    return outcomes


def same(outcomes: Sequence[Outcome], expected: Sequence[Outcome]) -> bool:
    return len(outcomes) == len(expected) and all(
        one.replay == other.replay and one.decision in (None, other.decision)
        for one, other in zip(outcomes, expected, strict=True)
    )


def test_the_logs_of_these_tests_have_everything_in_them() -> None:
    outcomes = [outcome for seed in range(12) for outcome in decided(index(), log_of(seed, 120))]
    decisions = [outcome.decision for outcome in outcomes]

    assert {d.kind for d in decisions} == {"new", "copy", "revision", "unchanged", "redelivery"}
    assert {d.method for d in decisions} == {None, "url", "item", "text", "exact", "near"}
    assert {d.guard for d in decisions} == {None, "template", "boilerplate"}
    assert any(d.contains for d in decisions)
    assert any(d.kind == "revision" and d.same_text_as and d.score and d.score < 1 for d in decisions)
    assert any(outcome.replay for outcome in outcomes)


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 200), SEEDS, st.sampled_from([1, 3, 40, 100_000]))
def test_batches_and_segments_of_any_size_give_the_same_decisions(
    seed: int, length: int, split: int, largest_segment: int
) -> None:
    records = log_of(seed, length, pauses=(0, 1, HOUR_MS, DAY_MS, 9 * DAY_MS))
    expected = decided(index(), records)

    outcomes = decided_in_portions(index(largest_segment=largest_segment), records, split)

    assert same(outcomes, expected)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 100), SEEDS, st.integers(0, 4))
def test_keys_that_share_a_hash_are_told_apart(seed: int, length: int, split: int, bits: int) -> None:
    records = log_of(seed, length, pauses=(0, 1, HOUR_MS, DAY_MS, 9 * DAY_MS))
    expected = decided(index(), records)

    hashed = xxhash.xxh32_intdigest
    with pytest.MonkeyPatch.context() as patch:
        # Keys of one sort: an article and its own version fall together once in 2**32 times.
        patch.setattr(xxhash, "xxh32_intdigest", lambda key: key[0] << 8 | hashed(key) % 2**bits)
        outcomes = decided_in_portions(index(), records, split)

    assert same(outcomes, expected)


def test_a_text_that_a_hundred_outlets_repeat_is_looked_for_among_the_newest_in_a_batch_too() -> None:
    said = [
        delivery(n, "Markets are closed today.", url=f"o{n}.example/1", source=f"outlet {n}", words=5)
        for n in range(100)
    ]
    again = [
        delivery(200 + n, "Markets are closed today.", url=f"o{n}.example/2", source=f"outlet {n}", words=5)
        for n in range(100)
    ]
    records = [Record(signature, n, n) for n, signature in enumerate([*said, *again])]

    expected = decided(index(), records)
    known = index()
    applied = known.apply_all([record.entry() for record in records])

    assert [one.kind for one in applied] == [outcome.decision.kind for outcome in expected]
    assert {outcome.decision.kind for outcome in expected[:100]} == {"new"}


# Replicas that see less of the log, and are told.


def told(known: SignatureIndex, records: Sequence[Record]) -> tuple[list[Decision], list[Verdict]]:
    """What a replica says that knows them all, for itself and for others."""
    decisions, verdicts = [], []
    for record in records:
        decisions.append(known.apply(*record).decision)
        (row,) = known.rows([record.signature])
        verdict = known.verdict(row, record.signature, record.offset)
        verdicts.append(Verdict.model_validate_json(verdict.model_dump_json(exclude_none=True)))
    return decisions, verdicts


SHINGLES = [n * 2**24 for n in range(100)]
#: One text that an outlet a week picks up: X is new, Y its copy; Z comes when X has left; U can only be Z's copy.
WEEKLY = [
    Record(
        delivery(n, f"ferry {name}", url=f"{name}.example/ferry", source=name, shingles=SHINGLES[n : n + 90]),
        n,
        day * DAY_MS,
    )
    for n, (name, day) in enumerate([("x", 0), ("y", 6), ("z", 12), ("u", 18)])
]


def test_a_chain_of_weekly_copies_is_decided_from_the_whole_log() -> None:
    x, y, z, u = told(index(), WEEKLY)[0]

    assert [(d.kind, d.of) for d in (x, y, z, u)] == [
        ("new", None),
        ("copy", x.article_id),
        ("new", None),
        ("copy", z.article_id),
    ]


def test_a_replica_that_never_saw_the_first_of_them_goes_wrong_without_verdicts_and_right_with_them() -> None:
    _, verdicts = told(index(), WEEKLY)
    late = WEEKLY[1:]

    alone = [outcome.decision for outcome in decided(index(), late)]
    known = index()
    known.apply_all([record.entry(verdict) for record, verdict in zip(late[:2], verdicts[1:3], strict=True)])
    u = known.apply(*WEEKLY[3]).decision

    assert [(d.kind, d.of) for d in alone] == [("new", None), ("copy", alone[0].article_id), ("new", None)]
    assert (u.kind, u.of) == ("copy", WEEKLY[2].signature.article_id)


@settings(max_examples=40)
@given(SEEDS, st.integers(2, 150), SEEDS, st.booleans())
def test_a_replica_that_joins_late_and_takes_verdicts_decides_like_one_that_has_the_whole_log(
    seed: int, length: int, split: int, replays: bool
) -> None:
    records = log_of(seed, length, replays=replays, pauses=(0, HOUR_MS, DAY_MS, 2 * DAY_MS))
    expected, verdicts = told(index(), records)
    chance = random.Random(split)
    joined = chance.randrange(length)
    # One window before, what it decides hangs on nothing older. A replay may stand for a record that is older by
    # another window.
    before_ms = records[joined].log_ms - (2 if replays else 1) * WINDOW_MS
    latest_start = next((n for n, record in enumerate(records) if record.log_ms >= before_ms), 0)
    start = chance.randint(0, latest_start)
    known = index(largest_segment=chance.choice((1, 5, 1000)))

    for portion in portions(range(start, joined), split):  # type: ignore[arg-type]
        known.apply_all([records[n].entry(verdicts[n]) for n in portion])  # type: ignore[call-overload]
    decisions, own_verdicts = told(known, records[joined:])

    assert decisions == expected[joined:]
    assert own_verdicts == verdicts[joined:]


#: Day by day: a text, its correction, the first text sent again, and the correction with another footer.
RESENT = [
    Record(signature, n, n * DAY_MS)
    for n, signature in enumerate(
        [
            delivery(0, "140 people."),
            delivery(1, "164 people."),
            sent_again(delivery(0, "140 people."), 2),
            delivery(3, "164 people.", raw_text="164 people. Subscribe now."),
            delivery(4, "165 people."),
        ]
    )
]


def row(known: SignatureIndex, record: Record) -> Row:
    """What an index has of a record; where its sets lie is its own, and no score equals no other."""
    (number,) = known.rows([record.signature])
    return known.window.row(number)._replace(sets_at=0, score=0, threshold=0)


@pytest.mark.parametrize("start", [1, 2])
def test_a_replica_that_sees_only_the_resend_knows_what_the_article_says(start: int) -> None:
    everything, late = index(), index()
    decisions, verdicts = told(everything, RESENT)

    late.apply_all([record.entry(verdict) for record, verdict in zip(RESENT[start:3], verdicts[start:3], strict=True)])
    own_decisions, own_verdicts = told(late, RESENT[3:])

    assert [d.kind for d in decisions] == ["new", "revision", "redelivery", "unchanged", "revision"]
    assert verdicts[2].current is not None
    assert verdicts[2].current.version_id == decisions[1].version_id
    assert (own_decisions, own_verdicts) == (decisions[3:], verdicts[3:])
    assert [row(late, r) for r in RESENT[start:]] == [row(everything, r) for r in RESENT[start:]]


def test_an_article_that_is_sent_again_is_known_for_a_window_from_then_on() -> None:
    records = [*RESENT[:3], RESENT[4]._replace(log_ms=9 * DAY_MS)]
    everything, late = index(), index()
    decisions, verdicts = told(everything, records)

    late.apply(*records[2], verdicts[2])

    assert [d.kind for d in decisions] == ["new", "revision", "redelivery", "revision"]
    assert late.apply(*records[3]).decision == decisions[3]


@settings(max_examples=40)
@given(SEEDS, st.integers(2, 150), SEEDS)
def test_a_replica_whose_log_begins_between_a_delivery_and_its_resend_says_what_the_others_say(
    seed: int, length: int, split: int
) -> None:
    records = log_of(seed, length, replays=False, resends=True, pauses=(0, HOUR_MS, DAY_MS, 2 * DAY_MS))
    everything = index()
    expected, verdicts = told(everything, records)
    chance = random.Random(split)
    joined = chance.randrange(length)
    before_ms = records[joined].log_ms - WINDOW_MS
    start = next((n for n, record in enumerate(records) if record.log_ms >= before_ms), 0)
    late = index(largest_segment=chance.choice((1, 5, 1000)))

    late.apply_all(
        [record.entry(verdict) for record, verdict in zip(records[start:joined], verdicts[start:joined], strict=True)]
    )
    decisions, own_verdicts = told(late, records[joined:])

    assert decisions == expected[joined:]
    assert own_verdicts == verdicts[joined:]
    live = [r for r in records[start:] if r.log_ms >= records[-1].log_ms - WINDOW_MS]
    assert [row(late, r) for r in live] == [row(everything, r) for r in live]


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 80))
def test_a_replica_that_takes_verdicts_says_what_they_say(seed: int, length: int) -> None:
    records = log_of(seed, length, replays=False)
    expected, verdicts = told(index(), records)
    known = index()

    applied = known.apply_all([record.entry(v) for record, v in zip(records, verdicts, strict=True)])

    for one, record, decision, verdict in zip(applied, records, expected, verdicts, strict=True):
        if one.row >= known.window.live:
            assert known.decision(one.row, record.signature) == decision
            assert known.says(one.row, verdict)


def test_a_row_does_not_say_what_another_verdict_says() -> None:
    _, verdicts = told(index(), WEEKLY[:2])
    known = index()
    (x, y) = known.apply_all([record.entry() for record in WEEKLY[:2]])

    assert known.says(y.row, verdicts[1])
    assert not known.says(y.row, verdicts[0])
    assert not known.says(x.row, verdicts[1])


# Reading.


@given(
    st.builds(
        delivery,
        st.integers(0, 2**40),
        st.text(max_size=5),
        url=st.none() | st.just("a.example/1"),
        item=st.none() | st.text("abc\u00e9\U0001f600", min_size=1, max_size=5),
        source=st.text(min_size=1, max_size=9),
        hour=st.integers(-10_000, 10_000),
        words=st.integers(0, 2**31),
        wall=st.booleans(),
        shingles=st.sets(st.integers(0, 2**32 - 1), max_size=9),
        numbers=st.sets(st.integers(0, 2**32 - 1), max_size=9),
        names=st.sets(st.integers(0, 2**32 - 1), max_size=9),
    )
)
def test_the_fast_reader_reads_what_the_typed_record_says(signature: Signature) -> None:
    value = signature.to_bytes()

    found = entry.read(value, 5, 6)

    expected = entry.of(Signature.from_bytes(value), 5, 6)
    assert plain(found) == plain(expected)
    assert entry.coordinates(found) == signature.raw


def plain(e: Entry) -> dict[str, Any]:
    """An entry with lists for arrays, which compare."""
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in e._asdict().items()}


def changed(**fields: object) -> bytes:
    wire = {**msgspec.json.decode(SIGNATURE.to_bytes()), **fields}
    return msgspec.json.encode({name: value for name, value in wire.items() if value is not msgspec.UNSET})


def raw(**fields: object) -> dict[str, object]:
    return {**msgspec.json.decode(SIGNATURE.to_bytes())["raw"], **fields}


UNREADABLE = {
    "no value": (None, Reason.EMPTY, "The record has no value."),
    "no bytes": (b"", Reason.EMPTY, "The record has no value."),
    "no JSON": (b"{what", Reason.NOT_JSON, "Not JSON"),
    "no UTF-8": (b'{"source": "caf\xe9"}', Reason.NOT_UTF8, "is not UTF-8"),
    "a list": (b"[]", Reason.WRONG_SHAPE, "the record"),
    "a newer shape": (changed(schema_version=2), Reason.UNKNOWN_VERSION, "reads version 1"),
    "a missing field": (changed(words=msgspec.UNSET), Reason.WRONG_SHAPE, "words: Field required"),
    "a time without a zone": (changed(observed_at="2026-10-13T12:00:00"), Reason.WRONG_SHAPE, "observed_at"),
    "half a hash": (changed(shingles="AAAA"), Reason.WRONG_SHAPE, "shingles"),
    "hashes that are no base64": (changed(names="?"), Reason.WRONG_SHAPE, "names"),
    "an id that is none": (changed(article_id="7"), Reason.WRONG_SHAPE, "article_id"),
    "an unknown way to know an article": (changed(identified_by="hearsay"), Reason.WRONG_SHAPE, "identified_by"),
    "a digest that is too short": (changed(content_hash="ab" * 31), Reason.WRONG_SHAPE, "content_hash"),
    "a digest that is no number": (changed(content_hash="x" * 64), Reason.WRONG_SHAPE, "content_hash"),
    "a digest of metadata that is too short": (changed(metadata_digest="ab"), Reason.WRONG_SHAPE, "metadata_digest"),
    "fewer words than none": (changed(words=-1), Reason.WRONG_SHAPE, "words"),
    "fewer shingles than none": (changed(shingle_count=-1), Reason.WRONG_SHAPE, "shingle_count"),
    "a place before the first": (changed(raw=raw(offset=-1)), Reason.WRONG_SHAPE, "raw.offset"),
    "a partition before the first": (changed(raw=raw(partition=-1)), Reason.WRONG_SHAPE, "raw.partition"),
}


@pytest.mark.parametrize(("value", "reason", "detail"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_the_fast_reader_cannot_read_is_invalid_for_the_reason_of_the_typed_one(
    value: bytes | None, reason: Reason, detail: str
) -> None:
    with pytest.raises(InvalidRecord) as caught:
        entry.read(value, 0, 0)

    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_fields_of_newer_writers_are_passed_by() -> None:
    value = changed(mood="cheerful")

    assert plain(entry.read(value, 0, 0)) == plain(entry.of(SIGNATURE, 0, 0))


@pytest.mark.parametrize(
    "time", ["2026-10-13T12:00:00Z", "2026-10-13T14:00:00+02:00", "2026-10-13 12:00:00.000000Z", 1791892800]
)
def test_a_time_is_read_however_it_is_written(time: object) -> None:
    assert entry.read(changed(observed_at=time), 0, 0).observed_at == SIGNATURE.observed_at
