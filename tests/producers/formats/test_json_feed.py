import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from producers.formats import feeds

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def parse(value: Any) -> feeds.Feed:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return feeds.parse(body, url="https://json.example/feed.json", content_type=None, charset=None, now=NOW)


def feed_of(*items: Any, **more: Any) -> feeds.Feed:
    return parse({"version": "https://jsonfeed.org/version/1.1", "items": list(items), **more})


def test_one_bad_item_is_a_note_and_its_neighbours_live() -> None:
    feed = feed_of({"id": "1", "content_text": "a"}, 7, {"id": "2", "url": ["x"]}, {"id": "3", "content_text": "b"})

    assert [entry.own_id for entry in feed.entries] == ["1", "3"]
    assert feed.notes == (
        "items.1 was left out: it must be an object; it is a number.",
        "items.2 was left out: url: Input should be a valid string.",
    )


def test_of_many_bad_items_some_are_named_and_the_others_counted() -> None:
    feed = feed_of(*([None] * 100))

    assert len(feed.notes) == 6
    assert feed.notes[-1] == "95 more items were left out."


def test_what_an_item_can_do_without_is_left_out_where_it_is_wrong() -> None:
    [entry] = feed_of({"id": "1", "title": 7, "content_text": "a", "tags": "x", "attachments": [3]}).entries

    assert (entry.title, entry.text, entry.categories, entry.enclosures) == ("", "a", (), ())
    assert len(entry.notes) == 3


@pytest.mark.parametrize(("given_id", "own_id"), [(7, "7"), (7.5, "7.5"), ("a", "a"), ("", None), (None, None)])
def test_an_id_may_be_a_number(given_id: object, own_id: str | None) -> None:
    [entry] = feed_of({"id": given_id, "title": "x"}).entries

    assert entry.own_id == own_id


def test_the_html_goes_before_the_text_and_the_feeds_authors_stand_for_items_without() -> None:
    [entry] = feed_of(
        {"id": "1", "content_html": "<p>One</p><p>Two</p>", "content_text": "other"}, authors=[{"name": "Ana Lind"}]
    ).entries

    assert (entry.text, entry.byline) == ("One\n\nTwo", "Ana Lind")


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (b'{"items": [', Reason.NOT_JSON, "broken or cut off"),
        (b'{"items": {}}', Reason.WRONG_SHAPE, "items is an object, not a list"),
        (b'{"version": "x"}', Reason.WRONG_SHAPE, "items is missing"),
        (b'["a"]', Reason.WRONG_SHAPE, "it is a list"),
        (b'{"items": ' + b"[" * 100_000, Reason.NOT_JSON, "nested"),
    ],
)
def test_what_is_no_json_feed_is_named(body: bytes, reason: Reason, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        parse(body)

    assert refused.value.reason == reason
    assert says in refused.value.detail


def test_without_its_version_it_is_read_and_noted() -> None:
    feed = parse({"items": [{"id": "1", "title": "x"}]})

    assert len(feed.entries) == 1
    assert "does not say" in feed.notes[0]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_names = (
    "id url title content_html content_text summary image date_published date_modified author authors tags language "
    "attachments"
).split()
_items = st.fixed_dictionaries({}, optional=dict.fromkeys(_names, _values))


@settings(deadline=None, max_examples=50)
@given(st.lists(_items | _values, max_size=4), _values, _values)
def test_any_items_are_entries_or_notes(items: list[Any], title: Any, authors: Any) -> None:
    feed = feed_of(*items, title=title, authors=authors, language=title)

    assert len(feed.entries) <= len(items)
    for entry in feed.entries:
        repr(entry).encode()
        (entry.title + entry.text + (entry.own_id or "") + (entry.byline or "")).encode()
