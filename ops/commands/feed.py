"""Feeding: `news feed …` through spool and Kafka, `news process` with neither."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops.commands.common import load_settings, plain, quiet_logs, safe_json, talk
from pipeline.errors import Exit, SettingError

if TYPE_CHECKING:
    from pipeline.settings import Settings

app = typer.Typer(help="Feed articles: files, a folder, JSON lines, stdin.", no_args_is_help=True)

Source = Annotated[str | None, typer.Option("--source", help="Name of the source, where the input names none.")]
Paths = Annotated[list[Path], typer.Argument(metavar="PATH…")]


@app.command("file")
def file(paths: Paths, source: Source = None) -> None:
    """Feed .txt, .jsonl or .ndjson files."""
    _feed(paths, "file", source)


@app.command("dir")
def folder(
    paths: Paths,
    source: Source = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Watch the folder and feed what comes, until Ctrl-C.")
    ] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Leave out what was fed before and has not changed.")
    ] = False,
) -> None:
    """Feed a folder with everything below it, in sorted order."""
    if follow:
        from ops import stages

        stages.run("producers", load_settings(), paths)
        return
    _feed(paths, "dir", source, only_changed=changed)


@app.command("jsonl")
def jsonl(paths: Paths, source: Source = None) -> None:
    """Feed files of JSON lines, whatever their names end in."""
    _feed(paths, "jsonl", source)


@app.command("stdin")
def stdin(source: Source = None) -> None:
    """Feed JSON lines from standard input; what has come is sent as soon as it pauses."""
    _feed([], "stdin", source)


def _feed(
    paths: list[Path], kind: Literal["file", "dir", "jsonl", "stdin"], source: str | None, *, only_changed: bool = False
) -> None:
    """Put it on disk first, then into Kafka; 3 when some of it became dead letters."""
    from ops import stages
    from producers import feed, run

    settings = load_settings()
    quiet_logs()
    bootstrap = _bootstrap(settings)

    def say(_: feed.FeedCount, sentence: str | None) -> None:
        if sentence:
            talk.print(plain(sentence), markup=False, highlight=False)

    with stages.on_signal() as stop, run.open_spool(settings) as spool:
        with run.sending(spool, bootstrap):  # what stdin brings goes on while more is awaited
            count = feed.feed_once(
                paths,
                kind,
                source,
                spool,
                only_changed,
                say,
                stop=stop,
                stdin=sys.stdin.buffer if kind == "stdin" else None,
            )
            from producers import sender

            sender.wait_until_sent(spool, spool.held().last_seq, stop, settings.kafka.start_timeout_seconds)
        talk.print(
            f"{count.accepted} accepted, {count.dead_lettered} dead letters, {count.left_out} left out"
            + ("; interrupted" if stop.is_set() else ""),
            highlight=False,
        )
        if stop.is_set():
            raise typer.Exit(Exit.INTERRUPTED)
    if count.dead_lettered:
        raise typer.Exit(Exit.SOME_DEAD_LETTERED)


def _bootstrap(settings: "Settings") -> str:
    from ops import services

    return services.bootstrap_servers(settings)


def process(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH…|-]", help="Files, folders, or - for stdin.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="clean, deduplicate or enrich: that step alone.")] = None,
    source: Source = None,
) -> None:
    """Clean, decide and enrich articles with no Kafka and no PostgreSQL: NDJSON, one line for each input, in order."""
    from ops import offline

    step = offline.STEPS.get(only) if only is not None else None
    if only is not None and step is None:
        raise SettingError(f"--only is {', '.join(offline.STEPS)}, not {only!r}.")
    settings = load_settings()
    quiet_logs()
    dead = 0
    for line in offline.process(offline.inputs(paths or [Path("-")], source), step, settings):
        dead += line.status == "dead-letter"
        sys.stdout.write(safe_json(line.model_dump_json()) + "\n")
        sys.stdout.flush()
    if dead:
        talk.print(f"{dead} dead letters", highlight=False)
        raise typer.Exit(Exit.SOME_DEAD_LETTERED)
