"""JSON Feed 1.0 and 1.1 -> what the feed and its items say; an item that is none is a note, its neighbours live."""

import json
import math
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from producers.formats import html_text
from producers.formats.entries import MAX_ENTRIES, Attached, Said, SaidByFeed
from producers.formats.wording import shortened, type_name

#: Notes about single items; the others are counted.
MAX_NOTED_ITEMS: Final = 5


def _text_or_number(value: object) -> object:
    """Ids are numbers in many feeds, against the standard."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else math.inf  # Python refuses to read thousands of digits


_DECODER: Final = json.JSONDecoder(parse_int=_whole_number)

_Id = Annotated[str, BeforeValidator(_text_or_number)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Author(_Model):
    name: str | None = None


class _Attachment(_Model):
    url: str | None = None
    mime_type: str | None = None
    size_in_bytes: float | None = None


class _Item(_Model):
    """An item as the standard has it; beside `id`, all of it may be missing."""

    id: _Id | None = None
    url: str | None = None
    title: str | None = None
    content_html: str | None = None
    content_text: str | None = None
    summary: str | None = None
    image: str | None = None
    date_published: str | None = None
    date_modified: str | None = None
    author: _Author | None = Field(None, description="1.0")
    authors: tuple[_Author, ...] | None = Field(None, description="1.1")
    tags: tuple[str, ...] | None = None
    language: str | None = None
    attachments: tuple[_Attachment, ...] | None = None


#: What an item can do without: a wrong one is left out of it.
_SPARE: Final = frozenset(_Item.model_fields) - {"id", "url", "content_html", "content_text"}


def read(text: str, url: str) -> SaidByFeed:
    """Read a feed. Raises InvalidRecord: `not-json`, `wrong-shape` for JSON that is none."""
    feed = _object(text)
    items = feed.get("items")
    version = feed.get("version")
    is_feed = isinstance(version, str) and "jsonfeed.org/version/" in version
    if not isinstance(items, list):
        wrong = "items is missing" if items is None else f"items is {type_name(items)}, not a list"
        raise InvalidRecord(Reason.WRONG_SHAPE, f"This is JSON, but no JSON Feed: {wrong}.")
    said_by_feed = SaidByFeed(kind="json", base=url, total=len(items))
    if not is_feed:
        said_by_feed.notes.append("It does not say that it is a JSON Feed (version); it was read as one.")
    said_by_feed.title = html_text.line(_string(feed.get("title")), is_plain=True)
    said_by_feed.language = _string(feed.get("language")) or None
    authors = _names(feed.get("authors"), feed.get("author"))

    bad: list[str] = []
    for i, given in enumerate(items[:MAX_ENTRIES]):
        try:
            said = _said(given)
        except InvalidRecord as error:
            bad.append(f"items.{i} was left out: {error.detail}")
            continue
        said.authors = said.authors or authors
        said_by_feed.entries.append(said)
    said_by_feed.notes.extend(bad[:MAX_NOTED_ITEMS])
    if len(bad) > MAX_NOTED_ITEMS:
        said_by_feed.notes.append(f"{len(bad) - MAX_NOTED_ITEMS:,} more items were left out.")
    return said_by_feed


def _object(text: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text.strip().removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting")
        raise InvalidRecord(
            Reason.NOT_JSON, f"The JSON is broken or cut off: {what}, line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise InvalidRecord(Reason.NOT_JSON, "Not JSON that can be read: nested too deeply.") from None
    if not isinstance(value, dict):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"This is JSON, but no JSON Feed: it is {type_name(value)}.")
    return value


def _said(given: object) -> Said:
    if not isinstance(given, dict):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"it must be an object; it is {type_name(given)}.")
    notes: list[str] = []
    try:
        item = _Item.model_validate(given)
    except ValidationError as error:
        wrong = {str(one["loc"][0]): one["msg"] for one in error.errors(include_url=False, include_input=False)}
        if not wrong.keys() <= _SPARE:
            name = next(name for name in wrong if name not in _SPARE)
            raise InvalidRecord(Reason.WRONG_SHAPE, f"{name}: {wrong[name]}.") from None
        notes.extend(f"{name}: {shortened(message)}. It was left out." for name, message in wrong.items())
        item = _Item.model_validate({name: value for name, value in given.items() if name not in wrong})
    content = None
    if item.content_html and item.content_html.strip():
        content = html_text.of_html(item.content_html)
    elif item.content_text and item.content_text.strip():
        content = html_text.of_lines(item.content_text)
    attached = [
        Attached(one.url, one.mime_type, f"{one.size_in_bytes:.0f}" if one.size_in_bytes else None)
        for one in item.attachments or ()
    ]
    return Said(
        own_id=item.id,
        link=item.url or (item.id if item.id and item.id.startswith(("http://", "https://")) else None),
        title=html_text.line(item.title or "", is_plain=True),
        summary=html_text.of_plain(item.summary or ""),
        content=content,
        authors=[one.name for one in item.authors or (item.author,) if one is not None and one.name],
        language=item.language,
        published=item.date_published,
        updated=item.date_modified,
        categories=[category for tag in item.tags or () if (category := html_text.line(tag, is_plain=True))],
        attached=[*attached, *([Attached(item.image)] if item.image else [])],
        notes=notes,
    )


def _names(authors: object, author: object) -> list[str]:
    given = authors if isinstance(authors, list) else [author]
    return [name for one in given if isinstance(one, dict) and (name := _string(one.get("name")))]


def _string(value: object) -> str:
    return identity.printable(value) if isinstance(value, str) else ""
