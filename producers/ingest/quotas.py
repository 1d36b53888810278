"""How many articles each key may send in a minute: a moving window in memory, which a restart forgets."""

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

#: What is asked for again sooner would only be refused again.
LEAST_WAIT_SECONDS: Final = 0.1


class Quotas:
    """Counts; one thread uses it."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, key_id: str, per_minute: int | None, count: int) -> float | None:
        """Count `count` articles (no more than the limit); None, or in how many seconds to ask again."""
        if per_minute is None or count == 0:
            return None
        item = RateLimitItemPerMinute(per_minute)
        if self._limiter.hit(item, key_id, cost=min(count, per_minute)):
            return None
        reset = self._limiter.get_window_stats(item, key_id).reset_time
        wait = reset - time.time()
        return max(LEAST_WAIT_SECONDS, wait) if math.isfinite(wait) else 60.0
