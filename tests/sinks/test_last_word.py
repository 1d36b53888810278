"""What the log took for the first delivery of an article that the database knows: judged on a real PostgreSQL."""

import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest

from pipeline.records import Body, DecidedArticle, Decision, EnrichedArticle, Kind, Record
from sinks import database, postgres, queries, statements
from sinks.database import Connection
from sinks.rows import Incoming
from tests.sinks.samples import (
    LOG,
    RAW_TOPIC,
    Feed,
    article,
    as_owner,
    at,
    body,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    metadata,
    version,
)
from tests.sinks.tables import clear, dump

pytestmark = pytest.mark.services
Reader = psycopg.Connection[dict[str, Any]]

WEEK: Final = 7 * 24 * 60
#: Another log: articles.signatures was deleted and made again.
NEW_LOG: Final = UUID(int=4)

FIRST = decision("new", place=1, text=1, observed=0)
REVISED = decision("revision", place=2, text=2, observed=10, of=article(1))
#: What the log says once it has forgotten the article.
NEWS = decision("new", place=50, text=3, observed=WEEK)
SAME_TEXT = decision("new", place=51, text=2, observed=WEEK + 1)


def with_bytes(number: int, text: int) -> Body:
    """The content of text `text` in other bytes."""
    return body(text).model_copy(update={"raw": f"Text {text}.\nSubscribe {number} times"})


def in_other_bytes(made: Decision, number: int, text: int, *names: str) -> EnrichedArticle:
    return EnrichedArticle(
        decision=made, metadata=metadata(number), body=with_bytes(number, text), enrichment=enrichment(*names)
    )


def stored(made: Decision, number: int, *names: str) -> tuple[Record, Record]:
    """A text that goes all the way: its decision and its enrichment."""
    return decided(made, number), enriched(made, number, enrichment(*names))


def said(reader: Reader, made: Decision) -> tuple[Any, ...]:
    """What readers are told of this delivery: kind, method, log_kind, of_article, of_version, of_delivery."""
    (row,) = reader.execute(
        "SELECT kind, method, log_kind, of_article, of_version, of_delivery FROM news.decisions WHERE raw_offset = %s",
        [made.raw.offset],
    ).fetchall()
    return tuple(row.values())


def shown(reader: Reader, number: int = 1) -> list[dict[str, Any]]:
    return reader.execute(
        "SELECT title, text, versions, first_seen_at, last_seen_at FROM news.articles WHERE article_id = %s",
        [article(number)],
    ).fetchall()


def versions(reader: Reader, number: int = 1) -> list[tuple[Any, ...]]:
    rows = reader.execute(
        "SELECT delivery_id, kind, is_current FROM news.article_versions WHERE article_id = %s ORDER BY observed_at",
        [article(number)],
    ).fetchall()
    return [tuple(row.values()) for row in rows]


def test_an_article_that_comes_back_after_the_window_is_a_revision_of_what_the_database_knows(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1), *stored(REVISED, 2), *stored(NEWS, 3, "Ada")))

    assert said(reader, NEWS) == ("revision", "store", "new", article(1), version(2), delivery(2))
    assert said(reader, FIRST) == ("new", "url", None, None, None, None)
    assert versions(reader) == [
        (delivery(1), "new", False),
        (delivery(2), "revision", False),
        (delivery(50), "revision", True),
    ]
    assert shown(reader) == [
        {"title": "Title 3", "text": "Text 3.", "versions": 3, "first_seen_at": at(0), "last_seen_at": at(WEEK)}
    ]


def test_a_text_that_comes_back_after_the_window_is_a_redelivery_and_shown_once(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    again = decided(SAME_TEXT, 2)
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1), *stored(REVISED, 2, "Ada"), again))
    while_it_is_enriched = versions(reader)

    postgres.write_batch(connection, feed.incoming(enriched(SAME_TEXT, 2, enrichment("Ada"))))

    assert said(reader, SAME_TEXT) == ("redelivery", "store", "new", article(1), version(2), delivery(2))
    assert versions(reader) == while_it_is_enriched == [(delivery(1), "new", False), (delivery(2), "revision", True)]
    assert shown(reader) == [
        {"title": "Title 2", "text": "Text 2.", "versions": 2, "first_seen_at": at(0), "last_seen_at": at(WEEK + 1)}
    ]
    assert reader.execute("SELECT name, articles, mentions FROM news.entities").fetchall() == [
        {"name": "Ada", "articles": 1, "mentions": 2}
    ]


def test_the_same_words_in_other_bytes_after_the_window_are_unchanged_and_bring_their_metadata(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    template = decision("new", place=50, text=9, observed=WEEK)
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1), decided(template, 9)))
    while_it_is_enriched = said(reader, template)

    postgres.write_batch(connection, feed.incoming(in_other_bytes(template, 9, 1)))

    assert while_it_is_enriched[0] == "revision"  # only its text says that it says the same
    assert said(reader, template) == ("unchanged", "store", "new", article(1), version(1), delivery(1))
    assert versions(reader) == [(delivery(1), "new", True)]
    assert shown(reader) == [
        {"title": "Title 9", "text": "Text 1.", "versions": 1, "first_seen_at": at(0), "last_seen_at": at(WEEK)}
    ]


def test_what_the_log_took_for_a_copy_is_a_revision_that_has_the_names_of_its_original(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    original = decision("new", place=40, of_article=2, text=5, observed=WEEK - 5)
    copy = decision(
        "copy",
        place=50,
        text=6,
        observed=WEEK,
        of=article(2),
        of_version=version(5),
        of_delivery=delivery(40),
        method="near",
        score=0.9,
        threshold=0.45,
    )
    postgres.write_batch(
        connection,
        feed.incoming(*stored(FIRST, 1, "Bob"), *stored(original, 5, "Ada"), decided(copy, 6, with_body=True)),
    )

    assert said(reader, copy) == ("revision", "store", "copy", article(1), version(1), delivery(1))
    assert versions(reader) == [(delivery(1), "new", False), (delivery(50), "revision", True)]
    assert reader.execute("SELECT same_text_as, score FROM news.decisions WHERE log_kind = 'copy'").fetchall() == [
        {"same_text_as": article(2), "score": 0.9}
    ]
    assert reader.execute("SELECT article_id, copy_of, original, method FROM news.copies").fetchall() == [
        {"article_id": article(1), "copy_of": article(2), "original": article(2), "method": "store"}
    ]
    assert reader.execute(
        "SELECT name, copy_of FROM news.article_entities WHERE article_id = %s", [article(1)]
    ).fetchall() == [{"name": "Ada", "copy_of": article(2)}]


def test_a_return_to_an_earlier_text_after_the_window_is_a_revision(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    back = decision("new", place=50, text=1, observed=WEEK)
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1), *stored(REVISED, 2), *stored(back, 1)))

    assert said(reader, back) == ("revision", "store", "new", article(1), version(2), delivery(2))
    assert [line[:2] for line in versions(reader)][2:] == [(delivery(50), "revision")]
    assert shown(reader)[0]["text"] == "Text 1."


def test_an_earlier_text_that_is_delivered_late_is_a_redelivery(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    late = decision("new", place=50, text=1, observed=5)
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1), *stored(REVISED, 2), *stored(late, 1)))

    assert said(reader, late) == ("redelivery", "store", "new", article(1), version(1), delivery(1))
    assert versions(reader) == [(delivery(1), "new", False), (delivery(2), "revision", True)]
    assert shown(reader)[0]["text"] == "Text 2."


def test_a_text_that_never_became_a_row_hides_none(connection: Connection, reader: Reader, feed: Feed) -> None:
    refused = decided(FIRST, 1)  # its enrichment is a dead letter
    again = decision("new", place=50, text=1, observed=WEEK)
    postgres.write_batch(connection, feed.incoming(refused, *stored(again, 1)))

    assert said(reader, again)[0] == "revision"
    assert versions(reader) == [(delivery(50), "revision", True)]
    assert shown(reader)[0]["text"] == "Text 1."


def test_what_the_log_says_of_a_text_that_is_shown_elsewhere_leads_there(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    of: Any = {"of": article(1), "of_version": version(2), "of_delivery": delivery(51)}
    unchanged = decision("unchanged", place=52, text=8, observed=WEEK + 5, **of)
    copy = decision("copy", place=53, of_article=2, text=6, observed=WEEK + 6, method="exact", **of)
    postgres.write_batch(
        connection,
        feed.incoming(
            *stored(REVISED, 2, "Ada"),
            *stored(SAME_TEXT, 2, "Ada"),
            decided(unchanged, 8),
            decided(copy, 6, with_body=True),
        ),
    )

    assert versions(reader) == [(delivery(2), "revision", True)]
    assert shown(reader) == [
        {"title": "Title 8", "text": "Text 2.", "versions": 1, "first_seen_at": at(10), "last_seen_at": at(WEEK + 5)}
    ]
    assert reader.execute("SELECT article_id, name FROM news.article_entities ORDER BY 1").fetchall() == [
        {"article_id": article(1), "name": "Ada"},
        {"article_id": article(2), "name": "Ada"},
    ]


def test_an_article_of_a_log_that_was_made_again_is_known_by_the_time_of_its_decision(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    other = decision("new", place=0, text=3, observed=WEEK, log_id=NEW_LOG, decided_at=at(WEEK))
    postgres.write_batch(connection, feed.incoming(*stored(other, 3), *stored(FIRST, 1)))

    assert said(reader, other) == ("revision", "store", "new", article(1), version(1), delivery(1))
    assert said(reader, FIRST)[0] == "new"


def test_a_delivery_that_is_sent_again_after_the_window_is_a_redelivery_of_itself(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    twice = decision("new", place=50, text=1, observed=0, delivery_id=delivery(1))
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1, "Ada"), *stored(twice, 1, "Ada")))

    assert said(reader, twice) == ("redelivery", "store", "new", article(1), version(1), delivery(1))
    assert versions(reader) == [(delivery(1), "new", True)]


def test_an_article_that_the_log_has_never_forgotten_is_left_to_the_log(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(
        connection,
        feed.incoming(
            decided(decision("redelivery", place=0, text=1, observed=-5), 1), *stored(FIRST, 1), *stored(REVISED, 2)
        ),
    )

    assert reader.execute("SELECT count(*) AS n FROM news.decisions WHERE method = 'store'").fetchall() == [{"n": 0}]


def test_a_decision_says_what_was_kept_apart(connection: Connection, reader: Reader, feed: Feed) -> None:
    larger = decision("new", place=1, of_article=1, text=1, observed=0, contains=article(8))
    table = decision("new", place=2, of_article=2, text=2, observed=0, resembles=article(9), guard="template")
    postgres.write_batch(connection, feed.incoming(decided(larger, 1), decided(table, 2)))

    assert reader.execute("SELECT contains, resembles, guard FROM news.decisions ORDER BY raw_offset").fetchall() == [
        {"contains": article(8), "resembles": None, "guard": None},
        {"contains": None, "resembles": article(9), "guard": "template"},
    ]


def test_a_copy_that_became_a_revision_arrives_without_an_enrichment_of_its_own(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    of: Any = {"of": article(2), "of_version": version(5), "of_delivery": delivery(40)}
    original = decision("new", place=40, of_article=2, text=5, observed=WEEK - 5)
    copy = decision("copy", place=50, text=6, observed=WEEK, method="exact", **of)
    postgres.write_batch(
        connection,
        feed.incoming(*stored(FIRST, 1, "Bob"), *stored(original, 5, "Ada"), decided(copy, 6, with_body=True)),
    )

    arrivals = connection.execute(statements.load("select_arrivals"), {"since": at(0), "most": 9}).fetchall()

    assert [(place, kind, language, names) for _, _, place, kind, _, _, language, _, _, names in arrivals] == [
        (1, "new", "en", "Bob (PERSON)"),
        (40, "new", "en", "Ada (PERSON)"),
        (50, "revision", "en", "Ada (PERSON)"),
    ]


# A page that is corrected by the hour, for years.

HOURS: Final = 150
#: It begins at noon, is corrected every hour, and fetched twice with another byline each time.
LIVE_PAGE: Final[tuple[Record, ...]] = (
    *stored(decision("new", place=1000, text=1000, observed=0), 1000),
    *(
        record
        for n in range(1, HOURS)
        for record in (
            *stored(decision("revision", place=1000 + 10 * n, text=1000 + n, observed=10 * n), 1000 + n),
            *(
                decided(
                    decision(
                        "unchanged",
                        place=1000 + 10 * n + again,
                        text=1000 + n,
                        observed=10 * n + again,
                        of=article(1),
                        of_version=version(1000 + n),
                        of_delivery=delivery(1000 + 10 * n),
                    ),
                    1000 + n,
                )
                for again in (1, 2)
            ),
        )
    ),
)
LAST_TEXT: Final = 1000 + HOURS - 1


@pytest.mark.parametrize(
    ("text", "observed", "expected"),
    [
        (LAST_TEXT, WEEK, ("redelivery", version(LAST_TEXT), delivery(1000 + 10 * (HOURS - 1)))),
        (5, WEEK, ("revision", version(LAST_TEXT), delivery(1000 + 10 * (HOURS - 1)))),
        (1001, WEEK, ("revision", version(LAST_TEXT), delivery(1000 + 10 * (HOURS - 1)))),
        (1001, 15, ("redelivery", version(1001), delivery(1010))),
    ],
    ids=["the last text", "another text", "back to the second text", "the second text, late"],
)
def test_a_page_with_hundreds_of_versions_that_comes_back_is_held_against_the_last_and_against_its_own_text(
    connection: Connection, reader: Reader, feed: Feed, text: int, observed: int, expected: tuple[Any, ...]
) -> None:
    again = decision("new", place=9000, text=text, observed=observed)
    postgres.write_batch(connection, feed.incoming(*LIVE_PAGE))

    postgres.write_batch(connection, feed.incoming(*stored(again, text)))

    kind, _, log_kind, _, of_version, of_delivery = said(reader, again)
    assert (kind, of_version, of_delivery) == expected
    assert log_kind == "new"


def test_what_was_fetched_thousands_of_times_is_not_read_again(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1)))
    connection.execute(
        "INSERT INTO ingest.decisions (raw_topic_id, raw_partition, raw_offset, delivery_id, article_id, version_id, "
        "kind, rules_version, log_id, log_offset, decided_at, observed_at, source) "
        "SELECT %s, 0, 100 + n, gen_random_uuid(), %s, %s, 'unchanged', 1, %s, 100 + n, %s + n * interval '1 minute', "
        "%s, 'wire' FROM generate_series(1, 20000) AS n",
        [RAW_TOPIC, article(1), version(1), LOG, at(150), at(1)],
    )
    as_owner(connection, "ANALYZE")
    known_all_the_time = list(_decisions_read(reader))

    postgres.write_batch(connection, feed.incoming(*stored(decision("new", place=30_000, text=1, observed=WEEK), 3)))
    came_back = list(_decisions_read(reader))

    for scans in (known_all_the_time, came_back):
        assert {scan["Node Type"] for scan in scans} <= {"Index Scan", "Bitmap Heap Scan"}
        assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) < 1000
        assert sum(scan.get("Rows Removed by Filter", 0) * scan["Actual Loops"] for scan in scans) < 1000
    assert {"decisions_in_order", "decisions_version"} <= {scan.get("Index Name") for scan in came_back}


def _decisions_read(reader: Reader) -> Iterator[dict[str, Any]]:
    """How PostgreSQL looked for what says more of the first article."""
    (plan,) = reader.execute(
        b"EXPLAIN (ANALYZE, FORMAT JSON) " + statements.load("select_doubtful"), {"article_ids": [article(1)]}
    ).fetchall()
    return (scan for scan in _scans(plan["QUERY PLAN"][0]["Plan"]) if scan["Relation Name"] == "decisions")


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", ()):
        yield from _scans(part)


# Any order ends in the same rows.

_OF_SAME_TEXT: Final[Any] = {"of": article(1), "of_version": version(2), "of_delivery": delivery(51)}
STORY: Final[tuple[Record, ...]] = (
    *stored(FIRST, 1, "Ada"),
    *stored(REVISED, 2, "Bob"),
    *stored(NEWS, 3, "Cleo"),
    *stored(SAME_TEXT, 2, "Bob"),  # a return
    decided(decision("unchanged", place=52, text=8, observed=WEEK + 5, **_OF_SAME_TEXT), 8),
    decided(decision("redelivery", place=53, text=8, observed=WEEK + 6), 8),
    *stored(decision("new", place=90, text=8, observed=2 * WEEK), 8, "Dora"),  # no bytes that have a row
    *stored(decision("new", place=91, text=3, observed=6), 3, "Eve"),  # history, late
    *stored(decision("new", place=120, text=8, observed=3 * WEEK), 8, "Finn"),  # again
    decided(decision("new", place=150, text=10, observed=4 * WEEK), 10),
    in_other_bytes(decision("new", place=150, text=10, observed=4 * WEEK), 10, 8, "Gus"),
    *stored(decision("new", place=0, text=11, observed=5 * WEEK, log_id=NEW_LOG, decided_at=at(5 * WEEK)), 11, "Hal"),
    # Another article: new, then twice taken for a copy of the first.
    *stored(decision("new", place=3, of_article=2, text=20, observed=1), 20, "Ida"),
    decided(
        decision("copy", place=54, of_article=2, text=21, observed=WEEK, method="exact", **_OF_SAME_TEXT),
        21,
        with_body=True,
    ),
    decided(
        decision("copy", place=99, of_article=2, text=21, observed=2 * WEEK, method="exact", **_OF_SAME_TEXT),
        21,
        with_body=True,
    ),
    # A third that is only in the log's window.
    *stored(decision("new", place=5, of_article=3, text=30, observed=1), 30, "Jo"),
    *stored(decision("revision", place=6, of_article=3, text=31, observed=2), 31, "Kim"),
)


def test_the_long_story_has_every_word(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))

    words = reader.execute(
        "SELECT raw_offset, log_kind, kind, of_delivery FROM news.decisions WHERE log_kind IS NOT NULL "
        "ORDER BY article_id, decided_at"
    ).fetchall()
    assert [tuple(word.values()) for word in words] == [
        (50, "new", "revision", delivery(2)),
        (51, "new", "revision", delivery(50)),
        (90, "new", "revision", delivery(51)),
        (91, "new", "redelivery", delivery(50)),
        (120, "new", "redelivery", delivery(90)),
        (150, "new", "unchanged", delivery(90)),
        (0, "new", "revision", delivery(90)),
        (54, "copy", "revision", delivery(3)),
        (99, "copy", "redelivery", delivery(54)),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_any_repetition_have_the_same_last_word(connection: Connection, seed: int) -> None:
    postgres.write_batch(connection, Feed().incoming(*STORY))
    expected = dump(connection)

    chance = random.Random(seed)
    for _ in range(4):
        clear(connection)
        feed = Feed()
        records = [*STORY, *chance.sample(STORY, 8)]
        chance.shuffle(records)
        for batch in _batches(records, chance):
            postgres.write_batch(connection, feed.incoming(*batch))
        assert dump(connection) == expected, f"seed {seed}"


def test_every_order_of_a_few_records_one_by_one_has_the_same_last_word(connection: Connection) -> None:
    back = decision("new", place=60, text=1, observed=WEEK)
    records = (*stored(FIRST, 1), decided(REVISED, 2), *stored(back, 1))
    dumps = []
    for order in itertools.permutations(records):
        clear(connection)
        feed = Feed()
        for record in order:
            postgres.write_batch(connection, feed.incoming(record))
        dumps.append(dump(connection))

    assert all(found == dumps[0] for found in dumps)


@pytest.mark.parametrize("seed", range(6))
def test_two_sinks_at_once_have_the_same_last_word_and_never_wait_for_each_other_in_a_circle(
    connection: Connection, database_url: str, seed: int
) -> None:
    postgres.write_batch(connection, Feed().incoming(*STORY))
    expected = dump(connection)

    for turn in range(3):
        clear(connection)
        chance = random.Random(100 * seed + turn)
        records = [*STORY, *STORY]
        chance.shuffle(records)
        mine = [r for r in records if isinstance(r, DecidedArticle)]
        theirs = [r for r in records if isinstance(r, EnrichedArticle)]
        plans = [(mine, random.Random(seed)), (theirs, random.Random(seed + 1))]
        start = threading.Barrier(2)

        def write(plan: tuple[Sequence[Record], random.Random], start: threading.Barrier = start) -> None:
            feed = Feed()
            with _sink(database_url) as sink:
                start.wait()
                for batch in _batches(plan[0], plan[1]):
                    postgres.write_batch(sink, feed.incoming(*batch))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, plans))
        assert dump(connection) == expected


@pytest.mark.parametrize("first_is_earlier", [True, False])
def test_what_another_sink_has_not_committed_yet_is_waited_for(
    connection: Connection, database_url: str, reader: Reader, feed: Feed, first_is_earlier: bool
) -> None:
    one, other = (FIRST, NEWS) if first_is_earlier else (NEWS, FIRST)
    with _sink(database_url) as second, ThreadPoolExecutor(1) as pool:
        with connection.transaction():
            postgres.write_batch(connection, feed.incoming(decided(one, 1)))
            waiting = pool.submit(
                postgres.write_batch, second, [_elsewhere(i) for i in feed.incoming(decided(other, 3))]
            )
            _wait_blocked(reader, second.info.backend_pid)
        waiting.result(timeout=30)

    assert said(reader, NEWS) == ("revision", "store", "new", article(1), version(1), delivery(1))


def _batches(records: Sequence[Record], chance: random.Random) -> Iterator[Sequence[Record]]:
    while records:
        size = chance.randint(1, 6)
        yield records[:size]
        records = records[size:]


@contextmanager
def _sink(url: str) -> Iterator[Connection]:
    connection = database.connect(url, 30)
    try:
        yield connection
    finally:
        connection.close()


def _elsewhere(incoming: Incoming) -> Incoming:
    """In a partition of another sink: what it waits for is not the place."""
    return replace(incoming, partition=1)


def _wait_blocked(reader: Reader, pid: int) -> None:
    deadline = time.monotonic() + 30
    while not reader.execute("SELECT pg_blocking_pids(%s) AS pids", [pid]).fetchall()[0]["pids"]:
        assert time.monotonic() < deadline, "nobody waits"


# The books.


def test_the_books_balance_whoever_has_the_last_word(connection: Connection, reader: Reader, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(*STORY))

    counted = queries.counted(connection, RAW_TOPIC, UUID(int=97), UUID(int=98), UUID(int=99))
    balance = reader.execute(
        "SELECT what, sum(count)::int AS n FROM news.balance WHERE kind IN ('new', 'revision') GROUP BY 1 ORDER BY 1"
    ).fetchall()

    assert counted == queries.Counted(
        decided=len({(r.decision.log_id, r.decision.raw.offset) for r in STORY if isinstance(r, DecidedArticle)}),
        refused=0,
        texts=12,
        stored=12,
        texts_refused=0,
        decisions_refused=0,
    )
    assert [tuple(row.values()) for row in balance] == [("decision", 10), ("version", 10)]


@pytest.mark.parametrize("kind", ["new", "revision", "unchanged", "redelivery"])
def test_the_books_count_a_raw_record_once_that_was_decided_again_after_the_window(
    connection: Connection, reader: Reader, feed: Feed, kind: Kind
) -> None:
    of: Any = {} if kind == "new" else {"of": article(1), "of_version": version(1), "of_delivery": delivery(1)}
    before = decision(kind, place=2, text=2, observed=10, **of)
    # It was never acknowledged; the worker came back when its log had forgotten it.
    again = decision("new", place=2, text=2, observed=10).model_copy(
        update={"log_offset": 90, "decided_at": at(2 * WEEK)}
    )
    outcome = stored(before, 2) if kind in ("new", "revision") else [decided(before, 2)]
    postgres.write_batch(connection, feed.incoming(*stored(FIRST, 1), *outcome, *stored(again, 2)))

    counted = queries.counted(connection, RAW_TOPIC, UUID(int=97), UUID(int=98), UUID(int=99))

    texts = 2 if kind in ("new", "revision") else 1
    assert (counted.decided, counted.texts, counted.stored) == (2, texts, texts)
    assert reader.execute("SELECT log_offset FROM news.decisions ORDER BY 1").fetchall() == [
        {"log_offset": 1},
        {"log_offset": 2},
    ]
