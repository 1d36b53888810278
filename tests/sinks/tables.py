"""The tables of the sink: all that they hold, as text to be compared; and emptied."""

from sinks.database import Connection
from tests.sinks.samples import as_owner

TABLES = (
    "decisions",
    "articles",
    "versions",
    "entity_register",
    "entities",
    "mentions",
    "search",
    "dead_letters",
    "sources",
)


def dump(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table as text, in a fixed order; times of writing and places in Kafka left out."""

    def rows(table: str) -> list[str]:
        left_out = "{ingested_at,failed_at,worker,told}"
        query = f"SELECT (to_jsonb(t) - '{left_out}'::text[])::text FROM ingest.{table} t ORDER BY 1"
        return [row[0] for row in connection.execute(query).fetchall()]

    return {table: rows(table) for table in TABLES}


def clear(connection: Connection) -> None:
    as_owner(connection, f"TRUNCATE {', '.join('ingest.' + table for table in (*TABLES, 'positions', 'changes'))}")
    connection.execute("UPDATE ingest.change_counter SET last = 0")
