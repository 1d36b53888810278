"""One fetch from a stranger, and how it failed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from pipeline.settings import FetchSettings
from producers.net.fetch import Fetcher, FetchFailed, Request, Response
from producers.net.kinds import Accept
from tests.strangers import Behaviour, Strangers

RSS: Final = b"<?xml version='1.0'?><rss version='2.0'><channel><title>News</title></channel></rss>"
HTML: Final = b"<!doctype html><html><body><p>Text</p></body></html>"
#: A fetch that is to run into its deadline.
SHORT_SECONDS: Final = 0.25
#: What no fetch with the short deadline takes, even on a machine that is busy.
LONG_SECONDS: Final = 20.0


@contextmanager
def fetcher(strangers: Strangers, **changes: Any) -> Iterator[Fetcher]:
    with Fetcher(strangers.settings(**changes)) as made:
        yield made


def fetch(
    strangers: Strangers,
    behaviour: Behaviour,
    accept: Accept = "feed",
    *,
    etag: str | None = None,
    modified: str | None = None,
    **changes: Any,
) -> Response:
    url = strangers.at("/it", behaviour)
    with fetcher(strangers, **changes) as made:
        return made.get(Request(url, accept, etag, modified))


def failure(strangers: Strangers, behaviour: Behaviour, accept: Accept = "feed", **changes: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        fetch(strangers, behaviour, accept, **changes)
    return failed.value


def failure_at(url: str, **given: Any) -> FetchFailed:
    with Fetcher(FetchSettings(**given)) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(url, "feed"))
    return failed.value


def nobody(host: str, *_: object, **__: object) -> list[Any]:
    """A name server that knows no name."""
    host.encode("idna")  # what the real one does first
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
