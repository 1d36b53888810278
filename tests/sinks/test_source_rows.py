"""States of sources -> how each is polled, beside what it delivered, on a real PostgreSQL."""

import itertools
from typing import Any

import psycopg
import pytest

from sinks import postgres
from sinks.database import Connection
from tests.sinks.samples import Feed, as_owner, at, decided, source_state
from tests.sinks.story import COPY, NEW

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]


def test_a_source_is_shown_with_what_it_delivered_and_how_it_is_polled(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection,
        feed.incoming(
            decided(NEW, 1),
            decided(COPY, 6, with_body=True),
            source_state("wire", 9, state="failing", why="timeout", reason="Too slow.", failures=3, known_share=0.5),
            source_state("never", 9, alarm="empty", alarm_since=at(2), entries=0, expected_gap_seconds=21600),
        ),
    )

    columns = "source, deliveries, copies, first_seen_at, state, why, failures, known_share, alarm, alarm_since"
    rows = reader.execute(f"SELECT {columns} FROM news.sources ORDER BY 1").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("never", 0, 0, None, "ok", None, 0, None, "empty", at(2)),
        ("site", 1, 1, at(5), None, None, None, None, None, None),
        ("wire", 1, 0, at(0), "failing", "timeout", 3, 0.5, None, None),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])), ids=str)
def test_what_was_said_last_of_a_source_counts_in_whatever_order_it_comes(
    connection: Connection, reader: Reader, order: tuple[int, ...]
) -> None:
    said = [source_state("wire", minute, entries=minute) for minute in order]
    together = Feed().incoming(*said)
    postgres.write_batch(connection, together)
    first = reader.execute("SELECT entries FROM news.sources").fetchall()
    as_owner(connection, "TRUNCATE ingest.sources, ingest.positions")
    for record in together:
        postgres.write_batch(connection, [record])

    assert first == reader.execute("SELECT entries FROM news.sources").fetchall() == [{"entries": 3}]
