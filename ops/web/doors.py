"""Who asks: the key of a request, looked up anew each time, so that a revoked one is out at once."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ops.web.desk import Desk
from ops.web.problems import Problem
from producers.ingest.keys import ApiKey

_bearer = HTTPBearer(
    auto_error=False, scheme_name="Bearer", description="Authorization: Bearer KEY (`news keys create`)"
)
_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="X-API-Key", description="the same key")


def desk_of(request: Request) -> Desk:
    """Where articles are handed in."""
    desk: Desk = request.app.state.desk
    return desk


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    header: Annotated[str | None, Security(_header)],
) -> ApiKey:
    given = bearer.credentials if bearer is not None else header
    if not given:
        raise Problem("unauthorised", "A key is needed: Authorization: Bearer KEY, or X-API-Key: KEY.")
    key = await desk_of(request).whose(given)
    if key is None:
        raise Problem("unauthorised", "Nobody here has this key, or it was revoked.")
    return key


Caller = Annotated[ApiKey, Depends(_caller)]
AtDesk = Annotated[Desk, Depends(desk_of)]
