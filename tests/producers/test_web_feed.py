import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import topics
from pipeline.errors import Exit, SettingError
from pipeline.records import RawArticle
from producers import web_feed
from producers.extraction import ExtractionPool
from producers.feed import FeedCount
from producers.net.fetch import Fetcher
from producers.net.robots_of import Robots
from producers.sources.answers import Tools
from producers.sources.state import SourceStore
from producers.spool import Spool
from producers.web_feed import Kind, WebFeedCount
from tests import strangers as they
from tests.producers.sources.samples import WORDS, html, item, rss
from tests.strangers import Strangers

Feed = Callable[..., WebFeedCount]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", 1024**3) as spool:
        yield spool


@pytest.fixture
def fed(spool: Spool, strangers: Strangers, pool: ExtractionPool) -> Feed:
    settings = strangers.settings()

    def feed(kind: Kind, *urls: str, source: str | None = None, **options: Any) -> WebFeedCount:
        with Fetcher(settings) as fetcher:
            asking = Tools(fetcher, Robots(fetcher, settings), pool, settings)
            return web_feed.feed_web(urls, kind, source, spool, asking, 4, **options)

    return feed


def articles_in(spool: Spool) -> list[RawArticle]:
    rows = [spooled.row for spooled in spool.read_after(0, 10**6, 10**12)]
    return [RawArticle.from_bytes(row.value) for row in rows if row.topic == topics.RAW]


def topics_in(spool: Spool) -> set[str]:
    return {spooled.row.topic for spooled in spool.read_after(0, 10**6, 10**12)}


def test_a_feed_is_fed_with_the_pages_of_its_teasers(fed: Feed, spool: Spool, strangers: Strangers) -> None:
    page = strangers.at("/page", they.page(html("The harbour")))
    teaser = item("e2", text="", teaser="It opens.", link=page, day=2)
    bare = item("e3", text="", link=strangers.url + "/missing", day=3)
    url = strangers.at("/feed", they.fixed(rss(bare, teaser, item("e1"))))

    found = fed("rss", url)

    assert found.count == FeedCount(accepted=2, dead_lettered=1, left_out=0)
    assert found.exit_code == Exit.SOME_DEAD_LETTERED
    assert {article.source_item_id for article in articles_in(spool)} == {"e1", "e2"}
    assert {article.source for article in articles_in(spool)} == {"127.0.0.1"}
    assert SourceStore(spool).all() == []  # nothing is kept of the source …
    assert topics_in(spool) == {topics.RAW, topics.DEAD_LETTER}  # … and nobody is told of it


def test_the_same_feed_is_sent_again_unless_only_changes_are_wanted(
    fed: Feed, spool: Spool, strangers: Strangers
) -> None:
    page = strangers.at("/page", they.page(html("The harbour")))
    url = strangers.at("/feed", they.fixed(rss(item("e2", text="", link=page), item("e1"))))

    counts = [fed("rss", url, only_changed=only_changed).count.accepted for only_changed in (False, True, True, False)]

    assert counts == [2, 2, 0, 2]


def test_several_feeds_are_fed_under_one_name(fed: Feed, spool: Spool, strangers: Strangers) -> None:
    urls = [strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}")))) for n in range(2)]

    found = fed("rss", *urls, source="Larvik")

    assert found.count.accepted == 2
    assert {article.source for article in articles_in(spool)} == {"Larvik"}


def test_a_page_for_a_feed_is_refused_with_the_feed_that_it_names(fed: Feed, strangers: Strangers) -> None:
    link = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
    url = strangers.at("/", they.page(f"<html><head>{link}</head><body>{WORDS}</body></html>"))

    found = fed("rss", url)

    assert found.exit_code == Exit.FAILURE
    ((address, sentence),) = found.refused
    assert address == url
    assert sentence.endswith(f"It names {strangers.url}/feed.xml.")


def test_a_site_that_is_away_is_said_and_can_be_fed_again(fed: Feed, spool: Spool, strangers: Strangers) -> None:
    there = strangers.at("/there", they.fixed(rss(item("e1"))))
    away = strangers.at("/away", they.status(503))

    found = fed("rss", there, away)

    assert found.exit_code == Exit.SERVICE_AWAY
    assert [address for address, _ in found.away] == [away]
    assert found.count.accepted == 1


def test_what_follows_a_feed_goes_on_until_it_is_stopped(fed: Feed, spool: Spool, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.fixed(rss(item("e1"))))
    stop = threading.Event()

    def progress(count: FeedCount, _: str | None) -> None:
        if count.accepted:
            stop.set()

    found = fed("rss", url, follow=True, progress=progress, stop=stop)

    assert (found.count.accepted, found.exit_code) == (1, Exit.OK)
    assert SourceStore(spool).all() == []


def test_pages_are_fed_by_their_addresses(fed: Feed, spool: Spool, strangers: Strangers) -> None:
    urls = [strangers.at(f"/{n}", they.page(html(f"The harbour {n}"))) for n in range(2)]

    found = fed("url", *urls)

    assert (found.count, found.exit_code) == (FeedCount(accepted=2), Exit.OK)
    assert {article.url for article in articles_in(spool)} == set(urls)
    assert "The council of Larvik said on day 0" in articles_in(spool)[0].body


@pytest.mark.parametrize(
    ("behaviour", "exit_code", "left_out", "dead_lettered"),
    [
        (they.status(404), Exit.FAILURE, 1, 0),
        (they.status(503), Exit.SERVICE_AWAY, 1, 0),
        (they.too_many(7200), Exit.SERVICE_AWAY, 1, 0),
        (they.page("<html><body><p></p></body></html>"), Exit.SOME_DEAD_LETTERED, 0, 1),
    ],
    ids=["not there", "away", "busy for hours", "empty"],
)
def test_a_page_that_cannot_be_fed_ends_in_what_is_wrong_with_it(
    fed: Feed,
    strangers: Strangers,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: they.Behaviour,
    exit_code: int,
    left_out: int,
    dead_lettered: int,
) -> None:
    monkeypatch.setattr(web_feed, "RETRY_SECONDS", (0.01,))
    url = strangers.at("/page", behaviour)

    found = fed("url", url)

    assert (found.exit_code, found.count.left_out, found.count.dead_lettered) == (exit_code, left_out, dead_lettered)


def test_a_sitemap_is_fed_newest_first_up_to_a_limit(fed: Feed, spool: Spool, strangers: Strangers) -> None:
    pages = [strangers.at(f"/{day}", they.page(html(f"Day {day}"))) for day in range(1, 5)]
    listed = "".join(f"<url><loc>{page}</loc><lastmod>2026-10-0{n}</lastmod></url>" for n, page in enumerate(pages, 1))
    url = strangers.at("/map.xml", they.fixed(f"<urlset>{listed}</urlset>", "application/xml"))

    limited = fed("sitemap", url, limit=2)
    since = fed("sitemap", url, since=datetime(2026, 10, 4, tzinfo=UTC))

    assert [article.url for article in articles_in(spool)] == [pages[2], pages[3], pages[3]]
    assert (limited.count.left_out, since.count.accepted) == (2, 1)


@pytest.mark.parametrize("url", ["ftp://a.example/feed", "a.example", "https://me:secret@a.example/"])
def test_what_is_no_web_address_is_said_before_anything_is_fetched(fed: Feed, url: str) -> None:
    with pytest.raises(SettingError):
        fed("rss", url)


def test_a_name_that_is_none_is_refused(fed: Feed, strangers: Strangers) -> None:
    with pytest.raises(SettingError, match="1 to 200 characters"):
        fed("rss", strangers.url, source=" ")
