import pytest

from pipeline.errors import InvalidRecord, SettingError
from producers.formats import naming


def test_what_others_call_our_fields_is_taken_and_their_other_fields_are_left_out() -> None:
    theirs = {
        "headline": "A",
        "content": {"html": {"0": "no"}, "text": ["", "B"]},
        "a.b": "c",
        "url": "https://a.example/",
        "title": "not this",
        "nid": 17,
        "extra": 1,
    }

    given = naming.ours(theirs, naming.parse(["title=headline,body=content.text.1", "byline=a.b", "id=nid"]))

    assert given == {
        "title": "A", "body": "B", "byline": "c", "url": "https://a.example/", "id": "17",
    }  # fmt: skip


def test_without_a_mapping_all_stays_as_it_is() -> None:
    theirs = {"body": "A", "id": 17, "extra": 1}

    assert naming.ours(theirs, naming.OURS) is theirs


def test_a_field_whose_name_was_given_away_is_not_taken_twice() -> None:
    assert naming.ours({"title": "text"}, {"body": "title"}) == {"body": "text"}


def test_what_a_path_does_not_lead_to_is_not_there() -> None:
    for path in ("x.y", "list.9", "list.-1", "list.x", "text.0", "list.0.x"):
        assert naming.ours({"list": ["a"], "text": "b"}, {"body": path}) == {"body": None}


@pytest.mark.parametrize("given", ["title", "title=", "=x", "headline=title", "title=a,title=b", ""])
def test_a_wrong_mapping_is_said(given: str) -> None:
    with pytest.raises(SettingError, match="--map"):
        naming.parse([given])


def test_columns_are_known_by_name_whatever_their_capitals() -> None:
    assert naming.columns(["Title", "BODY", "note"], {}) == {"Title": "title", "BODY": "body", "note": "note"}
    assert naming.columns(["Headline", "Text", "note"], {"title": "headline", "body": "Text"}) == {
        "Headline": "title",
        "Text": "body",
    }


@pytest.mark.parametrize(("names", "says"), [({}, "--map body=COLUMN"), ({"body": "text"}, "no column 'text'")])
def test_a_header_without_the_text_is_said(names: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidRecord, match=says):
        naming.columns(["title", "content"], names)
