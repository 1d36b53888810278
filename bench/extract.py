"""Pages -> articles: pages a second of one core, beside plain trafilatura on the same pages in interleaved rounds.

    .venv/bin/python -m bench.extract
    .venv/bin/python -m bench.extract --pages folder-of-html/ --rounds 5

Without `--pages` the pages are the golden ones of the tests, made as large as real ones: to each is added what real
pages have, scripts, styles, menus, teasers and comments, until it has 32 to 150 KB. `plain` is
trafilatura.bare_extraction with metadata, what one calls without us; `ours` is pages.extract in this process; `pool`
goes through the processes and back, from one thread, so that its difference from `ours` is what a process costs.
CPU time of this process and its children counts, not the clock: others on the machine do not disturb that as much.
The goal is 20 pages a second and core.
"""

import argparse
import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import trafilatura

from pipeline.errors import InvalidRecord
from pipeline.settings import ExtractionSettings
from producers.extraction import ExtractionPool
from producers.formats import pages

GOAL: Final = 20
GOLDEN: Final = Path(__file__).parents[1] / "tests" / "producers" / "formats" / "pages"
SMALLEST, LARGEST = 32 * 1024, 150 * 1024
COPIES = 5
NOW = datetime(2026, 11, 3, tzinfo=UTC)
URL = "https://courier.example/news/harbour-wall"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, help="folder of .html files to take instead")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if arguments.pages is not None:
        given = [path.read_bytes() for path in sorted(arguments.pages.glob("*.html"))]
    else:
        given = [enlarged(path.read_text("utf-8"), n) for path in sorted(GOLDEN.glob("*.html")) for n in range(COPIES)]
    print(f"{len(given)} pages of {sum(map(len, given)) / len(given) / 1024:.0f} KB", flush=True)
    with ExtractionPool(ExtractionSettings(processes=1, seconds_per_page=120)) as pool:
        pool.page(given[0], url=URL, charset=None, now=NOW)
        compare(given, arguments.rounds, {"plain": plain, "ours": ours, "pool": lambda page: through(pool, page)})


def compare(given: Sequence[bytes], rounds: int, ways: dict[str, Callable[[bytes], object]]) -> None:
    found: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(rounds):
        # Each first in turn: what comes later finds the machine warmer, or busier.
        for name in order[number % len(order) :] + order[: number % len(order)]:
            before = cpu_seconds()
            for page in given:
                ways[name](page)
            found[name].append(len(given) / (cpu_seconds() - before))
        print(
            f"round {number + 1}: " + "   ".join(f"{n} {f[-1]:.1f} pages/s/core" for n, f in found.items()), flush=True
        )
    for name, rates in found.items():
        ratios = [rate / rival for rate, rival in zip(rates, found["plain"], strict=True)]
        print(
            f"{name:<6} median {statistics.median(rates):6.1f} pages/s/core   range {min(rates):.1f} - {max(rates):.1f}"
            f"   {statistics.median(ratios):.2f} of plain" + (f"   (goal >= {GOAL})" if name != "plain" else "")
        )


def cpu_seconds() -> float:
    """Of this process and the children that run now (the pool's one stays the same)."""
    own = time.process_time()
    for child in psutil.Process().children():
        times = child.cpu_times()
        own += times.user + times.system
    return own


def plain(page: bytes) -> object:
    return trafilatura.bare_extraction(page, url=URL, include_comments=False, with_metadata=True)


def ours(page: bytes) -> object:
    try:
        return pages.extract(page, url=URL, charset=None, now=NOW)
    except InvalidRecord as error:
        return error


def through(pool: ExtractionPool, page: bytes) -> object:
    try:
        return pool.page(page, url=URL, charset=None, now=NOW)
    except InvalidRecord as error:
        return error


def enlarged(page: str, number: int) -> bytes:
    """The page with what real ones have besides the article, the same for the same number."""
    chance = random.Random(f"{number} {page[:2000]}")
    size = chance.randint(SMALLEST, LARGEST)
    head, body = [], []
    while sum(map(len, head)) + sum(map(len, body)) + len(page) < size:
        words = " ".join(
            chance.choices(("harbour", "wall", "council", "ferry", "market", "herring", "vote", "snow"), k=9)
        )
        key = f"{chance.randrange(16**6):06x}"
        head.append(f"<style>.c-{key} .teaser > a {{ color: #{key}; margin: 0 {key[0]}px }}</style>")
        head.append(f"<script>window.__{key} = {{id: '{key}', labels: '{words}', depth: [1, 2, 3]}};</script>")
        body.append(
            f'<div class="teaser c-{key}"><a href="/news/{key}"><img src="/img/{key}.jpg" alt=""><h3>{words}</h3></a>'
            f'<ul class="tags"><li><a href="/tag/{key}">{words[:12]}</a></li></ul></div>'
        )
        if chance.random() < 0.3:
            body.append(f'<div class="comment" id="comment-{key}"><p>{words}, {words}.</p></div>')
    page = page.replace("</head>", "\n".join(head) + "</head>", 1)
    return page.replace("</body>", f'<aside class="sidebar">{"".join(body)}</aside></body>', 1).encode()


if __name__ == "__main__":
    main()
