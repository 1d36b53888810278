"""The one place in processors where everything is caught: an unexpected error ends the process, acknowledging nothing.

Faust acknowledges an event when its agent raises (faust-streaming #189, #315), so nothing may leave an agent's body:
the process ends at once, before any `finally` can acknowledge, and the supervisor starts it again at the same place.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from pipeline import logs
from pipeline.errors import Exit, NewsError

log = logs.get(__name__)


def end_process(error: BaseException) -> NoReturn:
    """Log the error and leave without clean-up: 1 for a Stop that a person must see, 70 for a bug."""
    if isinstance(error, NewsError):
        log.critical("stopping", why=str(error))
        code = error.exit_code
    else:
        log.critical("a bug ends the process before anything is acknowledged", exc_info=error)
        code = Exit.BUG
    os._exit(code)


@contextmanager
def nothing_escapes() -> Iterator[None]:
    """Round the body of an agent, cancellation included: leaving it in any way but the end acknowledges a lie."""
    try:
        yield
    except BaseException as error:
        end_process(error)


def watched(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Run `work` beside the agents; when it fails the process ends, when it is cancelled nothing happens."""

    async def run() -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            end_process(error)

    return asyncio.get_running_loop().create_task(run(), name=name)
