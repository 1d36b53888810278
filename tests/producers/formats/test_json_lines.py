import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import identity, topics
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Details, RawArticle, Target
from producers.formats import fields, json_lines, pages

DELIVERY = UUID(int=7)
GIVEN_TIME = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def read(line: bytes) -> RawArticle:
    return json_lines.read_line(line, delivery_id=DELIVERY, source="wire", observed_at=GIVEN_TIME, now=NOW)


def read_fields(**fields: Any) -> RawArticle:
    return read(json.dumps({"body": "Text.", **fields}).encode())


def test_a_body_is_enough() -> None:
    article = read(b'{"body": "Text."}')

    assert article == RawArticle(delivery_id=DELIVERY, observed_at=GIVEN_TIME, source="wire", body="Text.")


def test_every_field_is_taken() -> None:
    article = read_fields(
        source="a.example",
        id="7",
        url="https://a.example/7",
        title="T",
        byline="Ana",
        language="en",
        published_at="2026-10-30T10:00:00+01:00",
        updated_at="2026-10-30T12:00:00Z",
        observed_at="2026-10-31T00:00:00Z",
        targets=[{"start": 0, "end": 4}],
    )

    assert article == RawArticle(
        delivery_id=DELIVERY,
        source="a.example",
        source_item_id="7",
        url="https://a.example/7",
        title="T",
        byline="Ana",
        body="Text.",
        language="en",
        published_at=datetime(2026, 10, 30, 9, tzinfo=UTC),
        updated_at=datetime(2026, 10, 30, 12, tzinfo=UTC),
        observed_at=datetime(2026, 10, 31, tzinfo=UTC),
        targets=(Target(start=0, end=4),),
    )
    assert article.notes == ()


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        (b'{"body": "Te', Reason.NOT_JSON, "column 10"),
        (b"", Reason.NOT_JSON, "column 1"),
        (b"[" * 100_000, Reason.NOT_JSON, "nested"),
        (b'{"body": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.NOT_JSON, "nested"),
        (b'{"body": "caf\xe9"}', Reason.NOT_UTF8, "Byte 13"),
        (b'["a", "b"]', Reason.WRONG_SHAPE, "a list"),
        (b"null", Reason.WRONG_SHAPE, "null"),
        (b'{"body": 48210}', Reason.WRONG_SHAPE, "body: must be a text; it is a number"),
        (b'{"body": ["x"]}', Reason.WRONG_SHAPE, "body"),
        (b'{"body": "x", "title": true}', Reason.WRONG_SHAPE, "title"),
        (b'{"body": "x", "url": {}}', Reason.WRONG_SHAPE, "url"),
        (b'{"title": "x"}', Reason.NO_TEXT, "body is missing"),
        (b'{"title": "x", "body": null}', Reason.NO_TEXT, "body is missing"),
        (b'{"body": " \\n\\t\\u00a0"}', Reason.NO_TEXT, "white space"),
        (b'{"html": "<p>x</p>"}', Reason.UNSUPPORTED, "html"),
        (b'{"body": "x", "title": "' + b"t" * 10_001 + b'"}', Reason.WRONG_SHAPE, "title"),
        (b'{"body": "x", "targets": 1}', Reason.WRONG_SHAPE, "targets"),
        (b'{"body": "x", "targets": [{"start": 0, "end": 2}]}', Reason.WRONG_SHAPE, "targets.0"),
        (b'{"body": "x", "targets": [{"start": 0, "end": 1}, {"start": 1, "end": 1}]}', Reason.WRONG_SHAPE, "s.1"),
        (b'{"body": "x", "targets": [{"start": false, "end": 1}]}', Reason.WRONG_SHAPE, "targets.0"),
        (b'{"body": "x", "targets": [{"start": 0, "end": ' + b"9" * 5000 + b"}]}", Reason.WRONG_SHAPE, "targets.0"),
        (b'{"body": "' + b"x" * topics.MAX_RAW_BYTES + b'"}', Reason.TOO_LARGE, "1,048,576"),
    ],
)  # fmt: skip
def test_a_line_is_refused_with_its_reason(line: bytes, reason: Reason, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        read(line)

    assert refused.value.reason == reason
    assert says in refused.value.detail


@pytest.mark.parametrize(
    ("fields", "kept", "note"),
    [
        ({"published_at": "2026-02-31T10:00:00Z"}, None, '"2026-02-31T10:00:00Z" is no date'),
        ({"published_at": "yesterday"}, None, '"yesterday" is no date'),
        ({"published_at": 1793000000}, None, '"1793000000" is no date'),
        ({"published_at": "0001-01-01T00:00:00Z"}, None, "before the first newspaper"),
        ({"published_at": "0001-01-01T00:00:00+10:00"}, None, "is no date"),
        ({"published_at": "2031-01-01T00:00:00Z"}, None, "more than a day after"),
        ({"published_at": "2026-11-01T20:00:00Z"}, datetime(2026, 11, 1, 20, tzinfo=UTC), None),
        ({"published_at": "2026-10-01T08:00:00"}, datetime(2026, 10, 1, 8, tzinfo=UTC), "no time zone"),
        ({"published_at": "2026-10-01"}, datetime(2026, 10, 1, tzinfo=UTC), "no time zone"),
        ({"published_at": "Thu, 01 Oct 2026 08:00:00 +0200"}, datetime(2026, 10, 1, 6, tzinfo=UTC), None),
        ({"published_at": ""}, None, None),
    ],
)
def test_a_bad_date_spoils_the_date_only(fields: dict[str, Any], kept: datetime | None, note: str | None) -> None:
    article = read_fields(**fields)

    assert article.published_at == kept
    assert len(article.notes) == (note is not None)
    assert note is None or note in article.notes[0]


@pytest.mark.parametrize(
    ("observed_at", "kept", "note"),
    [
        ("2026-10-31T00:00:00Z", datetime(2026, 10, 31, tzinfo=UTC), None),
        ("2027-01-01T00:00:00Z", NOW, "in the future; now was taken"),
        ("soon", GIVEN_TIME, '"soon" is no date that can be read. The time of reading was taken'),
        (None, GIVEN_TIME, None),
    ],
)
def test_the_time_of_observation_is_never_later_than_now(
    observed_at: str | None, kept: datetime, note: str | None
) -> None:
    article = read_fields(observed_at=observed_at)

    assert article.observed_at == kept
    assert note is None or note in article.notes[0]


def test_unknown_fields_are_named_and_left_out() -> None:
    article = read_fields(section="world", tags=["a"], nested={"deep": [{}]})

    assert article.notes == ("Unknown fields left out: section, tags, nested.",)


def test_unknown_fields_with_any_names_and_numbers_can_be_stored() -> None:
    article = read(b'{"body": "x", "\\ud800\\u0000": ' + b"9" * 5000 + b', "e": 1e999999, "n": NaN}')

    assert article.notes == ("Unknown fields left out: \ufffd\ufffd, e, n.",)
    assert RawArticle.from_bytes(article.to_bytes()) == article


def test_lone_surrogates_and_nul_become_the_replacement_character() -> None:
    article = read(b'{"title": "a\\ud800b", "body": "c\\u0000d \\ud83d\\ude00", "id": "\\udfff"}')

    assert (article.title, article.body, article.source_item_id) == ("a\ufffdb", "c\ufffdd \U0001f600", "\ufffd")


def test_control_characters_stay_in_the_text_as_delivered() -> None:
    assert read(b'{"body": "a\\u0007b\\u001bc\\u000b"}').body == "a\x07b\x1bc\x0b"


def test_the_last_of_two_equal_keys_counts() -> None:
    assert read(b'{"body": "one", "body": "two"}').body == "two"


@pytest.mark.parametrize("url", ["urn:isbn:1", "javascript:alert(1)", "file:///etc/passwd", "not a url"])
def test_what_is_no_web_address_is_left_out_and_noted(url: str) -> None:
    article = read_fields(url=url)

    assert article.url is None
    assert "no web address" in article.notes[0]


@settings(deadline=None)
@given(st.from_regex(fields.PLAIN_URL, fullmatch=True))
def test_what_looks_like_a_plain_url_is_one(url: str) -> None:
    assert identity.canonical_url(url) is not None


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_dates = st.datetimes().map(datetime.isoformat) | st.text(st.sampled_from("0123456789-:TZ+. JanMo,"))
_objects = st.fixed_dictionaries(
    {"body": st.text(st.characters(codec=None)) | _values},
    optional={
        name: (_dates if name.endswith("_at") else st.text(st.characters(codec=None))) | _values
        for name in (*fields.FIELDS, "html", "x")
        if name != "body"
    },
)


@settings(deadline=None)
@given(st.binary() | _values.map(lambda v: json.dumps(v).encode()) | _objects.map(lambda v: json.dumps(v).encode()))
def test_any_line_is_an_article_or_refused(line: bytes) -> None:
    try:
        article = read(line)
    except InvalidRecord:
        return
    assert RawArticle.from_bytes(article.to_bytes()) == article
    assert article.observed_at <= NOW


def read_html(given: dict[str, Any]) -> RawArticle:
    line = json.dumps(given).encode()
    return json_lines.read_line(
        line, delivery_id=DELIVERY, source="wire", observed_at=GIVEN_TIME, now=NOW, extract=pages.extract
    )


HTML = """<html lang="en"><head><title>Wall closed</title><meta name="author" content="By Ana Silva">
<meta property="article:published_time" content="2026-10-30T10:00:00Z"><meta property="article:section" content="Local">
<link rel="canonical" href="https://a.example/wall"></head>
<body><h1>Wall closed</h1><p>The wall was closed on Monday, the port said.</p></body></html>"""


def test_html_in_place_of_a_body_is_extracted() -> None:
    assert read_html({"html": HTML, "url": "https://a.example/wall?print=1", "byline": "Bo Lind"}) == RawArticle(
        delivery_id=DELIVERY,
        observed_at=GIVEN_TIME,
        source="wire",
        url="https://a.example/wall?print=1",
        title="Wall closed",
        byline="Bo Lind",
        body="The wall was closed on Monday, the port said.",
        language="en",
        published_at=datetime(2026, 10, 30, 10, tzinfo=UTC),
        details=Details(categories=("Local",), published_at_from="page", extractor=pages.EXTRACTOR),
    )


def test_what_the_line_gives_goes_before_what_the_page_says() -> None:
    given = {"title": "T", "language": "de", "published_at": "2026-10-29T00:00:00Z", "id": "7"}

    article = read_html({"html": HTML, **given})

    assert (article.title, article.language, article.url) == ("T", "de", "https://a.example/wall")
    assert article.published_at == datetime(2026, 10, 29, tzinfo=UTC)
    assert article.details is not None
    assert article.details.published_at_from == "source"


def test_a_body_goes_before_html() -> None:
    article = read_html({"html": HTML, "body": "Text."})

    assert (article.body, article.title, article.details) == ("Text.", "", None)
    assert article.notes == ("html: left out, for there is a body.",)


@pytest.mark.parametrize(
    ("given", "reason", "says"),
    [
        ({"html": ["x"]}, Reason.WRONG_SHAPE, "html: must be a text; it is a list"),
        ({"html": " "}, Reason.NO_TEXT, "body is missing"),
        ({"html": "<html><body></body></html>"}, Reason.NO_TEXT, "an empty page"),
        ({"html": HTML, "targets": [{"start": 0, "end": 3}]}, Reason.WRONG_SHAPE, "targets: these are places in body"),
    ],
)
def test_html_is_refused_with_its_reason(given: dict[str, Any], reason: Reason, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        read_html(given)

    assert refused.value.reason == reason
    assert says in refused.value.detail
