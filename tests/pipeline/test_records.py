import base64
import contextlib
import json
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from pipeline.records import MAX_OTHERS, MAX_SHINGLES, EnrichedArticle, RawArticle, Record, Signature, utc
from tests.pipeline.samples import FULL_RAW, RECORDS, SIGNATURE, raw_article


@pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))
def test_a_record_comes_back_from_its_bytes_as_it_was(record: Record) -> None:
    again = type(record).from_bytes(record.to_bytes())

    assert again.to_bytes() == record.to_bytes()
    assert again.model_dump(mode="json") == record.model_dump(mode="json")


def test_the_hashes_of_a_signature_come_back_as_numbers() -> None:
    again = Signature.from_bytes(SIGNATURE.to_bytes())

    assert again.shingles.tolist() == [1, 4294967295]
    assert again.shingles.dtype == np.dtype("<u4")
    assert again.numbers.tolist() == []


def raw_with(**fields: Any) -> bytes:
    return json.dumps({**json.loads(FULL_RAW.to_bytes()), **fields}).encode()


INVALID = {
    "no value": (None, Reason.EMPTY, "The record has no value."),
    "an empty value": (b"", Reason.EMPTY, "The record has no value."),
    "Latin-1": ('{"title": "caf\u00e9"}'.encode("latin-1"), Reason.NOT_UTF8, "Byte 14 is not UTF-8"),
    "half an object": (b'{"title": "Fer', Reason.NOT_JSON, "Not JSON: "),
    "plain text": (b"Ferry sinks", Reason.NOT_JSON, "Not JSON: "),
    "a lone surrogate in an escape": (b'{"title": "\\ud800"}', Reason.NOT_JSON, "Not JSON: "),
    "a byte order mark": (b"\xef\xbb\xbf{}", Reason.NOT_JSON, "Not JSON: "),
    "a bomb of brackets": (b"[" * 100_000, Reason.NOT_JSON, "Not JSON: "),
    "an array": (b"[]", Reason.WRONG_SHAPE, "the record: "),
    "an empty object": (b"{}", Reason.WRONG_SHAPE, "delivery_id: Field required (and 3 more)."),
    "a body that is a number": (raw_with(body=7), Reason.WRONG_SHAPE, "body: "),
    "a body that is null": (raw_with(body=None), Reason.WRONG_SHAPE, "body: "),
    "a time without an offset": (raw_with(observed_at="2026-10-13T12:00:00"), Reason.WRONG_SHAPE, "observed_at: "),
    "an observation before the year 1 in UTC": (
        raw_with(observed_at="0001-01-01T00:00:00+10:00"),
        Reason.WRONG_SHAPE,
        "observed_at: Value error, must lie between 0001-01-02 and 9999-12-30, in UTC.",
    ),
    "an observation after the year 9999 in UTC": (
        raw_with(observed_at="9999-12-31T23:00:00-10:00"),
        Reason.WRONG_SHAPE,
        "observed_at: Value error, must lie between",
    ),
    "a publication in the last hours that there are": (
        raw_with(published_at="9999-12-31T23:59:59Z"),
        Reason.WRONG_SHAPE,
        "published_at: ",
    ),
    "an update in the first hours that there were": (
        raw_with(updated_at="0001-01-01T00:00:00Z"),
        Reason.WRONG_SHAPE,
        "updated_at: ",
    ),
    "a target before the text": (raw_with(targets=[{"start": -1, "end": 2}]), Reason.WRONG_SHAPE, "targets.0.start: "),
    "a source without a name": (raw_with(source=""), Reason.WRONG_SHAPE, "source: "),
    "an endless URL": (raw_with(url="http://a.example/" + "a" * 8000), Reason.WRONG_SHAPE, "url: "),
    "a newer version": (raw_with(schema_version=2), Reason.UNKNOWN_VERSION, "schema_version: this pipeline reads"),
    "a newer version of another shape": (b'{"schema_version": 9}', Reason.UNKNOWN_VERSION, "schema_version: "),
}


@pytest.mark.parametrize(("value", "reason", "detail"), INVALID.values(), ids=list(INVALID))
def test_what_is_no_record_says_why_and_where(value: bytes | None, reason: Reason, detail: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        RawArticle.from_bytes(value)

    assert caught.value.reason == reason
    assert caught.value.detail.startswith(detail)


@pytest.mark.parametrize("hashes", ["AAA=", "not base64", "\u00e9", [1, 2], 7, None])
def test_hashes_that_are_none_are_of_the_wrong_shape(hashes: object) -> None:
    value = json.dumps({**json.loads(SIGNATURE.to_bytes()), "shingles": hashes}).encode()

    with pytest.raises(InvalidRecord) as caught:
        Signature.from_bytes(value)

    assert (caught.value.reason, caught.value.detail.split(":")[0]) == (Reason.WRONG_SHAPE, "shingles")


@pytest.mark.parametrize("time", ["0001-01-02T00:00:00Z", "0001-01-02T23:59:00+23:59", "9999-12-29T00:01:00-23:59"])
def test_the_first_and_the_last_times_are_dates_in_every_time_zone(time: str) -> None:
    article = RawArticle.from_bytes(raw_with(observed_at=time, published_at=time, updated_at=time))

    for hours in (-24, 24):
        zone = timezone(timedelta(hours=hours, minutes=-hours / 24))
        assert 1 <= article.observed_at.astimezone(zone).year <= 9999


def test_a_record_of_an_article_keeps_no_time_that_the_first_step_refuses() -> None:
    for record in RECORDS.values():
        for time in ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"):
            value = record.to_bytes().replace(b"2026-10-13T12:00:00Z", time.encode())

            with pytest.raises(InvalidRecord, match="must lie between 0001-01-02 and 9999-12-30"):
                type(record).from_bytes(value)


@pytest.mark.parametrize(
    ("most", "field"),
    [(MAX_SHINGLES, "shingles"), (MAX_OTHERS, "lines"), (MAX_OTHERS, "numbers"), (MAX_OTHERS, "names")],
)
def test_a_set_of_a_signature_has_an_end(most: int, field: str) -> None:
    def signed(count: int) -> bytes:
        hashes = base64.b64encode(np.arange(count, dtype="<u4").tobytes()).decode()
        return json.dumps({**json.loads(SIGNATURE.to_bytes()), field: hashes}).encode()

    assert len(getattr(Signature.from_bytes(signed(most)), field)) == most
    with pytest.raises(InvalidRecord, match=f"{field}: Value error, {most + 1:,} hashes; at most {most:,} are taken"):
        Signature.from_bytes(signed(most + 1))


def test_fields_of_a_newer_writer_are_left_alone() -> None:
    assert RawArticle.from_bytes(raw_with(mood="sad")) == FULL_RAW


def test_what_cannot_be_stored_is_replaced_one_for_one() -> None:
    from_python = raw_article(body="a\ud800b\x00", title="\x00", notes=("\udfff",))
    from_wire = RawArticle.from_bytes(raw_with(body="a\x00b", notes=["c\x00"]))

    assert (from_python.body, from_python.title, from_python.notes) == ("a\ufffdb\ufffd", "\ufffd", ("\ufffd",))
    assert (from_wire.body, from_wire.notes) == ("a\ufffdb", ("c\ufffd",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from([RawArticle, Signature]))
def test_any_bytes_are_a_record_or_an_invalid_one(value: bytes, kind: type[Record]) -> None:
    with contextlib.suppress(InvalidRecord):
        assert isinstance(kind.from_bytes(value), kind)


@given(st.sampled_from([FULL_RAW, SIGNATURE, RECORDS["an enriched article"]]), st.data())
def test_any_value_in_any_field_makes_a_record_or_an_invalid_one(record: Record, data: st.DataObject) -> None:
    fields = json.loads(record.to_bytes())
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(JSON)

    with contextlib.suppress(InvalidRecord):
        again = type(record).from_bytes(json.dumps(fields).encode())
        assert type(record).from_bytes(again.to_bytes()).to_bytes() == again.to_bytes()


def test_a_kafka_timestamp_is_an_aware_time() -> None:
    assert utc(1_760_356_800_123).isoformat() == "2025-10-13T12:00:00.123000+00:00"


def test_the_generation_of_a_first_enrichment_is_zero() -> None:
    record = RECORDS["an article without a model"]

    assert isinstance(record, EnrichedArticle)
    assert record.enrichment.generation == 0
