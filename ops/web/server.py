"""`news run web`: the app under uvicorn, until SIGTERM; requests in flight are finished."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import uvicorn

from ops.web import app, desk, reader
from ops.web.protocol import Protocol
from pipeline import logs, readiness
from pipeline.errors import SettingError
from pipeline.settings import Settings
from producers.run import open_spool

DEFAULT_PORT: Final = 8080
KEEP_ALIVE_SECONDS: Final = 20
#: Shorter than what the supervisor gives a stage to end.
LAST_REQUESTS_SECONDS: Final = 15
MAX_CONNECTIONS: Final = 1000

_log = logs.get(__name__)


class _Server(uvicorn.Server):
    """Ends when `stop` is set: the signals belong to who called us."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        readiness.mark()

    async def on_tick(self, counter: int) -> bool:
        return self._stop.is_set() or await super().on_tick(counter)


def run(settings: Settings, bootstrap_servers: str, database_url: str | None, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises SettingError where the port is taken, and what ended a thread."""
    with ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(listen(settings)))
        spool = stack.enter_context(open_spool(settings))
        asking = stack.enter_context(reader.opened(database_url, settings.web.query_seconds))
        at = stack.enter_context(desk.opened(settings, spool, bootstrap_servers, stop))
        config = uvicorn.Config(
            app.build(at, asking),
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=LAST_REQUESTS_SECONDS,
        )
        host, port = listener.getsockname()[:2]
        _log.info("the HTTP API listens", host=host, port=port)
        asyncio.run(_Server(config, stop).serve([listener]))


def listen(settings: Settings) -> socket.socket:
    """The socket that the settings name."""
    host, port = settings.web.host, settings.web.port or DEFAULT_PORT
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise SettingError(
            f"NEWS_WEB__HOST, NEWS_WEB__PORT: nothing can listen at {host}:{port}: {error.strerror}."
        ) from error
