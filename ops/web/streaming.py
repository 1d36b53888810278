"""NDJSON without end: lines become rows piece by piece, and are answered in order as the broker has them.

Memory holds a few pieces, however long the stream is: it is read on only when the oldest piece is acknowledged.
A client that sends all before it reads would wait for us while we wait for it, were each line answered at once. So
the answer is a summary at the end, unless the client says by `Accept` that it reads while it sends.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ops.web.desk import Desk
from ops.web.incoming import Incoming
from ops.web.problems import Problem
from pipeline import metrics
from producers.ingest.articles import Accepted, Refused
from producers.ingest.bodies import Line, LineCutter
from producers.ingest.intake import Kept
from producers.ingest.keys import ApiKey

JSON_LINES: Final = "application/x-ndjson"
#: Pieces that are on disk and not yet acknowledged: reading goes on meanwhile.
PIECES_AHEAD: Final = 8
#: A piece is one transaction.
MAX_LINES: Final = 1000
#: Refusals that a summary names; all are counted.
MAX_REFUSALS: Final = 1000
#: How often a stream that has to wait looks again.
LOOK_SECONDS: Final = 0.2
#: A client that does not read its results for so long is cut off: it would hold up the reading for ever.
SEND_SECONDS: Final = 30

Results = list[tuple[Line, Accepted | Refused]]
_Piece = tuple[Results, Kept | None]


class Stream:
    """One stream of one key."""

    def __init__(self, incoming: Incoming, key: ApiKey, desk: Desk) -> None:
        self._incoming = incoming
        self._key = key
        self._desk = desk
        self._accepted = self._refused = self._lines = 0
        self._refusals: list[dict[str, Any]] = []

    async def summary(self) -> Response:
        """Take it to its end; 202 with what became of it. Raises Problem, which says how far it came."""
        try:
            async with aclosing(self._acknowledged()) as pieces:
                async for results in pieces:
                    for line, result in results:
                        if isinstance(result, Refused) and len(self._refusals) < MAX_REFUSALS:
                            self._refusals.append(_line(line, result))
        except Problem as problem:
            problem.members |= self._so_far()
            raise
        if not self._accepted:
            said = "No line could be accepted." if self._refused else "The stream has no article."
            raise Problem("refused", said, **self._so_far())
        body = json.dumps(self._so_far(), ensure_ascii=False).encode("utf-8", "replace")
        return Response(body, 202, media_type="application/json")

    async def results(self) -> AsyncGenerator[bytes]:
        """A line for each line, in order; what ends the stream early is the last one. Raises Problem before any."""
        try:
            async with aclosing(self._acknowledged()) as pieces:
                async for results in pieces:
                    yield b"".join(_encoded(_line(line, result)) for line, result in results)
        except Problem as problem:
            if not self._lines:
                raise
            yield _encoded({"status": "problem", "problem": problem.as_json()})
            return
        if not self._lines:
            raise Problem("refused", "The stream has no article.", **self._so_far())

    def _so_far(self) -> dict[str, Any]:
        return {
            "accepted": self._accepted,
            "refused": self._refused,
            "lines": self._lines,
            "refusals": self._refusals,
        }

    async def _acknowledged(self) -> AsyncGenerator[Results]:
        """What was read and, where it was accepted, is acknowledged; before a problem all that was kept until then."""
        kept: asyncio.Queue[_Piece | Exception | None] = asyncio.Queue(PIECES_AHEAD)
        with self._desk.request():
            reading = asyncio.create_task(self._read(kept))
            try:
                while (piece := await kept.get()) is not None:
                    if isinstance(piece, Exception):
                        raise piece
                    yield await self._awaited(*piece)
            finally:
                reading.cancel()

    async def _read(self, kept: "asyncio.Queue[_Piece | Exception | None]") -> None:
        """Read and keep on beside what waits for the broker; the last thing is how it ended."""
        try:
            async for lines in self._pieces():
                await kept.put(await self._kept(lines))
        except Exception as error:  # whatever it is, it is raised where the pieces are taken
            await kept.put(error)
        else:
            await kept.put(None)

    async def _awaited(self, results: Results, kept: Kept | None) -> Results:
        if kept is not None and not await self._desk.is_acknowledged(kept):
            raise Problem(
                "not-acknowledged",
                f"The broker did not acknowledge within {self._desk.settings.acknowledge_seconds:.0f} s. All that was "
                "read is safe on disk and is sent as soon as it answers. Go on behind the lines that are answered: "
                "what comes twice is recognised.",
                retry_after=10,
            )
        accepted = sum(isinstance(result, Accepted) for _, result in results)
        self._accepted += accepted
        self._refused += len(results) - accepted
        self._lines = results[-1][0].number
        return results

    async def _kept(self, lines: Sequence[Line]) -> _Piece:
        results = await self._desk.read([line.text for line in lines], self._key)
        rows = [result.row for result in results if isinstance(result, Accepted)]
        metrics.http_articles.labels(result="refused").inc(len(results) - len(rows))
        if not rows:
            return list(zip(lines, results, strict=True)), None
        await self._let_through(len(rows))
        kept = await self._desk.keep(rows)
        metrics.http_articles.labels(result="accepted").inc(len(rows))
        return list(zip(lines, results, strict=True)), kept

    async def _let_through(self, count: int) -> None:
        """Wait for what the key may send, and for room in the spool: a stream is slowed down, not refused."""
        while (wait := self._desk.quota(self._key, count)) is not None:
            self._desk.require_open()
            await asyncio.sleep(min(wait, LOOK_SECONDS))
        try:
            async with asyncio.timeout(self._desk.settings.acknowledge_seconds):
                while not self._desk.has_room:
                    self._desk.require_open()
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            self._desk.require_room()

    async def _pieces(self) -> AsyncIterator[Sequence[Line]]:
        """Lines as they come, no more than a few at once. Raises Problem `too-slow` where one takes too long."""
        cutter = LineCutter()
        most = min(MAX_LINES, self._key.per_minute or MAX_LINES)
        loop = asyncio.get_running_loop()
        whole_at = loop.time()
        async for piece in self._incoming.pieces():
            self._desk.require_open()
            lines = cutter.cut(piece)
            for start in range(0, len(lines), most):
                yield lines[start : start + most]
            if lines or not cutter.is_inside:
                whole_at = loop.time()
            elif loop.time() - whole_at > self._desk.settings.body_seconds:
                raise Problem("too-slow", f"A line was not complete after {self._desk.settings.body_seconds:.0f} s.")
        if last := cutter.end():
            yield last


def _line(line: Line, result: Accepted | Refused) -> dict[str, Any]:
    return {"line": line.number, **result.as_json()}


def _encoded(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class StreamedAnswer(Response):
    """Lines that are sent while the request is still being read.

    Starlette's own listens for the client's going away in the very stream that the lines come from, and takes them.
    """

    media_type = JSON_LINES

    def __init__(self, lines: AsyncGenerator[bytes]) -> None:
        super().__init__(status_code=202)
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them. A Problem that comes before the first one is the answer; one who does not read is cut off."""
        is_started = False
        try:
            async for lines in self._lines:
                if not is_started:
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                    is_started = True
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": lines, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (ClientDisconnect, TimeoutError):
            if not is_started:
                raise
        finally:
            await self._lines.aclose()
