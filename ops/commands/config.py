"""`news config …`: the settings in force, whether they can be read, and a secret for a file."""

from pathlib import Path
from typing import Annotated

import typer

from ops.commands.common import Csv, Json, load_settings, show, talk
from pipeline.errors import Exit, SettingError

app = typer.Typer(help="The settings in force.", no_args_is_help=True)


@app.command("show")
def config_show(as_json: Json = False, as_csv: Csv = False) -> None:
    """Every setting with its value and what it is for; of secrets only where they come from."""
    from ops.settings_view import rows
    from pipeline.settings import secret_sources

    found = rows(load_settings(), secret_sources())
    show(found, ("variable", "value", "default", "what"), as_json=as_json, as_csv=as_csv)


@app.command("check")
def config_check() -> None:
    """Whether all settings and the files of secrets can be read, and every NEWS_* variable is one, in .env too."""
    from pipeline import settings as settings_module

    unknown = settings_module.unknown()
    try:
        settings_module.load()
    except SettingError as error:
        unknown = [sentence for sentence in unknown if sentence.split()[0] + ":" not in str(error)]  # it says so too
        raise
    finally:
        for sentence in unknown:
            talk.print(sentence, highlight=False, markup=False)
    if unknown:
        raise typer.Exit(Exit.USAGE)
    talk.print("all settings can be read")


@app.command("secret")
def secret(
    file: Annotated[Path, typer.Argument(help="To be made, in a folder that is there.", readable=False)],
) -> None:
    """Make FILE with a random secret, unless it holds one: for NEWS_DATABASE__PASSWORD_FILE and its like.

    All users may read the file, as containers run as different ones: the folder around it is what protects it.
    """
    from ops import secret_file

    made = secret_file.make(file)
    talk.print(f"{file}: {'made' if made else 'there already, left as it is'}", highlight=False, markup=False)
