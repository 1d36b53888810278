"""Values of rows -> text: cells of CSV and values of JSON, the same in every command, so that both can be read back."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol

#: Where a spreadsheet would begin to read a formula: in front of a cell, and behind what it may take for the end of one
#: (where commas stand in numbers, Excel parts cells at semicolons, and does not see our quotes).
_FORMULA: Final = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[\s\ufeff]*[=+\-@＝＋－＠])")
_NUMBER: Final = re.compile(r"[+-]?\d+([.,]\d+)?(e[+-]?\d+)?", re.IGNORECASE)
#: A cell of a spreadsheet takes no more; what is longer spills into other cells, where it is looked at as formulas.
SPREADSHEET_MAX: Final = 32_767


class Writable(Protocol):
    """What text is written to: a file, stdout."""

    def write(self, text: str, /) -> object:
        """Take the text."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, as RFC 3339 has it: `2026-03-01T12:00:00Z`; a time without a zone stays without."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_value(value: Any) -> Any:
    """For `json.dumps(default=…)`: times as ISO 8601, bytes as PostgreSQL shows them, what else there is as text."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    return str(value)


def json_line(row: Mapping[str, Any]) -> str:
    """One object on one line."""
    return json.dumps(dict(row), default=json_value, ensure_ascii=False)


def csv_cell(value: Any) -> str:
    """Null is empty, as an empty text is; lists and objects are JSON; a text is as it is, whatever it begins with."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=json_value, ensure_ascii=False)
    return str(json_value(value))


def spreadsheet_cell(value: Any) -> str:
    """As `csv_cell`, for a program that runs what looks like a formula: an apostrophe goes before such texts.

    Numbers stay numbers; a text of more than 32,767 characters is cut, with … at its end.
    """
    text = csv_cell(value)
    if isinstance(value, str) and not _NUMBER.fullmatch(text):
        text = _FORMULA.sub("'", text)
    return text if len(text) <= SPREADSHEET_MAX else text[: SPREADSHEET_MAX - 1] + "…"


def csv_writer(out: Writable, columns: Sequence[str]) -> "CsvWriter":
    """A writer that has written the header line."""
    writer = CsvWriter(out)
    writer.row(columns)
    return writer


class CsvWriter:
    """RFC 4180: commas, CRLF, quotes where they are needed."""

    def __init__(self, out: Writable) -> None:
        self._writer = csv.writer(out, lineterminator="\r\n")

    def row(self, cells: Iterable[str]) -> None:
        """Write one line of cells."""
        self._writer.writerow(cells)
