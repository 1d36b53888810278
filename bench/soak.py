"""`news run producers` among strangers of every kind, for as long as you wait: its memory, descriptors and threads.

    .venv/bin/python -m bench.soak --minutes 60

Twenty-three sources, each polled every second or two (tests/crowd.py): feeds with news at every poll, feeds that never
answer, bombs, loops, floods. The broker is away, so that what is delivered stays in the spool. One line a minute.
"""

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil

from tests import crowd
from tests.producers.test_crowd import MIB, producers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    minutes: int = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name, crowd.crowd(Path(name)) as strangers:
        folder = Path(name)
        with producers(folder, strangers.variables) as process:
            watched = psutil.Process(process.pid)
            for minute in range(1, minutes + 1):
                time.sleep(60)
                asked = sum(server.forget() for server in strangers.servers)
                with closing(sqlite3.connect(folder / "data" / "spool" / "spool.sqlite")) as connection:
                    (delivered,) = connection.execute(
                        "SELECT count(*) FROM records WHERE topic = 'articles.raw'"
                    ).fetchone()
                print(
                    f"{minute:3d} min  memory {watched.memory_info().rss / MIB:6.1f} MiB  "
                    f"descriptors {watched.num_fds():3d}  threads {watched.num_threads():3d}  "
                    f"requests {asked:5d}  delivered {delivered:6d}",
                    flush=True,
                )
        said = (folder / "log").read_text(encoding="utf-8")
        print(f"tracebacks in its log: {said.count('Traceback')}")


if __name__ == "__main__":
    main()
