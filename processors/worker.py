"""A Faust app with the settings that keep its promises, and the worker that runs it in the foreground."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, NoReturn

import faust

from pipeline import backoff, broker, logs, readiness
from pipeline.errors import Exit
from pipeline.settings import Settings
from pipeline.topics import KIB, MAX_RECORD_BYTES
from processors import guard
from processors.continuity import Continuity
from processors.watchdog import Watchdog


def app(stage: str, bootstrap_servers: str, settings: Settings) -> faust.App:
    """The app of one stage: its id is the consumer group, `news.<stage>`.

    Each setting answers a trap that was reproduced; the reasons stand in docs/decisions/0003-faust-settings.md.
    """
    datadir = settings.data_dir / "faust" / stage
    datadir.mkdir(parents=True, exist_ok=True)  # Faust makes the last folder only
    return faust.App(
        f"news.{stage}",
        broker="kafka://" + bootstrap_servers.replace(",", ";kafka://"),
        datadir=str(datadir),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        stream_wait_empty=True,
        stream_buffer_maxsize=512,
        broker_commit_interval=1.0,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_rebalance_timeout=30.0,
        broker_request_timeout=40.0,
        broker_max_poll_interval=timedelta(days=7).total_seconds(),
        consumer_max_fetch_size=MAX_RECORD_BYTES + 64 * KIB,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        worker_redirect_stdouts=False,
        logging_config=logs.config(settings.log.level),
    )


def raw_topic(faust_app: faust.App, name: str) -> Any:
    """A topic of bytes: a decode error inside Faust stalls an agent without a word, so each step decodes by itself."""
    return faust_app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def committed(faust_app: faust.App, bootstrap_servers: str) -> broker.Offsets:
    """What the app's consumer group has committed; waits while the broker is away."""

    def ask() -> broker.Offsets:
        with broker.admin(bootstrap_servers) as client:
            return broker.committed_offsets(client, str(faust_app.conf.id))

    return backoff.forever("continuity", ask)


async def _at_once() -> None:
    """Ready as soon as the group has given it partitions."""


def run(
    faust_app: faust.App,
    loop: asyncio.AbstractEventLoop,
    settings: Settings,
    *,
    close: Callable[[], Awaitable[None]],
    continuity: Continuity,
    is_ready: Callable[[], Coroutine[Any, Any, None]] = _at_once,
) -> NoReturn:
    """Run until SIGTERM or SIGINT: the batch in work is finished and acknowledged, then `close` is awaited.

    The stage says that it is ready when it has its place in the group and `is_ready` has come back.
    """
    began = time.monotonic()

    async def on_before_shutdown(*_: object, **__: object) -> None:
        await close()

    async def say_ready() -> None:
        await is_ready()
        readiness.mark()
        logs.get(__name__).info("ready", seconds=round(time.monotonic() - began, 1))

    async def on_partitions_assigned(*_: object, **__: object) -> None:
        continuity.forget()
        if not saying:
            saying.append(guard.watched(say_ready(), "ready"))

    saying: list[asyncio.Task[None]] = []
    faust_app.on_partitions_assigned.connect(on_partitions_assigned, weak=False)
    # Sent when the consumer has nothing in work any more (faust App.on_stop).
    faust_app.on_before_shutdown.connect(on_before_shutdown, weak=False)
    Watchdog(faust_app, loop).start()
    worker = faust.Worker(
        faust_app,
        loop=loop,
        loglevel=settings.log.level,
        logging_config=logs.config(settings.log.level),
        redirect_stdouts=False,
        quiet=True,
    )
    worker.execute_from_commandline()
    raise SystemExit(Exit.OK)  # the line above does not come back either
