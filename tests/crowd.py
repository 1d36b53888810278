"""A crowd of strangers: one source for each way in which a server misbehaves, and some that behave.

`news run producers` polls them in tests/producers/test_crowd.py for seconds, in bench/soak.py for an hour.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import strangers as they
from tests.producers.sources.samples import html, item, rss
from tests.strangers import Asked, Behaviour, Strangers, Wire

SERVERS: Final = 5
#: Entries of the feed that has new ones at each poll; every seventh is only a teaser, whose page is fetched.
FRESH: Final = 5
EVERY_TEASER: Final = 7
TEXT: Final = "The harbour opens again after two winters. " * 40


@dataclass(frozen=True, slots=True)
class Crowd:
    """The servers, and the settings with which they may be asked."""

    servers: tuple[Strangers, ...]
    feeds: Path

    @property
    def variables(self) -> dict[str, str]:
        """NEWS_* of the process that polls them."""
        return {
            "NEWS_PRODUCERS__FEEDS": str(self.feeds),
            "NEWS_FETCH__ALLOW_ADDRESSES": "127.0.0.0/24",
            "NEWS_FETCH__PORTS": ",".join(str(server.port) for server in self.servers),
            "NEWS_FETCH__TIMEOUT_SECONDS": "1",
            "NEWS_FETCH__HOST_DELAY_SECONDS": "0.01",
            "NEWS_EXTRACTION__PROCESSES": "1",
        }


@contextmanager
def crowd(folder: Path) -> Iterator[Crowd]:
    """The crowd, with its feeds.toml in `folder`, every source of it polled each second."""
    with ExitStack() as stack:
        servers = tuple(stack.enter_context(Strangers(f"127.0.0.{n}")) for n in range(1, SERVERS + 1))
        page = servers[0].at("/page", they.page(html("The harbour opens again")))
        tables = []
        for (name, behaviour), server in zip(behaviours(page).items(), itertools.cycle(servers), strict=False):
            url = server.at(f"/{name}", behaviour)
            tables.append(
                f'[[source]]\nname = "{name}"\nurl = "{url}"\nmin_interval_seconds = 1\nmax_interval_seconds = 2\n'
            )
        feeds = folder / "feeds.toml"
        feeds.write_text("\n".join(tables), encoding="utf-8")
        yield Crowd(servers, feeds)


def behaviours(page: str) -> dict[str, Behaviour]:
    """What each of them does, by the name of its source; `page` is where teasers lead."""
    feed = rss(item("e1"), item("e2", day=2))
    return {
        "fresh": fresh(page),
        "same": they.fixed(feed),
        "conditional": they.conditional(feed, etag='"1"'),
        "unchanged-for-ever": they.unchanged_for_ever,
        "changing-etag": they.changing_etag(feed),
        "too-many": they.too_many(1),
        "server-error": they.status(500),
        "not-found": they.status(404),
        "gone": they.status(410),
        "cut-off": they.cut_off(feed, 300),
        "wrong-length": they.wrong_length(feed, 10),
        "reset": they.reset,
        "hangs-up": they.hang_up,
        "loop": they.redirect("/loop"),
        "to-another-address": they.redirect("http://127.1.1.1/"),
        "bomb": they.bomb("gzip", 50),
        "drips": they.drip_body(),
        "drips-headers": they.drip_headers(),
        "endless": they.endless(),
        "header-flood": they.header_flood(),
        "silent": they.silent,
        "a-page": they.page(html("No feed")),
        "rubbish": they.raw(b"\xff\x00\r\n\r\n"),
    }


def fresh(page: str) -> Behaviour:
    """A feed with new entries each time it is asked."""
    numbers: Iterator[int] = itertools.count(FRESH)

    def behave(asked: Asked, wire: Wire) -> None:
        last = next(numbers)
        items = [
            item(f"fresh-{n}", text="" if n % EVERY_TEASER == 0 else f"{n}. {TEXT}", link=f"{page}?{n}", day=1 + n % 28)
            for n in range(last, last - FRESH, -1)
        ]
        they.fixed(rss(*items))(asked, wire)

    return behave
