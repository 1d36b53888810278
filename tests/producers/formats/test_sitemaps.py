import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord, Reason
from producers.formats import sitemaps
from producers.formats.sitemaps import Item, Sitemap
from tests.strangers import packed_zeros

URL = "https://a.example/sitemap.xml"
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
NEWS = 'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'


def parse(body: bytes | str) -> Sitemap:
    return sitemaps.parse(body.encode() if isinstance(body, str) else body, url=URL)


def refused(body: bytes | str) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as error:
        parse(body)
    return error.value


def urlset(inside: str, attributes: str = NAMESPACE) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {attributes}>{inside}</urlset>'


def test_pages_are_listed_with_their_dates() -> None:
    sitemap = parse(
        urlset(
            "<url><loc> https://a.example/1 </loc><lastmod>2026-11-02T10:00:00+01:00</lastmod></url>"
            "<url><loc>https://a.example/2?a=1&amp;b=2</loc><lastmod>2026-11-02</lastmod><priority>1</priority></url>"
            "<url><loc><![CDATA[https://a.example/3]]></loc></url>"
        )
    )

    assert sitemap == Sitemap(
        "pages",
        (
            Item("https://a.example/1", datetime(2026, 11, 2, 9, tzinfo=UTC)),
            Item("https://a.example/2?a=1&b=2", datetime(2026, 11, 2, tzinfo=UTC)),
            Item("https://a.example/3"),
        ),
        sitemap.notes,
    )
    assert all("lastmod" in note for note in sitemap.notes)  # a day has no zone


def test_an_index_lists_sitemaps() -> None:
    sitemap = parse(
        f"<sitemapindex {NAMESPACE}><sitemap><loc>https://a.example/1.xml.gz</loc>"
        "<lastmod>2026-11-02T10:00:00Z</lastmod></sitemap></sitemapindex>"
    )

    assert sitemap == Sitemap("index", (Item("https://a.example/1.xml.gz", datetime(2026, 11, 2, 10, tzinfo=UTC)),), ())


@pytest.mark.parametrize("attributes", [f"{NAMESPACE} {NEWS}", NAMESPACE, "", 'xmlns="urn:wrong" xmlns:news="urn:too"'])
def test_a_news_sitemap_says_more_whatever_its_namespaces(attributes: str) -> None:
    sitemap = parse(
        urlset(
            "<url><loc>https://a.example/1</loc><news:news><news:publication><news:name>The Example</news:name>"
            "<news:language>en</news:language></news:publication>"
            "<news:publication_date>2026-11-02T10:00:00Z</news:publication_date>"
            "<news:title>Bridge\n  opens &amp; closes</news:title></news:news>"
            "<image:image><image:loc>https://a.example/1.jpg</image:loc><image:title>Not this</image:title>"
            "</image:image></url>",
            attributes,
        )
    )

    assert sitemap.items == (
        Item(
            "https://a.example/1",
            published_at=datetime(2026, 11, 2, 10, tzinfo=UTC),
            title="Bridge opens & closes",
            language="en",
            publication="The Example",
        ),
    )


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(urlset("<url><loc>https://a.example/1</loc></url>").encode()),
        b"\n\n" + urlset("<url><loc>https://a.example/1</loc></url>").encode(),
        b"\xef\xbb\xbf" + urlset("<url><loc>https://a.example/1</loc></url>").encode(),
        urlset("<url><loc>https://a.example/1</loc></url>").replace("UTF-8", "UTF-16").encode("utf-16"),
        b"<br />Warning: nothing\n" + urlset("<url><loc>https://a.example/1</loc></url>").encode(),
        b"# all pages\r\nhttps://a.example/1\r\n\r\n",
        b"\xef\xbb\xbfhttps://a.example/1",
        b"<urlset><url><loc>https://a.example/1</loc></url></urlset>",
        b"<URLSET><URL><LOC>https://a.example/1</LOC></URL></URLSET>",
        b"<!-- made by hand --><urlset><?x?><url><!-- this --><loc>https://a.example/1</loc></url></urlset>",
    ],
)
def test_a_sitemap_may_come_in_any_shape(body: bytes) -> None:
    assert parse(body).items == (Item("https://a.example/1"),)


def test_what_is_cut_off_gives_what_came() -> None:
    whole = urlset("".join(f"<url><loc>https://a.example/{n}</loc></url>" for n in range(1000)))

    sitemap = parse(whole[: len(whole) // 2])

    assert 400 < len(sitemap.items) < 600
    assert sitemap.items[-1].url in whole[: len(whole) // 2]
    assert "The XML is broken" in sitemap.notes[0]


@pytest.mark.parametrize(
    "written", ["?a=1&b=2", "?a=1&amp;b=2", "?a=1&#38;b=2", "<![CDATA[?a=1&b=2]]>", "?a=1&b=2<![CDATA[]]>"]
)
def test_an_address_is_whole_whether_it_is_escaped_or_not(written: str) -> None:
    sitemap = parse(urlset(f"<url><loc>https://a.example/{written}</loc></url>"))

    assert sitemap == Sitemap("pages", (Item("https://a.example/?a=1&b=2"),), ())


@pytest.mark.parametrize("slip", ["\x0b", "<x:y/>", "<lastmod a=1/>", "<p>"])
def test_a_slip_costs_nothing_else(slip: str) -> None:
    sitemap = parse(urlset(f"<url><loc>https://a.example/1</loc>{slip}</url><url><loc>https://a.example/2</loc></url>"))

    assert {item.url for item in sitemap.items} == {"https://a.example/1", "https://a.example/2"}
    assert "The XML is broken" in sitemap.notes[0]


def test_addresses_that_are_none_are_left_out_and_those_of_others_are_said() -> None:
    sitemap = parse(
        urlset(
            "<url><loc>/1</loc></url><url><loc>mailto:a@b</loc></url><url><loc></loc></url><url/>"
            "<url><loc>http://[</loc></url><url><loc>https://a.example/" + "a" * 5000 + "</loc></url>"
            "<url><loc>https://b.example/1</loc></url><url><loc>https://www.a.example/1</loc></url>"
        )
    )

    assert [item.url for item in sitemap.items] == ["https://b.example/1", "https://www.a.example/1"]
    assert sitemap.notes == (
        '6 addresses do not begin with https:// or http://, such as "/1". They were left out.',
        '1 addresses are on other hosts, such as "https://b.example/1".',
    )


def test_a_wrong_date_spoils_the_date() -> None:
    sitemap = parse(urlset("<url><loc>https://a.example/1</loc><lastmod>soon</lastmod></url>" * 1000))

    assert sitemap.items == (Item("https://a.example/1"),)
    assert len(sitemap.notes) <= sitemaps.MAX_DATE_NOTES
    assert "soon" in sitemap.notes[0]


def test_there_is_an_end_to_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemaps, "MAX_ITEMS", 10)
    lines = "\n".join(f"https://a.example/{n}" for n in range(20))
    xml = urlset("".join(f"<url><loc>https://a.example/{n}</loc></url>" for n in range(20)))

    for body in (lines, xml):
        sitemap = parse(body)
        assert len(sitemap.items) == 10
        assert "It lists more than 10 addresses" in sitemap.notes[0]


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (b"", Reason.UNREADABLE, "neither XML nor a list"),
        (b"{}", Reason.UNREADABLE, "neither XML nor a list"),
        (b"\x00\xff" * 1000, Reason.UNREADABLE, "neither XML nor a list"),
        ("<?xml version='1.0'?><rss version='2.0'/>", Reason.UNREADABLE, "<rss>. It is a feed"),
        ("<!DOCTYPE html><html><body/></html>", Reason.UNREADABLE, "<html>"),
        ("<?xml version='1.0'?>", Reason.UNREADABLE, "cannot be read"),
        ("<?xml version='1.0' encoding='klingon'?>", Reason.UNREADABLE, "cannot be read"),
        (gzip.compress(b"<urlset/>")[:-9], Reason.UNREADABLE, "ends too early"),
        (packed_zeros("gzip", 51), Reason.TOO_LARGE, "52,428,800"),
    ],
)
def test_what_is_no_sitemap_is_refused(body: bytes | str, reason: Reason, says: str) -> None:
    error = refused(body)

    assert error.reason is reason
    assert says in error.detail


def test_entities_are_neither_read_from_files_nor_unfolded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    doctype = (
        f'<!DOCTYPE urlset SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY x SYSTEM "{secret.as_uri()}">'
        f'<!ENTITY l0 "{"a" * 1000}">{laughs}]>'
    )

    sitemap = parse(
        f"<?xml version='1.0'?>{doctype}<urlset>"
        "<url><loc>https://a.example/&x;</loc></url><url><loc>https://a.example/&l9;</loc></url>"
        "<url><loc>https://a.example/1</loc></url></urlset>"
    )

    assert sitemap.items[-1] == Item("https://a.example/1")
    assert all(len(item.url) < 30 and "secret" not in item.url for item in sitemap.items)


def test_a_deep_tree_is_no_matter() -> None:
    sitemap = parse("<urlset>" + "<a>" * 100_000)

    assert sitemap.items == ()
    assert "The XML is broken" in sitemap.notes[0]


def test_tags_within_an_address_that_never_close_are_given_up() -> None:
    # Were the path of each tag looked at, this would take hours.
    sitemap = parse("<urlset><url><loc>https://a.example/1</loc></url><url>" + "<a>" * 300_000)

    assert sitemap.items == (Item("https://a.example/1"),)
    assert "64 deep in one another" in sitemap.notes[0]


def test_lines_without_end_are_not_gone_through() -> None:
    body = b"https://a.example/1\n" + b"#\n" * 100_000 + b"https://a.example/2\n"

    sitemap = parse(body)

    assert sitemap.items == (Item("https://a.example/1"),)
    assert "or too much else" in sitemap.notes[0]


@given(st.binary() | st.text().map(lambda text: urlset(f"<url><loc>https://a.example/{text}</loc></url>").encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse(body)
    except InvalidRecord:
        return


def test_a_character_that_is_none_costs_only_what_follows_it() -> None:
    sitemap = parse(
        "<urlset><url><loc>https://a.example/1</loc></url><url><loc>https://a.example/&#xD800;</loc></url></urlset>"
    )

    assert sitemap.items[0] == Item("https://a.example/1")
    assert sitemap.notes
