import threading
import time
from collections.abc import Iterator

import pytest

from producers.net import robots_of
from producers.net.fetch import Fetcher, FetchFailed, Why
from producers.net.robots_of import Robots
from tests import strangers as does
from tests.strangers import Behaviour, Strangers

DISALLOW = "User-agent: *\nDisallow: /private\nCrawl-delay: 3\nSitemap: /s.xml"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def robots(strangers: Strangers, clock: Clock) -> Iterator[Robots]:
    settings = strangers.settings(timeout_seconds=1.0)
    with Fetcher(settings) as fetcher:
        yield Robots(fetcher, settings, clock)


def test_a_robots_txt_is_fetched_once_a_day(strangers: Strangers, robots: Robots, clock: Clock) -> None:
    strangers.at("/robots.txt", does.robots(DISALLOW))

    rules = robots.rules(strangers.url + "/a?b=1")
    again = robots.rules(strangers.url + "/private/1")

    assert rules.allows(strangers.url + "/a")
    assert not again.allows(strangers.url + "/private/1")
    assert (rules.crawl_delay_seconds, rules.sitemaps) == (3.0, ("/s.xml",))
    assert strangers.count("/robots.txt") == 1
    clock.now += robots_of.KEPT_SECONDS
    robots.rules(strangers.url)
    assert strangers.count("/robots.txt") == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_without_a_robots_txt_all_is_allowed(strangers: Strangers, robots: Robots, status: int) -> None:
    strangers.at("/robots.txt", does.status(status))

    assert robots.rules(strangers.url).allows(strangers.url + "/a")


@pytest.mark.parametrize(
    "behaviour",
    [
        does.status(500),
        does.status(429),
        does.status(503),
        does.hang_up,
        does.cut_off(DISALLOW.encode(), 5),
        does.drip_body(),
    ],
)
def test_without_an_answer_nothing_is_allowed_until_there_is_one(
    strangers: Strangers, robots: Robots, clock: Clock, behaviour: Behaviour
) -> None:
    strangers.at("/robots.txt", behaviour)

    rules = robots.rules(strangers.url)
    strangers.at("/robots.txt", does.robots(""))

    assert not rules.allows(strangers.url + "/a")
    assert rules.reason is not None
    assert "127.0.0.1" in rules.reason
    assert not robots.rules(strangers.url).allows(strangers.url + "/a")
    clock.now += robots_of.RETRY_SECONDS
    assert robots.rules(strangers.url).allows(strangers.url + "/a")


def test_a_host_that_asks_for_time_gets_it(strangers: Strangers, robots: Robots, clock: Clock) -> None:
    strangers.at("/robots.txt", does.too_many(3600, 503))
    robots.rules(strangers.url)

    clock.now += robots_of.RETRY_SECONDS
    robots.rules(strangers.url)
    assert strangers.count("/robots.txt") == 1

    clock.now = 1000.0 + 3600
    robots.rules(strangers.url)
    assert strangers.count("/robots.txt") == 2


@pytest.mark.parametrize(("hops", "allowed"), [(5, False), (6, True)])
def test_five_redirects_are_followed_and_more_are_no_robots_txt(
    strangers: Strangers, robots: Robots, hops: int, allowed: bool
) -> None:
    strangers.at("/robots.txt", does.redirect("/1"))
    for hop in range(1, hops):
        strangers.at(f"/{hop}", does.redirect(f"/{hop + 1}"))
    strangers.at(f"/{hops}", does.robots("User-agent: *\nDisallow: /"))

    assert robots.rules(strangers.url).allows(strangers.url + "/a") is allowed


def test_all_who_ask_at_once_wait_for_one_answer(strangers: Strangers, robots: Robots) -> None:
    gate = threading.Event()
    strangers.at("/robots.txt", does.held(gate, does.robots(DISALLOW)))
    answers: list[bool] = []
    url = strangers.url + "/private"
    threads = [threading.Thread(target=lambda: answers.append(robots.rules(url).allows(url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    while not strangers.asked():
        time.sleep(0.001)
    gate.set()
    for thread in threads:
        thread.join(20)

    assert answers == [False] * 8
    assert strangers.count("/robots.txt") == 1


def test_those_not_asked_for_longest_make_room(
    strangers: Strangers, robots: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers.at("/robots.txt", does.robots(DISALLOW))
    monkeypatch.setattr(robots_of, "MAX_HOSTS", 1)
    other = strangers.url.replace("127.0.0.1", "127.1")

    robots.rules(strangers.url)
    robots.rules(other)
    robots.rules(strangers.url)

    assert strangers.count("/robots.txt") == 3
    assert len(robots._kept) == 1
    assert robots._bytes == sum(len(kept.packed or b"") for kept in robots._kept.values())


def test_what_is_forbidden_is_a_failure_where_it_is_required(strangers: Strangers, robots: Robots) -> None:
    strangers.at("/robots.txt", does.robots(DISALLOW))

    assert robots.require(strangers.url + "/a").crawl_delay_seconds == 3.0
    with pytest.raises(FetchFailed, match=r"robots\.txt of its host forbids") as failed:
        robots.require(strangers.url + "/private")
    assert failed.value.why is Why.ROBOTS


def test_what_is_no_address_is_not_allowed(robots: Robots) -> None:
    assert not robots.rules("ftp://example.org/").allows("ftp://example.org/")


def test_robots_can_be_switched_off(strangers: Strangers) -> None:
    settings = strangers.settings(robots=False)
    with Fetcher(settings) as fetcher:
        rules = Robots(fetcher, settings).rules(strangers.url)

    assert rules.allows(strangers.url)
    assert strangers.asked() == []
