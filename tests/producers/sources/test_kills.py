"""An end without warning between fetch, spool and commit: nothing lost, nothing twice, no second delivery id."""

import subprocess
import sys
from pathlib import Path

from producers.extraction import ExtractionPool
from producers.sources.declared import Source
from tests import strangers as they
from tests.producers.sources.conftest import DEADLINE_SECONDS, Polling
from tests.producers.sources.samples import html, item, rss
from tests.strangers import Strangers

#: Of what is kept: feeds.toml is taken up, then comes the poll, then the page.
POINTS = {
    "sources.after_fetch:1": "the feed was fetched",
    "sources.in_transaction:1": "the poll was written, but not committed",
    "producers.after_spool:2": "the poll was committed",
    "sources.after_fetch:2": "the page was fetched",
    "sources.in_transaction:2": "the page was written, but not committed",
    "producers.after_spool:3": "the page was committed",
}


def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(
    tmp_path: Path, strangers: Strangers, pool: ExtractionPool
) -> None:
    page = strangers.at("/page", they.page(html("The harbour of Larvik")))
    url = strangers.at("/feed", they.fixed(rss(item("e2", text="", link=page, day=2), item("e1"))))

    died = subprocess.run(
        [sys.executable, "-m", "tests.producers.sources.killed", str(strangers.port), url, str(tmp_path), *POINTS],
        capture_output=True, text=True, check=False, timeout=4 * DEADLINE_SECONDS,
    )  # fmt: skip

    assert died.stdout.split() == ["70"] * len(POINTS), died.stderr
    for point, what in POINTS.items():
        again = Polling(tmp_path / point, strangers, pool)
        deliveries = {article.delivery_id for article in again.articles()}
        with again.of([Source("a", url)]):
            again.until(lambda again=again: len(again.articles()) >= 2 and not again.store.pages_waiting())
        assert again.ids() == ["e1", "e2"], what
        assert deliveries <= {article.delivery_id for article in again.articles()}, what
        assert len(again.store.all()) == 1, what
        again.spool.close()
