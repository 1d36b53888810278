"""API keys: who may send articles over HTTP (`news run web`)."""

from dataclasses import asdict
from typing import Annotated

import typer

from ops.commands.common import Csv, Json, load_settings, show, talk
from pipeline.errors import SettingError

app = typer.Typer(help="Keys for the HTTP API: create, list, revoke.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called: who has it.")]


@app.command("create")
def create(
    name: Name,
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", help="A source it may send for; repeatable, the first is the default. None: any."),
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option("--per-minute", min=1, max=1_000_000, help="Articles it may send in a minute.")
    ] = None,
) -> None:
    """Make a key and print it: this once, only its hash is kept."""
    from producers.ingest.keys import KeyStore

    with KeyStore(load_settings().data_dir) as keys:
        key = keys.create(name, sources or (), per_minute)
    talk.print("Keep it now: it is not shown again.")
    print(key)  # noqa: T201  data


@app.command("list")
def list_keys(as_json: Json = False, as_csv: Csv = False) -> None:
    """The keys, without themselves."""
    from producers.ingest.keys import KeyStore

    with KeyStore(load_settings().data_dir) as keys:
        rows = [asdict(key) for key in keys.all()]
    columns = ("name", "prefix", "sources", "per_minute", "created_at", "last_used_at")
    for row in rows:
        row.pop("id")
        row["sources"] = list(row["sources"]) if as_json or as_csv else ", ".join(row["sources"]) or "any"
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty="no key: news keys create NAME")


@app.command("revoke")
def revoke(name: Name) -> None:
    """Take a key away; it is out at once."""
    from producers.ingest.keys import KeyStore

    with KeyStore(load_settings().data_dir) as keys:
        if not keys.revoke(name):
            raise SettingError(f"There is no key {name!r}: see `news keys list`.")
    talk.print(f"{name} is revoked", markup=False)
