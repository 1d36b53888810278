import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.formats import robots
from producers.formats.robots import Rules

AGENT = "News-Pipeline/0.1 (+mail@example.org)"


def parse(text: str) -> Rules:
    return robots.parse(text.encode(), AGENT)


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /private\nAllow: /private/open", "/private/open/1", True),  # the longest counts
        ("User-agent: *\nDisallow: /private\nAllow: /private/open", "/private/1", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf?x", True),
        ("User-agent: *\nDisallow: /caf%C3%A9", "/café", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: news-pipeline\nAllow: /", "/a", True),  # our own group counts
        ("User-agent: NEWS-PIPELINE\nDisallow: /", "/a", False),
        ("User-agent: news-pipeline/0.1\nDisallow: /", "/a", False),
        ("User-agent: news\nDisallow: /", "/a", True),  # another's name
        ("User-agent: gptbot\nUser-agent: news-pipeline\nDisallow: /", "/a", False),
        ("User-agent: gptbot\nUser-agent: ccbot\nDisallow: /", "/a", True),
        ("User-agent: news-pipeline\nDisallow: /a\n\nUser-agent: news-pipeline\nDisallow: /b", "/a", False),
        ("user-agent:*\r\ndisallow:/a # all of it\r\n", "/a", False),
        ("\ufeffUser-agent: *\nDisallow: /a", "/a", False),
        ("<!doctype html><html>Not found</html>", "/a", True),
        ("Disallow: /", "/a", True),  # of nobody
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
    ],
)
def test_rules_hold_as_rfc_9309_says(text: str, path: str, allowed: bool) -> None:
    assert parse(text).allows("https://example.org" + path) is allowed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("User-agent: *\nCrawl-delay: 2.5", 2.5),
        ("User-agent: *\nCrawl-delay: 86400", robots.MAX_CRAWL_DELAY_SECONDS),
        ("User-agent: *\nCrawl-delay: -1", None),
        ("User-agent: *\nCrawl-delay: nan", None),
        ("User-agent: other\nCrawl-delay: 5", None),
        ("User-agent: *\nCrawl-delay: 5\nUser-agent: news-pipeline\nCrawl-delay: 1", 1.0),
    ],
)
def test_a_crawl_delay_is_bounded(text: str, seconds: float | None) -> None:
    assert parse(text).crawl_delay_seconds == seconds


def test_sitemaps_are_for_everybody() -> None:
    rules = parse("Sitemap: https://a.example/1.xml\nUser-agent: x\nDisallow: /\nsitemap: /2.xml\nSitemap: /2.xml")

    assert rules.sitemaps == ("https://a.example/1.xml", "/2.xml")


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"User-agent: a{n}\n" for n in range(10_000)) + "".join(f"Disallow: /{n}\n" for n in range(10_000)),
        "User-agent: *\n" + "".join(f"Disallow: /*{n}*a*$\n" for n in range(5_000)),
        "User-agent: *\nDisallow: /" + "*a" * 200_000 + "$\n",
        "User-agent" + " " * 500_000,
        "User-agent:" * 50_000,
    ],
)
def test_half_a_megabyte_that_is_made_for_it_takes_no_time_to_speak_of(text: str) -> None:
    assert parse(text).allows("https://example.org/" + "a" * 2000) is True


@given(st.binary(), st.text())
def test_any_bytes_are_read(body: bytes, url: str) -> None:
    robots.parse(body, AGENT).allows("https://example.org/" + url)


def test_a_program_without_a_name_keeps_to_the_rules_for_all() -> None:
    assert robots.parse(b"User-agent: *\nDisallow: /", "1.0").allows("https://example.org/") is False
