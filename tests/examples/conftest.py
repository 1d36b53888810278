"""Rows as the sink writes them, in a fresh database."""

from tests.sinks.conftest import connection, feed

__all__ = ["connection", "feed"]
