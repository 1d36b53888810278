"""Fixtures of all tests: where services come from stands in tests/fixtures/."""

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.kafka"]
