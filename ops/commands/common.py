"""What the commands share: where talk and data go, how a table looks, how settings are read."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops import cells
from pipeline.errors import SettingError

if TYPE_CHECKING:
    from pipeline.settings import Settings

talk = Console(stderr=True, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV with a header line (RFC 4180) instead of a table.")]
Row = Mapping[str, Any]
#: DEL and C1 (an 8-bit terminal obeys them), line separators, marks that turn the direction of text.
_ORDERS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def load_settings() -> "Settings":
    """The settings, with a word about variables that no setting reads."""
    from pipeline import settings as settings_module

    for sentence in settings_module.unknown():
        talk.print(f"[yellow]{escape(plain(sentence))}[/]", highlight=False)
    return settings_module.load()


def quiet_logs() -> None:
    """Commands speak for themselves: of the libraries only what is wrong is heard, and on stderr."""
    from pipeline import logs

    logs.set_up("ERROR", "news")


def show(
    rows: Iterable[Row],
    columns: Sequence[str],
    *,
    as_json: bool,
    as_csv: bool = False,
    fields: Sequence[str] | None = None,
    empty: str = "nothing",
) -> None:
    """Print rows on stdout, as a table for people, or as JSON lines or CSV for programs.

    The table has `columns`; JSON has all of a row; CSV has `fields`, without these the columns, and its header line
    also where there is no row. Raises SettingError where both JSON and CSV are asked for.
    """
    if as_json and as_csv:
        raise SettingError("Either --json or --csv, not both.")
    if as_csv:
        _show_csv(rows, fields or columns)
        return
    if as_json:
        for row in rows:
            print(safe_json(cells.json_line(row)))  # noqa: T201  data
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    if not table.row_count:
        talk.print(empty)
        return
    out = Console(file=sys.stdout, soft_wrap=not sys.stdout.isatty())
    out.width = out.width if sys.stdout.isatty() else 240
    out.print(table, markup=False)


def _show_csv(rows: Iterable[Row], fields: Sequence[str]) -> None:
    """As the values are; only a terminal is spared what would be orders to it."""
    in_terminal = sys.stdout.isatty()
    if not in_terminal and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    writer = cells.csv_writer(sys.stdout, fields)
    for row in rows:
        line = [cells.csv_cell(row.get(field)) for field in fields]
        writer.row([plain(cell) for cell in line] if in_terminal else line)


def _cell(value: Any) -> str:
    """Text of strangers in a terminal: control characters would be orders to it."""
    if value is None:
        return ""
    text = f"{value:.2f}" if isinstance(value, float) else str(value)
    return plain(text)


def plain(text: str) -> str:
    """The text without control characters, bidi marks and the like, which are orders to a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def safe_json(line: str) -> str:
    """JSON in which the control characters that JSON itself lets through are escaped too."""
    return _ORDERS.sub(lambda found: f"\\u{ord(found.group()):04x}", line)
