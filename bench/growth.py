"""Days of articles with retention beside them -> how the tables grow, and whether vacuum and retention keep up.

    .venv/bin/python -m bench.growth                            # a minute: 400 articles a day, 12 days, 5 of them kept
    .venv/bin/python -m bench.growth --articles 5000 --days 20 --keep 7

A day of the real size is 500,000 articles; here it is as many as asked for, written by the sink's own code as fast as
it goes, with the times of a day. The thresholds of autovacuum are made smaller by the same factor, and it looks every
second. After each day retention runs as a sink runs it. Each line ends with its goal where there is one.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg

from ops.embedded.postgres import EmbeddedPostgres
from pipeline import topics
from pipeline.records import (
    Body,
    Coordinates,
    DecidedArticle,
    Decision,
    EnrichedArticle,
    Enrichment,
    Entity,
    Kind,
    Mention,
    Metadata,
    Sentiment,
)
from sinks import migrate, postgres, retention, sizes
from sinks.database import Connection, Database, connect
from sinks.rows import Incoming

REAL_DAY: Final = 500_000
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
RAW_ID, LOG_ID = UUID(int=1), UUID(int=2)
TOPIC_IDS: Final = {topics.DECISIONS: UUID(int=11), topics.ENRICHED: UUID(int=12)}
WORDS, ENTITIES, MENTIONS = 400, 15, 40
COPIES, REVISIONS = 0.2, 0.1
BATCH: Final = 100


class Press:
    """Articles of 400 words, 15 names and 40 mentions: a fifth copies, and a tenth are revised the next day."""

    def __init__(self, a_day: int) -> None:
        self._a_day = a_day
        self._random = random.Random(1)
        letters = "etaoinshrdlucmfwypvbgk"
        lengths = [self._random.randint(2, 10) for _ in range(20_000)]
        self._vocabulary = ["".join(self._random.choices(letters, k=length)) for length in lengths]
        self._weights = list(accumulate(1 / (n + 10) for n in range(len(self._vocabulary))))
        self._names = [f"{self._word().title()} {self._word().title()}" for _ in range(20_000)]
        self._place = 0
        self._written: list[Decision] = []
        self.texts = 0

    def day(self, number: int) -> Iterator[list[Incoming]]:
        """The records of a day, batch by batch."""
        yesterday, self._written = self._written, []
        records: list[Incoming] = []
        for n in range(self._a_day):
            at = START + timedelta(days=number, seconds=86_400 * n / self._a_day)
            if n < len(yesterday) and n < self._a_day * REVISIONS:
                records += self._enriched(self._decision("revision", at, yesterday[n].article_id, of=yesterday[n]))
            first = self._written[-1] if self._written and self._random.random() < COPIES else None
            if first is not None:
                records.append(self._copied(self._decision("copy", at, None, of=first)))
            else:
                decision = self._decision("new", at, None)
                records += self._enriched(decision)
                self._written.append(decision)
            if len(records) >= BATCH:
                yield records
                records = []
        yield records

    def _decision(self, kind: Kind, at: datetime, article_id: UUID | None, of: Decision | None = None) -> Decision:
        self._place += 1
        self.texts += 1
        moment = int(at.timestamp() * 1000)
        delivery_id = UUID(int=moment << 80 | 7 << 76 | 2 << 62 | self._place)  # as UUIDv7: by time
        return Decision(
            delivery_id=delivery_id,
            article_id=article_id or UUID(int=self._random.getrandbits(128)),
            version_id=UUID(int=self._random.getrandbits(128)),
            kind=kind,
            method=None if kind == "new" else "near",
            of=of.article_id if of else None,
            of_version=of.version_id if of else None,
            of_delivery=of.delivery_id if of else None,
            rules_version=1,
            log_id=LOG_ID,
            log_offset=self._place,
            decided_at=at,
            raw=Coordinates(topic_id=RAW_ID, partition=0, offset=self._place),
            observed_at=at,
            source=f"source {self._place % 300}",
        )

    def _enriched(self, decision: Decision) -> list[Incoming]:
        metadata, body = self._content()
        names = self._random.sample(range(len(self._names)), ENTITIES)
        mentions = [MENTIONS // ENTITIES + (n < MENTIONS % ENTITIES) for n in range(ENTITIES)]
        towards = Sentiment(label="positive", score=0.5, negative=0.1, neutral=0.3, positive=0.6)
        enrichment = Enrichment(
            language="en",
            entities=tuple(
                Entity(
                    name=self._names[name],
                    label="PERSON",
                    count=count,
                    sentiment=towards,
                    mentions=tuple(_mention(self._names[name], 50 * m) for m in range(count)),
                )
                for name, count in zip(names, mentions, strict=True)
            ),
            sentiment=Sentiment(label="negative", score=-0.25),
            models={"config": "0123456789abcdef", "ner": "en_core_web_sm 3.8.0", "sentiment": "1"},
            enriched_at=decision.decided_at,
        )
        decided = DecidedArticle(decision=decision, metadata=metadata)
        enriched = EnrichedArticle(decision=decision, metadata=metadata, body=body, enrichment=enrichment)
        return [
            self._incoming(topics.DECISIONS, decided.to_bytes()),
            self._incoming(topics.ENRICHED, enriched.to_bytes()),
        ]

    def _copied(self, decision: Decision) -> Incoming:
        metadata, body = self._content()
        return self._incoming(
            topics.DECISIONS, DecidedArticle(decision=decision, metadata=metadata, body=body).to_bytes()
        )

    def _content(self) -> tuple[Metadata, Body]:
        text = " ".join(self._random.choices(self._vocabulary, cum_weights=self._weights, k=WORDS))
        title = text[:60]
        return (
            Metadata(
                url=f"https://example.org/{self._place}/{title[:30].replace(' ', '-')}", title=title, byline="By A Name"
            ),
            Body(raw=text, text=text, removed=(), content_hash=f"{self._random.getrandbits(256):064x}"),
        )

    def _incoming(self, topic: str, value: bytes) -> Incoming:
        self._offsets = getattr(self, "_offsets", 0) + 1
        return Incoming(topic, TOPIC_IDS[topic], 0, self._offsets, value, b"key", [])

    def _word(self) -> str:
        return self._random.choice(self._vocabulary)


def _mention(name: str, at: int) -> Mention:
    return Mention(text=name, start=at, end=at + len(name), raw_start=at, raw_end=at + len(name))


class Timed(retention.Retainer):
    """Says how long each batch took."""

    seconds: Final[list[float]] = []

    def _in_transaction(self, connection: Connection, work: Callable[[Connection], Any]) -> Any:
        began = time.perf_counter()
        try:
            return super()._in_transaction(connection, work)
        finally:
            self.seconds.append(time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=400, help="articles a day")
    parser.add_argument("--days", type=int, default=12)
    parser.add_argument("--keep", type=int, default=5, help="days that articles are kept")
    parser.add_argument("--url", help="a database that may be filled; without it one is made")
    arguments = parser.parse_args()
    if arguments.url:
        measure(arguments.url, arguments.articles, arguments.days, arguments.keep)
        return
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder), Path(folder))
        server.prepare(lambda *_: None)
        server.start()
        try:
            server.wait_ready()
            measure(server.url, arguments.articles, arguments.days, arguments.keep)
        finally:
            server.stop()


def measure(url: str, a_day: int, days: int, keep: int) -> None:
    """Fill, remove, and print what came of it."""
    migrate.migrate(url)
    scale_vacuum(url, a_day / REAL_DAY)
    press, writing, removing, gone = Press(a_day), 0.0, 0.0, 0
    print(f"{a_day} articles a day, {keep} days kept; a real day is {REAL_DAY:,}\n")
    print("day   stored        MiB  bytes/text  dead rows   removed/s")
    size_then = 0
    with closing(connect(url, 60)) as connection, closing(Database(url, 60)) as own:
        for day in range(days):
            began = time.perf_counter()
            for records in press.day(day):
                postgres.write_batch(connection, records)
            writing += time.perf_counter() - began
            connection.execute(
                "UPDATE ingest.changes SET changed_at = %s WHERE changed_at > %s",
                [START + timedelta(days=day), START + timedelta(days=days + 1)],
            )
            now = START + timedelta(days=day + 1)
            rules = retention.Rules(
                articles=now - timedelta(days=keep),
                versions=now - timedelta(days=max(1, keep // 2)),
                changes=now - timedelta(days=keep),
            )
            began = time.perf_counter()
            went = remove(own, rules)
            seconds = time.perf_counter() - began
            removed, gone = sum(went.values()), gone + went["articles articles"]
            removing += seconds if went["articles articles"] else 0
            settle(connection)
            found = sizes.sizes(connection)
            total = sum(each.bytes for each in found)
            held = next(each.rows for each in found if each.table == "versions")
            size_then = total if day == keep else size_then
            print(
                f"{day + 1:3} {held:8,} {total / 2**20:10.1f} {total / max(1, held):11,.0f} "
                f"{sum(each.dead_rows for each in found):10,} {removed / seconds:11,.0f}"
            )
        print()
        for each in found:
            print(
                f"  {each.table:16} {each.rows:10,} rows {each.dead_rows:8,} dead {each.bytes / 2**20:8.1f} MiB "
                f"({each.index_bytes / 2**20:.1f} indexes)"
            )
    batches = sorted(Timed.seconds)
    print(f"\nwritten                      {press.texts / writing:8,.0f} texts/s")
    print(f"removed: share of a real day {100 * removing / max(1, gone) * REAL_DAY / 86_400:8.1f} %    goal < 25")
    print(f"batch of retention, p95      {1000 * batches[int(0.95 * len(batches))]:8.0f} ms   goal < 500")
    print(f"                    longest  {1000 * batches[-1]:8.0f} ms   goal < 1000")
    print(f"                    median   {1000 * statistics.median(batches):8.0f} ms")
    if size_then:
        print(f"size at the end / when full  {total / size_then:8.2f}      goal < 1.25")
    dead = sum(each.dead_rows for each in found) / max(1, sum(each.rows for each in found))
    print(f"dead rows                    {100 * dead:8.1f} %    goal < 10")


def remove(own: Database, rules: retention.Rules) -> Counter[str]:
    """As retention.retain does, timed, at full speed."""
    if not retention._take(own, "bench", None):
        raise SystemExit("another one removes old rows")
    removed = Timed(own, "bench", _Unhurried()).run(rules)
    retention._release(own, "bench", is_done=True)
    return Counter({f"{rule} {table}": rows for (rule, table), rows in removed.rows.items()})


class _Unhurried(threading.Event):
    """Never set, and no pause: what is measured is the work."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


def scale_vacuum(url: str, factor: float) -> None:
    """Thresholds of autovacuum for days that are so much smaller; it looks every second."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum_naptime = 1")
        connection.execute("SELECT pg_reload_conf()")
        for table, name, value in connection.execute(
            "SELECT c.relname, o.option_name, o.option_value FROM pg_class AS c, pg_options_to_table(c.reloptions) AS o"
            " WHERE c.relnamespace = 'ingest'::regnamespace AND o.option_name LIKE '%threshold'"
        ).fetchall():
            scaled = max(1, int(int(value) * factor))
            connection.execute(f"ALTER TABLE ingest.{table} SET ({name} = {scaled})".encode())


def settle(connection: Connection) -> None:
    """A real day has hours for vacuum: wait until it has nothing to do, and at most 20 s."""
    deadline, last = time.monotonic() + 20, ""
    while time.monotonic() < deadline:
        row = connection.execute(
            "SELECT pg_stat_force_next_flush()::text || sum(autovacuum_count)::text || ' ' || sum(n_dead_tup)::text"
            " || (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker')::text"
            " FROM pg_stat_user_tables WHERE schemaname = 'ingest'"
        ).fetchone()
        now = row[0] if row else ""
        if now == last and now.endswith("0"):
            return
        last = now
        time.sleep(1.5)


if __name__ == "__main__":
    main()
