"""Records in any order, and any of them again -> the same rows, on a real PostgreSQL."""

import itertools
import random
import re
from uuid import UUID

import pytest

from sinks import postgres
from sinks.database import Connection
from tests.sinks.samples import Feed, at, decided, decision
from tests.sinks.story import STORY
from tests.sinks.tables import clear, dump

pytestmark = pytest.mark.services


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_any_repetition_end_in_the_same_rows(connection: Connection, seed: int) -> None:
    postgres.write_batch(connection, Feed().incoming(*STORY))
    expected = dump(connection)
    assert len(expected["decisions"]) == 8
    assert len(expected["versions"]) == 6

    chance = random.Random(seed)
    for _ in range(4):
        clear(connection)
        feed = Feed()
        records = [*STORY, *chance.sample(STORY, 8)]
        chance.shuffle(records)
        while records:
            size = chance.randint(1, 6)
            batch, records = records[:size], records[size:]
            postgres.write_batch(connection, feed.incoming(*batch))
        assert dump(connection) == expected, f"seed {seed}"


def test_every_order_of_the_deliveries_of_one_moment_has_one_newest(connection: Connection) -> None:
    same_moment = [
        decided(decision("new", place=3, text=1, observed=0), 1),
        decided(decision("revision", place=9, text=2, observed=0), 2),
        decided(decision("revision", place=1, text=3, observed=0, log_id=UUID(int=5), decided_at=at(999)), 3),
    ]
    results = []
    for order in itertools.permutations(same_moment):
        clear(connection)
        feed = Feed()
        for record in order:
            postgres.write_batch(connection, feed.incoming(record))
        results.append(dump(connection))

    assert all(result == results[0] for result in results)
    assert '"title": "Title 3"' in results[0]["articles"][0]  # the later log by its time, though its offset is lower


def test_without_its_guard_the_newest_would_be_whatever_came_last(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the permutation test sees a missing guard."""
    from sinks import statements

    load = statements.load
    monkeypatch.setattr(
        statements,
        "load",
        lambda name: (
            re.sub(rb"WHERE\n.*(?=RETURNING)", b"", load(name), flags=re.DOTALL)
            if name == "upsert_articles"
            else load(name)
        ),
    )
    dumps = []
    for records in (STORY, tuple(reversed(STORY))):
        clear(connection)
        for record in Feed().incoming(*records):
            postgres.write_batch(connection, [record])
        dumps.append(dump(connection)["articles"])

    assert dumps[0] != dumps[1]
