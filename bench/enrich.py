"""The enrich stage beside bare spaCy NER: articles/s with the same number of processes, in interleaved rounds.

    make_articles.py 300 --seed 11 > articles.jsonl        (of the baseline folder)
    .venv/bin/python -m bench.enrich --articles articles.jsonl --rounds 5
    .venv/bin/python -m bench.enrich --articles articles.jsonl --rounds 1 --soak 20000

`bare` is spaCy with nothing but its NER in forked processes that share the texts out by chunks of 16: what nobody who
uses this model can beat. `ours` goes from the bytes of articles.unique to the bytes of articles.enriched through the
stage's own pool, in the stage's batches; without and with sentiment. Quote the ratios: each is of one round, and a
shared machine makes every absolute figure noisy. No sentence is remembered from one article to the next, as the stage
does: these articles are put together from few of them. `--soak` has so many articles through the pool, and prints what
the processes take.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: the processes are the parallelism

import psutil

from pipeline import identity
from pipeline.records import Body, Coordinates, Decision, Metadata, UniqueArticle
from pipeline.settings import NlpSettings
from processors import articles, child, nlp, provenance, towards
from processors.enrich import BATCH
from processors.pool import NlpPool

CHUNK = 16
GOALS = {"ours without sentiment": 0.9, "ours with sentiment": 0.6}
_bare: Any = None  # loaded once, inherited by the forked processes


class Speed(NamedTuple):
    """Articles a second by the clock, and the CPU time that one took, of all processes: others do not disturb that."""

    rate: float
    cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=NlpSettings().model)
    parser.add_argument("--sentiment", choices=("both", "with", "without"), default="both")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="then N articles, with the memory they take")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.articles.read_text(encoding="utf-8").splitlines()]
    texts = [line["body"] for line in lines]
    values = [record_of(line) for line in lines]
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"{len(texts)} articles of {words:.0f} words, {arguments.processes} processes, {arguments.model}", flush=True)
    asyncio.run(compare(arguments, texts, values))


async def compare(arguments: argparse.Namespace, texts: list[str], values: list[bytes]) -> None:
    wanted = [
        f"ours {with_or} sentiment" for with_or in ("without", "with") if arguments.sentiment in ("both", with_or)
    ]
    pools = {name: NlpPool(settings_of(name, arguments), load_without_cache) for name in wanted}
    for pool in pools.values():
        pool.start()
        await pool.is_warm()
        await through(pool, values[:BATCH], arguments)
    found: dict[str, list[Speed]] = {name: [] for name in ("bare", *pools)}
    for number in range(arguments.rounds):
        # Each first in turn: what comes later finds the machine warmer, or busier.
        order = ["bare", *pools]
        for name in order[number % len(order) :] + order[: number % len(order)]:
            if name == "bare":
                speed = bare(texts, arguments.processes, arguments.model)
            else:
                speed = await through(pools[name], values, arguments)
            found[name].append(speed)
        line = "   ".join(f"{name} {s[-1].rate:.1f}/s, CPU {s[-1].cpu_ms:.1f} ms each" for name, s in found.items())
        print(f"round {number + 1}: {line}", flush=True)
    for name, speeds in found.items():
        rates = [speed.rate for speed in speeds]
        print(
            f"{name:<24} median {statistics.median(rates):6.1f} articles/s   range {min(rates):.1f} - {max(rates):.1f}"
        )
    for name in pools:
        pairs = list(zip(found[name], found["bare"], strict=True))
        for what, of_bare in (
            ("of bare spaCy's articles/s", [ours.rate / theirs.rate for ours, theirs in pairs]),
            ("by CPU time alone", [theirs.cpu_ms / ours.cpu_ms for ours, theirs in pairs]),
        ):
            print(
                f"{name:<24} median {statistics.median(of_bare):6.3f} {what}   range {min(of_bare):.3f} - "
                f"{max(of_bare):.3f}   (goal >= {GOALS[name]})"
            )
    if arguments.soak:
        await soak(pools[wanted[-1]], values, arguments)
    for pool in pools.values():
        pool.close()


def record_of(line: dict[str, Any]) -> bytes:
    """A record of articles.unique, as deduplicate sends it."""
    delivery, text = identity.new_delivery_id(), line["body"]
    at = Coordinates(topic_id=delivery, partition=0, offset=0)
    decision = Decision(
        delivery_id=delivery, article_id=delivery, version_id=delivery, kind="new", rules_version=1, log_id=delivery,
        log_offset=0, decided_at=line["published_at"], raw=at, observed_at=line["published_at"], source=line["source"],
    )  # fmt: skip
    metadata = Metadata(url=line["url"], title=line["title"], language="en", published_at=line["published_at"])
    body = Body(raw=text, text=text, content_hash="0" * 64)
    return UniqueArticle(decision=decision, metadata=metadata, body=body).to_bytes()


# Ours.


def settings_of(name: str, arguments: argparse.Namespace) -> NlpSettings:
    sentiment = "off" if name == "ours without sentiment" else "on"
    return NlpSettings(models={"en": arguments.model}, processes=arguments.processes, sentiment=sentiment)


def load_without_cache(settings: NlpSettings) -> nlp.Models:
    """The models of a child; no sentence is remembered: these articles are put together from a few of them."""
    towards.CACHED = 0  # type: ignore[misc]
    return child.load(settings)


async def through(pool: NlpPool, values: Sequence[bytes], arguments: argparse.Namespace) -> Speed:
    """From bytes to bytes, in the batches of the stage. (CPU time of a process that is replaced meanwhile is lost.)"""
    task = articles.Fresh(provenance.of(NlpSettings(models={"en": arguments.model})))
    began, cpu = time.perf_counter(), cpu_of(pool)
    for begin in range(0, len(values), BATCH):
        batch = values[begin : begin + BATCH]
        outcomes = await pool.map(task, batch, [len(value) for value in batch])
        if not all(isinstance(outcome, articles.Enriched) for outcome in outcomes):
            raise SystemExit(f"not enriched: {next(o for o in outcomes if not isinstance(o, articles.Enriched))}")
    used = sum(seconds - cpu.get(pid, 0.0) for pid, seconds in cpu_of(pool).items())
    return Speed(len(values) / (time.perf_counter() - began), used / len(values) * 1000)


def cpu_of(pool: NlpPool) -> dict[int, float]:
    """CPU seconds of the pool's processes and of this one, which is the worker here."""
    times = {pid: psutil.Process(pid).cpu_times() for pid in [*pool.process_ids, os.getpid()]}
    return {pid: used.user + used.system for pid, used in times.items()}


async def soak(pool: NlpPool, values: Sequence[bytes], arguments: argparse.Namespace) -> None:
    """Many articles through one pool: the memory of its processes must not grow."""
    print(f"\n{arguments.soak} articles through one pool: private memory of its processes, the largest, MiB")
    done, step = 0, max(BATCH, arguments.soak // 20 // BATCH * BATCH)
    while done < arguments.soak:
        batch = [values[(done + n) % len(values)] for n in range(min(step, arguments.soak - done))]
        speed = await through(pool, batch, arguments)
        done += len(batch)
        used = [psutil.Process(pid).memory_full_info().uss / 2**20 for pid in pool.process_ids]
        print(
            f"{done:>7} articles  {max(used):6.0f} MiB  sum {sum(used):6.0f}  {speed.rate:6.1f} articles/s", flush=True
        )


# Bare spaCy, as the baseline's limit.py has it.


def bare(texts: Sequence[str], processes: int, model: str) -> Speed:
    """NER alone, over forked processes."""
    global _bare  # noqa: PLW0603  what is forked inherits it
    if _bare is None:
        import spacy

        names = spacy.util.load_model(model).pipe_names
        _bare = spacy.load(model, exclude=[name for name in names if name != "ner"])
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        pool.map(_entities, [texts[:4]] * processes * 2, chunksize=1)  # warm up
        began, cpu = time.perf_counter(), 0.0
        for seconds in pool.imap_unordered(_entities, chunks):
            cpu += seconds
        took = time.perf_counter() - began
        pool.close()
        pool.join()
    return Speed(len(texts) / took, cpu / len(texts) * 1000)


def _entities(texts: Sequence[str]) -> float:
    began = time.process_time()
    for doc in _bare.pipe(texts, batch_size=len(texts)):
        _ = doc.ents
    return time.process_time() - began


if __name__ == "__main__":
    main()
