"""What stands in bodies, for OpenAPI: the fields of an article, and the answers to those who send some."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.topics import MAX_RAW_BYTES
from producers.formats.fields import MAX_LENGTHS, MAX_TARGETS
from producers.ingest.bodies import MAX_ARTICLES


class Span(BaseModel):
    """A span of `body`, in code points."""

    start: int = Field(ge=0)
    end: int = Field(gt=0)


class ArticleIn(BaseModel):
    """An article as it is sent. Other fields are left out and said in `notes`, as are dates that cannot be read."""

    model_config = ConfigDict(
        title="Article",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://example.org/2026/11/harbour",
                    "title": "The harbour reopens",
                    "body": "Bergen reopened its harbour on Monday, Mayor Anne Lind said.",
                    "published_at": "2026-11-23T08:00:00Z",
                }
            ]
        },
    )

    body: str | None = Field(
        None, description=f"the text; with all else it fits into {MAX_RAW_BYTES:,} bytes. It or `html` is needed"
    )
    html: str | None = Field(None, description="a page, of which the text is taken; only where there is no `body`")
    title: str | None = Field(None, max_length=MAX_LENGTHS["title"])
    url: str | None = Field(None, max_length=MAX_LENGTHS["url"], description="the article is known by it")
    id: str | None = Field(
        None,
        max_length=MAX_LENGTHS["id"],
        description="your own id of the article: it is known by that without a `url`",
    )
    source: str | None = Field(
        None, max_length=MAX_LENGTHS["source"], description="who publishes it; default: the first one of the key"
    )
    byline: str | None = Field(None, max_length=MAX_LENGTHS["byline"])
    language: str | None = Field(None, max_length=MAX_LENGTHS["language"], description="BCP 47")
    # Of any type: what is no date is left out, and the article taken.
    published_at: Any = Field(
        None, description="ISO 8601 or the form of e-mail; what cannot be read as a date is left out, and notes say so"
    )
    updated_at: Any = Field(None, description="the same")
    observed_at: Any = Field(
        None, description="when it was seen, default: now. The newest one counts: set it for archives"
    )
    targets: list[Span] | None = Field(
        None, max_length=MAX_TARGETS, description="spans that the sentiment is wanted towards"
    )


class AcceptedArticle(BaseModel):
    """An article that the broker has."""

    status: Literal["accepted"]
    article_id: str = Field(description="its stable id: GET /v1/articles/{id}, once it is stored")
    delivery_id: str = Field(description="the id of this delivery: the same again when the request is repeated")
    notes: list[str] = Field([], description="what was left out or could not be read, in words")


class RefusedArticle(BaseModel):
    """An article that is not taken, and why."""

    status: Literal["refused"]
    reason: str = Field(description="no-text, wrong-shape, too-large, not-json, forbidden-source, …")
    field: str | None = Field(description="the field that is to blame")
    detail: str


class ManyAnswer(BaseModel):
    """What became of an array: a result for each article, in order."""

    accepted: int
    refused: int
    results: list[Annotated[AcceptedArticle | RefusedArticle, Field(discriminator="status")]]


class RefusedLine(RefusedArticle):
    """A line of a stream that is not taken, and why."""

    line: int = Field(description="counted from 1")


class StreamAnswer(BaseModel):
    """What became of a stream."""

    accepted: int
    refused: int
    lines: int = Field(description="lines that were read; all that were accepted are acknowledged")
    refusals: list[RefusedLine] = Field(description="the first ones")


def request_body() -> dict[str, Any]:
    """How OpenAPI is told what POST /v1/articles takes: FastAPI must not read it itself."""
    article = {"$ref": "#/components/schemas/Article"}
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [article, {"type": "array", "items": article, "maxItems": MAX_ARTICLES}]}
            },
            "application/x-ndjson": {
                "schema": {
                    "type": "string",
                    "description": "one article a line, without end; lines are of 8 MiB at most",
                }
            },
        },
    }
