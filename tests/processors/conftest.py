from collections.abc import AsyncIterator

import pytest

from pipeline.settings import NlpSettings
from processors.pool import NlpPool
from tests.processors import poison

PROCESSES = 2
#: An article that hangs costs twice this much.
SECONDS_PER_ARTICLE = 2.0


@pytest.fixture
async def weak_pool() -> AsyncIterator[NlpPool]:
    """A pool of two warm processes whose models have a weakness (tests/processors/poison.py)."""
    pool = NlpPool(NlpSettings(processes=PROCESSES, seconds_per_article=SECONDS_PER_ARTICLE), poison.load)
    pool.start()
    await pool.is_warm()
    yield pool
    pool.close()
