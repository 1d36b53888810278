"""Sources polled for real, from strangers who behave as strangers do."""

import itertools
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Unavailable
from producers.sources import keeper, poll
from producers.sources.answers import Read
from producers.sources.declared import Source
from producers.sources.feeds_file import FeedsFile
from producers.sources.state import BY_COMMAND, REMOVED, SourceStore
from tests import strangers as they
from tests.producers.sources.conftest import Polling
from tests.producers.sources.samples import NOW, WORDS, entry, html, item, rss
from tests.strangers import Asked, Strangers, Wire


def often(name: str, url: str, **changes: object) -> Source:
    """A source that is polled as fast as it goes."""
    return Source(name, url, min_interval_seconds=0.02, max_interval_seconds=0.02, **changes)  # type: ignore[arg-type]


def rarely(name: str, url: str, **changes: object) -> Source:
    """A source that is polled once, as far as a test can see."""
    return Source(name, url, **changes)  # type: ignore[arg-type]


def test_what_comes_new_in_a_feed_is_delivered_once(polling: Polling, strangers: Strangers) -> None:
    first, second = rss(item("e1")), rss(item("e2", day=2), item("e1"))
    url = strangers.at("/feed", they.in_turn(they.fixed(first), they.fixed(first), they.fixed(second)))

    with polling.of([often("a", url)]):
        polling.until(lambda: strangers.count("/feed") >= 6)

    assert polling.ids() == ["e1", "e2"]
    assert {article.source for article in polling.articles()} == {"a"}
    assert polling.standing("a").known_share == 1


def test_a_feed_that_has_not_changed_is_not_sent_again(polling: Polling, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.conditional(rss(item("e1")), etag='"1"'))

    with polling.of([often("a", url)]):
        polling.until(lambda: strangers.count("/feed") >= 4)

    asked = [a.headers.get("if-none-match") for a in strangers.asked("/feed")]
    assert asked[0] is None
    assert set(asked[1:]) == {'"1"'}
    assert polling.ids() == ["e1"]
    assert polling.standing("a").failures == 0


def test_an_etag_that_changes_each_time_gives_nothing_twice(polling: Polling, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.changing_etag(rss(item("e1"))))

    with polling.of([often("a", url)]):
        polling.until(lambda: strangers.count("/feed") >= 4)

    assert polling.ids() == ["e1"]


def test_who_says_304_for_ever_is_failing_and_says_why(polling: Polling, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.unchanged_for_ever)

    with polling.of([often("a", url)]):
        polling.until(lambda: strangers.count("/feed") >= 3)

    assert [state.state for state in polling.states("a")][-1] == "failing"
    assert "304" in (polling.standing("a").reason or "")


def test_after_a_failure_a_304_is_not_asked_for(polling: Polling, strangers: Strangers) -> None:
    feed = they.conditional(rss(item("e1")), etag='"1"')
    url = strangers.at("/feed", they.in_turn(feed, they.status(500), feed, feed))

    with polling.of([often("a", url)]):
        polling.until(lambda: strangers.count("/feed") >= 4)

    assert [a.headers.get("if-none-match") for a in strangers.asked("/feed")][:4] == [None, '"1"', None, '"1"']
    assert polling.standing("a").failures == 0


def test_a_changed_entry_is_delivered_again(polling: Polling, strangers: Strangers) -> None:
    before, after = rss(item("e1", title="Before")), rss(item("e1", title="After"))
    url = strangers.at("/feed", they.in_turn(they.fixed(before), they.fixed(after)))

    with polling.of([often("a", url)]):
        polling.until(lambda: strangers.count("/feed") >= 4)

    assert [article.title for article in polling.articles()] == ["Before", "After"]


def test_a_teaser_leads_to_its_page(polling: Polling, strangers: Strangers) -> None:
    page = strangers.at("/page", they.page(html("The harbour of Larvik")))
    url = strangers.at("/feed", they.fixed(rss(item("e1", text="", teaser="The harbour opens.", link=page))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: bool(polling.articles()))

    (article,) = polling.articles()
    assert (article.source, article.source_item_id, article.url) == ("a", "e1", page)
    assert "The council of Larvik said on day 0" in article.body
    assert polling.store.pages_waiting() == 0


def test_a_page_that_is_not_there_leaves_the_teaser(polling: Polling, strangers: Strangers) -> None:
    teaser = item("e1", text="", teaser="The harbour opens.", link=strangers.url + "/missing")
    bare = item("e2", text="", link=strangers.url + "/missing-too")
    url = strangers.at("/feed", they.fixed(rss(teaser, bare)))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: bool(polling.articles() and polling.letters()))

    (article,), (letter,) = polling.articles(), polling.letters()
    assert article.body == "The harbour opens."
    assert article.notes[-1].startswith("only the feed's teaser: ")
    assert (letter.reason, letter.origin) == ("unfetchable", strangers.url + "/missing-too")


def test_a_page_that_is_away_waits_in_the_queue(polling: Polling, strangers: Strangers) -> None:
    page = strangers.at("/page", they.status(503))
    url = strangers.at("/feed", they.fixed(rss(item("e1", text="", teaser="The harbour opens.", link=page))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: strangers.count("/page") > 0 and polling.store.next_page("127.0.0.1") is not None)
        polling.until(lambda: getattr(polling.store.next_page("127.0.0.1"), "tries", 0) == 1)

    assert polling.articles() == []


def test_too_many_requests_hold_up_the_whole_host_for_as_long_as_it_says(
    polling: Polling, strangers: Strangers
) -> None:
    busy = strangers.at("/busy", they.too_many(3600))
    other = strangers.at("/other", they.fixed(rss(item("e1"))))
    elsewhere = Strangers("127.0.0.2")
    polling.fetching = {"allow_addresses": "127.0.0.0/8", "ports": f"{strangers.port},{elsewhere.port}"}
    with elsewhere:
        free = elsewhere.at("/feed", they.fixed(rss(item("free"))))
        polling.threads = 1

        with polling.of([often("busy", busy)]):
            polling.until(lambda: polling.is_polled("busy"))
        standing = polling.standing("busy")
        with polling.of([often("busy", busy), often("free", free), rarely("other", other)]):
            polling.until(lambda: elsewhere.count("/feed") >= 2)

    assert standing.next_poll_at is not None
    assert standing.polled_at is not None
    assert (standing.next_poll_at - standing.polled_at).total_seconds() >= 3600
    assert strangers.count("/busy") == 1


def test_a_host_that_redirects_is_not_held_for_what_another_says(polling: Polling, strangers: Strangers) -> None:
    elsewhere = Strangers("127.0.0.2")
    polling.fetching = {"allow_addresses": "127.0.0.0/8", "ports": f"{strangers.port},{elsewhere.port}"}
    polling.threads = 1
    with elsewhere:
        link = strangers.at("/link", they.redirect(elsewhere.at("/busy", they.too_many(3600))))
        theirs = elsewhere.at("/feed", they.fixed(rss(item("theirs"))))
        own = strangers.at("/feed", they.fixed(rss(item("own"))))

        with polling.of([rarely("link", link), often("own", own), often("theirs", theirs)]):
            polling.until(lambda: polling.is_polled("link"))
            before, then = strangers.count("/feed"), elsewhere.count("/feed")
            polling.until(lambda: strangers.count("/feed") >= before + 10)

        assert elsewhere.count("/feed") <= then + 1  # that may have been under way
    assert polling.standing("link").why == "too-many"


def test_what_is_gone_is_asked_no_more(polling: Polling, strangers: Strangers) -> None:
    url, other = strangers.at("/feed", they.status(410)), strangers.at("/other", they.fixed(rss(item("e1"))))

    with polling.of([often("a", url), often("b", other)]):
        polling.until(lambda: strangers.count("/other") >= 5 and polling.is_polled("a"))

    assert strangers.count("/feed") == 1
    assert polling.states("a")[-1].state == "gone"


def test_an_address_that_moved_for_good_is_rewritten(polling: Polling, strangers: Strangers) -> None:
    new = strangers.at("/new", they.fixed(rss(item("e1"))))
    old = strangers.at("/old", they.redirect("/new", 301))

    with polling.of([often("a", old)]):
        polling.until(lambda: strangers.count("/new") >= 3)

    assert strangers.count("/old") == 1
    assert (polling.standing("a").url, polling.standing("a").declared_url) == (new, old)


def test_an_address_that_moved_for_now_or_to_no_feed_is_kept(polling: Polling, strangers: Strangers) -> None:
    strangers.at("/home", they.page(html("Home")))
    strangers.at("/new", they.fixed(rss(item("e1"))))
    for_now, lost = (
        strangers.at("/for-now", they.redirect("/new", 302)),
        strangers.at("/lost", they.redirect("/home", 301)),
    )

    with polling.of([often("a", for_now), often("b", lost)]):
        polling.until(lambda: strangers.count("/for-now") >= 2 and strangers.count("/lost") >= 2)

    assert polling.standing("a").url == for_now
    assert (polling.standing("b").url, polling.standing("b").why) == (lost, "wrong-type")


def test_a_feed_that_is_cut_off_gives_what_came_or_a_reason(polling: Polling, strangers: Strangers) -> None:
    whole = rss(item("e1"), item("e2"))
    broken = strangers.at("/broken", they.fixed(whole[: whole.index(b"e2")]))
    short = strangers.at("/short", they.cut_off(whole, 500))

    with polling.of([rarely("a", broken), rarely("b", short)]):
        polling.until(lambda: polling.is_polled("a") and polling.is_polled("b"))

    assert polling.ids() == ["e1"]
    assert polling.standing("b").why == "bad-response"


def test_what_robots_txt_forbids_is_a_failure_that_says_so(polling: Polling, strangers: Strangers) -> None:
    strangers.at("/robots.txt", they.robots("User-agent: *\nDisallow: /private/\n"))
    url = strangers.at("/private/feed", they.fixed(rss(item("e1"))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: polling.is_polled("a"))

    assert strangers.count("/private/feed") == 0
    assert polling.standing("a").why == "robots"
    assert "robots.txt" in (polling.standing("a").reason or "")


def test_a_slow_host_holds_up_nobody_else(polling: Polling, strangers: Strangers) -> None:
    with Strangers("127.0.0.2") as slow:
        polling.fetching = {"allow_addresses": "127.0.0.0/8", "ports": f"{strangers.port},{slow.port}"}
        polling.threads = 2
        stuck = [rarely(f"slow {n}", slow.at(f"/{n}", they.silent)) for n in range(5)]
        quick = [rarely(f"quick {n}", strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}"))))) for n in range(5)]

        with polling.of([*stuck, *quick]):
            polling.until(lambda: len(polling.articles()) == 5)
            waiting = [name for name in (s.name for s in stuck) if not polling.is_polled(name)]

    assert len(waiting) == 5
    assert sum(slow.count(f"/{n}") for n in range(5)) <= 1  # one at a time


def test_a_host_is_left_alone_between_two_requests(polling: Polling, strangers: Strangers) -> None:
    polling.fetching = {"host_delay_seconds": 0.2, "robots": False}
    page = strangers.at("/page", they.page(html("The harbour of Larvik")))
    feeds = [strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}", text="", link=f"{page}?{n}")))) for n in range(3)]

    with polling.of([rarely(f"{n}", url) for n, url in enumerate(feeds)]):
        polling.until(lambda: len(polling.articles()) == 3)

    asked = strangers.asked()
    assert len(asked) == 6
    assert all(b.at - a.at > 0.19 for a, b in itertools.pairwise(asked))
    # Polls and pages take turns: the pages of the first feed do not wait for all the others.
    assert [a.target.startswith("/page") for a in asked].index(True) < 3


def test_robots_txt_may_ask_for_a_longer_pause(polling: Polling, strangers: Strangers) -> None:
    strangers.at("/robots.txt", they.robots("User-agent: *\nCrawl-delay: 0.3\n"))
    feeds = [strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}")))) for n in range(2)]

    with polling.of([rarely(f"{n}", url) for n, url in enumerate(feeds)]):
        polling.until(lambda: len(polling.articles()) == 2)

    (first, second) = [a.at for a in strangers.asked() if a.target != "/robots.txt"]
    assert second - first > 0.29


def test_a_person_has_a_source_polled_now_and_disabled(polling: Polling, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.fixed(rss(item("e1"))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: polling.is_polled("a"))
        polling.store.request_poll("a")
        polling.until(lambda: strangers.count("/feed") == 2)
        polling.until(lambda: polling.store.requested() == [])
        polling.store.set_disabled("a", True)
        polling.store.request_poll("a")

    assert strangers.count("/feed") == 2
    assert polling.standing("a").disabled == BY_COMMAND


def test_a_spool_that_is_full_is_waited_for_and_nothing_is_fetched(polling: Polling, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.fixed(rss(item("e1"))))
    polling.store.take_up([rarely("first", url)])  # it has told of one source
    polling.max_bytes = polling.spool.held().bytes - 1

    with polling.of([rarely("first", url)]):
        time.sleep(0.3)  # nothing is to happen
        assert strangers.count("/feed") == 0
        spooled = polling.spool.read_after(0, 10, 10**9)
        polling.spool.delete(spooled)
        polling.until(lambda: strangers.count("/feed") == 1)


def test_feeds_toml_is_taken_up_when_it_changes_and_a_broken_one_changes_nothing(
    polling: Polling, strangers: Strangers, tmp_path: Path
) -> None:
    one, two = (strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}")))) for n in (1, 2))
    path = tmp_path / "feeds.toml"
    path.write_text(f'[[source]]\nname = "one"\nurl = "{one}"\n', encoding="utf-8")
    file = FeedsFile(path, look_seconds=0.01)

    with polling.of(file):
        polling.until(lambda: polling.is_polled("one"))
        path.write_text("[[source]\n", encoding="utf-8")
        polling.until(lambda: file.is_broken)
        path.write_text(f'[[source]]\nname = "two"\nurl = "{two}"\n', encoding="utf-8")
        polling.until(lambda: polling.is_polled("two"))

    assert polling.standing("one").gone == REMOVED
    assert polling.ids() == ["e1", "e2"]


def test_a_scheduler_that_is_stopped_leaves_what_is_under_way(polling: Polling, strangers: Strangers) -> None:
    gate = threading.Event()
    url = strangers.at("/feed", they.held(gate, they.fixed(rss(item("e1")))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: strangers.count("/feed") == 1)
    gate.set()

    assert polling.articles() == []
    assert not polling.is_polled("a")


def test_after_a_restart_nothing_is_asked_before_its_time_and_pages_go_on(
    polling: Polling, strangers: Strangers
) -> None:
    gate = threading.Event()
    page = strangers.at("/page", they.held(gate, they.page(html("The harbour of Larvik"))))
    url = strangers.at("/feed", they.fixed(rss(item("e1", text="", link=page))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: strangers.count("/page") == 1)
    gate.set()
    with polling.of([rarely("a", url)]):
        polling.until(lambda: len(polling.articles()) == 1)

    assert strangers.count("/feed") == 1
    assert strangers.count("/page") == 2


def test_a_sitemap_gives_the_pages_that_it_lists(polling: Polling, strangers: Strangers) -> None:
    page = strangers.at("/page", they.page(html("The harbour of Larvik")))
    strangers.at("/robots.txt", they.robots(f"Sitemap: {strangers.url}/map.xml\n"))
    body = (
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<url><loc>{page}</loc><lastmod>2026-10-01</lastmod></url></urlset>"
    )
    strangers.at("/map.xml", they.fixed(body, "application/xml"))

    with polling.of([often("a", strangers.url + "/", kind="sitemap")]):
        polling.until(lambda: strangers.count("/map.xml") >= 2 and len(polling.articles()) == 1)

    assert strangers.count("/page") == 1
    assert polling.articles()[0].url == page


def test_a_host_is_never_asked_twice_at_once(polling: Polling, strangers: Strangers) -> None:
    most = 0
    now = 0
    lock = threading.Lock()

    def count(asked: Asked, wire: Wire) -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        wire.pause(0.01)
        with lock:
            now -= 1
        they.fixed(rss(item(asked.target)))(asked, wire)

    urls = [strangers.at(f"/{n}", count) for n in range(8)]
    polling.threads = 16
    with polling.of([rarely(url, url) for url in urls]):
        polling.until(lambda: len(polling.articles()) == 8)

    assert most == 1


def test_a_robots_txt_that_cannot_be_had_is_waited_for(polling: Polling, strangers: Strangers) -> None:
    strangers.at("/robots.txt", they.status(503))
    url = strangers.at("/feed", they.fixed(rss(item("e1"))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: polling.is_polled("a"))

    assert (polling.standing("a").why, strangers.count("/feed")) == ("unreachable", 0)


def test_a_link_into_the_own_network_is_refused_at_once(polling: Polling, strangers: Strangers) -> None:
    teaser = item("e1", text="", teaser="The harbour opens.", link="http://127.0.0.9/private")
    url = strangers.at("/feed", they.fixed(rss(teaser)))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: bool(polling.articles()))

    assert polling.articles()[0].body == "The harbour opens."
    assert "127.0.0.9" in polling.articles()[0].notes[-1]


def test_a_bug_about_one_feed_is_its_failure_and_no_end_of_the_others(
    polling: Polling, strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = poll.outcome

    def outcome(source: Source, *given: Any, **named: Any) -> poll.Outcome:
        if source.name == "a" and isinstance(given[1].found, Read):
            raise TypeError("what nobody thought of")
        return real(source, *given, **named)

    monkeypatch.setattr(poll, "outcome", outcome)
    feed = strangers.at("/feed", they.fixed(rss(item("e1"))))

    with polling.of([rarely("a", feed), rarely("b", feed + "?b")]):
        polling.until(lambda: polling.is_polled("a") and polling.is_polled("b"))

    assert polling.ids() == ["e1"]
    assert polling.standing("a").why == "bad-response"
    assert "TypeError: what nobody thought of" in (polling.standing("a").reason or "")


def test_a_new_address_in_feeds_toml_is_polled_at_once(polling: Polling, strangers: Strangers, tmp_path: Path) -> None:
    urls = [strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}")))) for n in range(2)]
    path = tmp_path / "feeds.toml"
    path.write_text(f'[[source]]\nname = "a"\nurl = "{urls[0]}"\n', encoding="utf-8")

    with polling.of(FeedsFile(path, look_seconds=0.01)):
        polling.until(lambda: polling.ids() == ["e0"])
        path.write_text(f'[[source]]\nname = "a"\nurl = "{urls[1]}"\n', encoding="utf-8")
        polling.until(lambda: polling.ids() == ["e0", "e1"])


def test_a_json_feed_with_what_no_text_can_hold_is_delivered(polling: Polling, strangers: Strangers) -> None:
    bad = r"\ud800"
    entry = (
        f'{{"id": "e{bad}", "url": "{strangers.url}/missing?{bad}", "title": "t{bad}", "content_text": "{WORDS}{bad}", '
        f'"tags": ["{bad}"], "authors": [{{"name": "{bad}"}}]}}'
    )
    body = f'{{"version": "https://jsonfeed.org/version/1.1", "title": "{bad}", "items": [{entry}]}}'
    url = strangers.at("/feed", they.fixed(body, "application/feed+json"))

    with polling.of([rarely("whole", url), rarely("by its page", url + "?", full_text="page")]):
        polling.until(lambda: len(polling.articles()) == 2)

    assert polling.ids() == ["e\ufffd", "e\ufffd"]


def test_what_cannot_be_kept_of_one_feed_is_its_failure_and_no_end_of_the_others(
    polling: Polling, strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = poll.outcome

    def outcome(source: Source, *given: Any, **named: Any) -> poll.Outcome:
        found = real(source, *given, **named)
        bad = [entry("e2", byline="\ud800", url=f"{strangers.url}/missing")]
        return replace(found, pages=tuple(bad)) if source.name == "a" and found.seen else found

    monkeypatch.setattr(poll, "outcome", outcome)
    feed = strangers.at("/feed", they.fixed(rss(item("e1"))))

    with polling.of([rarely("a", feed), rarely("b", feed + "?b")]):
        polling.until(lambda: polling.is_polled("a") and polling.is_polled("b"))

    assert polling.ids() == ["e1"]
    assert polling.standing("a").why == "bad-response"
    assert "SerializationError" in (polling.standing("a").reason or "")


def test_a_page_that_cannot_be_kept_does_not_end_the_polling(
    polling: Polling, strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page_outcome(*_given: Any, **_named: Any) -> poll.PageOutcome:
        raise TypeError("what nobody thought of")

    monkeypatch.setattr(poll, "page_outcome", page_outcome)
    teaser = item("e1", text="", link=strangers.at("/page", they.page(html("The harbour of Larvik"))))
    feed = strangers.at("/feed", they.fixed(rss(teaser)))
    other = strangers.at("/other", they.fixed(rss(item("e2"))))

    with polling.of([rarely("a", feed), often("b", other)]):
        polling.until(lambda: strangers.count("/page") == 1 and polling.store.pages_waiting() == 0)
        asked = strangers.count("/other")
        polling.until(lambda: strangers.count("/other") > asked)


def test_a_permanent_move_to_an_address_that_is_too_long_is_a_failure(polling: Polling, strangers: Strangers) -> None:
    url = strangers.at("/feed", they.redirect("/" + "é" * 2700, 301))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: polling.is_polled("a"))

    assert polling.standing("a").why in ("bad-url", "redirects")


def test_a_database_that_does_not_answer_is_no_failure_of_the_source(
    polling: Polling, strangers: Strangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "DISK_PAUSE_SECONDS", 0.01)
    real, times = SourceStore.seen, itertools.count()

    def seen(store: SourceStore, *given: Any) -> Any:
        if next(times) == 0:
            raise Unavailable("The spool cannot be used: database is locked.")
        return real(store, *given)

    monkeypatch.setattr(SourceStore, "seen", seen)
    url = strangers.at("/feed", they.fixed(rss(item("e1"))))

    with polling.of([rarely("a", url)]):
        polling.until(lambda: polling.is_polled("a"))

    assert (polling.ids(), polling.standing("a").failures, strangers.count("/feed")) == (["e1"], 0, 1)


def test_a_source_with_many_pages_waiting_is_not_polled_until_a_person_wants_it(
    polling: Polling, strangers: Strangers
) -> None:
    full = strangers.at("/full", they.fixed(rss(item("e1"))))
    other = strangers.at("/other", they.fixed(rss(item("e2"))))
    polling.store.take_up([rarely("full", full)], NOW)
    late = datetime.now(UTC) + timedelta(days=1)
    polling.store.queue_pages(
        "full", [entry(f"p{n}", url=f"{strangers.url}/{n}") for n in range(poll.MOST_PAGES)], late
    )

    with polling.of([rarely("full", full), often("other", other)]):
        polling.until(lambda: strangers.count("/other") >= 20)  # by then it would have had its turn
        assert strangers.count("/full") == 0
        polling.store.request_poll("full")
        polling.until(lambda: strangers.count("/full") == 1)


def test_sitemaps_take_a_quarter_of_the_threads(polling: Polling, strangers: Strangers) -> None:
    with Strangers("127.0.0.2") as slow, Strangers("127.0.0.3") as second:
        ports = f"{strangers.port},{slow.port},{second.port}"
        polling.fetching = {"allow_addresses": "127.0.0.0/8", "ports": ports, "robots": False}
        walks = [rarely(s.url, s.at("/map.xml", they.silent), kind="sitemap") for s in (slow, second)]
        feeds = [often(f"{n}", strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}"))))) for n in range(3)]

        with polling.of([*walks, *feeds]):
            polling.until(lambda: slow.count("/map.xml") + second.count("/map.xml") == 1)
            asked = strangers.count("/0")
            polling.until(lambda: strangers.count("/0") >= asked + 5)
            assert slow.count("/map.xml") + second.count("/map.xml") == 1


def test_pages_of_a_source_that_is_enabled_again_in_feeds_toml_go_on(
    polling: Polling, strangers: Strangers, tmp_path: Path
) -> None:
    page = strangers.at("/page", they.page(html("The harbour of Larvik")))
    url = strangers.at("/feed", they.status(500))
    path = tmp_path / "feeds.toml"
    text = f'[[source]]\nname = "a"\nurl = "{url}"\n'
    path.write_text(text + "enabled = false\n", encoding="utf-8")
    polling.store.queue_pages("a", [entry("e1", url=page, is_full=False)], NOW)

    with polling.of(FeedsFile(path, look_seconds=0.01)):
        polling.until(lambda: polling.store.get("a") is not None)
        time.sleep(0.1)  # nothing is to happen
        assert strangers.count("/page") == 0
        path.write_text(text, encoding="utf-8")
        polling.until(lambda: len(polling.articles()) == 1)


def test_feeds_toml_is_read_again_by_who_had_to_wait_for_its_turn(
    polling: Polling, strangers: Strangers, tmp_path: Path
) -> None:
    one, two = (strangers.at(f"/{n}", they.fixed(rss(item(f"e{n}")))) for n in (1, 2))
    path = tmp_path / "feeds.toml"
    path.write_text(f'[[source]]\nname = "one"\nurl = "{one}"\n', encoding="utf-8")
    file = FeedsFile(path, look_seconds=3600)
    path.write_text(f'[[source]]\nname = "two"\nurl = "{two}"\n', encoding="utf-8")

    with polling.of(file):
        polling.until(lambda: polling.is_polled("two"))

    assert polling.store.get("one") is None
