"""Trying again: the one policy for services that are away."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import stamina

from pipeline import metrics, readiness
from pipeline.errors import Unavailable

Result = TypeVar("Result")


def forever(stage: str, work: Callable[[], Result]) -> Result:
    """Do `work` until it does not raise Unavailable: 0.1 s apart at first, 5 s at most, each try logged and counted.

    Meanwhile the stage says what it waits for (pipeline/readiness.py).
    """
    for attempt in attempts(stage):
        with attempt:
            return work()
    raise AssertionError("unreachable: the policy has no end")


def attempts(stage: str) -> "_Attempts":
    """The same policy for `async for attempt in …: with attempt: …`."""
    return _Attempts(stage)


class _Attempts:
    """One piece of work, tried until it succeeds; for one loop."""

    def __init__(self, stage: str) -> None:
        self._attempts: Any = None

        def counted(error: Exception) -> bool:
            if isinstance(error, Unavailable):
                metrics.retries.labels(stage=stage).inc()
                return True
            return False

        self._context: Any = stamina.retry_context(
            on=counted, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0, wait_jitter=0.2
        )

    def __iter__(self) -> Self:
        self._attempts = iter(self._context)
        return self

    def __next__(self) -> "_Attempt":
        try:
            return _Attempt(next(self._attempts), self)
        except BaseException:  # the end, or interrupted between two tries
            readiness.goes_on(self)
            raise

    def __aiter__(self) -> Self:
        self._attempts = aiter(self._context)
        return self

    async def __anext__(self) -> "_Attempt":
        try:
            return _Attempt(await anext(self._attempts), self)
        except BaseException:  # the end, or cancelled between two tries
            readiness.goes_on(self)
            raise


class _Attempt:
    def __init__(self, attempt: AbstractContextManager[Any], who: object) -> None:
        self._attempt = attempt
        self._who = who

    def __enter__(self) -> None:
        self._attempt.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if isinstance(error, Unavailable):
            readiness.waits(self._who, str(error))
        else:  # done, or it ends with another error
            readiness.goes_on(self._who)
        return self._attempt.__exit__(kind, error, trace)
