"""Fixtures of all tests: where services come from stands in tests/fixtures/services.py."""

import os

import hypothesis

pytest_plugins = [
    "tests.fixtures.services",
    "tests.fixtures.database",
    "tests.fixtures.kafka",
    "tests.fixtures.shared",
    "tests.fixtures.strangers",
]

# CI looks at the same cases each time: what a laptop finds by chance becomes a case that is written down.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("laptop", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "laptop")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: what is packed may hold the time, and each worker must know the same tests."""
    return argname if isinstance(val, bytes) else None
