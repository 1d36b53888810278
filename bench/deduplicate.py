"""Raw bytes -> decision: speed, memory and recall of deduplication with an empty and with a full index, and its rivals.

    make_articles.py 3000 --seed 5 --duplicates 0.2 > articles.jsonl        (of the baseline folder)
    .venv/bin/python -m bench.deduplicate --articles articles.jsonl --entries 1000000

One process, one core. The index is filled with signatures of articles that nobody wrote (bench/quality/noise.py), as a
replica does that starts: from bytes, with verdicts. Then the articles come in batches, cleaned, fingerprinted, decided.
Then the window moves on, and what it costs to let the old entries go is looked at. With --kafka the round trip through
the signature log is measured on an embedded broker. Each part prints its goal beside its result.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from bench.quality import noise, rivals
from ops.embedded.kafka import EmbeddedKafka, user_cache_folder
from pipeline import broker, cleaning, identity, topics
from pipeline.records import Coordinates, RawArticle, Signature, Verdict
from processors import entry, fingerprint
from processors.publisher import Publisher
from processors.signature_index import SignatureIndex
from processors.signature_log import SignatureLog

LOG_ID: Final = UUID(int=2)
RAW_ID: Final = UUID(int=3)
HOUR_MS: Final = 3_600_000
WINDOW_MS: Final = 7 * 24 * HOUR_MS
FILL_BATCH: Final = 2_000
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)


class Article:
    """One line of the file: the bytes on articles.raw, and which article it is a copy of."""

    def __init__(self, number: int, line: dict[str, str]) -> None:
        self.url = line["url"]
        self.copy_of = line.get("copy_of")
        self.body = line["body"]
        self.value = RawArticle(
            delivery_id=UUID(int=number + 1),
            observed_at=NOW,
            source=line["source"],
            url=self.url,
            title=line["title"],
            body=self.body,
        ).to_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--kafka", action="store_true", help="also the round trip through the signature log")
    parser.add_argument("--no-rivals", action="store_true")
    arguments = parser.parse_args()
    lines = arguments.articles.read_text(encoding="utf-8").splitlines()
    articles = [Article(number, json.loads(line)) for number, line in enumerate(lines)]
    words = statistics.median(len(a.body.split()) for a in articles)
    print(
        f"{len(articles)} articles, median {words:.0f} words, {sum(a.copy_of is not None for a in articles)} copies\n"
    )

    with tempfile.TemporaryDirectory() as folder:
        empty = SignatureIndex(LOG_ID, cleaning.load_rules().version, WINDOW_MS, Path(folder))
        before = decide(empty, articles, arguments.batch, "empty index", 0)
        empty.close()
        full = SignatureIndex(LOG_ID, cleaning.load_rules().version, WINDOW_MS, Path(folder))
        fill(full, arguments.entries)
        after = decide(full, articles, arguments.batch, f"{arguments.entries:,} entries", arguments.entries)
        print(f"  {after / before:.2f} x the time of an empty index (goal <= 2)\n")
        forget(full, arguments.entries + len(articles))
        full.close()
    if not arguments.no_rivals:
        compare(articles)
    if arguments.kafka:
        asyncio.run(round_trips(articles, arguments.batch))


def fill(index: SignatureIndex, entries: int) -> None:
    """Replay a log of articles that nobody wrote, as a starting replica does; making them is not measured."""
    gc.collect()
    memory = anonymous_bytes()
    verdict = Verdict(offset=0, kind="new")
    seconds, done = 0.0, 0
    for batch in in_batches(noise.signatures(entries, 1, cleaning.load_rules().version), FILL_BATCH):
        values = [signature.to_bytes() for signature in batch]
        begun = time.perf_counter()
        read = [
            entry.read(value, done + i, (done + i) * 5 * 24 * HOUR_MS // entries)._replace(verdict=verdict)
            for i, value in enumerate(values)
        ]
        index.apply_all(read)
        seconds += time.perf_counter() - begun
        done += len(batch)
    del values, read, batch
    gc.collect()
    window = index.window
    print(f"replay of {entries:,} records: {entries / seconds:,.0f}/s (goal >= 50,000)")
    print(
        f"  memory per entry {(anonymous_bytes() - memory) / entries:.0f} B, of it tables "
        f"{window.memory_bytes / entries:.0f} B (goal <= 600); disk {window.file_bytes / entries:,.0f} B\n"
    )


def decide(index: SignatureIndex, articles: Sequence[Article], batch: int, name: str, offset: int) -> float:
    """Microseconds an article from raw bytes to decision."""
    rules = cleaning.load_rules()
    families = {identity.article_id(a.url, "", None, "", ""): a.copy_of or a.url for a in articles}
    preparing = deciding = 0.0
    found = right = wrong = 0
    for begin in range(0, len(articles), batch):
        part = articles[begin : begin + batch]
        begun = time.perf_counter()
        prepared = [
            fingerprint.prepare(
                RawArticle.from_bytes(a.value), Coordinates(topic_id=RAW_ID, partition=0, offset=begin + i), rules
            )
            for i, a in enumerate(part)
        ]
        values = [p.signature.to_bytes() for p in prepared]
        middle = time.perf_counter()
        log_ms = 5 * 24 * HOUR_MS
        index.apply_all([entry.read(v, offset + begin + i, log_ms) for i, v in enumerate(values)])
        signatures = [p.signature for p in prepared]
        rows = index.rows(signatures)
        decisions = [index.decision(row, s) for row, s in zip(rows, signatures, strict=True)]
        _ = [index.verdict(row, s, offset) for row, s in zip(rows, signatures, strict=True)]
        end = time.perf_counter()
        preparing += middle - begun
        deciding += end - middle
        for article, decision in zip(part, decisions, strict=True):
            if decision.kind == "copy":
                found += 1
                of = families.get(identity.ArticleId(decision.of)) if decision.of else None
                right += article.copy_of is not None and of == article.copy_of
                wrong += article.copy_of is None
    count = len(articles)
    copies = sum(a.copy_of is not None for a in articles)
    each = (preparing + deciding) / count * 1e6
    print(
        f"{name}: {1e6 / each:,.0f} articles/s (goal >= 1,000); clean and fingerprint "
        f"{preparing / count * 1e6:.0f} µs, log and decision {deciding / count * 1e6:.0f} µs each, batches of {batch}"
    )
    print(f"  copies found {right} of {copies} ({right / max(copies, 1):.4f}; goal >= 0.99), falsely {wrong}")
    return each


def forget(index: SignatureIndex, offset: int) -> None:
    """Let the log's time go on until all that was there has left, in steps of an hour."""
    longest = 0.0
    extra = noise.signatures(12 * 24, 2, cleaning.load_rules().version)
    start_ms = 5 * 24 * HOUR_MS
    for hour, signature in enumerate(extra):
        begun = time.perf_counter()
        index.apply(signature, offset + hour, start_ms + (hour + 1) * HOUR_MS)
        longest = max(longest, time.perf_counter() - begun)
    print(f"forgetting all of it: longest record {longest * 1000:.1f} ms (goal <= 50), {len(index)} left\n")


def compare(articles: Sequence[Article]) -> None:
    """The same texts through MinHash and LSH; in memory, without articles, revisions, order or a way to forget."""
    rules = cleaning.load_rules()
    texts = [cleaning.clean(a.body, rules).text for a in articles]
    copies = sum(a.copy_of is not None for a in articles)
    for name, (package, make) in rivals.RIVALS.items():
        absent = rivals.missing(package)
        if absent:
            print(f"{name}: {absent}")
            continue
        rival = make()
        gc.collect()
        memory = anonymous_bytes()
        right = wrong = 0
        begun = time.perf_counter()
        answers = [rival.match(number, text) for number, text in enumerate(texts)]
        seconds = time.perf_counter() - begun
        for article, hit in zip(articles, answers, strict=True):
            if hit is None:
                continue
            root = articles[hit].copy_of or articles[hit].url
            right += article.copy_of == root
            wrong += article.copy_of != root
        kept = sum(hit is None for hit in answers)
        print(
            f"{name}: {len(articles) / seconds:,.0f} articles/s, precision {right / max(right + wrong, 1):.4f}, "
            f"recall {right / max(copies, 1):.4f}, memory per entry {(anonymous_bytes() - memory) / kept:,.0f} B"
        )


async def round_trips(articles: Sequence[Article], batch: int) -> None:
    """Append a batch to the signature log and have its decisions, on an embedded broker."""
    rules = cleaning.load_rules()
    signatures: list[Signature] = [
        fingerprint.prepare(
            RawArticle.from_bytes(a.value), Coordinates(topic_id=RAW_ID, partition=0, offset=i), rules
        ).signature
        for i, a in enumerate(articles)
    ]
    with embedded_kafka() as bootstrap_servers:
        with broker.admin(bootstrap_servers) as client:
            broker.apply(client, topics.declared(window_days=7, allowed_lag_days=1), 1, replication_factor=1)
            log_id = broker.topic_states(client)[topics.SIGNATURES].id
        publisher = await Publisher.open(bootstrap_servers, "deduplicate")
        log = await SignatureLog.open(bootstrap_servers, publisher, log_id, rules.version, WINDOW_MS, 2 * WINDOW_MS)
        following = asyncio.create_task(log.follow())
        # Walls are held against nothing: what is left is the log itself.
        walls = [s.model_copy(update={"wall": True, "delivery_id": uuid4(), "raw": elsewhere(s)}) for s in signatures]
        for name, records in (("without comparisons", walls), ("with all decisions", signatures)):
            taken = []
            for begin in range(0, len(records), batch):
                begun = time.perf_counter()
                await log.decide(records[begin : begin + batch])
                taken.append((time.perf_counter() - begun) * 1000)
            taken = sorted(taken[1:])
            print(
                f"round trip through the log, batches of {batch}, {name}: median {statistics.median(taken):.1f} ms, "
                f"p95 {taken[int(len(taken) * 0.95)]:.1f} ms (goal <= 20)"
            )
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await log.close()
        await publisher.close()


def elsewhere(signature: Signature) -> Coordinates:
    return signature.raw.model_copy(update={"topic_id": LOG_ID})


@contextmanager
def embedded_kafka() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedKafka(Path(folder), user_cache_folder(os.environ), port=None)
        try:
            server.prepare(lambda _what, _done, _of: None)
            server.start()
            server.wait_ready()
            yield server.bootstrap_servers
        finally:
            server.stop()


def in_batches(signatures: Iterator[Signature], size: int) -> Iterator[list[Signature]]:
    batch: list[Signature] = []
    for signature in signatures:
        batch.append(signature)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def anonymous_bytes() -> int:
    """Memory of this process that no file stands for; files are the system's to drop."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
