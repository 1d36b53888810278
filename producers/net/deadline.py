"""One moment by which all of a fetch is over, however many steps it takes."""

import time
from typing import Self


class Deadline:
    """A moment of the monotonic clock."""

    def __init__(self, at: float) -> None:
        self._at = at

    @classmethod
    def after(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until then, more than 0. Raises TimeoutError when it is over."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
