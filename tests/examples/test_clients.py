"""Data frames, and tools that find out by themselves what there is, read the contract without a word of ours."""

from collections.abc import Iterator
from contextlib import closing

import pandas
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

from pipeline import topics
from sinks import contract, postgres
from sinks.contract import Contract
from sinks.database import Connection
from tests.sinks.samples import Feed, article, decided, decision, enriched, enrichment, source_state, word

pytestmark = pytest.mark.services


@pytest.fixture
def engine(database_url: str, connection: Connection, feed: Feed) -> Iterator[sqlalchemy.Engine]:
    """A reader's, on a database in which every view has a row."""
    new = decision("new", place=1, text=1, observed=1)
    copied = decision("copy", place=2, of_article=2, text=2, observed=2, of=article(1), method="near", score=0.5)
    postgres.write_batch(
        connection,
        [
            *feed.incoming(decided(new, 1), enriched(new, 1, enrichment("Ada")), decided(copied, 2, with_body=True)),
            *feed.incoming(source_state("wire", 1)),
            feed.raw(topics.DECISIONS, b"no json"),
        ],
    )
    gone = decision("new", place=3, of_article=3, text=3, observed=3)
    postgres.write_batch(connection, feed.incoming(decided(gone, 3), enriched(gone, 3, enrichment())))
    postgres.write_batch(connection, feed.incoming(word("withdrawn", 1, of_article=3)))
    made = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database_url, options="-c role=news_reader -c timezone=UTC"),
        poolclass=NullPool,
    )
    yield made
    made.dispose()


def of(url: str) -> Contract:
    with closing(psycopg.connect(url)) as connection:
        return contract.read(connection)


def test_every_view_is_a_data_frame(engine: sqlalchemy.Engine, database_url: str) -> None:
    found = of(database_url)
    frames = {relation.name: pandas.read_sql(f"SELECT * FROM news.{relation.name}", engine) for relation in found.views}

    assert {name for name, frame in frames.items() if frame.empty} == set()
    for relation in found.views:
        assert list(frames[relation.name].columns) == [column.name for column in found.columns_of(relation)]
    articles = frames["articles"]
    kinds = {name: str(articles[name].dtype).partition("[")[0] for name in ("versions", "sentiment_score", "title")}
    assert kinds == {"versions": "int64", "sentiment_score": "float64", "title": "str"}
    assert str(articles["first_seen_at"].dtype).endswith("UTC]")
    assert list(frames["copies"]["delay_seconds"]) == [60.0]


def test_tools_find_views_types_and_comments_as_a_reader(engine: sqlalchemy.Engine, database_url: str) -> None:
    found = of(database_url)
    seen = sqlalchemy.inspect(engine)

    assert set(seen.get_view_names("news")) == {relation.name for relation in found.views}
    assert "ingest" not in [
        row[0] for row in pandas.read_sql("SELECT DISTINCT table_schema FROM information_schema.tables", engine).values
    ]
    for relation in found.views:
        columns = seen.get_columns(relation.name, schema="news")
        assert [column["name"] for column in columns if isinstance(column["type"], NullType)] == []
        assert [column["comment"] for column in columns] == [c.comment for c in found.columns_of(relation)]
