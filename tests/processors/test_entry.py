"""What stands in the signature log is read alike by both readers, or refused by both, and takes no index down."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import records
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import MAX_OTHERS, MAX_SHINGLES, Signature, Verdicts
from processors import entry
from tests.pipeline.samples import SIGNATURE
from tests.processors.deliveries import delivery, index

VALUE = SIGNATURE.to_bytes()
FIELDS: dict[str, Any] = msgspec.json.decode(VALUE)
FERRY = delivery(1, "The ferry sank.", item="nl-1", source="caf\u00e9", shingles=range(0, 2**32, 2**26)).to_bytes()


def changed(**fields: object) -> bytes:
    return msgspec.json.encode({**FIELDS, **fields})


def packed(count: int) -> str:
    return base64.b64encode(np.arange(count, dtype="<u4").tobytes()).decode()


def said(read: Callable[[], entry.Entry]) -> dict[str, Any] | tuple[Reason, str]:
    """What a reader makes of a value: the entry, with lists for arrays, or why there is none."""
    try:
        found = read()
    except InvalidRecord as error:
        return error.reason, error.detail
    return {name: v.tolist() if hasattr(v, "tolist") else v for name, v in found._asdict().items()}


def by_fast_reader(value: bytes) -> dict[str, Any] | tuple[Reason, str]:
    return said(lambda: entry.read(value, 5, 6))


def by_typed_reader(value: bytes) -> dict[str, Any] | tuple[Reason, str]:
    return said(lambda: entry.of(Signature.from_bytes(value), 5, 6))


# What our writer never makes, and what would end the index in struct.error, OverflowError or ValueError.
POISON = {
    "rules that no row holds": (changed(rules_version=2**32), "rules_version"),
    "rules below none": (changed(rules_version=-1), "rules_version"),
    "an identity that is no number of rules": (changed(identity_version=-1), "identity_version"),
    "an identity left out": (msgspec.json.encode({k: v for k, v in FIELDS.items() if k != "identity_version"}), "id"),
    "words that no row holds": (changed(words=2**32), "words"),
    "words beyond 64 bits": (changed(words=10**30), "words"),
    "shingles that no row can count": (changed(shingle_count=2**32), "shingle_count"),
    "a partition that Kafka has not": (changed(raw={**FIELDS["raw"], "partition": 2**31}), "raw.partition"),
    "an offset that Kafka has not": (changed(raw={**FIELDS["raw"], "offset": 2**63}), "raw.offset"),
    "a digest in capitals": (changed(text_digest="A" * 64), "text_digest"),
    "a digest with white space": (changed(content_hash=" " * 62 + "ab"), "content_hash"),
    "a digest with a line end": (changed(metadata_digest="3" * 64 + "\n"), "metadata_digest"),
    "a digest of metadata that ends otherwise": (changed(metadata_digest="3" * 63 + "x"), "metadata_digest"),
    "a digest of text that is no number": (changed(text_digest="x" * 64), "text_digest"),
    "more shingles than are kept": (changed(shingles=packed(MAX_SHINGLES + 1)), "shingles"),
    "more shingles than a row can count": (changed(shingles=packed(2**16)), "shingles"),
    "more lines than are kept": (changed(lines=packed(MAX_OTHERS + 1)), "lines"),
    "more numbers than are kept": (changed(numbers=packed(MAX_OTHERS + 1)), "numbers"),
    "more names than are kept": (changed(names=packed(MAX_OTHERS + 1)), "names"),
    "lines that are none": (changed(lines="?"), "lines"),
    "half a line": (changed(lines="AAA="), "lines"),
    "a time before the year 1 in UTC": (changed(observed_at="0001-01-01T00:00:00+10:00"), "observed_at"),
    "a time on the first day": (changed(observed_at="0001-01-01T23:59:59Z"), "observed_at"),
    "a time after the year 9999 in UTC": (changed(observed_at="9999-12-31T23:00:00-10:00"), "observed_at"),
    "a time on the last day but one": (changed(observed_at="9999-12-30T00:00:00.000001Z"), "observed_at"),
}


@pytest.mark.parametrize(("value", "field"), POISON.values(), ids=list(POISON))
def test_what_our_writer_never_makes_is_refused_by_both_readers(value: bytes, field: str) -> None:
    refused = by_fast_reader(value)

    assert isinstance(refused, tuple)
    assert (refused[0], refused[1].startswith(field)) == (Reason.WRONG_SHAPE, True)
    assert by_typed_reader(value) == refused


ODD = {
    "the largest numbers": changed(
        rules_version=2**32 - 1, words=2**32 - 1, shingle_count=2**32 - 1,
        raw={**FIELDS["raw"], "partition": 2**31 - 1, "offset": 2**63 - 1},
    ),
    "the largest sets": changed(
        shingles=packed(MAX_SHINGLES), lines=packed(MAX_OTHERS), numbers=packed(MAX_OTHERS), names=packed(MAX_OTHERS)
    ),
    "the earliest time": changed(observed_at="0001-01-02T00:00:00Z"),
    "the latest time": changed(observed_at="9999-12-30T00:00:00Z"),
    "a time far from UTC": changed(observed_at="9999-12-30T23:59:00+23:59"),
    "more digits than microseconds": changed(observed_at="2026-10-13T12:00:00.1234567Z"),
    "tenths of a second": changed(observed_at="2026-10-13T12:00:00.1+01:00"),
    "a source that cannot be stored": changed(source="wi\x00re"),
    "base64 with bits to spare": changed(names="AAAAAB=="),
    "a field of a newer writer": changed(mood="cheerful"),
    "numbers as text": changed(words="4"),
    "a number twice": VALUE.replace(b'"words":4', b'"words":5,"words":4'),
    "bytes that are no UTF-8 in a name that nobody knows": VALUE.replace(b'"wall"', b'"w\xffll"'),
    "half a surrogate pair": VALUE.replace(b'"wire"', b'"\\ud800"'),
    "white space round it": b" " + VALUE + b"\n",
    "something behind it": VALUE + b"}",
}  # fmt: skip


@pytest.mark.parametrize("value", ODD.values(), ids=list(ODD))
def test_what_is_odd_says_the_same_to_both_readers(value: bytes) -> None:
    assert by_fast_reader(value) == by_typed_reader(value)


@pytest.mark.parametrize("name", ["the largest numbers", "the largest sets", "the earliest time", "the latest time"])
def test_what_lies_at_a_bound_is_read(name: str) -> None:
    assert isinstance(by_fast_reader(ODD[name]), dict)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
    | st.text("0123456789abcdefAF ", min_size=64, max_size=64)
    | st.binary(max_size=40).map(lambda b: base64.b64encode(b).decode())
    | st.datetimes(timezones=st.timezones()).map(lambda t: t.isoformat())
    | st.uuids().map(str)
    | st.integers(-(2**70), 2**70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=3,
)


@st.composite
def mutated_fields(draw: st.DrawFn) -> bytes:
    """A signature with something else, or nothing, in some fields, or a field that nobody knows."""
    fields = {**FIELDS, "raw": dict(FIELDS["raw"])}
    for _ in range(draw(st.integers(1, 2))):
        where = draw(st.sampled_from([fields, fields["raw"]] if isinstance(fields.get("raw"), dict) else [fields]))
        name = draw(st.sampled_from(sorted(where)) | st.text("ab", max_size=2))
        if draw(st.booleans()):
            where[name] = draw(ANYTHING)
        else:
            where.pop(name, None)
    return msgspec.json.encode(fields)


@st.composite
def mutated_bytes(draw: st.DrawFn) -> bytes:
    """A signature in whose bytes some were exchanged, taken out or put in."""
    value = bytearray(draw(st.sampled_from([VALUE, FERRY])))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from([b"0", b"9", b"-", b"e", b".", b'"', b"\\", b"Z", b":", b" ", b"A"])
        )
    return bytes(value)


@settings(max_examples=500)
@given(mutated_fields() | mutated_bytes())
@example(VALUE)
def test_any_mutation_reads_alike_in_both_readers_or_is_refused_by_both(value: bytes) -> None:
    assert by_fast_reader(value) == by_typed_reader(value)


WIDE = st.sampled_from([0, 1, 39, 40, 2**31, 2**32 - 1])
SETS = st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 200), max_size=60).map(
    lambda hashes: base64.b64encode(np.array(hashes, dtype="<u4").tobytes()).decode()
)


@st.composite
def readable(draw: st.DrawFn) -> bytes:
    """What both readers take, however little our writer would make it: sets without order, counts that are not true."""
    few = st.integers(1, 3)
    return changed(
        rules_version=0,
        delivery_id=f"{draw(few):032x}",
        observed_at=draw(st.sampled_from(["0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z", "2026-10-13T12:00:00Z"])),
        article_id=f"{draw(few):032x}",
        item_key=draw(st.none() | few.map(lambda n: f"{n:032x}")),
        text_digest=f"{draw(few):064x}",
        content_hash=f"{draw(few):064x}",
        raw={
            "topic_id": FIELDS["raw"]["topic_id"],
            "partition": draw(st.sampled_from([0, 2**31 - 1])),
            "offset": draw(st.integers(0, 9) | st.just(2**63 - 1)),
        },
        words=draw(WIDE),
        wall=draw(st.booleans()),
        shingle_count=draw(WIDE),
        shingles=draw(SETS),
        numbers=draw(SETS),
        names=draw(SETS),
    )


@settings(max_examples=50)
@given(st.lists(readable(), min_size=1, max_size=8))
def test_what_can_be_read_is_decided_and_told(values: list[bytes]) -> None:
    known, late = index(), index()
    for offset, value in enumerate(values):
        signature, found = Signature.from_bytes(value), entry.read(value, offset, offset)

        (applied,) = known.apply_all([found])
        told = Verdicts(verdicts=(known.verdict(applied.row, signature, offset),)).to_bytes()
        (again,) = late.apply_all([found._replace(verdict=entry.read_verdicts(told).verdicts[0])])

        assert again == applied


VERDICT = {"offset": 0, "kind": "revision"}
CURRENT = {
    "version_id": f"{1:032x}",
    "delivery_id": f"{2:032x}",
    "content_hash": "2" * 64,
    "observed_at": "2026-10-13T12:00:00Z",
}
POISONED_VERDICTS = {
    "a content hash that is no number": ({"current": {**CURRENT, "content_hash": "x" * 64}}, "current.content_hash"),
    "a content hash that is too long": ({"current": {**CURRENT, "content_hash": "2" * 66}}, "current.content_hash"),
    "a time before the year 1": (
        {"current": {**CURRENT, "observed_at": "0001-01-01T00:00:00+10:00"}},
        "current.observed_at",
    ),
    "a place before the first": ({"offset": -1}, "offset"),
    "a place that Kafka has not": ({"offset": 2**63}, "offset"),
}


@pytest.mark.parametrize(("fields", "field"), POISONED_VERDICTS.values(), ids=list(POISONED_VERDICTS))
def test_a_verdict_that_our_writer_never_makes_is_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        entry.read_verdicts(msgspec.json.encode({"verdicts": [{**VERDICT, **fields}]}))

    assert (caught.value.reason, caught.value.detail.split(":")[0]) == (Reason.WRONG_SHAPE, f"verdicts.0.{field}")


@settings(max_examples=50)
@given(st.data())
def test_any_verdict_that_can_be_read_can_be_taken(data: st.DataObject) -> None:
    known = {**VERDICT, "current": CURRENT, "score": 0.5, "threshold": 0.45, "guard": "template", "method": "near"}
    where = data.draw(st.sampled_from([known, known["current"]]))
    assert isinstance(where, dict)
    names = st.sampled_from([*records.Verdict.model_fields, *records.Current.model_fields])
    fields = {**where, data.draw(names): data.draw(ANYTHING | st.sampled_from(["new", "copy", "unchanged"]))}
    changed_verdict = fields if where is known else {**known, "current": fields}
    value = msgspec.json.encode({"verdicts": [changed_verdict]})

    try:
        (verdict,) = entry.read_verdicts(value).verdicts
    except InvalidRecord:
        return

    to = index(rules_version=FIELDS["rules_version"])
    (applied,) = to.apply_all([entry.of(SIGNATURE, 0, 0, verdict)])
    assert to.verdict(applied.row, SIGNATURE, 0).kind == verdict.kind
