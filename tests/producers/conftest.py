"""Strangers on the web, and the processes that read what they say."""

from collections.abc import Iterator

import pytest

from pipeline.settings import ExtractionSettings
from producers.extraction import ExtractionPool
from tests.strangers import Strangers


@pytest.fixture
def strangers() -> Iterator[Strangers]:
    with Strangers() as strangers:
        yield strangers


@pytest.fixture(scope="session")
def pool() -> Iterator[ExtractionPool]:
    """One process for all tests: to start one takes longer than to run them."""
    with ExtractionPool(ExtractionSettings(processes=1)) as pool:
        yield pool
