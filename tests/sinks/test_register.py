"""Who is who across articles, on a real PostgreSQL."""

import itertools
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from pipeline.records import Enrichment, Entity, Mention, Record, Sentiment
from sinks import database, migrate, postgres, reading, register, schema
from sinks.database import Connection
from sinks.reading import Names
from tests.sinks.samples import Feed, article, as_owner, at, decision, enriched, enrichment
from tests.sinks.tables import clear, dump

Reader = psycopg.Connection[dict[str, Any]]

SAME = {
    "case": ("NATO", "Nato"),
    "sharp s": ("Groß AG", "GROSS AG"),
    "final sigma": ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς".replace("ύ", "υ")),
    "decomposed": ("Merkel Müller", "Merkel Mu\u0308ller"),
    "full width": ("ＡＢＣ Ｎｅｗｓ", "ABC News"),
    "white space": ("Anna  Lind", "Anna\u00a0Lind"),
    "ligature": ("Oﬃce of Budget", "Office of Budget"),
}
OTHER = {
    "another word": ("Anna Lind", "Anna Lindh"),
    "an accent": ("Jose Mari", "José Mari"),
    "a full stop": ("U.S", "US"),
    "nothing between": ("New York", "Newyork"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=list(SAME))
def test_two_spellings_of_a_name_are_one(one: str, other: str) -> None:
    assert register.register_id(one, "ORG", None) == register.register_id(other, "ORG", None)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=list(OTHER))
def test_what_is_not_the_same_words_is_nobody_elses_guess(one: str, other: str) -> None:
    assert register.register_id(one, "ORG", None) != register.register_id(other, "ORG", None)


def test_the_label_and_the_watch_list_tell_names_apart() -> None:
    known = {
        register.register_id("Paris", "GPE", None),
        register.register_id("Paris", "PERSON", None),
        register.register_id("Paris", "GPE", "Q90"),
        register.register_id("Q90", "GPE", None),
    }

    assert len(known) == 4
    assert register.register_id("Paris", "GPE", "Q90") == register.register_id("Lutetia", "LOC", "Q90")


def test_ids_stay_what_they_are() -> None:
    """Golden: a change here makes strangers of all names in every database out there."""
    assert [str(register.register_id(*key)) for key in (("Antony Blinken", "PERSON", None), ("x", "ORG", "Q42"))] == [
        "6ee42138-dd23-8bc6-94d1-1a43ddd5205f",
        "775d3279-0869-88af-9d9d-4062caaef74e",
    ]


def test_a_name_that_is_no_unicode_has_an_id_too() -> None:
    assert register.register_id("A\ud800", "ORG", None) != register.register_id("A", "ORG", None)


def named(
    name: str,
    label: str = "ORG",
    watch_id: str | None = None,
    aliases: tuple[str, ...] = (),
    score: float | None = None,
    count: int = 1,
) -> Entity:
    return Entity(
        name=name,
        label=label,
        id=watch_id,
        aliases=aliases,
        count=count,
        salience=0.25,
        sentiment=None if score is None else Sentiment(label="neutral", score=score),
        mentions=(Mention(text=name, start=0, end=4, raw_start=0, raw_end=4),),
    )


def text(number: int, *entities: Entity, generation: int = 0, made: float = 200, **fields: Any) -> Record:
    """The only text of article `number`, observed in minute `number`."""
    found = Enrichment(generation=generation, language="en", entities=entities, enriched_at=at(made))
    return enriched(decision("new", place=number, of_article=number, text=number, observed=number, **fields), 1, found)


ENTITIES = (
    "SELECT name, label, articles, mentions, aliases, entity_id, first_seen_at FROM news.entities"
    " ORDER BY articles DESC, name, label"
)


@pytest.mark.services
def test_a_name_is_one_row_over_all_articles_in_the_form_that_most_have(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    records = [
        text(1, named("NATO", score=-0.5, count=3)),
        text(2, named("Nato", aliases=("the alliance",), score=0.0)),
        text(3, named("NATO"), named("Nato", count=2), named("Anna Lind", "PERSON", aliases=("Lind",))),
        text(4, named("NATO", "WORK_OF_ART")),
    ]

    postgres.write_batch(connection, feed.incoming(*records))

    assert [tuple(row.values()) for row in reader.execute(ENTITIES).fetchall()] == [
        ("NATO", "ORG", 3, 7, ["Nato", "the alliance"], None, at(1)),
        ("Anna Lind", "PERSON", 1, 1, ["Lind"], None, at(3)),
        ("NATO", "WORK_OF_ART", 1, 1, [], None, at(4)),
    ]
    assert reader.execute("SELECT sentiment_score FROM news.entities ORDER BY articles DESC").fetchall()[0] == {
        "sentiment_score": -0.25
    }


@pytest.mark.services
def test_an_id_of_the_watch_list_is_one_row_whatever_it_is_called(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    records = [
        text(1, named("Meta Platforms", "ORG", "Q380", aliases=("Facebook",))),
        text(2, named("Meta Platforms", "ORG", "Q380")),
        text(3, named("Facebook Inc.", "PRODUCT", "Q380")),
        text(4, named("Meta Platforms")),
    ]

    postgres.write_batch(connection, feed.incoming(*records))

    assert [tuple(row.values()) for row in reader.execute(ENTITIES).fetchall()] == [
        ("Meta Platforms", "ORG", 3, 3, ["Facebook", "Facebook Inc."], "Q380", at(1)),
        ("Meta Platforms", "ORG", 1, 1, [], None, at(4)),  # nobody said that this is Q380: no guess
    ]
    assert reader.execute(
        "SELECT article_id, name, salience, aliases, entity_id FROM news.article_entities"
        " WHERE register_id = (SELECT register_id FROM news.entities WHERE entity_id = 'Q380') ORDER BY 1"
    ).fetchall() == [
        {
            "article_id": article(number),
            "name": name,
            "salience": 0.25,
            "aliases": aliases,
            "entity_id": "Q380",
        }
        for number, name, aliases in (
            (1, "Meta Platforms", ["Facebook"]),
            (2, "Meta Platforms", []),
            (3, "Facebook Inc.", []),
        )
    ]
    assert len(reader.execute("SELECT FROM news.mentions WHERE register_id IS NOT NULL").fetchall()) == 4


@pytest.mark.services
def test_a_name_that_no_enrichment_has_any_more_is_not_shown(
    connection: Connection, reader: Reader, feed: Feed
) -> None:
    postgres.write_batch(connection, feed.incoming(text(1, named("Wrong"), named("Right"))))
    postgres.write_batch(connection, feed.incoming(text(1, named("Right"), generation=1, made=300)))

    assert [row["name"] for row in reader.execute("SELECT name FROM news.entities").fetchall()] == ["Right"]
    assert connection.execute("SELECT name FROM ingest.entity_register ORDER BY 1").fetchall() == [
        ("right",),
        ("wrong",),
    ]


@pytest.mark.services
@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_records_ends_in_the_same_register(connection: Connection, seed: int) -> None:
    records: list[Record] = [
        text(number, named(form, aliases=(f"alias {number}",)), generation=generation, made=200 + generation)
        for number, form, generation in itertools.product(range(6), ("NATO", "Nato"), range(3))
    ]
    postgres.write_batch(connection, Feed().incoming(*records))
    expected = dump(connection)["entity_register"]
    assert len(expected) == 1

    chance = random.Random(seed)
    clear(connection)
    feed = Feed()
    left = [*records, *chance.sample(records, 5)]
    chance.shuffle(left)
    while left:
        size = chance.randint(1, 6)
        batch, left = left[:size], left[size:]
        postgres.write_batch(connection, feed.incoming(*batch))

    assert dump(connection)["entity_register"] == expected


@pytest.mark.services
def test_of_many_forms_the_shortest_are_kept_in_any_order(connection: Connection) -> None:
    forms = [f"Form {n}" for n in range(register.MAX_ALIASES + 20)]
    records = [text(n, named("X", watch_id="Q1", aliases=(form,))) for n, form in enumerate(forms)]
    kept = []
    for order in (records, records[::-1]):
        clear(connection)
        feed = Feed()
        for part in range(0, len(order), 17):
            postgres.write_batch(connection, feed.incoming(*order[part : part + 17]))
        kept.append(connection.execute("SELECT aliases FROM ingest.entity_register").fetchall())

    assert kept[0] == kept[1]
    assert kept[0][0][0] == sorted(["X", *forms], key=lambda form: (len(form), form))[: register.MAX_ALIASES]


@pytest.mark.services
def test_a_name_that_is_known_in_full_is_not_even_locked(connection: Connection, database_url: str) -> None:
    """The names of the day are in every batch of every sink: they must not wait for each other's transactions."""
    postgres.write_batch(connection, Feed().incoming(text(1, named("NATO"))))
    with psycopg.connect(database_url) as other:
        other.execute("UPDATE ingest.entity_register SET aliases = aliases")  # holds the row until it ends

        second = Feed().raw("articles.enriched", text(2, named("NATO")).to_bytes())
        connection.execute("SET statement_timeout = 5000")
        written = postgres.write_batch(connection, [_later(second)])

    assert written.rows["entity_register"] == 0
    assert written.rows["entities"] == 1


def _later(incoming: Any) -> Any:
    from dataclasses import replace

    return replace(incoming, offset=incoming.offset + 1)


@pytest.mark.services
def test_sinks_that_write_the_same_names_at_once_neither_fail_nor_differ(
    connection: Connection, database_url: str
) -> None:
    names = [f"Name {n}" for n in range(300)]
    chance = random.Random(7)
    shares = [
        [
            [
                text(n, *(named(name, aliases=(f"{name} {worker} {batch}",)) for name in chance.sample(names, 150)))
                for n in range(worker * 1000 + batch * 10, worker * 1000 + batch * 10 + 3)
            ]
            for batch in range(6)
        ]
        for worker in range(4)
    ]
    together = threading.Barrier(len(shares))

    def sink(worker: int) -> None:
        feed = Feed()
        with database.connect(database_url, 30) as ours:
            together.wait()
            for batch in shares[worker]:
                incoming = [_of_partition(i, worker) for i in feed.incoming(*batch)]
                postgres.write_batch(ours, incoming)  # a deadlock would raise here

    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(sink, range(len(shares))))
    at_once = dump(connection)["entity_register"]

    clear(connection)
    feed = Feed()
    for batch in itertools.chain.from_iterable(shares):
        postgres.write_batch(connection, feed.incoming(*batch))
    assert dump(connection)["entity_register"] == at_once
    assert len(at_once) == len(names)


def _of_partition(incoming: Any, partition: int) -> Any:
    from dataclasses import replace

    return replace(incoming, partition=partition)


@pytest.mark.services
def test_names_are_found_by_their_other_forms(connection: Connection, feed: Feed) -> None:
    postgres.write_batch(connection, feed.incoming(text(1, named("Meta Platforms", "ORG", "Q380", ("Facebook",), 0.5))))

    (line,) = reading.entities(connection, Names(part="facebook"), 20)

    assert (line["name"], line["entity_id"], line["aliases"], line["sentiment_score"]) == (
        "Meta Platforms",
        "Q380",
        ["Facebook"],
        0.5,
    )
    assert reading.entities(connection, Names(part="twitter"), 20) == []


@pytest.mark.services
def test_names_stored_by_an_earlier_version_are_registered_as_this_one_would(
    connection: Connection, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = [*itertools.chain.from_iterable((*SAME.values(), *OTHER.values())), "x" * 499 + "ﬃ", "İstanbul", "ǅ", "ᾳ ͅ"]
    records: list[Record] = [
        text(number, *(named(form, label) for form in chance_of(forms, number) for label in ("ORG", "PERSON")))
        for number in range(12)
    ]
    postgres.write_batch(connection, Feed().incoming(*records))
    tables = ("articles", "versions", "entities")
    before = {
        table: connection.execute(f"SELECT coalesce(json_agg(t), '[]')::text FROM ingest.{table} t").fetchone()
        for table in tables
    }
    revisions = schema.revisions()
    old = {name: sql for name, sql in revisions.items() if name < "0006"}
    with monkeypatch.context() as patched:
        patched.setattr(schema, "revisions", lambda: old)
        migrate.migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as filled:
        for table in tables:
            filled.execute(
                f"INSERT INTO ingest.{table} SELECT * FROM json_populate_recordset(NULL::ingest.{table}, %s::json)",
                before[table],
            )

    assert migrate.migrate(empty_database_url)[0] == "0006_entities"

    with database.connect(empty_database_url, 30) as migrated:
        assert dump(migrated)["entity_register"] == dump(connection)["entity_register"]
        assert [without_aliases(row) for row in dump(migrated)["entities"]] == [
            without_aliases(row) for row in dump(connection)["entities"]
        ]
        assert len(dump(migrated)["entity_register"]) > len(SAME)


def chance_of(forms: list[str], number: int) -> list[str]:
    return random.Random(number).sample(forms, 6)


def without_aliases(row: str) -> dict[str, object]:
    return {key: value for key, value in json.loads(row).items() if key not in ("aliases", "salience")}


@pytest.mark.services
def test_a_sink_of_an_earlier_version_is_stopped_and_dead_letters_nothing(connection: Connection) -> None:
    """What each of them does at the end of a batch, in the transaction of its rows."""
    with pytest.raises(psycopg.errors.UndefinedColumn) as stopped:
        connection.execute("UPDATE ingest.positions SET next_offset = 1, updated_at = now()")

    assert database.verdict(stopped.value) == "bug"  # it ends before anything is acknowledged


@pytest.mark.services
def test_an_article_is_found_from_a_name_without_reading_all_of_them(connection: Connection, feed: Feed) -> None:
    postgres.write_batch(
        connection, feed.incoming(*(text(n, *(named(f"Name {n} {k}") for k in range(5))) for n in range(400)))
    )
    as_owner(connection, "ANALYZE")

    for view in ("article_entities", "entities"):
        plan = connection.execute(
            f"EXPLAIN SELECT * FROM news.{view} WHERE register_id = %s",
            [register.register_id("Name 7 1", "ORG", None)],
        ).fetchall()
        assert "Seq Scan" not in "\n".join(line for (line,) in plan)


@pytest.mark.services
def test_an_enrichment_without_names_leaves_the_register_alone(connection: Connection, feed: Feed) -> None:
    written = postgres.write_batch(
        connection, feed.incoming(enriched(decision("new", place=1, observed=1), 1, enrichment()))
    )

    assert "entity_register" not in written.rows
