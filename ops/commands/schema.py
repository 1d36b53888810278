"""`news db …`: the schema and a reader's shell."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.common import Csv, Json, load_settings, show, talk
from pipeline.errors import Exit, SettingError

db = typer.Typer(help="The database: migrate, check, roles, reader, retain, psql.", no_args_is_help=True)


@db.command("migrate")
def migrate() -> None:
    """Bring the schema, the roles and the publication up to this version; safe to run again and by several at once."""
    from ops import services
    from sinks import backfill
    from sinks import migrate as migrations

    settings = load_settings()
    published = settings.database.publication
    applied = migrations.migrate(services.database_url(settings), published, _say)
    _say(f"applied: {', '.join(applied) or 'nothing, the schema is up to date'}")
    if indexed := backfill.index_all(services.database_url(settings), _say):
        _say(f"search knows {indexed:,} more articles")


@db.command("check")
def check(
    as_sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL that puts it right, where there is one.")
    ] = False,
) -> None:
    """Whether the schema, the roles and the publication are those that this version makes; 1: they are not."""
    from ops import database, services
    from ops.schema_check import findings

    settings = load_settings()
    with database.connect(services.database_url(settings), check=False) as connection:
        found = findings(connection, settings.database.publication)
    for difference in found.differences:
        if as_sql and difference.sql is not None:
            print(difference.sql)  # noqa: T201  data
        else:
            _say(f"{difference.what}: {difference.remedy}")
    for note in found.notes:
        _say(note)
    if found.differences:
        raise typer.Exit(Exit.FAILURE)
    _say("the schema is up to date")


@db.command("roles")
def roles_() -> None:
    """Print as SQL what the roles still lack, for somebody who may do it; nothing: they have all."""
    from ops import database, services
    from sinks import roles

    with database.connect(services.database_url(load_settings()), check=False, as_writer=False) as connection:
        for statement in roles.undone(connection):
            print(f"{statement.sql};")  # noqa: T201  data


@db.command("reader")
def reader(
    name: Annotated[str, typer.Argument(help="Of the login: a person's, or a tool's.")],
    drop: Annotated[bool, typer.Option("--drop", help="Take it away, and end its sessions.")] = False,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Write the password there, not into the URL.")
    ] = None,
) -> None:
    """Make a login that reads schema news and nothing else, and print its URL: the password is shown this once."""
    import secrets

    from ops import database, services
    from sinks import readers
    from sinks.database import reader_limits

    settings = load_settings()
    url = services.database_url(settings)
    if not name.isprintable() or not 0 < len(name.encode()) < 64 or name.startswith("pg_"):
        raise SettingError("NAME is printable, 63 bytes at most, and does not begin with pg_.")
    with database.connect(url, check=False, as_writer=False) as connection:
        if drop:
            ended = readers.drop(connection, name)
            _say(
                f"{name} is gone" + ("" if ended else "; this user may not end its sessions: they last until they end")
            )
            return
        login = readers.Login(name, secrets.token_urlsafe(24))
        if password_file is not None:
            _write_secret(password_file, login.password)
        try:
            readers.create(connection, login, reader_limits(settings.database.reader_timeout_seconds))
        except BaseException:
            if password_file is not None:
                password_file.unlink()
            raise
    print(readers.url_of(url, login, with_password=password_file is None))  # noqa: T201  data


def _write_secret(path: Path, secret: str) -> None:
    """A new file that only its owner may read. Raises SettingError where it cannot be made."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secret + "\n")
    except OSError as error:
        raise SettingError(f"--password-file {path}: {error.strerror}.") from error


@db.command("retain")
def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Remove what NEWS_RETENTION__* says is too old, now: sinks do so by themselves, once an interval."""
    from ops import services
    from ops.retain import retained

    settings = load_settings()
    rows = retained(services.database_url(settings), settings, dry_run=dry_run)
    show(
        rows, ("rule", "before", "table", "rows"), as_json=as_json, as_csv=as_csv, empty="Nothing is old enough to go."
    )


@db.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    write: Annotated[
        bool, typer.Option("--write", help="As the user of the URL, who may change everything, and not as a reader.")
    ] = False,
) -> None:
    """A reader's shell (psql); arguments are passed on, e.g. `news db psql -c 'select * from news.articles'`."""
    from ops import database, services
    from ops import psql as shell
    from sinks.database import reader_limits, reader_settings

    settings = load_settings()
    url = services.database_url(settings)
    program = shell.find_psql()
    if program is None:
        raise SettingError(
            "There is no psql on PATH and none in this environment. Install PostgreSQL's client, or use any other with "
            "the settings in .news/run.json."
        )
    session: dict[str, str] = {}
    arguments: list[str] = context.args
    if not write:
        seconds = settings.database.reader_timeout_seconds
        with database.connect_as_reader(url, seconds) as connection:  # says in one line what is wrong
            row = connection.execute("SHOW role").fetchone()
        session = reader_settings(reader_limits(seconds)) | ({"role": row[0]} if row else {})
        arguments = shell.arguments(context.args)
        if sys.stdin.isatty() and shell.is_interactive(context.args):
            _say(shell.GREETING)
    os.execve(program, [program, *arguments], {**os.environ, **shell.environment(url, session)})  # noqa: S606


def _say(sentence: str) -> None:
    talk.print(sentence, highlight=False, markup=False)
