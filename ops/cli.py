"""The `news` command: stdout is data, stderr is talk. The commands stand in ops/commands, a file a subject.

Nothing heavy is imported here: `news --help` and completion stay fast.
"""

import errno
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from ops.commands import (
    boilerplate,
    config,
    dead_letters,
    decisions,
    explain,
    export,
    feed,
    keys,
    look,
    reading,
    reenrich,
    run,
    schema,
    search,
    sources,
    withdraw,
)
from ops.commands.common import plain, talk
from pipeline.errors import Exit, NewsError

app = typer.Typer(
    name="news",
    help="News articles in; one clean, enriched, queryable row each out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(run.up)
app.command("down")(run.down)
app.command("status")(run.status)
app.command("doctor")(run.doctor)
app.command("pause")(run.pause)
app.command("resume")(run.resume)
app.command("run")(run.run)
app.command("process")(feed.process)
app.add_typer(feed.app, name="feed")
app.command("topics")(look.topics)
app.command("lag")(look.lag)
app.command("tail")(look.tail)
app.command("articles")(reading.articles)
app.command("article")(reading.article)
app.command("entities")(reading.entities)
app.command("diff")(reading.diff)
app.command("search")(search.search)
app.command("where")(look.where)
app.command("explain")(explain.explain)
app.command("withdraw")(withdraw.withdraw)
app.command("restore")(withdraw.restore)
app.command("erase")(withdraw.erase)
app.command("balance")(look.balance)
app.command("export")(export.export)
app.command("reenrich")(reenrich.reenrich)
app.add_typer(sources.app, name="sources")
app.add_typer(keys.app, name="keys")
app.add_typer(decisions.app, name="decisions")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(boilerplate.app, name="boilerplate")
app.add_typer(schema.db, name="db")
app.add_typer(config.app, name="config")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        print(version("news-pipeline"))  # noqa: T201  data
        raise typer.Exit


@app.callback()
def _news(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """News articles in; one clean, enriched, queryable row each out."""


def main() -> NoReturn:
    """Run the command; every failure is one line on stderr and an exit code of the contract (docs/operations.md)."""
    try:
        app()
    except NewsError as error:
        talk.print(f"[red]error:[/] {escape(plain(str(error)))}", highlight=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(Exit.INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        talk.print(f"[red]error:[/] {escape(plain(str(error)))}", highlight=False, soft_wrap=True)
        raise SystemExit(Exit.FAILURE) from None
    raise SystemExit(Exit.OK)
