import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from producers.formats import opml
from producers.formats.opml import Subscription

LIST = """<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="2.0"><head><title>Harbours &amp; coasts</title></head><body>
<outline text="News">
  <outline text="Café Quay" type="rss" xmlUrl="https://a.example/rss?x=1&amp;y=2" htmlUrl="https://a.example/"/>
  <outline title="World"><outline text="B" title="C" xmlUrl="http://b.example/feed"/></outline>
</outline>
<outline text="No feed" htmlUrl="https://c.example/"/>
<outline text="A file" xmlUrl="file:///etc/passwd"/>
<outline text="Again" xmlUrl="http://b.example/feed"/>
<outline xmlUrl="https://d.example/"/>
</body></opml>"""


def test_names_addresses_and_folders_are_read() -> None:
    found = opml.read(LIST.encode("latin-1"))

    assert found.title == "Harbours & coasts"
    assert found.feeds == (
        Subscription("Café Quay", "https://a.example/rss?x=1&y=2", "News"),
        Subscription("B", "http://b.example/feed", "News/World"),
        Subscription("", "https://d.example/", ""),
    )
    assert found.notes == (
        "1 outline has no web address; left out.",
        "4 of 8 outlines are no feed (no xmlUrl), or a feed that stood there already.",
    )


def test_letters_that_grow_when_they_are_small_shift_nothing() -> None:
    found = opml.read(f"<!--{'İ' * 200}-->{LIST.partition('?>')[2]}".encode())

    assert found.title == "Harbours & coasts"
    assert len(found.feeds) == 3


def test_a_list_that_is_cut_off_gives_what_came() -> None:
    assert [feed.name for feed in opml.read(LIST.encode()[:330]).feeds] == ["Café Quay"]


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (b"", Reason.EMPTY, "nothing in it"),
        (b"<rss><channel/></rss>", Reason.UNSUPPORTED, "no <opml>"),
        (b"http://127.0.0.1:9/list.opml", Reason.UNSUPPORTED, "no <opml>"),
        (b"<opml version='2.0'><body/></opml>", Reason.NO_TEXT, "names no feed"),
        (b"<opml><body><outline text='x'/></body></opml>", Reason.NO_TEXT, "names no feed"),
    ],
)
def test_what_is_no_list_of_feeds_is_named(content: bytes, reason: Reason, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        opml.read(content)

    assert refused.value.reason == reason
    assert says in refused.value.detail


def test_nothing_in_a_list_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it tried to connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    content = b"http://127.0.0.1:9/<opml><body><outline type='include' url='http://127.0.0.1:9/x'/></body></opml>"
    with pytest.raises(InvalidRecord):
        opml.read(content)


@settings(deadline=None)
@given(
    st.binary()
    | st.lists(
        st.sampled_from(
            ["<opml>", "</opml>", "<body>", "<outline>", "</outline>", "<outline text='x'>", "<outline text='y'/>",
             "<outline xmlUrl='https://a.example/'>", "<outline xmlurl=''>", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "&a;",
             "<head><title>", "</title>", "<outline type='include' url='http://x.example' category='/a/b,c'>"]
        )
    ).map(lambda parts: "".join(["<opml>", *parts]).encode())
)  # fmt: skip
def test_any_bytes_are_a_list_or_refused(content: bytes) -> None:
    try:
        found = opml.read(content)
    except InvalidRecord:
        return
    assert all(feed.url.startswith("http") for feed in found.feeds)
