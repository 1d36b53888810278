"""The JSON of one article -> the row that will be sent, or why it is refused: in words, with the field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from producers import deliveries
from producers.deliveries import Row
from producers.formats import fields, json_lines, lines
from producers.formats.page import Extract

#: Not one of errors.Reason: nothing is wrong with the article, its sender may not send it.
FORBIDDEN_SOURCE: Final = "forbidden-source"

# How the sentences of fields.py begin: "title: must be …", "body is missing.", "targets.3: …".
_FIELD: Final = re.compile(r"(?P<field>[a-z_]+)(?:\.\d+)*(?::| is | has )")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An article and the row that carries it; `notes` say what was left out or could not be read."""

    article_id: str
    delivery_id: str
    notes: tuple[str, ...]
    row: Row

    def as_json(self) -> dict[str, Any]:
        """What the sender is told."""
        said = {"status": "accepted", "article_id": self.article_id, "delivery_id": self.delivery_id}
        return said | ({"notes": list(self.notes)} if self.notes else {})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an article is not taken: a word of a closed set, the field where one is to blame, and a sentence."""

    reason: str
    field: str | None
    detail: str

    def as_json(self) -> dict[str, Any]:
        """What the sender is told."""
        return {"status": "refused", "reason": self.reason, "field": self.field, "detail": self.detail}


def read(
    text: bytes | None, *, sources: Sequence[str], source: str, now: datetime, extract: Extract | None = None
) -> Accepted | Refused:
    """The article in `text` (None: it was too long to keep). `source` is the one it has where it names none.

    `sources` are those that its sender may name; none: all. `extract` makes text of `html`.
    """
    given: dict[str, Any] = {}
    try:
        given = json_lines.read_object(_kept(text))
        article = fields.article(
            given,
            delivery_id=identity.new_delivery_id(),
            source=source,
            observed_at=now,
            now=now,
            extract=extract,
        )
        if sources and article.source not in sources:
            named = ", ".join(sources)
            return Refused(FORBIDDEN_SOURCE, "source", f"source: this key sends for {named} only.")
        row = deliveries.row_of_article(article, deliveries.value_of(article), "http")
    except InvalidRecord as refusal:
        said = refusal.detail.replace("The line must be", "An article must be", 1)
        return Refused(refusal.reason.value, _field_of(refusal, given), said)
    return Accepted(str(UUID(row.key.decode())), str(row.delivery_id), article.notes, row)


def _kept(text: bytes | None) -> bytes:
    if text is None or len(text) > lines.MAX_PIECE_BYTES:
        raise InvalidRecord(Reason.TOO_LARGE, f"The article has more than {lines.MAX_PIECE_BYTES:,} bytes of JSON.")
    return text


def _field_of(refusal: InvalidRecord, given: Mapping[str, Any]) -> str | None:
    found = _FIELD.match(refusal.detail)
    if found is not None and found["field"] in fields.FIELDS:
        return found["field"]
    return "html" if refusal.reason in (Reason.NO_TEXT, Reason.POISON) and "html" in given else None
