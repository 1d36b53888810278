"""The SQL in sql/*.sql by file name."""

from functools import cache
from importlib import resources


@cache
def load(name: str) -> bytes:
    """The statement in sql/`name`.sql, as psycopg takes it from a trusted place."""
    return (resources.files("sinks") / "sql" / f"{name}.sql").read_bytes()
