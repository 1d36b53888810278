"""A topic of flat articles -> rows of one flat table, in three ways, each as a process of its own that never ends.

    python -m bench.sinks.flat ours|executemany|rows --kafka HOST:PORT --database URL --topic NAME --table NAME

`ours` is the sink's way: what a poll brings is one transaction, one statement over arrays, the place in Kafka with it.
The rivals do what most tutorials do: a statement and a commit for each article, or `executemany` and a commit for each
poll; their place is Kafka's, committed afterwards, so that a crash in between writes again (which their key allows).
"""

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import psycopg
from kafka import KafkaConsumer, TopicPartition

from pipeline import broker
from sinks import database, run

COLUMNS: Final = ("id", "source", "url", "title", "text", "published_at", "sentiment")
TYPES: Final = ("uuid", "text", "text", "text", "text", "timestamptz", "double precision")
Rows = list[dict[str, Any]]
Way = Callable[[psycopg.Connection[Any], str, Rows, str, int], None]

TABLE: Final = """
CREATE TABLE {table} (
    id uuid PRIMARY KEY, source text NOT NULL, url text, title text NOT NULL, text text NOT NULL,
    published_at timestamptz, sentiment double precision
);
CREATE TABLE IF NOT EXISTS places (topic text PRIMARY KEY, next_offset bigint NOT NULL)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("ours", "executemany", "rows"))
    for name in ("kafka", "database", "topic", "table"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    partition = TopicPartition(given.topic, 0)
    consumer = broker.consumer(given.kafka, group_id=f"bench.{given.table}", max_poll_records=run.MAX_RECORDS)
    with closing(consumer), closing(database.connect(given.database, 30)) as connection:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        forever(consumer, WAYS[given.way], connection, given.table)


def forever(consumer: KafkaConsumer, write: Way, connection: psycopg.Connection[Any], table: str) -> None:
    """Poll and write; all three take what a poll brings and read it in the same way."""
    while True:
        for partition, records in consumer.poll(run.POLL_TIMEOUT_MS).items():
            found = [json.loads(record.value)["payload"] for record in records]
            write(connection, table, found, partition.topic, records[-1].offset + 1)
            consumer.commit_async()


def ours(connection: psycopg.Connection[Any], table: str, found: Rows, topic: str, next_offset: int) -> None:
    """One transaction: the lock on the place, all rows by one statement over arrays, the place behind them."""
    arrays = {name: [row[name] for row in found] for name in COLUMNS}
    unnest = ", ".join(f"%({name})s::{kind}[]" for name, kind in zip(COLUMNS, TYPES, strict=True))
    with connection.transaction():
        connection.execute("INSERT INTO places VALUES (%s, 0) ON CONFLICT DO NOTHING", [topic])
        connection.execute("SELECT next_offset FROM places WHERE topic = %s FOR UPDATE", [topic])
        connection.execute(f"INSERT INTO {table} SELECT * FROM unnest({unnest}) ON CONFLICT (id) DO NOTHING", arrays)
        connection.execute("UPDATE places SET next_offset = %s WHERE topic = %s", [next_offset, topic])


def _insert(table: str) -> str:
    values = ", ".join(f"%({name})s" for name in COLUMNS)
    return f"INSERT INTO {table} VALUES ({values}) ON CONFLICT (id) DO NOTHING"


def executemany(connection: psycopg.Connection[Any], table: str, found: Rows, _: str, __: int) -> None:
    """One transaction for each poll; psycopg sends the statements in a pipeline."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_insert(table), found)


def rows(connection: psycopg.Connection[Any], table: str, found: Rows, _: str, __: int) -> None:
    """One transaction for each article."""
    insert = _insert(table)
    for row in found:
        connection.execute(insert, row)


WAYS: Final[dict[str, Way]] = {"ours": ours, "executemany": executemany, "rows": rows}

if __name__ == "__main__":
    main()
