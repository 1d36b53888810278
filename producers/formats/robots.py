"""The bytes of a robots.txt -> what it allows one program, how slowly, and where its sitemaps are (RFC 9309)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protego import Protego

#: The rest of a longer one is no matter (RFC 9309 §2.5 wants at least so much to be read).
MAX_BYTES: Final = 500 * 1024
#: Who asks for a longer pause between two requests gets this one: news would be old.
MAX_CRAWL_DELAY_SECONDS: Final = 60.0
MAX_SITEMAPS: Final = 100
MAX_URL: Final = 8000

_AGENT_LINE: Final = re.compile(r"^([ \t]*user[ -]?agent[ \t]*[: \t][ \t]*)([^\r\n#]*)", re.IGNORECASE | re.MULTILINE)
_TOKEN: Final = re.compile(r"[a-z_-]+", re.IGNORECASE | re.ASCII)
#: No program has this name.
_OTHERS: Final = "_-_"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the program that asked."""

    crawl_delay_seconds: float | None
    sitemaps: tuple[str, ...]
    _allows: Callable[[str], bool]
    reason: str | None = None
    """Why nothing is allowed, where that is not the word of a robots.txt."""

    def allows(self, url: str) -> bool:
        """Whether this URL may be fetched."""
        return self._allows(url)


def parse(body: bytes, agent: str) -> Rules:
    """What a robots.txt says to a program whose User-Agent header is `agent`. Reads anything; nonsense allows all."""
    token = product_token(agent)
    text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
    # A hundred agents with the same rules are one to us. protego copies each rule to each agent of its group, which
    # takes minutes for half a megabyte that is made for it.
    parsed = Protego.parse(_AGENT_LINE.sub(lambda found: found[1] + _name(found[2], token), text))
    delay = parsed.crawl_delay(token)
    sitemaps = dict.fromkeys(url for url in parsed.sitemaps if len(url) <= MAX_URL)
    return Rules(
        crawl_delay_seconds=None if delay is None else min(delay, MAX_CRAWL_DELAY_SECONDS),
        sitemaps=tuple(sitemaps)[:MAX_SITEMAPS],
        _allows=lambda url: parsed.can_fetch(url, token),
    )


def product_token(agent: str) -> str:
    """The name by which a robots.txt speaks to this program: "news-pipeline" of "news-pipeline/0.1 (+…)"."""
    found = _TOKEN.match(agent)
    return found[0].lower() if found else "*"


def _name(stated: str, token: str) -> str:
    name = stated.strip().lower().replace("*", "") or "*"
    if name == "*" and "*" in stated:
        return "*"
    found = _TOKEN.match(name)  # "Bot/1.0" means Bot
    return token if found and found[0] == token else _OTHERS


ALLOW_ALL: Final = Rules(None, (), lambda _url: True)


def allow_nothing(reason: str) -> Rules:
    """No URL of this host, as its robots.txt could not be had."""
    return Rules(None, (), lambda _url: False, reason)
