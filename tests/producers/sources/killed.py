"""Poll a source in processes that end themselves at a point each, as a power cut would: PORT URL FOLDER POINT…

Prints the exit status of each. What each has left lies in FOLDER/POINT. They are forked from this one process, for to
import all anew takes longer than to poll.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from pipeline import crash
from pipeline.settings import FetchSettings
from producers.formats import feeds, pages
from producers.net.fetch import Fetcher
from producers.net.robots_of import Robots
from producers.sources.answers import Tools
from producers.sources.declared import Source
from producers.sources.scheduler import Scheduler
from producers.sources.state import SourceStore
from producers.spool import Spool


class Here:
    """Reads feeds and pages in this process."""

    feed = staticmethod(feeds.parse)
    page = staticmethod(pages.extract)


def main(port: str, url: str, folder: str, *points: str) -> None:
    for point in points:
        child = os.fork()
        if not child:
            os.environ[crash.VARIABLE] = point
            poll(Path(folder) / point, url, port)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201  data


def poll(folder: Path, url: str, port: str) -> None:
    settings = FetchSettings(allow_addresses="127.0.0.1/32", ports=port, host_delay_seconds=0.0)
    pool: Any = Here()
    stop = threading.Event()
    threading.Timer(30, stop.set).start()
    with Spool(folder, 1024**3) as spool, Fetcher(settings) as fetcher:
        tools = Tools(fetcher, Robots(fetcher, settings), pool, settings)
        Scheduler(spool, SourceStore(spool), tools, 1).run([Source("a", url)], stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
