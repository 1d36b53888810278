"""JSON lines -> articles.raw: how many articles a second, through the spool and as far as the broker's acknowledgement.

    make_articles.py 20000 --seed 9 > articles.jsonl        (of the baseline folder)
    .venv/bin/python -m bench.feed --articles articles.jsonl

Four figures in each round, in turn: reading into the spool alone; sending what the spool holds alone; both at once in
one process, as `news run producers` does it with its inbox; both in two, as `news feed` does it while that runs. The
broker is the embedded one, on the same cores. The goal is that of feeding: 5,000 articles/s.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from ops.embedded.kafka import EmbeddedKafka, user_cache_folder
from pipeline import broker, topics
from producers import feed, run, sender
from producers.spool import Spool

GOAL: Final = 5_000
SPOOL_BYTES: Final = 4 * 1024**3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kafka = EmbeddedKafka(folder / "kafka", user_cache_folder(os.environ), port=None)
        kafka.prepare(lambda _what, _done, _of: None)
        kafka.start()
        try:
            kafka.wait_ready()
            with broker.admin(kafka.bootstrap_servers) as admin:
                broker.apply(admin, topics.declared(7, 1), 4, 1)
            measure(arguments, folder, kafka.bootstrap_servers)
        finally:
            kafka.stop()


def measure(arguments: argparse.Namespace, folder: Path, bootstrap_servers: str) -> None:
    """Print the figures of each round, then the medians."""
    names = ("into the spool", "spool to Kafka", "both, one process", "both, two processes")
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(arguments.rounds):
        with Spool(folder / f"alone{number}", SPOOL_BYTES) as spool:
            found["into the spool"].append(per_second(lambda spool=spool: read(spool, arguments.articles)))
            found["spool to Kafka"].append(per_second(lambda spool=spool: send(spool, bootstrap_servers)))
        with Spool(folder / f"both{number}", SPOOL_BYTES) as spool, run.sending(spool, bootstrap_servers):
            found["both, one process"].append(per_second(lambda spool=spool: both(spool, arguments.articles)))
        with Spool(folder / f"two{number}", SPOOL_BYTES) as spool, sending_elsewhere(spool, bootstrap_servers):
            found["both, two processes"].append(per_second(lambda spool=spool: both(spool, arguments.articles)))
        print("  ".join(f"{name} {rates[-1]:,.0f}/s" for name, rates in found.items()), flush=True)
    for name, rates in found.items():
        goal = f"   goal {GOAL:,}" if name.startswith("both") else ""
        print(f"{name:<20} median {statistics.median(rates):8,.0f}/s   {min(rates):,.0f} - {max(rates):,.0f}{goal}")
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def per_second(work) -> float:  # type: ignore[no-untyped-def]
    """Articles a second of work that says how many it did."""
    begun = time.perf_counter()
    done: int = work()
    return done / (time.perf_counter() - begun)


@contextmanager
def sending_elsewhere(spool: Spool, bootstrap_servers: str) -> Iterator[None]:
    """A process that sends, as that of `news run producers` does, which then has the lock."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=send_until_closed, args=(spool.folder, bootstrap_servers, theirs), daemon=True)
    process.start()
    theirs.close()
    ours.recv()
    yield
    ours.close()
    process.join()


def send_until_closed(folder: Path, bootstrap_servers: str, connection: Connection) -> None:
    """What that process does."""
    stop = threading.Event()
    connection.send("ready")

    def wait() -> None:
        connection.poll(None)  # until the other end is closed
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    with Spool(folder, SPOOL_BYTES) as spool:
        sender.Sender(spool, bootstrap_servers).run(stop)


def read(spool: Spool, path: Path) -> int:
    """Into the spool."""
    return feed.feed_once([path], "jsonl", None, spool, only_changed=False).accepted


def send(spool: Spool, bootstrap_servers: str) -> int:
    """Out of it."""
    records = spool.held().records
    run.drain(spool, bootstrap_servers, threading.Event())
    return records


def both(spool: Spool, path: Path) -> int:
    """As `news feed` does it."""
    accepted = read(spool, path)
    sender.wait_until_sent(spool, spool.held().last_seq, threading.Event(), None)
    return accepted


if __name__ == "__main__":
    main()
