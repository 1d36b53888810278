"""Articles that search does not know are indexed in batches, whatever was cut short."""

import pytest

from sinks import backfill, postgres, search
from sinks.database import Connection
from sinks.search import Question
from tests.sinks import samples
from tests.sinks.samples import Feed, article, decided, decision, enriched, enrichment

pytestmark = pytest.mark.services


@pytest.fixture
def forgotten(connection: Connection, feed: Feed) -> Connection:
    """Five articles, one of them taken back, one known by its decision alone; search knows none."""
    records = []
    for n in range(1, 6):
        made = decision("new", place=n, of_article=n, text=n, observed=n)
        records += [decided(made, n), enriched(made, n, enrichment("Bob"))]
    records.append(decided(decision("new", place=6, of_article=6, text=6, observed=6), 6))
    records.append(samples.word("withdrawn", 100, of_article=2))
    postgres.write_batch(connection, feed.incoming(*records))
    connection.execute("DELETE FROM ingest.search")
    return connection


def test_what_is_stored_is_indexed_newest_first_in_batches(forgotten: Connection) -> None:
    said: list[int] = []

    done = backfill.index_stored(forgotten, said.append, batch=3)

    assert done == 4
    assert said == [3, 4]
    assert [found.article_id for found in search.search(forgotten, Question(entity="bob"))] == [
        article(n) for n in (5, 4, 3, 1)
    ]


def test_what_was_cut_short_goes_on(forgotten: Connection) -> None:
    def crash(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill.index_stored(forgotten, crash, batch=1)

    assert backfill.index_stored(forgotten) == 3
    assert backfill.index_stored(forgotten) == 0
