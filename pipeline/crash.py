"""A testing hook: end the process at a named point, as a power cut would. Does nothing unless a test asks for it."""

import os
from collections import Counter
from typing import Final

VARIABLE: Final = "NEWS_TEST_CRASH_AT"

_passed: Counter[str] = Counter()


def at(point: str) -> None:
    """End this process (exit code 70, no clean-up) when NEWS_TEST_CRASH_AT is `point`, or `point:N` the N-th time."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, times = wanted.partition(":")
    if name == point:
        _passed[point] += 1
        if _passed[point] == int(times or 1):
            os._exit(70)
