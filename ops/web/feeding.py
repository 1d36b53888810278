"""POST /v1/articles: one article, many, or a stream of them; answered once the broker has them.

The order of things is the guarantee:
    1. what can be read becomes rows; what cannot is refused, each by itself
    2. the rows are on disk, with the answer where there is an Idempotency-Key
    3. the broker acknowledges them: they leave the spool
    4. the client hears 202. Where 3 takes too long it hears 503; the rows stay, and are sent
"""

import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from ops.web import shapes
from ops.web.desk import Desk, Whole
from ops.web.doors import AtDesk, Caller
from ops.web.incoming import Incoming
from ops.web.problems import Problem, responses
from ops.web.streaming import JSON_LINES, Stream, StreamedAnswer
from pipeline import metrics
from pipeline.errors import Reason
from pipeline.topics import KIB
from producers.ingest import bodies
from producers.ingest.articles import FORBIDDEN_SOURCE, Accepted, Refused
from producers.ingest.bodies import BrokenBody, TooManyArticles
from producers.ingest.intake import Kept, Once
from producers.ingest.keys import ApiKey

JSON: Final = "application/json"
MAX_IDEMPOTENCY_KEY: Final = 255
#: Of an answer that is kept for a repeat, packed: what ids take of 5000 articles, and some notes. Of more it has none.
MAX_KEPT_ANSWER_BYTES: Final = 512 * KIB
NOTES_LEFT_OUT: Final = (
    "There are notes on this article. They were left out, for the answer is kept under its Idempotency-Key and would "
    "be too long.",
)
#: Says that the answer is the one that was given, or would have been, before.
REPLAYED: Final = "Idempotency-Replayed"

_IDEMPOTENCY_KEY: Final = re.compile(r'"(?P<quoted>[!#-~ ]+)"|(?P<plain>[!#-~ ]+)')
#: What the single article of a request is answered with, where it is refused for something else than a field.
_KIND_OF_REASON: Final = {
    Reason.NOT_JSON.value: "broken-body",
    Reason.NOT_UTF8.value: "broken-body",
    Reason.TOO_LARGE.value: "too-large",
    FORBIDDEN_SOURCE: "forbidden-source",
}

router = APIRouter()


@router.post(
    "/v1/articles",
    status_code=202,
    summary="Feed articles",
    response_class=Response,
    openapi_extra={"requestBody": shapes.request_body()},
    responses={
        202: {
            "description": "The broker has what was accepted.",
            "content": {
                JSON: {
                    "schema": {
                        "anyOf": [
                            {"$ref": f"#/components/schemas/{shape}"}
                            for shape in ("AcceptedArticle", "ManyAnswer", "StreamAnswer")
                        ]
                    }
                },
                JSON_LINES: {"schema": {"type": "string"}},
            },
        },
        **responses(400, 401, 403, 408, 409, 413, 415, 422, 429, 503),
    },
)
async def post_articles(
    request: Request,
    key: Caller,
    desk: AtDesk,
    idempotency_key: Annotated[
        str | None, Header(description="your name for this request: a repeat within 24 h sends nothing twice")
    ] = None,
) -> Response:
    """One article as an object, many as an array, or a stream of them as NDJSON.

    Many: 202 if any was accepted, with a result for each. A stream: a summary at its end; with
    `Accept: application/x-ndjson` a result for each line as it is acknowledged, for clients that read while they send.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == JSON_LINES:
        if idempotency_key is not None:
            raise Problem(
                "bad-request",
                "Idempotency-Key: a stream is not one request; send arrays under a key, or go on behind the last line "
                "that was answered.",
                field="Idempotency-Key",
            )
        incoming = Incoming(request, read_seconds=desk.settings.read_seconds, max_bytes=None)
        stream = Stream(incoming, key, desk)
        if JSON_LINES in request.headers.get("accept", "").lower():
            return StreamedAnswer(stream.results())
        return await stream.summary()
    if media_type != JSON:
        raise Problem(
            "unsupported-media-type", f"Content-Type: {media_type or 'none'} is not read; {JSON} and {JSON_LINES} are."
        )
    with desk.request(), desk.room_for_body() as hold:
        incoming = Incoming(request, read_seconds=desk.settings.read_seconds, max_bytes=desk.settings.max_body_bytes)
        body = await incoming.whole(desk.settings.body_seconds, hold)
        once = await _once(idempotency_key, key, body, desk)
        return await _answered(body, key, desk, once, incoming.while_there)


async def _once(given: str | None, key: ApiKey, body: bytes, desk: Desk) -> Once | None:
    if given is None:
        return None
    found = _IDEMPOTENCY_KEY.fullmatch(given.strip())
    name = (found["quoted"] or found["plain"]).strip() if found is not None else ""
    if not 0 < len(name) <= MAX_IDEMPOTENCY_KEY:
        raise Problem(
            "bad-request",
            f"Idempotency-Key: 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters are wanted, as a UUID.",
            field="Idempotency-Key",
        )
    fingerprint = await desk.aside(lambda: hashlib.sha256(body).digest())
    return Once(key.id, name, fingerprint)


async def _answered(body: bytes, key: ApiKey, desk: Desk, once: Once | None, whole: Whole) -> Response:
    with desk.claim(once):
        kept = await desk.find(once) if once is not None else None
        if kept is None:
            kept = await _kept(body, key, desk, once, whole)
        if not await desk.is_acknowledged(kept):
            raise Problem(
                "not-acknowledged",
                f"The broker did not acknowledge within {desk.settings.acknowledge_seconds:.0f} s. The articles are "
                "safe on disk and are sent as soon as it answers. A repeat with the same Idempotency-Key does not send "
                "them twice; without one it is another delivery.",
                retry_after=10,
                kept=json.loads(kept.answer),
            )
    return Response(kept.answer, 202, {REPLAYED: "true"} if kept.is_repeat else None, JSON)


async def _kept(body: bytes, key: ApiKey, desk: Desk, once: Once | None, whole: Whole) -> Kept:
    try:
        found = await desk.aside(lambda: bodies.split(body))
    except BrokenBody as error:
        raise Problem("broken-body", str(error)) from None
    except TooManyArticles:
        raise Problem("too-large", f"One array holds {bodies.MAX_ARTICLES:,} articles at most.") from None
    _count(found.texts, key, desk)
    results = await desk.read(found.texts, key, whole)
    accepted = [result for result in results if isinstance(result, Accepted)]
    refused = [result for result in results if isinstance(result, Refused)]
    metrics.http_articles.labels(result="refused").inc(len(refused))
    if not accepted:
        raise _refusal(refused) if found.is_list else _single_refusal(refused[0])
    answer = _answer(results, is_list=found.is_list)
    if once is not None and len(await desk.aside(lambda: zlib.compress(answer))) > MAX_KEPT_ANSWER_BYTES:
        answer = _answer([_without_notes(result) for result in results], is_list=found.is_list)
    kept = await desk.keep([result.row for result in accepted], answer, once)
    metrics.http_articles.labels(result="repeated" if kept.is_repeat else "accepted").inc(len(accepted))
    return kept


def _count(texts: Sequence[bytes], key: ApiKey, desk: Desk) -> None:
    if key.per_minute is not None and len(texts) > key.per_minute:
        raise Problem(
            "too-large", f"{len(texts):,} articles; this key sends {key.per_minute:,} a minute: send them in parts."
        )
    wait = desk.quota(key, len(texts))
    if wait is not None:
        raise Problem("rate-limited", f"This key sends {key.per_minute:,} articles a minute.", retry_after=wait)


def _answer(results: Sequence[Accepted | Refused], *, is_list: bool) -> bytes:
    if is_list:
        accepted = sum(isinstance(result, Accepted) for result in results)
        said: dict[str, Any] = {"accepted": accepted, "refused": len(results) - accepted, "results": _as_json(results)}
    else:
        (said,) = _as_json(results)
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")


def _without_notes(result: Accepted | Refused) -> Accepted | Refused:
    return replace(result, notes=NOTES_LEFT_OUT) if isinstance(result, Accepted) and result.notes else result


def _as_json(results: Sequence[Accepted | Refused]) -> list[dict[str, Any]]:
    return [result.as_json() for result in results]


def _refusal(results: Sequence[Refused]) -> Problem:
    said = "The array is empty." if not results else f"None of {len(results):,} articles could be accepted."
    return Problem("refused", said, accepted=0, refused=len(results), results=_as_json(results))


def _single_refusal(result: Refused) -> Problem:
    kind = _KIND_OF_REASON.get(result.reason, "refused")
    return Problem(kind, result.detail, field=result.field, reason=result.reason)
