"""Feeds -> the spool (and Kafka): how many entries a second are read, made articles and kept.

    .venv/bin/python -m bench.feeds --feeds 200 --entries 100
    .venv/bin/python -m bench.feeds --kafka 127.0.0.1:9092          also until the broker has them

The feeds are made here and answered from memory, so that no network is measured; all else is as the scheduler does it:
reading in the extraction processes, what is known looked up, one transaction a feed. Prints the goal beside the result.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from pipeline.settings import ExtractionSettings, FetchSettings
from producers import run, sender
from producers.extraction import ExtractionPool
from producers.net.fetch import Request, Response
from producers.net.robots_of import Robots
from producers.sources.answers import Tools
from producers.sources.declared import Source
from producers.sources.one_off import OneOff
from producers.sources.scheduler import Scheduler
from producers.sources.state import SourceStore
from producers.spool import Spool

GOAL: Final = 2_000
SENTENCE: Final = (
    "The council of {place} said on day {day} that the {what} opens {number} weeks later than it was planned. "
)
PLACES: Final = ("Larvik", "Poznan", "Tartu", "Graz", "Vejle", "Turku", "Ghent", "Braga")
THINGS: Final = ("harbour", "bridge", "library", "tram line", "hospital", "school")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=200)
    parser.add_argument("--entries", type=int, default=100, help="of each feed")
    parser.add_argument("--words", type=int, default=300, help="of each entry")
    parser.add_argument("--kafka", help="bootstrap servers; without them up to the spool")
    arguments = parser.parse_args()
    feeds = {f"/{n}": feed(n, arguments.entries, arguments.words) for n in range(arguments.feeds)}
    size = sum(map(len, feeds.values())) / len(feeds)
    print(f"{len(feeds)} feeds of {arguments.entries} entries, {size / 1024:,.0f} KiB each")

    settings = FetchSettings(robots=False, host_delay_seconds=0)
    sources = [Source(path, f"https://{path[1:]}.example{path}", max_entries=arguments.entries) for path in feeds]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pool = stack.enter_context(ExtractionPool(ExtractionSettings()))
        fetcher: Any = Memory(feeds)
        tools = Tools(fetcher, Robots(fetcher, settings), pool, settings)
        poll(Path(folder) / "warm", sources[:4], tools)  # the processes are started
        spool = stack.enter_context(Spool(Path(folder) / "spool", 64 * 1024**3))
        if arguments.kafka:
            stack.enter_context(run.sending(spool, arguments.kafka))
        begun, used = time.perf_counter(), cpu_seconds()
        poll(Path(folder) / "spool", sources, tools)
        kept = time.perf_counter() - begun
        total = len(feeds) * arguments.entries
        print(f"into the spool: {total / kept:,.0f} entries/s (goal >= {GOAL:,})")
        if arguments.kafka:
            sender.wait_until_sent(spool, spool.held().last_seq, threading.Event(), 600)
            print(f"into Kafka:     {total / (time.perf_counter() - begun):,.0f} entries/s (goal >= {GOAL:,})")
        here, there = (after - before for after, before in zip(cpu_seconds(), used, strict=True))
        print(
            f"  CPU an entry: {here / total * 1e6:,.0f} us in this process, {there / total * 1e6:,.0f} us in those "
            f"that read; two idle cores could do {2 * total / (here + there):,.0f} entries/s at most"
        )


def poll(folder: Path, sources: Sequence[Source], tools: Tools) -> None:
    """Each source once."""
    with Spool(folder, 64 * 1024**3) as spool:
        Scheduler(spool, SourceStore(spool), tools, 16, one_off=OneOff(())).run(sources, threading.Event())


class Memory:
    """A fetcher that has been everywhere already."""

    def __init__(self, feeds: dict[str, bytes]) -> None:
        self._feeds = feeds

    def get(self, request: Request) -> Response:
        body = self._feeds[urlsplit(request.url).path]
        return Response(
            request.url, 200, body, "application/rss+xml", "utf-8", None, None, None, datetime.now(UTC), None
        )


def feed(number: int, entries: int, words: int) -> bytes:
    """RSS with the whole text of each entry."""
    items = []
    for n in range(entries):
        key = f"{number}-{n}"
        sentences = [
            SENTENCE.format(place=PLACES[(n + i) % 8], day=i, what=THINGS[(number + i) % 6], number=n + i)
            for i in range(words // 16)
        ]
        items.append(
            f"<item><guid isPermaLink='false'>{key}</guid><title>What {PLACES[n % 8]} decided on day {key}</title>"
            f"<link>https://{number}.example/{key}</link><pubDate>Sun, 01 Nov 2026 10:{n % 60:02d}:00 GMT</pubDate>"
            f"<category>{THINGS[n % 6]}</category><description>{sentences[0]}</description>"
            f"<content:encoded><![CDATA[<p>{'</p><p>'.join(sentences)}</p>]]></content:encoded></item>"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>Feed {number}</title><link>https://{number}.example/</link><language>en</language>{''.join(items)}"
        "</channel></rss>"
    ).encode()


def cpu_seconds() -> tuple[float, float]:
    """Of this process, and of its children."""
    this = psutil.Process()
    children = [child.cpu_times() for child in this.children(recursive=True)]
    own = this.cpu_times()
    return own.user + own.system, sum(used.user + used.system for used in children)


if __name__ == "__main__":
    main()
