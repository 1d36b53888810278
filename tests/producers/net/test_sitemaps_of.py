from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from pipeline.errors import InvalidRecord
from producers.formats import robots
from producers.net import sitemaps_of
from producers.net.fetch import Fetcher, FetchFailed, Why
from producers.net.sitemaps_of import Note
from tests import strangers as does
from tests.strangers import Behaviour, Strangers

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
OLD, NEW = "2026-10-01T00:00:00Z", "2026-11-02T00:00:00Z"


@pytest.fixture
def fetcher(strangers: Strangers) -> Iterator[Fetcher]:
    with Fetcher(strangers.settings()) as made:
        yield made


def pages(*listed: str | tuple[str, str]) -> Behaviour:
    return does.fixed(f"<urlset>{_members('url', listed)}</urlset>", "application/xml")


def index(*listed: str | tuple[str, str]) -> Behaviour:
    return does.fixed(f"<sitemapindex>{_members('sitemap', listed)}</sitemapindex>", "application/xml")


def _members(name: str, listed: Sequence[str | tuple[str, str]]) -> str:
    pairs = [(one, "") if isinstance(one, str) else one for one in listed]
    return "".join(f"<{name}><loc>{url}</loc><lastmod>{date}</lastmod></{name}>" for url, date in pairs)


def walked(
    fetcher: Fetcher, *starts: str, since: datetime | None = None, **limits: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """The pages, and the notes with their files."""
    found = list(sitemaps_of.walk(fetcher, starts, since=since, **limits))
    return (
        [one.url for one in found if not isinstance(one, Note)],
        [(one.url, one.sentence) for one in found if isinstance(one, Note)],
    )


def test_an_index_is_followed_down_to_its_pages(strangers: Strangers, fetcher: Fetcher) -> None:
    a, b = strangers.url + "/a", strangers.url + "/b"
    inner = strangers.at("/inner.xml", index(strangers.at("/2.xml", pages(b, a))))
    start = strangers.at("/sitemap.xml", index(inner, strangers.at("/1.xml", pages(a))))

    assert walked(fetcher, start) == ([a, b], [])


def test_what_is_older_is_not_even_asked_for(strangers: Strangers, fetcher: Fetcher) -> None:
    host = strangers.url
    strangers.at("/old.xml", pages(host + "/1"))
    strangers.at("/new.xml", pages((host + "/2", NEW), (host + "/3", OLD), host + "/4"))
    strangers.at("/undated.xml", pages((host + "/5", NEW)))
    start = strangers.at(
        "/sitemap.xml", index((host + "/old.xml", OLD), host + "/undated.xml", (host + "/new.xml", NEW))
    )

    found, _ = walked(fetcher, start, since=SINCE)

    assert found == [host + "/2", host + "/4", host + "/5"]  # the newest file first
    assert strangers.count("/old.xml") == 0


def test_a_circle_of_sitemaps_ends(strangers: Strangers, fetcher: Fetcher) -> None:
    start = strangers.at("/1.xml", index(strangers.url + "/2.xml", strangers.url + "/1.xml"))
    strangers.at("/2.xml", index(start))

    assert walked(fetcher, start) == ([], [])
    assert len(strangers.asked()) == 2


def test_there_is_an_end_to_depth_files_and_pages(strangers: Strangers, fetcher: Fetcher) -> None:
    host = strangers.url
    for depth in range(6):
        strangers.at(f"/{depth}.xml", index(f"{host}/{depth + 1}.xml"))
    strangers.at("/many.xml", pages(*[f"{host}/page/{n}" for n in range(10)]))

    assert walked(fetcher, host + "/0.xml") == (
        [],
        [(host + "/3.xml", "Sitemaps deeper than 3 indexes are not looked at.")],
    )
    assert walked(fetcher, host + "/0.xml", max_files=2) == (
        [],
        [(host + "/2.xml", "More than 2 sitemaps; 1 were not looked at.")],
    )
    found, notes = walked(fetcher, host + "/many.xml", max_pages=3)
    assert (len(found), notes) == (3, [(host + "/many.xml", "More than 3 pages; the others were left out.")])


def test_a_sitemap_below_that_is_away_is_a_note(strangers: Strangers, fetcher: Fetcher) -> None:
    away = strangers.at("/away.xml", does.status(503))
    none = strangers.at("/none.xml", does.fixed("<rss/>", "application/xml"))
    start = strangers.at("/sitemap.xml", index(away, none, strangers.at("/1.xml", pages(strangers.url + "/a"))))

    found, notes = walked(fetcher, start)

    assert found == [strangers.url + "/a"]
    assert [url for url, _ in notes] == [away, none]
    assert "503" in notes[0][1]
    assert "It is a feed" in notes[1][1]


def test_where_nothing_can_be_read_the_failure_is_raised_that_may_pass(strangers: Strangers, fetcher: Fetcher) -> None:
    gone, away = strangers.at("/gone.xml", does.status(410)), strangers.at("/away.xml", does.status(503))
    missing = strangers.url + "/sitemap.xml"

    for starts, why in (
        ((gone, missing, away), Why.SERVER_ERROR),
        ((gone, missing), Why.NOT_FOUND),
        ((gone,), Why.GONE),
    ):
        with pytest.raises(FetchFailed) as failed:
            walked(fetcher, *starts)
        assert failed.value.why is why

    with pytest.raises(InvalidRecord):
        walked(fetcher, strangers.at("/1.xml", does.fixed("{}", "application/xml")))


def test_usual_places_that_are_empty_are_not_worth_a_word(strangers: Strangers, fetcher: Fetcher) -> None:
    strangers.at("/sitemap_index.xml", pages(strangers.url + "/a"))
    starts = sitemaps_of.starts(strangers.url + "/news/", robots.ALLOW_ALL)

    assert starts == tuple(strangers.url + place for place in sitemaps_of.USUAL_PLACES)
    assert walked(fetcher, *starts) == ([strangers.url + "/a"], [])


def test_robots_txt_says_where_sitemaps_are() -> None:
    rules = robots.parse(b"Sitemap: https://b.example/1.xml\nSitemap: /2.xml\nSitemap: ftp://x/3.xml", "news-pipeline")

    assert sitemaps_of.starts("https://a.example/news", rules) == ("https://b.example/1.xml", "https://a.example/2.xml")


def test_what_is_no_site_has_no_sitemaps() -> None:
    assert sitemaps_of.starts("a.example", robots.ALLOW_ALL) == ()


def test_of_many_sitemaps_without_a_date_those_at_both_ends_are_read(strangers: Strangers, fetcher: Fetcher) -> None:
    host = strangers.url
    parts = [strangers.at(f"/{n}.xml", pages(f"{host}/page/{n}")) for n in range(6)]
    start = strangers.at("/sitemap.xml", index(*parts))

    found, notes = walked(fetcher, start, max_files=4)

    assert found == [f"{host}/page/{n}" for n in (0, 5, 1)]
    assert notes == [(parts[4], "More than 4 sitemaps; 3 were not looked at.")]


def test_a_walk_that_takes_too_long_gives_what_it_has_read(strangers: Strangers, fetcher: Fetcher) -> None:
    part = strangers.at("/1.xml", pages(strangers.url + "/a"))
    start = strangers.at("/sitemap.xml", index(part))

    (note,) = sitemaps_of.walk(fetcher, [start], is_over=lambda: True)

    assert note == Note(part, "It takes too long; 1 sitemaps were not looked at.", is_cut=True)
