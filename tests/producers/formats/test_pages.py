import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from producers.formats import bylines, leftovers, markup, page_head, pages
from producers.formats.pages import Page

PAGES = Path(__file__).parent / "pages"
NOW = datetime(2026, 11, 3, tzinfo=UTC)
URL = "https://courier.example/news/harbour-wall"
SENTENCE = "The harbour wall was closed on Monday after divers found a crack that runs along eleven metres of its base."
BODY = f"<p>{SENTENCE}</p>" * 2


def read(html: bytes | str, url: str | None = URL, charset: str | None = None) -> Page:
    return pages.extract(html, url=url, charset=charset, now=NOW)


def page(head: str = "", body: str = BODY) -> str:
    return f"<html><head><title>Wall closed</title>{head}</head><body><article>{body}</article></body></html>"


@pytest.mark.parametrize("name", sorted(path.stem for path in PAGES.glob("*.html")))
def test_a_golden_page_says_what_is_written_beside_it(name: str) -> None:
    expected: dict[str, Any] = json.loads((PAGES / f"{name}.json").read_text(encoding="utf-8"))
    fetched_from = expected.pop("fetched_from")

    found = read((PAGES / f"{name}.html").read_bytes(), fetched_from)

    plain = json.loads(json.dumps(dataclasses.asdict(found), default=datetime.isoformat))
    plain["text"] = plain["text"].split("\n\n")
    assert plain.pop("extractor") == expected.pop("extractor", pages.EXTRACTOR)
    assert plain == expected


def test_a_heading_is_compared_with_few_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    normalise, calls = identity.normalised, []

    def counted(text: str) -> str:
        calls.append(text)
        return normalise(text)

    monkeypatch.setattr(identity, "normalised", counted)
    titles = "".join(f'<meta property="og:title" content="Title {n}">' for n in range(2000))

    found = read(page(titles, "".join(f"<h1>Heading {n}</h1>" for n in range(2000)) + BODY))

    assert found.title == "Title 0"
    assert len(calls) < 100


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("utf-8", "windows-1252", "iso-8859-1"),
        ("windows-1252", "utf-8", None),
        ("windows-1252", "utf-8", "utf-8"),
        ("windows-1252", "nonsense-8", None),
        ("windows-1252", "utf-16", None),
        ("windows-1252", "iso-8859-1", "utf-8"),
        ("utf-8-sig", "iso-8859-1", None),
        ("utf-16", "utf-8", None),
        ("cp1251", "windows-1251", None),
        ("cp1251", "utf-8", "windows-1251"),
        ("gb18030", "gb2312", None),
    ],
)
def test_the_character_set_is_found_whatever_is_declared(encoding: str, declared: str, charset: str | None) -> None:
    said = {"cp1251": "Стена гавани закрыта после трещины", "gb18030": "港口的墙在星期一关闭"}.get(
        encoding, "Über die Brücke: „Größe“ façade señor"
    )
    html = page(f'<meta charset="{declared}">', f"<p>{said}. {SENTENCE}</p>" * 3).encode(encoding)

    assert said in read(html, charset=charset).text


@pytest.mark.parametrize(
    ("head", "fetched", "canonical"),
    [
        ('<link rel="canonical" href="https://other.example/news/1">', URL, URL),
        ('<link rel="canonical" href="https://courier.example/">', URL, URL),
        ('<link rel="canonical" href="">', URL, URL),
        ('<link rel="canonical" href="javascript:alert(1)">', URL, URL),
        ('<link rel="canonical" href="http://[">', URL, URL),
        ('<link rel="nofollow Canonical" href="/news/1#top">', URL, "https://courier.example/news/1"),
        ('<base href="/archive/"><link rel="canonical" href="1">', URL, "https://courier.example/archive/1"),
        ('<link rel="canonical" href="https://m.courier.example/1">', URL, "https://m.courier.example/1"),
        ('<link rel="canonical" href="/1"><link rel="canonical" href="/2">', URL, URL),
        ('<link rel="canonical" href="/1"><meta property="og:url" content="/2">', URL, "https://courier.example/1"),
        ('<meta property="og:url" content="/2">', URL + "?print=1", "https://courier.example/2"),
        ('<link rel="canonical" href="/1">', None, None),
        ('<link rel="canonical" href="https://courier.example/1">', None, "https://courier.example/1"),
        (
            '<link rel="canonical" href="https://www.paper.co.uk/1">',
            "https://rival.co.uk/1",
            "https://rival.co.uk/1",
        ),
        ("", "https://courier.example/amp/news/harbour-wall", "https://courier.example/amp/news/harbour-wall"),
    ],
)
def test_the_canonical_address_is_believed_on_the_same_site_only(
    head: str, fetched: str | None, canonical: str | None
) -> None:
    assert read(page(head), fetched).url == canonical


@pytest.mark.parametrize(
    ("head", "url", "published", "place"),
    [
        ('<meta property="article:published_time" content="2026-11-02T08:00+02:00">', URL, "2026-11-02T06:00", "page"),
        ('<meta itemprop="datePublished" content="2026-11-02">', URL, "2026-11-02T00:00", "page"),
        ('<meta property="article:published_time" content="2031-01-01T00:00:00Z">', URL, None, None),
        ('<meta name="date" content="soon">', "https://a.example/2026/10/31/x", "2026-10-31T00:00", "url"),
        ("", "https://a.example/2027/10/31/x", None, None),
        ("", "https://a.example/2026/02/31/x", None, None),
        (
            '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2026-11-02",}</script>'
            '<meta property="article:published_time" content="2026-11-02T06:00:00Z">',
            URL,
            "2026-11-02T06:00",
            "page",
        ),
    ],
)  # fmt: skip
def test_a_date_with_its_time_goes_before_a_mere_day(
    head: str, url: str, published: str | None, place: str | None
) -> None:
    found = read(page(head), url)

    assert (found.published_at and found.published_at.isoformat()[:16], found.published_at_from) == (published, place)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["By Ana Silva"], "Ana Silva"),
        (["Von Vanessa Franke"], "Vanessa Franke"),
        (["Ursula Von der Leyen"], "Ursula Von der Leyen"),
        (["Ana Silva and Bo Lind"], "Ana Silva, Bo Lind"),
        (["José Ortega y Gasset"], "José Ortega y Gasset"),
        (["ANA SILVA | ana@x.example | @ana", "Ana Silva"], "ANA SILVA"),
        (["Ana Silva, political editor, Reuters"], "Ana Silva, Reuters"),
        (["<a href='/ana'>Ana&nbsp;Silva</a> in Berlin"], "Ana Silva"),
        (["https://facebook.example/ana", "admin", "", "123"], None),
    ],
)
def test_a_byline_is_the_names_alone(given: list[str], names: str | None) -> None:
    assert bylines.byline_of(given) == names


@pytest.mark.parametrize(
    ("html", "reason", "says"),
    [
        (b"%PDF-1.7 stream", Reason.NO_TEXT, "a PDF"),
        (bytes(range(256)) * 20, Reason.NO_TEXT, "binary"),
        (b"", Reason.NO_TEXT, "empty"),
        (b"<html><frameset><frame src='a'></frameset></html>", Reason.NO_TEXT, "a page of frames"),
        (b"<html><body><script>x()</script></body></html>", Reason.NO_TEXT, "scripts"),
        (b"<html><body><div id='onetrust'></div><img src=x></body></html>", Reason.NO_TEXT, "."),
        (b"<p>word</p>" + b"<b></b>" * markup.MAX_ELEMENTS, Reason.TOO_LARGE, "elements"),
        (b"<p " + b" ".join(b"a%d=1" % i for i in range(2500)) + b">word</p>", Reason.TOO_LARGE, "attributes"),
        (b"<p>" + b"word " * 300_000 + b"</p>", Reason.TOO_LARGE, "1,048,576"),
    ],
)
def test_what_gives_no_article_is_refused_with_what_it_looks_like(html: bytes, reason: Reason, says: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        read(html)

    assert refused.value.reason == reason
    assert says in refused.value.detail


@pytest.mark.parametrize(
    "html",
    [
        BODY,
        f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>{page()}',
        page(f'<script type="application/ld+json">{"[" * 50_000}</script>'),
        page('<script type="application/ld+json">{"@graph": [{"@type": 7, "author": {"name": [null]}}]}</script>'),
        page(body=f'<img src="data:image/png;base64,{"A" * 1_000_000}">{BODY}'),
        page(body=f"<table><tr><td colspan=9007199254740991>x</td></tr></table>{BODY}"),
        f"<html>\x00<body>{BODY}\x00</body></html>",
    ],
    ids=["piece", "xhtml", "deep json", "odd json", "picture inside", "colspan", "nul"],
)
def test_odd_pages_are_read_all_the_same(html: str) -> None:
    assert SENTENCE in read(html.encode()).text


def test_a_quote_that_stands_there_many_times_is_said_once() -> None:
    others = [f"{number}. {SENTENCE}" for number in range(5)]
    quote = (
        "“We would rather lose a week than a wall,” the harbour master said, and she said it again and again on Monday."
    )

    text = leftovers.paragraphs("\n".join(line for other in others for line in (other, quote)), "", None)

    assert text.count(quote) == 1
    assert all(other in text for other in others)


def test_a_text_of_few_lines_keeps_what_could_be_its_own() -> None:
    lines = ["Related", "Read more about it in the second book.", "Share"]

    assert leftovers.paragraphs("\n".join(lines), "Related", None) == "Read more about it in the second book."
    assert leftovers.paragraphs("Share", "", None) == "Share"


@settings(max_examples=50, deadline=None)
@given(st.text(st.sampled_from("<>/\"'=& \nabhtmldivprscj{}[]:,@"), max_size=300) | st.binary(max_size=300))
def test_anything_is_a_page_or_refused(html: str | bytes) -> None:
    try:
        found = read(html)
    except InvalidRecord:
        return
    assert found.text


def test_the_site_of_an_address_is_its_registrable_domain() -> None:
    addresses = ["https://www.bbc.co.uk/1", "http://a.github.io/", "https://news.example/", "http://127.0.0.1:80/"]

    assert [page_head.site_of(url) for url in addresses] == ["bbc.co.uk", "a.github.io", "news.example", "127.0.0.1"]
