"""The load of bench/sink.py is what the bench says it is, and its flat writers all write it."""

import json
import re
from itertools import pairwise

import psycopg
import pytest

from bench.sinks import connect, flat, load
from pipeline.records import DecidedArticle, EnrichedArticle

MADE = list(load.articles(20, seed=1))


def test_an_article_has_four_hundred_words_fifteen_names_and_forty_mentions() -> None:
    for made in MADE:
        record = EnrichedArticle.from_bytes(made.enriched)
        entities = record.enrichment.entities
        mentions = [mention for entity in entities for mention in entity.mentions]
        assert 400 <= len(record.body.text.split()) <= 401  # the last may be a name of two words
        assert (len(entities), len(mentions)) == (15, 40)
        assert {entity.name for entity in entities} == {mention.text for mention in mentions}
        assert all(
            record.body.text[m.start : m.end] == record.body.raw[m.raw_start : m.raw_end] == m.text for m in mentions
        )


def test_every_article_is_another_one_with_its_own_decision() -> None:
    decided = [DecidedArticle.from_bytes(made.decided).decision for made in MADE]

    assert decided == [EnrichedArticle.from_bytes(made.enriched).decision for made in MADE]
    assert len({d.article_id for d in decided}) == len({d.delivery_id for d in decided}) == 20
    assert [d.raw.offset for d in decided] == list(range(20))


def test_a_flat_record_says_the_schema_of_its_fields() -> None:
    flat_record = json.loads(MADE[0].flat)

    assert [field["field"] for field in flat_record["schema"]["fields"]] == list(flat_record["payload"])
    assert tuple(flat_record["payload"]) == flat.COLUMNS


@pytest.mark.services
@pytest.mark.parametrize("way", [flat.ours, flat.executemany, flat.rows], ids=lambda way: way.__name__)
def test_each_way_writes_the_same_rows_and_again_writes_none(empty_database_url: str, way: flat.Way) -> None:
    found = [json.loads(made.flat)["payload"] for made in MADE]
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(flat.TABLE.format(table="flat"))
        for _ in range(2):
            way(connection, "flat", found, "topic", 20)
        stored = connection.execute("SELECT id::text, title, text, sentiment FROM flat").fetchall()

    assert sorted(stored) == sorted((row["id"], row["title"], row["text"], row["sentiment"]) for row in found)


def test_the_list_of_jars_can_be_read() -> None:
    lines = [line for line in connect.JAR_LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]

    assert all(re.fullmatch(r"(worker|plugin):[\w.-]+:[\w.-]+:[\w.-]+ [0-9a-f]{64}", line) for line in lines)
    for part in ("worker", "plugin"):
        assert all(one < two for one, two in pairwise(line for line in lines if line.startswith(part)))
