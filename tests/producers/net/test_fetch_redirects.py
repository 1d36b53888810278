"""Redirects, and what they move for good."""

import pytest

from producers.net.fetch import Why
from tests import strangers as does
from tests.producers.net.fetches import RSS, failure, fetch
from tests.strangers import Strangers


def test_redirects_are_followed_and_what_was_permanent_all_the_way_is_said(strangers: Strangers) -> None:
    strangers.at("/b", does.redirect("c?x=1#part", 308))
    strangers.at("/c", does.fixed(RSS))

    response = fetch(strangers, does.redirect("/b", 301))

    assert response.url == response.moved_to == strangers.url + "/c?x=1"


@pytest.mark.parametrize("codes", [(302, 301), (301, 307), (303, 303)])
def test_a_redirect_that_is_temporary_moves_nothing(strangers: Strangers, codes: tuple[int, int]) -> None:
    strangers.at("/b", does.redirect("/c", codes[1]))
    strangers.at("/c", does.fixed(RSS))

    response = fetch(strangers, does.redirect("/b", codes[0]))

    assert (response.url, response.moved_to) == (strangers.url + "/c", None)


def test_a_moved_feed_that_has_not_changed_is_moved_all_the_same(strangers: Strangers) -> None:
    strangers.at("/b", does.conditional(RSS, etag='"1"'))

    response = fetch(strangers, does.redirect("/b", 301), etag='"1"')

    assert (response.status, response.moved_to) == (304, strangers.url + "/b")


def test_a_redirect_may_be_written_in_any_way(strangers: Strangers) -> None:
    strangers.at("/caf%C3%A9", does.fixed(RSS))

    response = fetch(strangers, does.raw("HTTP/1.1 302 Found\r\nLocation:  /x/../café \r\n\r\n".encode()))

    assert response.url == strangers.url + "/caf%C3%A9"


def test_a_cookie_is_not_carried_along(strangers: Strangers) -> None:
    strangers.at("/b", does.fixed(RSS))

    fetch(strangers, does.redirect("/b", 302, set_cookie="id=1; Path=/"))

    assert "cookie" not in strangers.asked("/b")[0].headers


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/it", "in a circle"),
        ("#again", "in a circle"),
        ("ftp://example.org/", "cannot be fetched"),
        ("http://user:secret@example.org/", "user name"),
        ("http://[::1/", "no address"),
        ("", "to nowhere"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_failure(strangers: Strangers, location: str, says: str) -> None:
    failed = failure(strangers, does.redirect(location))

    assert failed.why is Why.REDIRECTS
    assert says in failed.sentence
    assert "secret" not in failed.sentence


def test_redirects_without_end_end(strangers: Strangers) -> None:
    for number in range(20):
        strangers.at(f"/{number}", does.redirect(f"/{number + 1}", 301))

    failed = failure(strangers, does.redirect("/0"))

    assert failed.why is Why.REDIRECTS
    assert len(strangers.asked()) == 11
