"""What goes wrong in a request, as problem+json (RFC 9457): a type that programs know, and a sentence for people."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Route

from pipeline.errors import Unavailable

MEDIA_TYPE: Final = "application/problem+json"


class Kind(NamedTuple):
    """A kind of problem: its status, its title, and what the client should do. `/docs` lists them."""

    status: int
    title: str
    remedy: str


KINDS: Final[Mapping[str, Kind]] = {
    "broken-body": Kind(400, "The body cannot be read", "Mend the JSON, the encoding or the packing."),
    "bad-request": Kind(400, "The request cannot be read", "Mend what the detail names."),
    "unauthorised": Kind(401, "A key is needed", "Send a key of `news keys create` as `Authorization: Bearer KEY`."),
    "forbidden-source": Kind(403, "This key may not send for that source", "Name one of the key's sources, or none."),
    "not-found": Kind(404, "There is nothing here", "Look at the address; an article shows once it is stored."),
    "method-not-allowed": Kind(405, "This address does not take that method", "Use a method of the Allow header."),
    "too-slow": Kind(408, "The body came too slowly", "Send it again, in smaller parts on a slow line."),
    "in-progress": Kind(409, "The same request is being worked on", "Wait, then repeat it under the same key."),
    "too-large": Kind(413, "The request is too large", "Send it in parts, or as NDJSON."),
    "unsupported-media-type": Kind(
        415, "This content type is not read", "Send application/json or application/x-ndjson, plain or gzip."
    ),
    "refused": Kind(422, "No article was accepted", "Mend the fields that are named."),
    "other-request": Kind(422, "The Idempotency-Key came with another request", "Take a new key for a new request."),
    "busy": Kind(429, "Too much at once", "Repeat after the seconds of Retry-After, under the same Idempotency-Key."),
    "rate-limited": Kind(429, "The key has sent its articles for this minute", "Repeat after Retry-After."),
    "bug": Kind(500, "The server made a mistake", "It is in the log of `news run web`; nothing was accepted."),
    "not-acknowledged": Kind(
        503, "The broker has not acknowledged it yet", "It is safe on disk: repeat under the same Idempotency-Key."
    ),
    "unavailable": Kind(503, "A service is away", "Repeat after Retry-After."),
}


class Problem(Exception):
    """Ends a request with this answer."""

    def __init__(self, kind: str, detail: str, *, retry_after: float | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.members = members
        self.headers: dict[str, str] = {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        if kind == "unauthorised":
            self.headers["WWW-Authenticate"] = 'Bearer realm="news"'

    def as_json(self) -> dict[str, Any]:
        """The members of the answer."""
        kind = KINDS[self.kind]
        said = {"type": f"/docs#{self.kind}", "title": kind.title, "status": kind.status, "detail": self.detail}
        return said | self.members

    def response(self) -> Response:
        """The answer."""
        body = json.dumps(self.as_json(), ensure_ascii=False).encode("utf-8", "replace")
        return Response(body, KINDS[self.kind].status, self.headers, MEDIA_TYPE)


class ProblemShape(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="what went wrong, for programs: an anchor on /docs")
    title: str = Field(description="the same in words")
    status: int
    detail: str = Field(description="what is wrong with this very request")
    field: str | None = Field(None, description="the field of an article or the parameter that is to blame")
    reason: str | None = Field(None, description="why an article is refused: no-text, wrong-shape, too-large, …")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI is told of these problems."""
    return {
        status: {
            "description": " or ".join(kind.title for kind in KINDS.values() if kind.status == status) + ".",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def handle(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> Response:
        return Problem("unavailable", str(error), retry_after=5).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:])
        return Problem("bad-request", f"{name}: {first['msg']}.", field=name).response()

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Problem("too-slow", "The connection was cut off.").response()  # nobody hears it

    @app.exception_handler(HTTPException)
    async def of_framework(request: Request, error: HTTPException) -> Response:
        kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        said = f"{request.method} {request.url.path}: {KINDS[kind].title.lower()}."
        response = Problem(kind, said).response()
        if kind == "method-not-allowed":
            response.headers["Allow"] = ", ".join(_methods(request))  # the framework names those of one route only
        return response


def _methods(request: Request) -> list[str]:
    """What may be done with an address."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
