"""A batch is one transaction with its places in Kafka, on a real PostgreSQL."""

import psycopg
import pytest

from sinks import postgres
from sinks.database import Connection
from tests.sinks.samples import Feed, as_owner, decided, source_state
from tests.sinks.story import NEW, STORY
from tests.sinks.tables import dump

pytestmark = pytest.mark.services


def test_records_below_the_stored_position_are_left_out(connection: Connection, feed: Feed) -> None:
    batch = feed.incoming(*STORY)
    first = postgres.write_batch(connection, batch)
    before = dump(connection)

    again = postgres.write_batch(connection, batch)

    assert first.records == len(STORY)
    assert again.records == 0
    assert dump(connection) == before


def test_a_database_that_was_put_back_is_noticed(connection: Connection, feed: Feed) -> None:
    batch = feed.incoming(decided(NEW, 1))
    place = batch[0].place

    with pytest.raises(postgres.PositionMoved):
        postgres.write_batch(connection, batch, {place: 5})

    assert dump(connection)["decisions"] == []


def test_an_error_that_is_no_records_doing_undoes_all(connection: Connection, feed: Feed) -> None:
    as_owner(connection, "ALTER TABLE ingest.mentions RENAME COLUMN raw_end TO other")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        postgres.write_batch(connection, feed.incoming(*STORY))

    assert connection.execute("SELECT count(*) FROM ingest.positions").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM ingest.dead_letters").fetchone() == (0,)


def test_a_log_of_states_may_have_gaps(connection: Connection, feed: Feed) -> None:
    first, _, third = feed.incoming(*(source_state("wire", minute) for minute in (1, 2, 3)))
    postgres.write_batch(connection, [first])

    written = postgres.write_batch(connection, [third], {third.place: 1})

    assert written.positions == {third.place: 3}
