"""Ten thousand sources: what share of one core it takes to poll each of them within an hour.

    .venv/bin/python -m bench.poll --seconds 60

A web server in a process of its own answers under as many addresses (127.x.y.z, so that each is a host of its own).
All sources are known from earlier polls; a part of them is due within the time of the run, spread over it. Of each
four, two say 304, one gives its whole feed of old entries, one has a new entry at its top. robots.txt is off: a day's
answer is kept, so an hour has next to none.

CPU seconds are those of this process and of its extraction processes, once these are started; so many polls an hour as
there are sources take that, divided by the polls of the run, times the sources. The goal stands beside the result.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import psutil

from bench import feeds
from pipeline import metrics
from pipeline.settings import ExtractionSettings, FetchSettings
from producers.extraction import ExtractionPool
from producers.formats.entries import Feed
from producers.net.fetch import Fetcher
from producers.net.robots_of import Robots
from producers.sources.answers import Tools
from producers.sources.declared import Source
from producers.sources.scheduler import Scheduler
from producers.sources.state import SourceStore, Standing
from producers.spool import Spool

GOAL: Final = 0.6
HOUR: Final = 3600
SHAPES: Final = 4
#: Between the preparation and the first poll, and after the last one is due.
START_SECONDS: Final = 2
PATIENCE_SECONDS: Final = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=10_000)
    parser.add_argument("--polls", type=int, help="due within the run; else twice as many as in so much of an hour")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--entries", type=int, default=40, help="of each feed")
    parser.add_argument("--words", type=int, default=200, help="of each entry")
    arguments = parser.parse_args()
    polls = arguments.polls or round(2 * arguments.sources * arguments.seconds / HOUR)
    body = feeds.feed(0, arguments.entries, arguments.words)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, body), daemon=True)
    server.start()
    port = here.recv()
    settings = FetchSettings(allow_addresses="127.0.0.0/8", ports=str(port), robots=False)
    sources = [Source(f"s{n}", f"http://{address(n)}:{port}/{n % SHAPES}") for n in range(arguments.sources)]
    with (
        tempfile.TemporaryDirectory() as folder,
        ExtractionPool(ExtractionSettings()) as pool,
        Fetcher(settings) as get,
    ):
        known = pool.feed(body, url="https://0.example/", content_type=None, charset=None, now=datetime.now(UTC))
        with Spool(Path(folder), 8 * 1024**3) as spool:
            store = SourceStore(spool)
            prepare(spool, store, sources, known, polls, arguments.seconds)
        print(f"{len(sources):,} sources, feeds of {arguments.entries} entries and {len(body) / 1024:,.0f} KiB")
        with Spool(Path(folder), 8 * 1024**3) as spool:
            stop = threading.Event()
            threading.Timer(arguments.seconds + PATIENCE_SECONDS, stop.set).start()
            tools = Tools(get, Robots(get, settings), pool, settings)
            before = cpu_seconds(server.pid)
            memory = psutil.Process().memory_info().rss
            Scheduler(spool, SourceStore(spool), tools, 16).run(sources, stop)
            used = cpu_seconds(server.pid) - before
            memory = psutil.Process().memory_info().rss - memory
    server.terminate()
    outcomes = {
        sample.labels["outcome"]: int(sample.value)
        for sample in metrics.polls.collect()[0].samples
        if sample.name.endswith("_total")
    }
    done = sum(outcomes.values())
    share = used / done * arguments.sources / HOUR
    print(f"{done:,} of {polls:,} due polls in {arguments.seconds:.0f} s: {outcomes}")
    print(f"  {used / done * 1000:.1f} ms CPU a poll, all processes; memory grew by {memory / 1024**2:,.0f} MiB")
    print(f"  {arguments.sources:,} polls an hour keep one core {share:.0%} busy (goal <= {GOAL:.0%})")


def prepare(spool: Spool, store: SourceStore, sources: list[Source], known: Feed, polls: int, seconds: float) -> None:
    """As if all had been polled an hour ago; `polls` of them are due within the run."""
    spool.relax()  # nothing here must survive
    now = datetime.now(UTC)
    ago = now - timedelta(hours=1)
    store.take_up(sources, ago)
    for number, source in enumerate(sources):
        is_due = number < polls
        wait = seconds * number / polls if is_due else HOUR + number
        after = replace(
            Standing.of(source, ago),
            interval_seconds=3600.0,
            etag='"1"',
            next_poll_at=now + timedelta(seconds=wait + START_SECONDS),
            polled_at=ago,
            succeeded_at=ago,
            read_at=ago,
            entries=len(known.entries),
            pruned_at=now,
        )
        store.keep_poll(after, now=ago, seen=known.entries if is_due else ())


def address(number: int) -> str:
    """A host of its own."""
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


def serve(pipe: Connection, body: bytes) -> None:
    """The server: /0 and /1 have not changed, /2 has what it had, /3 a new entry each time."""
    head, mark, tail = body.partition(b"<item>")
    item = (mark + tail).split(b"<item>")[1]
    numbers = iter(range(10**9))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        shape = asked.split(b" ", 2)[1].strip(b"/")
        content = body
        if shape == b"3":
            content = head + b"<item>" + item.replace(b"0-0", b"new-%d" % next(numbers)) + b"<item>" + tail
        if shape in (b"0", b"1"):
            writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nConnection: close\r\n\r\n')
        else:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n" % len(content) + content
            )
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=1000)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def cpu_seconds(server_pid: int | None) -> float:
    """Of this process and its children but the server."""
    this = psutil.Process()
    processes = [this, *(child for child in this.children(recursive=True) if child.pid != server_pid)]
    times = [process.cpu_times() for process in processes]
    return float(sum(used.user + used.system for used in times))


if __name__ == "__main__":
    main()
