"""Explaining: why a delivery was decided as it was, and the texts side by side."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.commands.common import Json, load_settings, plain, quiet_logs, show, talk
from pipeline.errors import Exit, Unavailable

if TYPE_CHECKING:
    from ops.explain import Cell, Comparison, Explained
    from pipeline.settings import Settings

#: Decisions about one article that are explained, and lines of passages for each of them.
MOST_DECISIONS = 20
MOST_LINES = 40
#: As wide as this where nobody watches.
PIPE_WIDTH = 120

_STYLES = {"=": "green", "+": "yellow", "-": "red"}


def explain(
    what: Annotated[str, typer.Argument(metavar="ID|URL", help="An article, version or delivery id, or a URL.")],
    full: Annotated[bool, typer.Option("--full", help="All passages, and each of them whole.")] = False,
    as_json: Json = False,
) -> None:
    """Why it was decided so: what it is, by what, against which text, and both texts side by side.

    Passages: = both texts have them, + only this one, - only the other one.
    """
    from ops import database, services, whereabouts
    from ops.explain import as_json as json_of
    from ops.explain import explain as explained

    settings = load_settings()
    quiet_logs()
    with database.connect(services.database_url(settings)) as db:
        found, count = explained(db, whereabouts.wanted(what, db), MOST_DECISIONS)
    if not found:
        talk.print(_unknown(what, settings), markup=False, highlight=False)
        raise typer.Exit(Exit.FAILURE)
    if as_json:
        show(map(json_of, found), (), as_json=True)
    else:
        for number, each in enumerate(found, start=count - len(found) + 1):
            with _page() as out:
                _print(out, each, f"{number} of {count}", full=full)
    if count > len(found):
        talk.print(
            f"{count - len(found)} older decisions are not shown: they stand in news.decisions; ask for one of them by "
            "its delivery id.",
            markup=False,
            highlight=False,
        )


def _unknown(what: str, settings: "Settings") -> str:
    """What to say of something that no decision is stored about: it may be on its way, or a dead letter."""
    from ops import services, whereabouts

    try:
        rows = whereabouts.find(what, settings, services.find(settings)).rows
    except Unavailable:
        return f"No decision about {what} is stored. `news where` says whether it is on its way, once Kafka answers."
    if not rows:
        return f"Nothing here knows {what}."
    return f"No decision about {what} is stored: {rows[0]['where']}. See `news where {what}`."


@contextmanager
def _page() -> Iterator[Console]:
    """stdout; where it is no terminal, plain and of one width, without the spaces that fill a line."""
    if sys.stdout.isatty():
        yield Console(file=sys.stdout, highlight=False)
        return
    page = Console(file=io.StringIO(), highlight=False, width=PIPE_WIDTH, force_terminal=False, no_color=True)
    with page.capture() as captured:
        yield page
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())


def _print(out: Console, e: "Explained", number: str, *, full: bool) -> None:
    from ops.explain import sentences

    out.print(Text(f"{e.decision.kind}  ({number})", style="bold"))
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for said in sentences(e):
        lines.add_row(Text(f"  {said.about}"), Text(plain(said.words)))
    out.print(lines)
    if e.comparison is not None:
        out.print()
        _print_passages(out, e.comparison, e.against.relation if e.against else "of", full=full)
    out.print()


def _print_passages(out: Console, c: "Comparison", relation: str, *, full: bool) -> None:
    from ops.explain import side_by_side

    width = (out.width - 2) // 2  # the columns stand two apart
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, overflow="fold")
    table.add_column(width=width, overflow="fold")
    theirs = "its text before" if c.other.article_id == c.text.article_id else f"{c.other.source} ({relation})"
    table.add_row(Text(plain(f"  {c.text.source}"), style="bold"), Text(plain(f"  {theirs}"), style="bold"))
    lines, left_out = 0, 0
    for row in side_by_side(c, full=full):
        if left_out:
            left_out += 1
            continue
        cells = [_cell(row.mine), _cell(row.theirs)]
        lines += max(len(cell.wrap(out, width)) for cell in cells)
        if lines > MOST_LINES and not full:
            left_out = 1
        else:
            table.add_row(*cells)
    out.print(table)
    if left_out:
        out.print(f"  … {left_out} more passages: --full shows them")


def _cell(cell: "Cell | None") -> Text:
    return Text("") if cell is None else Text(f"{cell.sign} {plain(cell.text)}", style=_STYLES[cell.sign])
