"""The JSON of an article becomes a row, or a sentence with the field that is to blame."""

from datetime import UTC, datetime

import pytest

from pipeline import identity, topics
from pipeline.records import RawArticle
from producers.formats import lines
from producers.ingest import articles
from producers.ingest.articles import Accepted, Refused

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(text: bytes | None, *sources: str) -> Accepted | Refused:
    return articles.read(text, sources=sources, source=sources[0] if sources else "crawler", now=NOW)


def test_an_article_has_its_ids_its_row_and_what_was_left_out() -> None:
    found = read(b'{"url": "https://a.example/1", "body": "Text.", "published_at": "soon", "x": 1}')

    assert isinstance(found, Accepted)
    raw = RawArticle.from_bytes(found.row.value)
    assert (raw.source, raw.body, raw.observed_at) == ("crawler", "Text.", NOW)
    assert found.article_id == str(identity.article_id(raw.url, raw.source, None, "", "Text."))
    assert found.delivery_id == str(raw.delivery_id)
    assert found.row.topic == topics.RAW
    assert found.as_json()["notes"] == [
        "Unknown fields left out: x.",
        'published_at: "soon" is no date that can be read. It was left out.',
    ]


@pytest.mark.parametrize(
    ("text", "reason", "field", "said"),
    [
        (b'{"title": "T"}', "no-text", "body", "body is missing"),
        (b'{"body": "  "}', "no-text", "body", "nothing but white space"),
        (b'{"body": 3}', "wrong-shape", "body", "must be a text; it is a number"),
        (b'{"body": "b", "targets": [{"start": 0, "end": 9}]}', "wrong-shape", "targets", "is no span of the body"),
        (b'{"body": "b", "title": "%s"}' % (b"x" * 10_001), "wrong-shape", "title", "at most 10,000 are taken"),
        (b"[1]", "wrong-shape", None, "An article must be an object; it is a list."),
        (b'{"body": "b"', "not-json", None, "Not JSON"),
        (b'{"body": "\xff"}', "not-utf-8", None, "is not UTF-8"),
        (b'{"body": "%s"}' % (b"x" * topics.MAX_RAW_BYTES), "too-large", None, "1,048,576"),
        (b"x" * (lines.MAX_PIECE_BYTES + 1), "too-large", None, "of JSON"),
        (None, "too-large", None, "of JSON"),
    ],
)
def test_what_is_refused_says_why_and_where(text: bytes | None, reason: str, field: str | None, said: str) -> None:
    found = read(text)

    assert isinstance(found, Refused)
    assert (found.reason, found.field) == (reason, field)
    assert said in found.detail


def test_a_key_sends_for_its_own_sources() -> None:
    unnamed = read(b'{"body": "b"}', "a.example", "b.example")
    second = read(b'{"body": "b", "source": "b.example"}', "a.example", "b.example")
    other = read(b'{"body": "b", "source": "c.example"}', "a.example", "b.example")

    assert isinstance(unnamed, Accepted)
    assert RawArticle.from_bytes(unnamed.row.value).source == "a.example"
    assert isinstance(second, Accepted)
    assert RawArticle.from_bytes(second.row.value).source == "b.example"
    assert other == Refused("forbidden-source", "source", "source: this key sends for a.example, b.example only.")
