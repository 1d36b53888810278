"""GET /v1/articles: pages of what is stored, one article with its names, and a database that is away."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest

from sinks import database, postgres
from tests.ops.web.serving import NOBODY, Service, serving
from tests.sinks.samples import Feed, article, at, decided, decision, enriched, enrichment

pytestmark = pytest.mark.services

PASSWORD = "never-to-be-printed"


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """An API beside a database with five articles, each seen first a minute after the one before."""
    connection = database.connect(database_url, 30)
    records = []
    for n in range(1, 6):
        made = decision("new", place=n, of_article=n, text=n, observed=n, source="wire" if n % 2 else "daily")
        records += [decided(made, n), enriched(made, n, enrichment(*(("Ada Lovelace", "Bob") if n == 1 else ())))]
    postgres.write_batch(connection, Feed().incoming(*records))
    connection.close()
    with serving(tmp_path, database_url=database_url, query_seconds=1) as service:
        yield service


def listed(service: Service, **filters: object) -> tuple[list[str], str | None]:
    """The titles of a page, and where the next one begins."""
    answer = service.get(f"/v1/articles?{urlencode(filters)}")
    assert answer.status == 200, answer
    return [found["title"] for found in answer.json["articles"]], answer.json["after"]


def test_articles_are_listed_page_by_page_and_found(service: Service, database_url: str) -> None:
    assert listed(service) == (["Title 5", "Title 4", "Title 3", "Title 2", "Title 1"], None)
    first, after = listed(service, limit=2)
    second, then = listed(service, limit=2, after=after)
    last, end = listed(service, limit=2, after=then)
    assert (first, second, last, end) == (["Title 5", "Title 4"], ["Title 3", "Title 2"], ["Title 1"], None)

    assert listed(service, source="daily")[0] == ["Title 4", "Title 2"]
    assert listed(service, q="TITLE 3")[0] == ["Title 3"]
    assert listed(service, q="%")[0] == []
    since, until = at(2).isoformat(), at(4).isoformat()
    assert listed(service, since=since, until=until)[0] == ["Title 3", "Title 2"]
    assert listed(service, since=(at(5) + timedelta(seconds=1)).isoformat())[0] == []

    whole = service.get(f"/v1/articles/{article(1)}").json
    assert (whole["title"], whole["source"], whole["versions"]) == ("Title 1", "wire", 1)
    assert [(named["name"], named["label"]) for named in whole["entities"]] == [
        ("Ada Lovelace", "PERSON"),
        ("Bob", "PERSON"),
    ]
    assert service.get(f"/v1/articles/{article(9)}").status == 404

    for wrong, field in (
        ("limit=101", "limit"),
        ("since=soon", "since"),
        ("since=2026-11-01", "since"),
        ("after=x", "after"),
    ):
        refused = service.get(f"/v1/articles?{wrong}")
        assert (refused.status, refused.json["field"]) == (400, field)
    assert service.get("/v1/articles/1").status == 400
    assert service.get("/v1/articles", key="").status == 401

    # Who holds the table keeps readers waiting, for so long; those who feed never.
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE ingest.articles IN ACCESS EXCLUSIVE MODE")
        slow = service.get("/v1/articles")
        assert (slow.status, "took longer than 1 s" in slow.json["detail"]) == (503, True)
        assert service.post({"body": "b"}).status == 202
        holder.rollback()
    assert len(listed(service)[0]) == 5


def test_a_database_that_is_away_is_said_without_its_password(tmp_path: Path) -> None:
    with serving(tmp_path, database_url=f"postgresql://news:{PASSWORD}@{NOBODY}/news") as service:
        answer = service.get("/v1/articles")

        assert (answer.status, answer.json["type"]) == (503, "/docs#unavailable")
        assert "NEWS_DATABASE__URL" in answer.json["detail"]
        assert PASSWORD not in answer.body.decode()
        assert service.post({"body": "b"}).status == 202


def test_a_connection_that_was_cut_is_made_anew(service: Service, database_url: str) -> None:
    assert len(listed(service)[0]) == 5
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'news web'")

    assert len(listed(service)[0]) == 5
