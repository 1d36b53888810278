"""GET /v1/articles and /v1/articles/{id}: what became of the articles, from schema news."""

import base64
import binascii
from datetime import datetime
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from ops.web.doors import Caller
from ops.web.problems import Problem, responses
from ops.web.reader import Reader
from pipeline.identity import printable
from sinks import articles
from sinks.articles import ListedArticle, Place, StoredArticle, Wanted

MAX_LIMIT: Final = 100

router = APIRouter()


class ArticlePage(BaseModel):
    """A page of articles, those seen first most recently first."""

    articles: list[ListedArticle]
    after: str | None = Field(description="where the next page begins; null: this is the last one")


def _reader(request: Request) -> Reader:
    reader: Reader = request.app.state.reader
    return reader


AtReader = Annotated[Reader, Depends(_reader)]


@router.get("/v1/articles", summary="The newest articles", responses=responses(400, 401, 429, 503))
async def list_articles(
    _: Caller,
    reader: AtReader,
    source: Annotated[str | None, Query(max_length=200, description="of this source alone")] = None,
    since: Annotated[AwareDatetime | None, Query(description="first seen then or later")] = None,
    until: Annotated[AwareDatetime | None, Query(description="first seen before")] = None,
    q: Annotated[str | None, Query(max_length=200, description="stands in the title")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    after: Annotated[str | None, Query(max_length=200, description="`after` of the page before")] = None,
) -> ArticlePage:
    """A page, without texts. A page begins where the one before ended, whatever came meanwhile."""
    wanted = Wanted(printable(source) if source else None, since, until, printable(q) if q else None)
    place = _place(after) if after is not None else None
    found = await reader.ask(partial(articles.page, wanted=wanted, after=place, limit=limit + 1))
    shown = found[:limit]
    return ArticlePage(articles=shown, after=_token(shown[-1]) if len(found) > limit else None)


@router.get("/v1/articles/{article_id}", summary="One article", responses=responses(400, 401, 404, 429, 503))
async def get_article(_: Caller, reader: AtReader, article_id: UUID) -> StoredArticle:
    """An article with its text and the names in it. It is there once the sink has stored it: seconds after 202."""
    found = await reader.ask(partial(articles.whole, article_id=article_id))
    if found is None:
        raise Problem("not-found", f"No article {article_id} is stored (yet).")
    return found


def _token(last: ListedArticle) -> str:
    return base64.urlsafe_b64encode(f"{last.first_seen_at.isoformat()} {last.article_id}".encode()).decode()


def _place(token: str) -> Place:
    try:
        time, _, article_id = base64.b64decode(token, b"-_", validate=True).decode("ascii").partition(" ")
        place = Place(datetime.fromisoformat(time), UUID(article_id))
    except (ValueError, binascii.Error):
        raise Problem("bad-request", "after: this is not what a page gave as `after`.", field="after") from None
    if place.first_seen_at.tzinfo is None:
        raise Problem("bad-request", "after: this is not what a page gave as `after`.", field="after")
    return place
