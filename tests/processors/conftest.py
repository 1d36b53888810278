from collections.abc import AsyncIterator

import pytest

from pipeline.settings import NlpSettings
from processors import child
from processors.pool import NlpPool
from tests.processors import poison

PROCESSES = 2
#: An article that hangs costs three times this much.
SECONDS_PER_ARTICLE = 2.0


@pytest.fixture
async def weak_pool(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NlpPool]:
    """A pool of two warm processes whose models have a weakness (tests/processors/poison.py)."""
    monkeypatch.setattr(child, "load_once", poison.load_once)
    pool = NlpPool(NlpSettings().model, PROCESSES, SECONDS_PER_ARTICLE)
    pool.start()
    await pool.is_warm()
    yield pool
    pool.close()
