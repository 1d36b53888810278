"""/healthz, /readyz and /metrics: for whoever watches. They need no key and say nothing of articles."""

from typing import Any

import prometheus_client
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from ops.web.doors import AtDesk

router = APIRouter()


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> dict[str, str]:
    """Always 200: the process answers."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Whether articles can be handed in",
    responses={503: {"description": "Not ready; `problems` says what is wrong.", "content": {"application/json": {}}}},
)
async def readyz(desk: AtDesk) -> Response:
    """200: the spool can be written and the broker answers. 503: `problems` names what does not, and says why."""
    found = await desk.findings()
    said: dict[str, Any] = {"status": "not ready" if found else "ready", "problems": found}
    return JSONResponse(said, 503 if found else 200)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics() -> Response:
    """Counters and gauges of this process."""
    return Response(prometheus_client.generate_latest(), media_type="text/plain; version=0.0.4")
