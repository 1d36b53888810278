"""Running it: up, down, status, doctor, pause, resume, and one stage in the foreground."""

from pathlib import Path
from typing import Annotated

import typer

from ops.commands import completion
from ops.commands.common import Csv, Json, load_settings, quiet_logs, show, talk
from pipeline.errors import Exit, SettingError, Stop

Inbox = Annotated[Path, typer.Option("--inbox", help="Folder that is watched for .txt and .jsonl files.")]
StageName = Annotated[
    str,
    typer.Argument(
        metavar="STAGE", help="producers, deduplicate, enrich, sink or web", autocompletion=completion.stages
    ),
]


def up(
    until_drained: Annotated[
        bool,
        typer.Option("--until-drained", help="End when everything fed is decided and stored; 0: the books balance."),
    ] = False,
    inbox: Inbox = Path("inbox"),
    seeds: Annotated[
        Path | None,
        typer.Option(
            "--seeds",
            help="Folder of sample articles, fed once; default: seeds/, else the package's into a new data folder.",
        ),
    ] = None,
    no_seeds: Annotated[bool, typer.Option("--no-seeds", help="Feed no sample articles.")] = False,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Kafka's port; default: a free one.")
    ] = None,
) -> None:
    """Everything on this machine: Kafka, PostgreSQL, all stages; feeds seeds/, watches the inbox, until Ctrl-C."""
    from ops.samples import Samples
    from ops.up import up as run_up

    settings = load_settings()
    quiet_logs()
    samples = Samples.of(seeds, no_seeds=no_seeds)
    status = run_up(settings, talk, inbox=inbox, samples=samples, port=port, until_drained=until_drained)
    raise typer.Exit(status)


def down() -> None:
    """End what `news up` runs here: every stage finishes what it has in work."""
    import signal
    import time

    import psutil

    from ops.services import running

    settings = load_settings()
    found = running(settings.data_dir)
    if found is None:
        talk.print(f"Nothing runs on {settings.data_dir}.")
        return
    psutil.Process(found.pid).send_signal(signal.SIGTERM)
    talk.print(f"asked process {found.pid} to end")
    deadline = time.monotonic() + 60
    while running(settings.data_dir) is not None:  # it is not when only a zombie is left of it
        if time.monotonic() > deadline:
            raise Stop(f"Process {found.pid} has not ended after 60 s; its logs: {settings.data_dir / 'logs'}.")
        time.sleep(0.1)


def run(
    stage: StageName,
    inbox: Annotated[
        list[Path] | None, typer.Option("--inbox", help="producers: a folder to watch; may be repeated.")
    ] = None,
    polls: Annotated[
        bool, typer.Option("--poll/--no-poll", help="producers: poll the sources of feeds.toml, or leave them.")
    ] = True,
) -> None:
    """One stage in the foreground, for containers; SIGTERM: it finishes what it has in work."""
    from ops import stages

    stages.run(stage, load_settings(), inbox or (), polls=polls)


def pause(stage: StageName) -> None:
    """Stop a stage that `news up` runs; what comes meanwhile waits in Kafka."""
    _set_paused(stage, paused=True)


def resume(stage: StageName) -> None:
    """Start a paused stage again."""
    _set_paused(stage, paused=False)


def _set_paused(stage: str, *, paused: bool) -> None:
    from ops.services import running
    from ops.stages import STAGES
    from ops.supervisor import paused_file

    if stage not in STAGES:
        raise SettingError(f"There is no stage {stage!r}: it is one of {', '.join(STAGES)}.")
    settings = load_settings()
    file = paused_file(settings.data_dir, stage)
    if paused:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    else:
        file.unlink(missing_ok=True)
    runs = running(settings.data_dir) is not None
    talk.print(f"{stage} is {'paused' if paused else 'resumed'}" + ("" if runs else " (from the next `news up` on)"))


def status(
    tables: Annotated[
        bool, typer.Option("--tables", help="The tables in PostgreSQL instead: rows, bytes, when they were vacuumed.")
    ] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """What runs here: processes with memory, restarts and lag; what PostgreSQL holds; whether the books balance."""
    from ops import status as look

    settings = load_settings()
    quiet_logs()
    found, growth = look.tables(settings)
    if tables:
        sizes = ("table", "rows", "dead_rows", "table_bytes", "index_bytes", "bytes", "vacuumed_at")
        show(look.as_rows(found), sizes, as_json=as_json, as_csv=as_csv, empty="PostgreSQL does not answer.")
        return
    columns = ("name", "state", "pid", "memory_mib", "cpu_seconds", "restarts", "lag", "log")
    show(
        look.processes(settings), columns, as_json=as_json, as_csv=as_csv, empty=f"Nothing runs on {settings.data_dir}."
    )
    for line in (*look.in_words(found, growth), *look.summary(settings)):
        talk.print(line, highlight=False)


def doctor(as_json: Json = False, as_csv: Csv = False) -> None:
    """Look at everything that must be right: packages, jars, models, settings, services, topics, schema."""
    from ops.doctor import examine

    quiet_logs()
    findings = list(examine(load_settings()))
    show((f._asdict() for f in findings), ("check", "state", "detail"), as_json=as_json, as_csv=as_csv)
    if any(f.state == "wrong" for f in findings):
        raise typer.Exit(Exit.FAILURE)
