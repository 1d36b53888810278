"""Which enrichments are stale, what is sent of them, and what becomes of the rows when the results come."""

import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from pipeline.records import EnrichedArticle, Enrichment, Record, StaleArticle, Target, TargetSentiment
from sinks import postgres, queries
from sinks.database import Connection
from sinks.queries import Stale, StaleCount
from tests.sinks.samples import Feed, at, decided, decision, delivery, enriched, enrichment, version
from tests.sinks.story import STORY
from tests.sinks.tables import clear, dump

pytestmark = pytest.mark.services

NOW = Stale({"en": "now"}, others="none", asked="all")


def by(config: str | None, found: Enrichment) -> Enrichment:
    return found.model_copy(update={"models": {"config": config} if config else {}})


def blank(config: str | None, reason: str, language: str | None = None) -> Enrichment:
    return by(config, Enrichment(language=language, reason=reason, enriched_at=at(200)))


def text(number: int, found: Enrichment, **fields: Any) -> tuple[Record, Record]:
    """Delivery `number`, a new article of its own: its decision and its enrichment."""
    made = decision("new", place=number, of_article=number, text=number, observed=number, method=None, **fields)
    return decided(made, number), enriched(made, number, found)


STORED = (
    *text(0, by("now", enrichment("Ada"))),
    *text(1, by("before", enrichment("Ada"))),
    *text(2, by(None, enrichment("Ada")), source="site"),
    *text(3, blank("none", "no model for the language 'de'", "de")),
    *text(4, blank("before", "the language is not known")),
    *text(5, blank("none", "The text held up an NLP process.")),
    *text(6, by("before", enrichment("Ada", generation=4, made=300))),
)


def store(connection: Connection, feed: Feed, *records: Record) -> None:
    for record in records:
        postgres.write_batch(connection, feed.incoming(record))


def numbers(found: list[StaleArticle]) -> list[int]:
    return [article.decision.raw.offset for article in found]


@pytest.mark.parametrize(
    ("wanted", "stale"),
    [
        (NOW, [1, 2, 4, 6]),
        (Stale({"en": "before"}, "none", "all"), [0, 2, 4]),
        (Stale({"en": "now", "de": "new"}, "none", "all"), [1, 2, 3, 4, 6]),
        (Stale({"en": "now"}, "none", "all", language="en"), [1, 2, 6]),
        (Stale({"en": "now"}, "none", "all", source="site"), [2]),
        (Stale({"en": "now"}, "none", "all", since=at(2), until=at(6)), [2, 4]),
        (Stale({"en": "now"}, "none", "all", reason="The text held up an NLP process."), [5]),
        (Stale({"en": "now"}, "none", "all", reason="' OR true --"), []),
    ],
    ids=["now", "another configuration", "a new model", "language", "source", "time", "reason", "only a parameter"],
)
def test_stale_is_what_another_configuration_made_than_that_of_its_language_now(
    connection: Connection, feed: Feed, wanted: Stale, stale: list[int]
) -> None:
    store(connection, feed, *STORED)

    assert numbers(queries.stale_articles(connection, wanted, None, 100)) == stale
    assert sum(count.stale for count in queries.stale_counts(connection, wanted)) == len(stale)


def test_what_is_stored_is_counted_by_configuration_language_and_reason(connection: Connection, feed: Feed) -> None:
    store(connection, feed, *STORED)

    assert queries.stale_counts(connection, NOW) == [
        StaleCount("before", "en", None, texts=2, stale=2),
        StaleCount("before", None, "the language is not known", texts=1, stale=1),
        StaleCount(None, "en", None, texts=1, stale=1),
        StaleCount("none", "de", "no model for the language 'de'", texts=1, stale=0),
        StaleCount("none", None, "The text held up an NLP process.", texts=1, stale=0),
        StaleCount("now", "en", None, texts=1, stale=0),
    ]


def test_pages_follow_each_other_without_a_gap(connection: Connection, feed: Feed) -> None:
    store(connection, feed, *STORED)

    found, after = [], None
    while page := queries.stale_articles(connection, NOW, after, 2):
        found += page
        after = page[-1].decision.delivery_id

    assert numbers(found) == [1, 2, 4, 6]


def test_a_text_is_sent_as_it_was_sent_the_first_time_and_asks_for_the_next_generation(
    connection: Connection, feed: Feed
) -> None:
    """Of every kind of decision that has a text, whatever the database said of it later."""
    given = [record for record in STORY if isinstance(record, EnrichedArticle)]
    # Twice the same article beyond the log's window: the log says new, the database a revision.
    first = decision("new", place=20, of_article=20, text=20, observed=0, method=None)
    again = decision("new", place=21, of_article=20, text=21, observed=9, method=None)
    later = [enriched(first, 20, enrichment("Ada")), enriched(again, 21, enrichment("Ada"))]
    store(connection, feed, *STORY, decided(first, 20), decided(again, 21), *later)
    (overruled,) = connection.execute("SELECT count(*) FROM ingest.decisions WHERE log_kind IS NOT NULL").fetchone()
    assert overruled == 1

    found = {article.decision.delivery_id: article for article in queries.stale_articles(connection, NOW, None, 100)}

    generations: dict[UUID, int] = {}
    for record in [*given, *later]:
        key = record.decision.delivery_id
        generations[key] = max(record.enrichment.generation, generations.get(key, 0))
        assert found[key].decision == record.decision
        assert found[key].metadata == record.metadata
        assert found[key].body == record.body
    assert {key: article.generation for key, article in found.items()} == {
        key: generation + 1 for key, generation in generations.items()
    }
    assert {article.config for article in found.values()} == {"all"}
    assert StaleArticle.from_bytes(next(iter(found.values())).to_bytes()) == next(iter(found.values()))


def test_targets_are_asked_for_again_answered_or_not(connection: Connection, feed: Feed) -> None:
    answered = enrichment("Ada").model_copy(update={"targets": (TargetSentiment(start=0, end=4, sentiment=None),)})
    store(connection, feed, *text(1, answered))

    (found,) = queries.stale_articles(connection, NOW, None, 100)

    assert found.targets == (Target(start=0, end=4),)


def test_a_text_without_its_decision_waits_until_that_is_stored(connection: Connection, feed: Feed) -> None:
    its_decision, its_text = text(1, enrichment("Ada"))
    store(connection, feed, its_text)
    assert queries.stale_articles(connection, NOW, None, 100) == []

    store(connection, feed, its_decision)
    assert numbers(queries.stale_articles(connection, NOW, None, 100)) == [1]


def done(article: StaleArticle, *names: str, made: float) -> EnrichedArticle:
    """What the worker makes of a record of articles.reenrich."""
    found = by("now", enrichment(*names, generation=article.generation, made=made))
    return EnrichedArticle(decision=article.decision, metadata=article.metadata, body=article.body, enrichment=found)


def test_live_and_repeated_enrichments_end_in_the_same_rows_in_whatever_order_they_come(
    connection: Connection, feed: Feed
) -> None:
    """The first enrichment and its replay, a re-enrichment that was sent twice, one by a still newer model, a newer
    text of the same article: all orders, each record a batch or all in one."""
    new = decision("new", place=0, text=1, observed=0, method=None)
    revision = decision("revision", place=1, text=2, observed=10)
    before = [decided(new, 1), decided(revision, 2)]
    first = enriched(new, 1, by("before", enrichment("Ada", "Bob", made=200)))
    store(connection, feed, *before, first)
    (sent,) = queries.stale_articles(connection, NOW, None, 100)
    newest = done(sent.model_copy(update={"generation": 2}), "Dora", "Finn", made=260)
    records = [
        first,
        enriched(new, 1, by("before", enrichment("Ada", "Bob", made=230))),  # a replay after a crash
        done(sent, "Ada", "Cleo", "Eve", made=240),
        done(sent, "Ada", "Cleo", "Eve", made=250),  # the record was sent twice
        newest,
    ]
    before.append(enriched(revision, 2, by("now", enrichment("Gil", made=220))))

    def outcome(order: Sequence[Record]) -> dict[str, list[str]]:
        fresh = Feed()
        with connection.transaction(force_rollback=True):
            for batch in (before, *([record] for record in order)):
                postgres.write_batch(connection, fresh.incoming(*batch))
            one_by_one = dump(connection)
        with connection.transaction(force_rollback=True):
            postgres.write_batch(connection, fresh.incoming(*before, *order))
            assert dump(connection) == one_by_one, "together as one by one"
        return one_by_one

    clear(connection)
    expected = outcome(records)
    for order in itertools.permutations(records):
        assert outcome(order) == expected

    store(connection, Feed(), *before, *records)
    rows = connection.execute(
        "SELECT v.delivery_id, v.generation, v.models ->> 'config', array_agg(e.name ORDER BY e.entity)"
        " FROM ingest.versions v JOIN ingest.entities e USING (delivery_id) GROUP BY 1, 2, 3 ORDER BY 1"
    ).fetchall()
    assert rows == [(delivery(0), 2, "now", ["Dora", "Finn"]), (delivery(1), 0, "now", ["Gil"])]
    current = connection.execute("SELECT version_id FROM news.articles").fetchall()
    assert current == [(version(2),)], "the newer text stays the current one"
