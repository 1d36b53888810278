"""`news db …`: the schema and a reader's shell; `news config …`: the settings in force."""

import os

import typer

from ops.commands.common import Json, load_settings, show, talk
from pipeline.errors import Exit, SettingError

db = typer.Typer(help="The database: migrate, check, psql.", no_args_is_help=True)
config = typer.Typer(help="The settings in force.", no_args_is_help=True)


@db.command("migrate")
def migrate() -> None:
    """Bring the schema up to this version; safe to run again and by several at once."""
    from ops import services
    from sinks import migrate as migrations

    applied = migrations.migrate(services.database_url(load_settings()))
    talk.print(f"applied: {', '.join(applied) or 'nothing, the schema is up to date'}", highlight=False)


@db.command("check")
def check() -> None:
    """Whether the schema is the one that this version needs."""
    from ops import database, services
    from sinks import schema

    with database.connect(services.database_url(load_settings())) as connection:
        schema.check_schema(connection)
    talk.print("the schema is up to date")


@db.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """A reader's shell (psql); arguments are passed on, e.g. `news db psql -c 'select * from news.articles'`."""
    from ops import services
    from ops.psql import environment, find_psql

    url = services.database_url(load_settings())
    program = find_psql()
    if program is None:
        raise SettingError(
            "There is no psql on PATH and none in this environment. Install PostgreSQL's client, or use any other with "
            "the settings in .news/run.json."
        )
    os.execve(program, [program, *context.args], {**os.environ, **environment(url)})  # noqa: S606


@config.command("show")
def config_show(as_json: Json = False) -> None:
    """Every setting with its value and what it is for; secrets are masked."""
    from ops.settings_view import rows

    show(rows(load_settings()), ("variable", "value", "default", "what"), as_json=as_json)


@config.command("check")
def config_check() -> None:
    """Whether all settings can be read and every NEWS_* variable is one."""
    from pipeline import settings as settings_module

    unknown = settings_module.unknown_variables(os.environ)
    settings_module.load()
    for name in unknown:
        talk.print(f"{name} is no setting: see `news config show`.", highlight=False)
    if unknown:
        raise typer.Exit(Exit.USAGE)
    talk.print("all settings can be read")
