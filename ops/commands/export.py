"""`news export`: a view of the contract as CSV, JSON lines or Parquet, for notebooks and spreadsheets."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ops.commands.common import load_settings, plain, safe_json, talk
from pipeline.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from psycopg import Column

    from ops.export import Rows

What = Literal["articles", "versions", "article-entities", "entities", "mentions", "copies", "decisions", "changes"]


def export(
    what: Annotated[What, typer.Argument(help="A view of schema news.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE|-", help="Where to; - is stdout.")] = "-",
    kind: Annotated[
        Literal["csv", "jsonl", "parquet"] | None,
        typer.Option("--format", "-f", help="Without it: what FILE ends in, else csv."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only of this source.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Only in this language: en, nb, …")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME|AGE", help="Seen from then on: 2026-03-01, 7d, 12h.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME|AGE", help="Seen before then.")] = None,
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="CSV for Excel and the like: nothing in it runs as a formula."),
    ] = False,
) -> None:
    """All rows of a view as one moment shows them; FILE is there whole or not at all."""
    from ops import database, services
    from ops import export as exporting
    from ops.moments import moment
    from pipeline.identity import printable
    from sinks.export import VIEWS, Chosen

    exported = VIEWS[what]
    form = exporting.format_of(kind, out)
    chosen = Chosen(
        source=printable(source) if source is not None else None,
        language=printable(language) if language is not None else None,
        since=moment("--since", since),
        until=moment("--until", until),
    )
    for name in ("source", "language", "since", "until"):
        if getattr(chosen, name) is not None and name not in exported.takes:
            raise SettingError(f"{exported.view} has no rows to be chosen by --{name}.")
    if spreadsheet and form != "csv":
        raise SettingError(f"--spreadsheet is about CSV, not about {form}.")
    in_terminal = out == "-" and sys.stdout.isatty()
    if form == "parquet":
        from ops import parquet

        parquet.require()
        if in_terminal:
            raise SettingError("Parquet is nothing for a terminal: name a file with --out, or pipe it on.")

    def rows_of(stream: "BinaryIO", columns: "Sequence[Column]", last_change: int) -> "Rows":
        return _rows(stream, columns, last_change, form, for_spreadsheet=spreadsheet, in_terminal=in_terminal)

    settings = load_settings()
    with (
        database.connect_as_reader(services.database_url(settings), settings.database.reader_timeout_seconds) as db,
        _ended_by_a_signal(),
        exporting.opened(out) as stream,
        talk.status(f"{exported.view} …") as status,
    ):
        count, last = exporting.write(
            db, exported, chosen, stream, rows_of, lambda n: status.update(f"{exported.view}: {n:,} rows")
        )
    where = "stdout" if out == "-" else plain(out)
    talk.print(f"{count:,} rows of {exported.view} to {where}, as of change {last}", markup=False, highlight=False)


def _rows(
    stream: "BinaryIO",
    columns: "Sequence[Column]",
    last_change: int,
    form: Literal["csv", "jsonl", "parquet"],
    *,
    for_spreadsheet: bool,
    in_terminal: bool,
) -> "Rows":
    from ops import cells
    from ops.export import CsvRows, JsonRows
    from ops.parquet import ParquetRows

    if form == "parquet":
        return ParquetRows(stream, columns, last_change)
    if form == "jsonl":
        return JsonRows(stream, columns, safe_json)
    cell = cells.spreadsheet_cell if for_spreadsheet else cells.csv_cell
    if for_spreadsheet:
        stream.write(b"\xef\xbb\xbf")  # without it Excel takes UTF-8 for something else
    return CsvRows(stream, columns, (lambda value: plain(cell(value))) if in_terminal else cell)


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: what is half written is taken away."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
