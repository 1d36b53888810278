"""`news reenrich`: have stored texts enriched again by the models of now."""

from dataclasses import asdict
from typing import Annotated

import typer

from ops.commands.common import Csv, Json, load_settings, quiet_logs, show, talk
from pipeline.errors import Exit

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="KEY=VALUE",
        help="Only some: language, source, since, until (when it was observed), reason. May be repeated.",
    ),
]


def reenrich(
    where: Where = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what is stored and what is stale, and send nothing.")
    ] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Enrich again what other models, rules or lists enriched; new articles go first."""
    from ops import reenrich as again
    from ops import services, stages

    settings = load_settings()
    quiet_logs()
    stale = again.wanted(settings, where or ())
    endpoints = services.find(settings)
    now = ", ".join(
        [*(f"{language}: {config}" for language, config in stale.configs.items()), f"others: {stale.others}"]
    )
    talk.print(f"the configuration of now: {now}", highlight=False)
    if dry_run:
        counts = again.counts(endpoints, stale)
        columns = ("config", "language", "reason", "texts", "stale")
        show(map(asdict, counts), columns, as_json=as_json, as_csv=as_csv, empty="nothing is stored")
        talk.print(f"{sum(count.stale for count in counts):,} would be enriched again", highlight=False)
        return
    with stages.on_signal() as stop, talk.status("looking for what is stale") as status:

        def say(at: again.Progress) -> None:
            waits = "; nobody takes them: does `news run enrich` run, and have new articles come to an end?"
            status.update(f"{at.sent:,} sent, {at.outstanding:,} not done yet{waits if at.still else ''}")

        sent = again.send(endpoints, stale, stop, say)
    if as_json or as_csv:
        show([{"sent": sent}], ("sent",), as_json=as_json, as_csv=as_csv)
    else:
        talk.print(f"sent {sent:,}; `news reenrich --dry-run` counts what is still stale", highlight=False)
        talk.print("(a worker of enrich with other settings leaves them out: start it with these)", highlight=False)
    if stop.is_set():
        talk.print("ended before all was sent: run it again, it goes on with what is still stale")
        raise typer.Exit(Exit.INTERRUPTED)
