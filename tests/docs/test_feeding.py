"""What docs/feeding.md tells people to type works: every way news comes in ends in rows.

The example's outlet is served on loopback, with its own addresses written into its files; its Kafka is the instance's.
"""

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pipeline import broker
from pipeline.topics import Topic
from tests import strangers as website
from tests.docs.commands import Checkout, commands
from tests.producers import warcs
from tests.running import REPOSITORY, until
from tests.strangers import Strangers

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

PAGE: Final = REPOSITORY / "docs" / "feeding.md"
EXAMPLES: Final = Path("examples") / "feeding"
SITES: Final = re.compile("https://(saltmarsh|carrow).example")
TYPES: Final = {".xml": "application/xml", ".html": "text/html; charset=utf-8", ".txt": "text/plain"}
STORY: Final = {
    "nid": 12,
    "link": "https://cms.example/12",
    "doc": {
        "headline": "Council of Carrow votes for the night ferry",
        "text": "The council of Carrow voted on Monday to pay a third of the night ferry until 2028, eleven to two.",
    },
}

#: What each way brought: its source, and a title that is then in news.articles. The page of a teaser was fetched.
EXPECTED: Final = {
    "courier": {
        "Oyster beds reopen at Wick Sound after two clean winters",
        "Night ferry to Carrow Island will sail through the winter",
    },
    "127.0.0.1": {"A library boat calls at the last three islands without a bookshop"},
    "saltmarsh.example": {"The harbour reopens"},
    "courier-desk": {"Harbour board asks for a second light", "Ferry line keeps its fares until the spring"},
    "carrow": {"Fog horn at Stack Point falls silent", "Carrow school wins a prize for its tide clock"},
    "crawl.example": {"Lighthouse keeper retires"},
    "inbox": {"Nairobi commuters get first battery minibuses on the Thika Road"},
    "cms.stories": {"Council of Carrow votes for the night ferry"},
}


@pytest.fixture
def checkout(tmp_path: Path, strangers: Strangers) -> Iterator[Checkout]:
    feeds = tmp_path / "feeds.toml"
    feeds.touch()
    made = Checkout(
        tmp_path,
        NEWS_FETCH__ALLOW_ADDRESSES="127.0.0.1/32",
        NEWS_FETCH__PORTS=str(strangers.port),
        NEWS_FETCH__HOST_DELAY_SECONDS="0.05",
        NEWS_PRODUCERS__FEEDS=str(feeds),
    )
    try:
        serve_examples(made.folder, strangers)
        (made.folder / "crawl.warc.gz").write_bytes(
            gzip.compress(
                warcs.record("https://crawl.example/keeper", warcs.http(warcs.html_of("Lighthouse keeper retires")))
            )
        )
        made.instance.start("--no-seeds")
        yield made
    finally:
        made.instance.remove()


def serve_examples(folder: Path, strangers: Strangers) -> None:
    """The outlet of the examples on loopback, and a copy of the examples that names it there."""
    (folder / "examples").unlink()
    shutil.copytree(REPOSITORY / EXAMPLES, folder / EXAMPLES)
    for path in (folder / EXAMPLES).rglob("*"):
        if path.is_file():
            path.write_text(SITES.sub(strangers.url, path.read_text(encoding="utf-8")), encoding="utf-8")
    site = folder / EXAMPLES / "site"
    for path in site.rglob("*"):
        if path.is_file():
            strangers.at(f"/{path.relative_to(site)}", website.fixed(path.read_bytes(), TYPES[path.suffix]))


def make_topic(bootstrap_servers: str) -> None:
    """Somebody else's topic with one story."""
    with broker.admin(bootstrap_servers) as admin:
        broker.apply(admin, [Topic("cms.stories", "stories of a CMS", None, partitions=1)], 1, 1)
    producer = broker.producer(bootstrap_servers)
    producer.send("cms.stories", json.dumps(STORY).encode(), b"12").get(30)
    producer.close()


def test_the_commands_of_the_page_work_in_its_order_and_end_in_rows(checkout: Checkout, strangers: Strangers) -> None:
    instance = checkout.instance
    kafka = instance.run()["bootstrap_servers"]
    web = until("the HTTP API listens", lambda: instance.run().get("web"))
    make_topic(kafka)

    for command in commands(PAGE):
        text = SITES.sub(strangers.url, command.text)
        text = text.replace("http://127.0.0.1:8080", web).replace("kafka.saltmarsh.example:9092", kafka)
        done = checkout.type(text)
        assert done.returncode == command.status, f"feeding.md:{command.line}: {command.text}\n{done}"
        assert "Traceback" not in done.stderr, f"feeding.md:{command.line}: {done.stderr}"

    def stored() -> dict[str, set[str]]:
        rows = instance.rows(
            "SELECT DISTINCT d.source, a.title FROM news.decisions AS d JOIN news.articles AS a USING (article_id)"
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row["source"], set()).add(row["title"])
        return found

    def missing() -> dict[str, set[str]]:
        there = stored()
        return {source: titles - there.get(source, set()) for source, titles in EXPECTED.items()}

    until(f"all of it is stored; missing: {missing()}", lambda: not any(missing().values()))
    (polled,) = instance.rows("SELECT * FROM news.sources WHERE source = 'courier'")
    assert (polled["state"], polled["alarm"]) == ("ok", None)
    (oysters,) = instance.rows("SELECT * FROM news.articles WHERE title LIKE 'Oyster beds%'")
    assert "About time too" not in oysters["text"]
    assert oysters["byline"] == "Maud Penhale"
