"""What a sender gives, field by field -> RawArticle: a line of JSON, a row of CSV, the body of a request.

What is wrong with the article itself (no text, a wrong type) refuses it; what is wrong with its dates or is not
known here is left out and said in `notes`: a bad date spoils the date, not the article.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Details, RawArticle, Target
from producers.formats import dates
from producers.formats.page import Extract, Page
from producers.formats.wording import quoted, shortened, type_name

FIELDS: Final = (
    "source", "id", "url", "title", "byline", "body", "html", "language", "published_at", "updated_at", "observed_at",
    "targets",
)  # fmt: skip
#: Code points at most; the body is limited by the size of the record.
MAX_LENGTHS: Final = {"source": 200, "id": 2000, "url": 8000, "title": 10_000, "byline": 2000, "language": 35}
MAX_TARGETS: Final = 1000
MAX_NAMED_FIELDS: Final = 20
#: Surely an address that `canonical_url` reads: asking it costs more than all the rest of a line.
PLAIN_URL: Final = re.compile(r"https?://[a-z0-9]+(?:[.-][a-z0-9]+)*(?:/[a-z0-9/._~-]*)?", re.IGNORECASE | re.ASCII)


def article(
    given: Mapping[str, Any],
    *,
    delivery_id: UUID,
    source: str,
    observed_at: datetime,
    now: datetime,
    extract: Extract | None = None,
) -> RawArticle:
    """The article of these fields; its size is the caller's to look at (`deliveries.value_of`).

    `source` and `observed_at` (aware) stand where none is given; `now` bounds `observed_at`. Where `html` stands in
    place of `body`, `extract` finds the text in it, and what else is not given. Raises InvalidRecord: `wrong-shape`
    (with its field), `no-text`, `unsupported` (html, and no `extract`); and what `extract` raises.
    """
    notes: list[str] = []
    texts = {name: _text(given, name) for name in ("source", "id", "url", "title", "byline", "body", "language")}
    html = _html(texts["body"], given, notes)
    targets = _targets(given.get("targets"), len(texts["body"] or ""))
    _note_unknown_fields(given, notes)

    observed = dates.time_of(given.get("observed_at"), "observed_at", notes, instead="The time of reading was taken")
    if observed is None:
        observed = observed_at
    if observed > now:
        notes.append(f"observed_at: {quoted(given.get('observed_at', observed))} is in the future; now was taken.")
        observed = now
    url = texts["url"]
    if url is not None and not PLAIN_URL.fullmatch(url) and identity.canonical_url(url) is None:
        notes.append(f"url: {quoted(url)} is no web address. It was left out.")
        url = None

    article = RawArticle(
        delivery_id=delivery_id,
        observed_at=observed,
        source=texts["source"] or source,
        source_item_id=texts["id"],
        url=url,
        title=texts["title"] or "",
        byline=texts["byline"],
        body=texts["body"] or "",
        language=texts["language"],
        published_at=dates.time_before(given.get("published_at"), "published_at", observed, notes),
        updated_at=dates.time_before(given.get("updated_at"), "updated_at", observed, notes),
        notes=tuple(notes),
        targets=targets,
    )
    if html is None:
        return article
    if extract is None:
        raise InvalidRecord(
            Reason.UNSUPPORTED, "body is missing, and html is not extracted here: send the text as body."
        )
    return _with_page(article, extract(html, url=url, charset=None, now=observed))


def _html(body: str | None, given: Mapping[str, Any], notes: list[str]) -> str | bytes | None:
    """The page to take the text from; None where there is a body. (Bytes are a file's.)"""
    html = given.get("html")
    if html is not None and not isinstance(html, str | bytes):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"html: must be a text; it is {type_name(html)}.")
    if body is not None:
        if html:
            notes.append("html: left out, for there is a body.")
        return None
    if not html or html.isspace():
        said = "is missing" if given.get("body") is None else "has nothing but white space"
        raise InvalidRecord(Reason.NO_TEXT, f"body {said}.")
    if given.get("targets"):
        raise InvalidRecord(Reason.WRONG_SHAPE, "targets: these are places in body, and there is only html.")
    return html


def _with_page(article: RawArticle, page: Page) -> RawArticle:
    """The article with the page's text; what its sender gave goes before what the page says."""
    dated = article.published_at is not None
    details = Details(
        categories=page.categories,
        published_at_from="source" if dated else page.published_at_from,
        extractor=page.extractor,
        flags=page.flags,
    )
    found = {
        "url": article.url or page.url,
        "title": article.title or page.title,
        "byline": article.byline or page.byline,
        "language": article.language or page.language,
        "published_at": article.published_at or page.published_at,
        "updated_at": article.updated_at or page.updated_at,
    }
    said = tuple(note for note in page.notes if not (dated and note.startswith("published_at:")))
    return RawArticle(
        **{**dict(article), **found, "body": page.text, "details": details, "notes": article.notes + said}
    )


def _text(given: Mapping[str, Any], name: str) -> str | None:
    """The text of a field; None where it is missing, null or blank. White space round a name or address goes."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"{name}: must be a text; it is {type_name(value)}.")
    limit = MAX_LENGTHS.get(name)
    if limit is not None and len(value) > limit:
        raise InvalidRecord(Reason.WRONG_SHAPE, f"{name}: {len(value):,} characters; at most {limit:,} are taken.")
    if not value.strip():
        return None
    return value if name in ("title", "byline", "body") else value.strip()


def _targets(value: object, length: int) -> tuple[Target, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"targets: must be a list; it is {type_name(value)}.")
    if len(value) > MAX_TARGETS:
        raise InvalidRecord(Reason.WRONG_SHAPE, f"targets: {len(value):,} spans; at most {MAX_TARGETS:,} are taken.")
    return tuple(_target(i, span, length) for i, span in enumerate(value))


def _target(i: int, span: object, length: int) -> Target:
    start, end = (span.get("start"), span.get("end")) if isinstance(span, dict) else (None, None)
    if type(start) is not int or type(end) is not int:  # bool is an int to Python
        raise InvalidRecord(Reason.WRONG_SHAPE, f"targets.{i}: must be an object with whole numbers start and end.")
    if not 0 <= start < end <= length:
        raise InvalidRecord(
            Reason.WRONG_SHAPE,
            f"targets.{i}: {start} to {end} is no span of the body, which has {length:,} characters.",
        )
    return Target(start=start, end=end)


def _note_unknown_fields(given: Mapping[str, Any], notes: list[str]) -> None:
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        named = ", ".join(shortened(name) for name in unknown[:MAX_NAMED_FIELDS])
        others = f" and {len(unknown) - MAX_NAMED_FIELDS} more" if len(unknown) > MAX_NAMED_FIELDS else ""
        notes.append(f"Unknown fields left out: {named}{others}.")
