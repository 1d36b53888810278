import dataclasses
import json
import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from producers.formats import entries, feeds, html_text
from producers.formats.entries import MAX_ENTRIES, MIN_FULL_WORDS

FOLDER = Path(__file__).parent / "feeds"
EXPECTED = ".expected.json"
FIXTURES = sorted(path for path in FOLDER.iterdir() if not path.name.endswith(EXPECTED))
URL = "https://feeds.example/saltmere/feed.xml"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def parse(body: bytes, *, content_type: str | None = None, charset: str | None = None) -> feeds.Feed:
    return feeds.parse(body, url=URL, content_type=content_type, charset=charset, now=NOW)


def rss(items: str, channel: str = "", attributes: str = "") -> bytes:
    return f'<rss version="2.0" {attributes}><channel><title>T</title>{channel}{items}</channel></rss>'.encode()


def entry(item: str, **more: str) -> feeds.Entry:
    [only] = parse(rss(f"<item>{item}</item>", **more)).entries
    return only


def plainly(body: bytes) -> dict[str, Any]:
    """What is read of a fixture, as it stands in its expectation; what is empty is left out."""
    try:
        feed = parse(body)
    except InvalidRecord as refused:
        return {"refused": str(refused.reason), "says": refused.detail}
    said = dataclasses.asdict(feed)
    for one in said["entries"]:
        del one["digest"]
        one["enclosures"] = [enclosure.model_dump(exclude_none=True) for enclosure in one["enclosures"]]
        for name, value in list(one.items()):
            if isinstance(value, datetime):
                one[name] = value.isoformat()
            elif value in (None, "", (), []):
                del one[name]
    plain: dict[str, Any] = json.loads(json.dumps(said))
    return plain


def test_a_long_link_of_the_feed_does_not_make_much_of_little() -> None:
    link = f"<link>https://feeds.example/{'a' * 7000}/</link>"
    pictures = "".join(f'<enclosure url="{n}"/>' for n in range(100))
    items = "".join(f"<item><guid>{n}</guid><title>{n}</title>{pictures}</item>" for n in range(100))

    feed = parse(rss(items, link))

    assert 0 < len(feed.entries) < 100
    assert sum(len(one.url) for one in feed.entries[0].enclosures) <= entries.MAX_ADDRESSES
    assert sum(len(one.url) for e in feed.entries for one in e.enclosures) <= entries.GROWTH_FROM
    assert feed.notes[-1].startswith(f"{100 - len(feed.entries)} entries were left out")


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_a_feed_is_read_as_its_expectation_says(path: Path) -> None:
    expectation = path.with_name(path.name + EXPECTED)
    assert expectation.exists(), f"write down what is expected of {path.name} in {expectation.name}"

    assert plainly(path.read_bytes()) == json.loads(expectation.read_text(encoding="utf-8"))


def test_every_expectation_has_its_feed() -> None:
    names = {path.name for path in FIXTURES}

    assert {path.name.removesuffix(EXPECTED) for path in FOLDER.glob(f"*{EXPECTED}")} == names


def words(count: int) -> str:
    return " ".join(["word"] * (count - 1)) + " end."


@pytest.mark.parametrize(
    ("content", "summary", "full"),
    [
        (words(MIN_FULL_WORDS), "A teaser.", True),
        (words(MIN_FULL_WORDS), "", True),
        (None, words(1000), False),
        (words(MIN_FULL_WORDS - 1), "A teaser.", False),
        (words(MIN_FULL_WORDS), words(MIN_FULL_WORDS), False),
        (words(MIN_FULL_WORDS), words(MIN_FULL_WORDS + 1), False),
        (words(400) + " […]", "", False),
        (words(400) + " [...]", "", False),
        (words(400) + "…", "", False),
        (words(400) + " ...", "", False),
        (words(400) + "\n\nRead more", "", False),
        (words(400) + "\n\nContinue reading Wall closed at harbour →", "", False),
        (words(400) + " […]\n\nThe post Wall closed appeared first on Saltmere Observer.", "", False),
        (words(400) + "\n\nThe post Wall closed appeared first on Saltmere Observer.", "", True),
        (words(400) + "\n\nWeiterlesen", "", False),
        (words(400) + "\n\nLire la suite", "", False),
        (words(400) + "\n\n続きを読む", "", False),
        ("港" * (2 * MIN_FULL_WORDS), "", True),
        (words(400) + "\n\nShe read more than anybody, and her books went to the library of the town where she was "
         "born, which has kept them on the first floor ever since, behind glass, under lock and key.", "", True),
    ],
)  # fmt: skip
def test_a_text_is_whole_only_where_that_is_sure(content: str | None, summary: str, full: bool) -> None:
    assert entries.is_full(content, summary) is full


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One <b>two</b>.</p>\n<p>Three</p>", "One two.\n\nThree"),
        ("One<br>two<br/><br/>three", "One\ntwo\n\nthree"),
        ("<ul><li>a</li><li>b</li></ul>after", "a\nb\n\nafter"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3"),
        ("a<script>x()</script><style>p{}</style>b", "ab"),
        ("<figure><img src=x><figcaption>cap</figcaption></figure>text", "text"),
        ('<p>a</p><blockquote class="instagram-media"><p>embedded</p></blockquote><p>b</p>', "a\n\nb"),
        ("<blockquote>quoted</blockquote>", "quoted"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("no tags\nbut wrapped\n\nand a paragraph", "no tags but wrapped\n\nand a paragraph"),
        ("1 < 2 and 3 > 2 &amp; so on", "1 < 2 and 3 > 2 & so on"),
        ("&lt;p&gt;twice&lt;/p&gt;&lt;p&gt;escaped&lt;/p&gt;", "twice\n\nescaped"),
        ("<p>a<b>b<i>c", "abc"),
        ("<p>a &nbsp; b</p>", "a b"),
        ("<!-- x --><p>a</p>", "a"),
        ("", ""),
        ("<p></p><br>", ""),
    ],
)
def test_html_becomes_paragraphs(markup: str, text: str) -> None:
    assert html_text.of_html(markup) == text


def test_html_nested_a_hundred_thousand_deep_is_read() -> None:
    assert html_text.of_html("<div>" * 100_000 + "deep") == "deep"


def test_bytes_that_look_like_an_address_or_a_file_open_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    feed = tmp_path / "feed.xml"
    feed.write_bytes(rss("<item><title>Secret</title></item>"))
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("it tried to connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for body in (b"http://127.0.0.1:9/feed.xml", str(feed).encode(), b"feed.xml", b"file:///etc/passwd"):
        with pytest.raises(InvalidRecord) as refused:
            parse(body)
        assert refused.value.reason == Reason.UNSUPPORTED


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (b"", Reason.EMPTY, "nothing in it"),
        (b" \r\n\t", Reason.EMPTY, "white space"),
        (b"%PDF-1.7", Reason.UNSUPPORTED, "a PDF document"),
        (b"\x1f\x8b\x08\x00", Reason.UNSUPPORTED, "packed with gzip"),
        (b"<opml version='2.0'/>", Reason.UNSUPPORTED, "a list of feeds (OPML)"),
        (b"<error><code>1</code></error>", Reason.UNSUPPORTED, "its root is <error>"),
        (b"Not found", Reason.UNSUPPORTED, "neither XML nor JSON"),
        (b"[1, 2]", Reason.WRONG_SHAPE, "a list"),
        (b"{}", Reason.WRONG_SHAPE, "items is missing"),
        (b"{" * 100_000, Reason.NOT_JSON, "JSON"),
    ],
)
def test_what_is_no_feed_is_named(body: bytes, reason: Reason, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        parse(body)

    assert refused.value.reason == reason
    assert says in refused.value.detail


def test_a_feed_in_a_comment_is_none_and_the_one_after_it_is() -> None:
    assert [one.title for one in parse(b"<!-- <rss><item/> -->" + rss("<item><title>One</title></item>")).entries] == [
        "One"
    ]


def test_what_the_server_calls_it_helps_to_name_it() -> None:
    with pytest.raises(InvalidRecord, match="the server calls it application/octet-stream"):
        parse(b"\x00\x01\x02abc", content_type="application/octet-stream")


def test_the_feeds_of_a_page_are_discovered() -> None:
    page = """<link rel="alternate" type="application/rss+xml; charset=utf-8" href="../rss"><link rel=alternate
      type=application/feed+json href=/j.json><link rel="alternate" hreflang="de" href="/de"><link rel="alternate"
      type="application/atom+xml" href="javascript:x"><link rel="Alternate feed"
      type="application/rss+xml" href="../rss">"""

    assert feeds.discover(page, "https://a.example/b/c") == ("https://a.example/rss", "https://a.example/j.json")
    assert feeds.discover("", "https://a.example") == ()


@pytest.mark.parametrize(
    ("body", "charset", "title"),
    [
        ("<rss><channel><title>é</title></channel></rss>".encode("latin-1"), "iso-8859-1", "é"),
        ("<rss><channel><title>é ü ß</title></channel></rss>".encode(), "iso-8859-1", "é ü ß"),
        ("<rss><channel><title>Порт закрыт</title></channel></rss>".encode("koi8-r"), "koi8-r", "Порт закрыт"),
        (
            '<?xml version="1.0" encoding="windows-1251"?><rss><channel><title>Порт</title></channel></rss>'.encode(
                "cp1251"
            ),
            "iso-8859-1",
            "Порт",
        ),
        ("\ufeff<rss><channel><title>é</title></channel></rss>".encode(), "iso-8859-1", "é"),
        ("<rss><channel><title>é</title></channel></rss>".encode("utf-16-le"), None, "é"),
        ("<rss><channel><title>é</title></channel></rss>".encode("utf-16-be"), "utf-8", "é"),
        (
            '<?xml version="1.0" encoding="iso-2022-jp"?><rss><channel><title>港の壁</title></channel></rss>'.encode(
                "iso2022_jp"
            ),
            None,
            "港の壁",
        ),
        (
            "<rss><channel><title>ééééééééééé</title></channel></rss>".encode().replace(b"</t", b"\xff</t"),
            None,
            "é" * 11 + "\ufffd",
        ),
        (b"<rss><channel><title>a</title></channel></rss>", "no-such-charset", "a"),
        (b"<rss><channel><title>+ADw-</title></channel></rss>", "utf-7", "+ADw-"),
    ],
)  # fmt: skip
def test_characters_are_found_out_whatever_is_declared(body: bytes, charset: str | None, title: str) -> None:
    assert parse(body, charset=charset).title == title


def test_a_feed_of_very_many_entries_is_capped_and_says_so() -> None:
    feed = parse(rss("".join(f"<item><link>https://a.example/{i}</link></item>" for i in range(20_000))))

    assert len(feed.entries) == MAX_ENTRIES
    assert feed.notes == ("The feed has 20,000 entries; the first 2,000 were taken.",)


def test_a_title_of_megabytes_is_cut() -> None:
    only = entry(f"<title>{'t' * 5_000_000}</title>")

    assert len(only.title) == 10_000
    assert "long" in only.notes[0]


def test_a_feed_nested_a_hundred_thousand_deep_ends() -> None:
    feed = parse(rss(f"<item><title>One</title></item><item><title>Two</title>{'<x>' * 100_000}"))

    assert [one.title for one in feed.entries] == ["One"]
    assert "what came before it was taken" in feed.notes[0]


def test_an_entry_that_says_something_else_has_the_same_key_and_another_digest() -> None:
    first = entry("<guid>https://a.example/1</guid><title>One</title>")
    again = entry("<guid>https://a.example/1</guid><title>One</title>")
    changed = entry("<guid>https://a.example/1</guid><title>One, corrected</title>")

    assert (first.key, first.digest) == (again.key, again.digest)
    assert changed.key == first.key
    assert changed.digest != first.digest


def test_an_entry_without_id_and_link_is_known_by_title_and_date() -> None:
    date = "<pubDate>Tue, 17 Nov 2026 09:30:00 GMT</pubDate>"
    first = entry(f"<title>One</title>{date}<description>a</description>")
    changed = entry(f"<title>One</title>{date}<description>b</description>")

    assert first.key == changed.key
    assert first.key.startswith("sha256:")
    assert entry(f"<title>Two</title>{date}").key != first.key


@pytest.mark.parametrize(
    ("link", "channel", "url"),
    [
        ("/1", "<link>https://site.example/news/</link>", "https://site.example/1"),
        ("1.html", "<link>https://site.example/news/</link>", "https://site.example/news/1.html"),
        ("/1", "", "https://feeds.example/1"),
        ("//cdn.example/1", "", "https://cdn.example/1"),
        (" https://a.example/a\n b ", "", "https://a.example/a%20b"),
        ("www.a.example/1", "", "http://www.a.example/1"),
        ("https://[", "", None),
        ("mailto:a@a.example", "", None),
        ("http://" + "a" * 9000 + ".example/", "", None),
    ],
)
def test_a_link_becomes_absolute_or_is_left_out(link: str, channel: str, url: str | None) -> None:
    found = entry(f"<title>x</title><link>{link}</link>", channel=channel)

    assert found.url == url
    assert bool(found.notes) is (url is None)


@pytest.mark.parametrize(
    ("channel", "seconds"),
    [
        ("<ttl>60</ttl>", 3600.0),
        ("<ttl>soon</ttl>", None),
        ("<ttl>99999999</ttl>", None),
        ("<ttl>0</ttl>", None),
        ("", None),
    ],
)
def test_the_time_to_live_is_in_seconds(channel: str, seconds: float | None) -> None:
    assert parse(rss("", channel)).ttl_seconds == seconds


def reads_or_refuses(body: bytes) -> None:
    try:
        feed = parse(body)
    except InvalidRecord:
        return
    assert len(feed.entries) <= MAX_ENTRIES
    assert len({one.key for one in feed.entries}) == len(feed.entries)
    json.dumps(dataclasses.asdict(feed), default=str).encode()
    for one in feed.entries:
        one.text.encode()


@settings(deadline=None, max_examples=60)
@given(st.binary() | st.text().map(str.encode) | st.builds(lambda head, tail: head + tail, st.sampled_from(
    [b"<rss>", b"<feed>", b"{", b"<?xml version='1.0'?><rss><channel><item>", b"<rdf:RDF><item><title>"]), st.binary()
))  # fmt: skip
def test_any_bytes_are_a_feed_or_refused(body: bytes) -> None:
    reads_or_refuses(body)


BODIES = [path.read_bytes() for path in FIXTURES]
Change = Callable[[random.Random, bytes], bytes]


def flipped(chance: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(chance: random.Random, body: bytes) -> bytes:
    return body[: chance.randrange(len(body))]


def spliced(chance: random.Random, body: bytes) -> bytes:
    other = chance.choice(BODIES)
    start, end = sorted((chance.randrange(len(other)), chance.randrange(len(other))))
    place = chance.randrange(len(body))
    return body[:place] + other[start:end] + body[place + chance.randrange(50) :]


CHANGES: tuple[Change, ...] = (flipped, cut, spliced)


def spoilt(seed: int) -> bytes:
    """One of the fixtures after some misfortune."""
    chance = random.Random(seed)
    body = chance.choice(BODIES)
    for _ in range(chance.randint(1, 3)):
        body = chance.choice(CHANGES)(chance, body or b"<")
    return body


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**9))
def test_a_spoilt_feed_is_read_or_refused(seed: int) -> None:
    reads_or_refuses(spoilt(seed))
