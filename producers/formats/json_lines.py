"""One line of JSON Lines -> RawArticle."""

import json
import math
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pipeline.errors import InvalidRecord, Reason
from pipeline.records import RawArticle
from pipeline.topics import KIB, MAX_RAW_BYTES
from producers import deliveries
from producers.formats import fields, naming, wording
from producers.formats.page import Extract

# A line so much shorter than the limit makes a record within it: escapes only shrink, and the rest is bounded.
_SURELY_FITS: Final = MAX_RAW_BYTES - 128 * KIB


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= 18 else math.inf  # Python refuses to read thousands of digits


_DECODER: Final = json.JSONDecoder(parse_int=_whole_number)


def read_line(
    line: bytes,
    *,
    delivery_id: UUID,
    source: str,
    observed_at: datetime,
    now: datetime,
    names: naming.Names = naming.OURS,
    extract: Extract | None = None,
) -> RawArticle:
    """Read one line. `source` and `observed_at` (aware) stand where the line gives none; `now` bounds `observed_at`.

    `names`: what the line calls our fields, where it has other names. `extract` finds the text in html.

    Raises InvalidRecord: `not-utf-8`, `not-json`, `wrong-shape` (with its field), `no-text`, `unsupported`,
    `too-large`.
    """
    given = naming.ours(read_object(line), names)
    article = fields.article(
        given, delivery_id=delivery_id, source=source, observed_at=observed_at, now=now, extract=extract
    )
    if len(line) > _SURELY_FITS or article.targets:
        deliveries.value_of(article)
    return article


def read_object(line: bytes) -> dict[str, Any]:
    """The object that a line is. Raises InvalidRecord: `not-utf-8`, `not-json`, `wrong-shape`."""
    try:
        value = _DECODER.decode(line.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise InvalidRecord(Reason.NOT_UTF8, f"Byte {error.start} is not UTF-8 ({error.reason}).") from None
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting")
        raise InvalidRecord(Reason.NOT_JSON, f"Not JSON: {what} at column {error.pos + 1}.") from None
    except RecursionError:
        raise InvalidRecord(Reason.NOT_JSON, "Not JSON that can be read: nested too deeply.") from None
    if not isinstance(value, dict):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"The line must be an object; it is {wording.type_name(value)}.")
    return value
