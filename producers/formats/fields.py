"""What a sender gives, field by field -> RawArticle: a line of JSON, a row of CSV, the body of a request.

What is wrong with the article itself (no text, a wrong type) refuses it; what is wrong with its dates or is not
known here is left out and said in `notes`: a bad date spoils the date, not the article.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from uuid import UUID

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import RawArticle, Target

FIELDS: Final = (
    "source", "id", "url", "title", "byline", "body", "language", "published_at", "updated_at", "observed_at",
    "targets",
)  # fmt: skip
#: Code points at most; the body is limited by the size of the record.
MAX_LENGTHS: Final = {"source": 200, "id": 2000, "url": 8000, "title": 10_000, "byline": 2000, "language": 35}
MAX_TARGETS: Final = 1000
#: The first printed news relation is of 1605: an earlier date is a zero or a slip of the pen.
EARLIEST_YEAR: Final = 1600
AFTER_OBSERVED: Final = timedelta(days=1)

MAX_NAMED_FIELDS: Final = 20
MAX_QUOTE: Final = 60
#: Surely an address that `canonical_url` reads: asking it costs more than all the rest of a line.
PLAIN_URL: Final = re.compile(r"https?://[a-z0-9]+(?:[.-][a-z0-9]+)*(?:/[a-z0-9/._~-]*)?", re.IGNORECASE | re.ASCII)

_TYPES: Final[Mapping[type, str]] = {
    str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object",
    type(None): "null",
}  # fmt: skip


def article(
    given: Mapping[str, Any], *, delivery_id: UUID, source: str, observed_at: datetime, now: datetime
) -> RawArticle:
    """The article of these fields; its size is the caller's to look at (`deliveries.value_of`).

    `source` and `observed_at` (aware) stand where none is given; `now` bounds `observed_at`. Raises InvalidRecord:
    `wrong-shape` (with its field), `no-text`, `unsupported`.
    """
    notes: list[str] = []
    texts = {name: _text(given, name) for name in ("source", "id", "url", "title", "byline", "body", "language")}
    body = _body(texts["body"], given)
    targets = _targets(given.get("targets"), len(body))
    _note_unknown_fields(given, notes)

    observed = _time(given, "observed_at", notes, "The time of reading was taken")
    if observed is None:
        observed = observed_at
    if observed > now:
        notes.append(f"observed_at: {_quoted(given.get('observed_at', observed))} is in the future; now was taken.")
        observed = now
    url = texts["url"]
    if url is not None and not PLAIN_URL.fullmatch(url) and identity.canonical_url(url) is None:
        notes.append(f"url: {_quoted(url)} is no web address. It was left out.")
        url = None

    return RawArticle(
        delivery_id=delivery_id,
        observed_at=observed,
        source=texts["source"] or source,
        source_item_id=texts["id"],
        url=url,
        title=texts["title"] or "",
        byline=texts["byline"],
        body=body,
        language=texts["language"],
        published_at=_time_before(given, "published_at", observed, notes),
        updated_at=_time_before(given, "updated_at", observed, notes),
        notes=tuple(notes),
        targets=targets,
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


def _body(body: str | None, given: Mapping[str, Any]) -> str:
    if body is not None:
        return body
    if given.get("html"):
        raise InvalidRecord(
            Reason.UNSUPPORTED, "body is missing, and html is not extracted by this version: send the text as body."
        )
    said = "is missing" if given.get("body") is None else "has nothing but white space"
    raise InvalidRecord(Reason.NO_TEXT, f"body {said}.")


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


def type_name(value: object) -> str:
    """What a value of JSON is, in words."""
    return _TYPES.get(type(value), type(value).__name__)


def _note_unknown_fields(given: Mapping[str, Any], notes: list[str]) -> None:
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        named = ", ".join(_shortened(name) for name in unknown[:MAX_NAMED_FIELDS])
        others = f" and {len(unknown) - MAX_NAMED_FIELDS} more" if len(unknown) > MAX_NAMED_FIELDS else ""
        notes.append(f"Unknown fields left out: {named}{others}.")


def _time_before(given: Mapping[str, Any], name: str, observed: datetime, notes: list[str]) -> datetime | None:
    time = _time(given, name, notes, "It was left out")
    if time is not None and time > observed + AFTER_OBSERVED:
        notes.append(
            f"{name}: {_quoted(given[name])} is more than a day after the article was observed. It was left out."
        )
        return None
    return time


def _time(given: Mapping[str, Any], name: str, notes: list[str], instead: str) -> datetime | None:
    value = given.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    time = next((t for parse in _PARSERS if (t := _parsed(parse, value)) is not None), None)
    if time is None:
        notes.append(f"{name}: {_quoted(value)} is no date that can be read. {instead}.")
        return None
    if time.tzinfo is None:
        notes.append(f"{name}: {_quoted(value)} has no time zone; it was taken as UTC.")
        time = time.replace(tzinfo=UTC)
    try:
        time = time.astimezone(UTC)
    except OverflowError:  # year 1 or 9999, on the other side of the world
        notes.append(f"{name}: {_quoted(value)} is no date that can be read. {instead}.")
        return None
    if time.year < EARLIEST_YEAR:
        notes.append(f"{name}: {_quoted(value)} is before the first newspaper. {instead}.")
        return None
    return time


def _parsed(parse: Callable[[str], datetime], value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return parse(value.strip())
    except (ValueError, TypeError, IndexError, OverflowError):  # what parsedate_to_datetime raises depends on the slip
        return None


# ISO 8601, and the e-mail dates of RSS.
_PARSERS: Final[tuple[Callable[[str], datetime], ...]] = (datetime.fromisoformat, parsedate_to_datetime)


def _quoted(value: object) -> str:
    return f'"{_shortened(str(value) if isinstance(value, str | int | float | datetime) else type_name(value))}"'


def _shortened(text: str) -> str:
    return identity.printable(text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…")
