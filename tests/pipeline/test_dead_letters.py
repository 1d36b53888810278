import hashlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import dead_letters
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates

TOPIC_ID = UUID(int=0xA)
AT = Coordinates(topic_id=TOPIC_ID, partition=3, offset=17)
ON_THE_DEAD_LETTER_TOPIC = Coordinates(topic_id=UUID(int=0xD), partition=0, offset=5)
NOT_JSON = InvalidRecord(Reason.NOT_JSON, "Not JSON: it ends early.")


def read(headers: dict[str, str | bytes], value: bytes | None = b"{") -> DeadLetter:
    encoded = [(name, v.encode() if isinstance(v, str) else v) for name, v in headers.items()]
    return DeadLetter.from_kafka(b"key", value, encoded, ON_THE_DEAD_LETTER_TOPIC)


def test_doubles_of_one_record_at_one_stage_fall_together() -> None:
    first = dead_letters.of_record("deduplicate", NOT_JSON, "articles.raw", AT, None, b"{")
    again = dead_letters.of_record("deduplicate", InvalidRecord(Reason.CRASHED, "-"), "articles.raw", AT, None, b"{", 3)

    assert first.id == again.id == UUID("a833255b-cedd-5206-8ec2-612636a0cbfa")


@pytest.mark.parametrize(
    ("stage", "at"),
    [
        ("enrich", AT),
        ("deduplicate", AT.model_copy(update={"offset": 18})),
        ("deduplicate", AT.model_copy(update={"partition": 4})),
        ("deduplicate", AT.model_copy(update={"topic_id": UUID(int=0xB)})),
    ],
)
def test_another_stage_or_another_place_is_another_dead_letter(stage: str, at: Coordinates) -> None:
    first = dead_letters.of_record("deduplicate", NOT_JSON, "articles.raw", AT, None, b"{")

    assert dead_letters.of_record(stage, NOT_JSON, "articles.raw", at, None, b"{").id != first.id


def test_one_line_of_one_file_fed_twice_is_one_dead_letter() -> None:
    first = dead_letters.of_source(NOT_JSON, "/feeds/a.jsonl:2", b"{")

    assert dead_letters.of_source(NOT_JSON, "/feeds/a.jsonl:2", b"{").id == first.id
    assert dead_letters.of_source(NOT_JSON, "/feeds/a.jsonl:2", b"{{").id != first.id
    assert dead_letters.of_source(NOT_JSON, "/feeds/a.jsonl:3", b"{").id != first.id


@pytest.mark.parametrize(
    "letter",
    [
        dead_letters.of_record("enrich", NOT_JSON, "articles.unique", AT, b"key", b"\x00\xff{", tries=3),
        dead_letters.of_record("sink", InvalidRecord(Reason.EMPTY, "No value."), "articles.raw", AT, None, None),
        dead_letters.of_source(NOT_JSON, "/feeds/caf\u00e9.jsonl:2", b"{"),
        dead_letters.of_source(NOT_JSON, "stdin", b"{begin", length=9_000_000, sha256="a" * 64),
    ],
    ids=["of a record", "of a record without a value", "of a file", "of a file too large to read"],
)
def test_a_dead_letter_comes_back_from_its_headers_as_it_was(letter: DeadLetter) -> None:
    assert DeadLetter.from_kafka(letter.key, letter.value, letter.headers(), ON_THE_DEAD_LETTER_TOPIC) == letter


def test_a_value_that_fits_is_kept_whole() -> None:
    letter = dead_letters.of_record("sink", NOT_JSON, "articles.raw", AT, None, b"x" * dead_letters.MAX_WHOLE_BYTES)

    assert not letter.truncated
    assert len(letter.value) == dead_letters.MAX_WHOLE_BYTES


def test_of_a_value_that_does_not_fit_the_beginning_the_length_and_the_hash_are_kept() -> None:
    value = b"beginning" + b"x" * dead_letters.MAX_WHOLE_BYTES

    letter = dead_letters.of_record("sink", NOT_JSON, "articles.raw", AT, None, value)

    assert letter.truncated
    assert letter.value == value[:65536]
    assert letter.length == len(value)
    assert letter.sha256 == hashlib.sha256(value).hexdigest()


def test_an_endless_reason_is_cut() -> None:
    letter = dead_letters.of_source(InvalidRecord(Reason.WRONG_SHAPE, "x" * 5000), "o" * 9999, b"{")

    headers = dict(letter.headers())
    assert len(headers["dl-detail"]) == 1000
    assert len(headers["dl-origin"]) == 8192


def test_a_record_of_another_writer_is_a_dead_letter_all_the_same() -> None:
    letter = read({}, value=b"what is this")

    assert letter.reason == Reason.WRONG_SHAPE
    assert letter.detail == "A dead letter without its reason."
    assert (letter.stage, letter.worker, letter.tries, letter.length) == ("unknown", "unknown", 1, 12)
    assert (letter.topic, letter.coordinates, letter.origin) == (None, None, None)
    assert letter.sha256 == hashlib.sha256(b"what is this").hexdigest()
    assert letter.id == read({}).id, "read twice it is one: its id is made of where it stands"


DIGITS = "9" * 5000

HOSTILE = {
    "no number": ({"dl-tries": "many", "dl-length": "-5"}, {"tries": 1, "length": 1}),
    "an endless number": ({"dl-tries": DIGITS, "dl-length": DIGITS}, {"tries": 1, "length": 1}),
    "more tries than an integer holds": ({"dl-tries": str(2**31)}, {"tries": 1}),
    "as many tries as an integer holds": ({"dl-tries": str(2**31 - 1)}, {"tries": 2**31 - 1}),
    "no tries at all": ({"dl-tries": "0"}, {"tries": 1}),
    "a longer length than a bigint holds": ({"dl-length": str(2**63)}, {"length": 1}),
    "a shorter length than the value": ({"dl-length": "0"}, {"length": 1}),
    "digits that are not ASCII": ({"dl-tries": "\u0663"}, {"tries": 1}),
    "NUL in every text": (
        dict.fromkeys(("dl-stage", "dl-detail", "dl-topic", "dl-origin", "dl-worker"), "a\x00b"),
        dict.fromkeys(("stage", "detail", "topic", "origin", "worker"), "a\ufffdb"),
    ),
    "bytes that are not UTF-8": ({"dl-worker": b"\xff", "dl-topic": b"\xed\xa0\x80"}, {"worker": "\ufffd"}),
    "endless texts": (
        dict.fromkeys(("dl-stage", "dl-detail", "dl-topic", "dl-origin", "dl-worker"), "x" * 100000),
        {"stage": "x" * 250, "detail": "x" * 1000, "topic": "x" * 250, "origin": "x" * 8192, "worker": "x" * 250},
    ),
    "a hash that is none": ({"dl-sha256": "a\x00"}, {"sha256": hashlib.sha256(b"{").hexdigest()}),
    "a reason of a newer writer": ({"dl-reason": "because"}, {"reason": Reason.WRONG_SHAPE}),
    "a time without an offset": (
        {"dl-failed-at": "2026-10-13T12:00:00"},
        {"failed_at": datetime(2026, 10, 13, 12, tzinfo=UTC)},
    ),
    "a place with an endless offset": (
        {"dl-topic-id": str(TOPIC_ID), "dl-partition": "0", "dl-offset": DIGITS},
        {"coordinates": None},
    ),
    "a place that no bigint holds": (
        {"dl-topic-id": str(TOPIC_ID), "dl-partition": "0", "dl-offset": str(2**63)},
        {"coordinates": None},
    ),
    "a partition that no integer holds": (
        {"dl-topic-id": str(TOPIC_ID), "dl-partition": str(2**31), "dl-offset": "0"},
        {"coordinates": None},
    ),
    "half a place": ({"dl-topic-id": str(TOPIC_ID), "dl-partition": "0"}, {"coordinates": None}),
}


@pytest.mark.parametrize(("headers", "expected"), HOSTILE.values(), ids=list(HOSTILE))
def test_headers_of_a_hostile_writer_are_cleaned_and_bounded(
    headers: dict[str, str | bytes], expected: dict[str, object]
) -> None:
    letter = read(headers)

    assert {name: getattr(letter, name) for name in expected} == expected


@pytest.mark.parametrize("time", ["", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_is_now(time: str) -> None:
    before = datetime.now(UTC)

    assert before <= read({"dl-failed-at": time}).failed_at <= datetime.now(UTC)


NAMES = [
    "dl-id", "dl-stage", "dl-reason", "dl-detail", "dl-topic", "dl-topic-id", "dl-partition", "dl-offset", "dl-origin",
    "dl-length", "dl-sha256", "dl-tries", "dl-failed-at", "dl-worker",
]  # fmt: skip
CONTENTS = st.none() | st.binary() | st.text().map(str.encode) | st.integers().map(lambda n: str(n).encode())


@given(
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(st.sampled_from(NAMES) | st.text(), CONTENTS)),
)
def test_any_headers_make_a_dead_letter_that_can_be_stored(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    letter = DeadLetter.from_kafka(key, value, headers, ON_THE_DEAD_LETTER_TOPIC)

    texts = [letter.stage, letter.detail, letter.topic or "", letter.origin or "", letter.sha256, letter.worker]
    assert all("\x00" not in text and text.encode().decode() == text for text in texts)
    assert 1 <= letter.tries < 2**31
    assert len(letter.value) <= letter.length < 2**63
    assert letter.failed_at.utcoffset() is not None
