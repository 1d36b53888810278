"""Trying again: the one policy for services that are away."""

from collections.abc import Callable
from typing import Any, TypeVar

import stamina

from pipeline import metrics
from pipeline.errors import Unavailable

Result = TypeVar("Result")


def _policy(stage: str) -> dict[str, Any]:
    def counted(error: Exception) -> bool:
        if isinstance(error, Unavailable):
            metrics.retries.labels(stage=stage).inc()
            return True
        return False

    return {"on": counted, "attempts": None, "timeout": None, "wait_initial": 0.1, "wait_max": 5.0, "wait_jitter": 0.2}


def forever(stage: str, work: Callable[[], Result]) -> Result:
    """Do `work` until it does not raise Unavailable: 0.1 s apart at first, 5 s at most, each try logged and counted."""
    for attempt in stamina.retry_context(**_policy(stage)):
        with attempt:
            return work()
    raise AssertionError("unreachable: the policy has no end")


def attempts(stage: str) -> Any:
    """The same policy for `async for attempt in …: with attempt: …`."""
    return stamina.retry_context(**_policy(stage))
