"""Dead letters: what can never succeed, with its reason."""

from typing import Annotated
from uuid import UUID

import typer

from ops.commands import completion
from ops.commands.common import Csv, Json, load_settings, show
from pipeline.errors import Reason, SettingError

app = typer.Typer(help="What can never succeed, with its reason.", no_args_is_help=True)


@app.command("list")
def list_(
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage", help="producers, deduplicate, enrich or sink.", autocompletion=completion.stages_of_letters
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="empty, not-json, no-text, …", autocompletion=completion.reasons)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000)] = 50,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """The newest dead letters."""
    from psycopg.rows import dict_row

    from ops import database, services
    from sinks import statements

    if reason is not None and reason not in set(Reason):
        raise SettingError(f"--reason is one of {', '.join(Reason)}.")
    arguments = {"stage": stage, "reason": reason, "most": limit}
    with database.connect(services.database_url(load_settings())) as db, db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statements.load("select_dead_letters"), arguments).fetchall()
    columns = ("failed_at", "stage", "reason", "where", "detail", "length", "id")
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty="no dead letters")


@app.command("show")
def show_one(letter: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """One dead letter, with the beginning of what it holds."""
    from psycopg.rows import dict_row

    from ops import database, services
    from sinks import statements

    try:
        letter_id = UUID(letter)
    except ValueError:
        raise SettingError(f"{letter!r} is no id of a dead letter: see `news dead-letters list`.") from None
    with database.connect(services.database_url(load_settings())) as db, db.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(statements.load("select_dead_letter"), {"id": letter_id}).fetchone()
    if row is None:
        raise SettingError(f"There is no dead letter {letter_id}: see `news dead-letters list`.")
    value = bytes(row.pop("value"))
    row["value"] = value[:2000].decode("utf-8", "backslashreplace")
    if as_json:
        show([row], (), as_json=True)
    else:
        show(({"field": k, "value": v} for k, v in row.items()), ("field", "value"), as_json=False)
