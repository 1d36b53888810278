"""However the partitions of the topics are read, and however often, the same rows are left and the same is told."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from pipeline.records import DecidedArticle, EnrichedArticle, Record, Withdrawal
from sinks import postgres
from sinks.database import Connection
from sinks.rows import Incoming
from tests.sinks.samples import (
    Feed,
    article,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    version,
    word,
)
from tests.sinks.tables import clear, dump

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

WEEK = 7 * 24 * 60
NAMES = ("Ada", "Bob", "Cleo", "Dora", "Eve")


def stories() -> list[Record]:
    """Six articles, each with a revision, some with a copy, an unchanged delivery, a redelivery, another enrichment."""
    records: list[Record] = []
    for n in range(1, 7):
        place = 10 * n
        new = decision("new", place=place, of_article=n, text=place, observed=n)
        revision = decision("revision", place=place + 1, of_article=n, text=place + 1, observed=n + 10, of=article(n))
        copied = decision(
            "copy",
            place=place + 2,
            of_article=n + 100,
            text=place + 2,
            observed=n + 20,
            of=article(n),
            of_version=version(place),
            of_delivery=delivery(place),
        )
        unchanged = decision(
            "unchanged", place=place + 3, of_article=n, text=place + 3, observed=n + 30, of_delivery=delivery(place + 1)
        )
        again = decision("redelivery", place=place + 4, of_article=n, text=place + 1, observed=n + 40)
        records += [
            decided(new, place),
            enriched(new, place, enrichment(*NAMES[: n % 4])),
            decided(revision, place + 1),
            enriched(revision, place + 1, enrichment(*NAMES[n % 3 :])),
            decided(copied, place + 2, with_body=True),
            decided(unchanged, place + 3),
            decided(again, place + 1),
            enriched(new, place, enrichment("Ada", generation=1, made=300)),
        ]
    return records


def words() -> list[Record]:
    return [
        word("withdrawn", 10, 1),
        word("withdrawn", 10, 2),
        word("restored", 20, 2),
        word("erased", 30, 3),
        word("restored", 31, 3),
        word("withdrawn", 5, 4),
        word("erased", 40, 104),
        word("withdrawn", 1, 99),  # never delivered
        word("erased", 1, 98),
    ]


def forgotten() -> list[Record]:
    """What the log has forgotten, of articles of which one is erased: what was a repeat cannot be told any more."""
    records: list[Record] = []
    for n in (3, 5):
        for place, text, observed in ((n * 10 + 500, n * 10 + 1, WEEK), (n * 10 + 501, 900 + n, WEEK + 1)):
            made = decision("new", place=place, of_article=n, text=text, observed=observed)
            records += [decided(made, text), enriched(made, text, enrichment("Finn"))]
    return records


@dataclass
class Partitions:
    """The records in the partitions of their topics, by article, as Kafka has them."""

    logs: list[list[Incoming]]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Partitions":
        feeds = {(kind, part): Feed() for kind in (DecidedArticle, EnrichedArticle, Withdrawal) for part in range(2)}
        logs: dict[tuple[type, int], list[Incoming]] = {place: [] for place in feeds}
        for record in records:
            about = record.article_id if isinstance(record, Withdrawal) else record.decision.article_id  # type: ignore[attr-defined]
            place = (type(record), about.int % 2 if not isinstance(record, Withdrawal) else 0)
            logs[place] += [replace(i, partition=place[1]) for i in feeds[place].incoming(record)]
        return cls([log for log in logs.values() if log])

    def interleaved(self, chance: random.Random) -> list[Incoming]:
        """Each log in its order, and now and then from an earlier place on: as after a crash."""
        order = [which for which, log in enumerate(self.logs) for _ in log]
        chance.shuffle(order)
        at = [0] * len(self.logs)
        found = []
        for which in order:
            found.append(self.logs[which][at[which]])
            at[which] += 1
            if chance.random() < 0.1:
                found += self.logs[which][chance.randrange(at[which]) : at[which]]
        return found


def write(connection: Connection, records: list[Incoming], chance: random.Random, forget: bool) -> None:
    """In batches of any size; `forget`: the places are lost in between, so that all that comes again is written."""
    while records:
        size = chance.randint(1, 12)
        batch, records = records[:size], records[size:]
        postgres.write_batch(connection, batch)
        if forget:
            connection.execute("UPDATE ingest.positions SET next_offset = 0")


def told(reader: Reader) -> Counter[tuple[Any, ...]]:
    rows = reader.execute(
        "SELECT kind, article_id, version_id, delivery_id FROM news.changes WHERE kind IN ('new', 'revision', 'copy')"
    ).fetchall()
    return Counter(tuple(row.values()) for row in rows)


@pytest.mark.parametrize("seed", range(6))
def test_any_interleaving_leaves_the_same_rows_and_tells_the_same(
    connection: Connection, reader: Reader, seed: int
) -> None:
    partitions = Partitions.of(stories())
    postgres.write_batch(connection, [record for log in partitions.logs for record in log])
    rows, changes = dump(connection), told(reader)
    assert (len(rows["decisions"]), len(rows["versions"]), sum(changes.values())) == (30, 18, 18)
    assert set(changes.values()) == {1}

    chance = random.Random(seed)
    for forget in (False, True, True):
        clear(connection)
        write(connection, partitions.interleaved(chance), chance, forget)

        assert dump(connection) == rows, f"seed {seed}"
        assert told(reader) == changes, f"seed {seed}"


@pytest.mark.parametrize("seed", range(6))
def test_so_it_is_with_articles_that_are_taken_back_and_what_the_log_has_forgotten(
    connection: Connection, reader: Reader, seed: int
) -> None:
    """What is told then hangs on the order: an article may be told of before it goes. But nothing is told twice."""
    partitions = Partitions.of([*stories(), *forgotten(), *words()])
    postgres.write_batch(connection, [record for log in partitions.logs for record in log])
    rows = dump(connection)

    chance = random.Random(seed)
    for forget in (False, True, True):
        clear(connection)
        write(connection, partitions.interleaved(chance), chance, forget)

        assert dump(connection) == rows, f"seed {seed}"
        changes = Counter(key[3] for key in told(reader).elements())
        assert set(changes.values()) == {1}, f"seed {seed}"
        seen = {
            row["delivery_id"] for row in reader.execute("SELECT delivery_id FROM news.article_versions").fetchall()
        }
        restored = {
            row["delivery_id"]
            for row in reader.execute(
                "SELECT delivery_id FROM ingest.versions WHERE article_id = %s", [article(2)]
            ).fetchall()
        }  # what came while it was withdrawn is not told of
        assert seen - restored <= set(changes), f"seed {seed}"
