"""What goes round every request: it is counted, its answer is safe in a browser, and an early refusal is heard."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ops.web.problems import KINDS, Problem
from pipeline import logs, metrics
from pipeline.topics import MIB

#: Nothing may load, run, embed or be sent anywhere; the one page has its style in it, named by its hash.
POLICY: Final = "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: What is read of a body that is not wanted, before the client is told so.
DRAINED_BYTES: Final = 64 * MIB
DRAINED_SECONDS: Final = 3.0
#: Nothing is under way when nothing came for so long.
SILENT_SECONDS: Final = 0.3

_log = logs.get(__name__)


class Edges:
    """Wraps the app."""

    def __init__(self, app: ASGIApp, style: str) -> None:
        self._app = app
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", POLICY.format(style=style).encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        body = _Body(scope, receive)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._headers]
                if status >= 400 and body.is_unread:
                    if status != KINDS["too-slow"].status:
                        await body.drain()
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, body.receive, sending)
        except Exception:  # a bug: nothing was answered, and so nothing accepted
            _log.exception("a request failed", method=scope["method"], route=_route(scope))
            if status:
                raise
            await Problem("bug", "It is in the log; nothing was accepted.").response()(scope, body.receive, sending)
        finally:
            metrics.http_requests.labels(
                route=_route(scope), status=f"{status // 100}xx" if status else "cut off"
            ).inc()


class _Body:
    """Watches how far the body was read.

    A socket that is closed with bytes unread is reset, and the client may never see the answer that it was sent: so
    what a client has under way is read and thrown away first. One that waits for `100 Continue` has nothing under way.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._receive = receive
        self._waits = headers.get(b"expect", b"").lower() == b"100-continue"
        self.is_unread = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"

    async def receive(self) -> Message:
        """The next piece."""
        message = await self._receive()
        self._waits = False
        if not message.get("more_body", False):
            self.is_unread = False
        return message

    async def drain(self) -> None:
        """Throw away what is under way, within limits."""
        if self._waits:
            return
        count = 0
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                while self.is_unread and count < DRAINED_BYTES:
                    message = await asyncio.wait_for(self.receive(), SILENT_SECONDS)
                    count += len(message.get("body", b""))
        except TimeoutError:
            return


def _route(scope: Scope) -> str:
    """The pattern of the address: a closed set, whatever is asked for."""
    route = scope.get("route")
    return str(route.path) if route is not None else "other"
