"""The negative control: a worker with our settings whose agent lets its exception out, as an agent without guard would.

Run with the bootstrap servers and a data folder; ends when it is told to.
"""

import asyncio
import sys
from pathlib import Path

from pipeline import topics
from pipeline.settings import Settings
from processors import worker
from processors.continuity import Continuity


async def nothing_to_close() -> None:
    pass


def main(bootstrap_servers: str, data_dir: str) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    settings = Settings(data_dir=Path(data_dir))
    app = worker.app("unguarded", bootstrap_servers, settings)

    @app.agent(worker.raw_topic(app, topics.RAW), name="unguarded")
    async def unguarded(stream):  # type: ignore[no-untyped-def]
        async for _ in stream.take_events(200, within=0.02):
            raise ZeroDivisionError("a bug")

    worker.run(app, loop, settings, close=nothing_to_close, continuity=Continuity(topics.RAW, dict))


if __name__ == "__main__":
    main(*sys.argv[1:])
