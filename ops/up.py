"""`news up`: the supervisor for a person who watches: progress, where things are, and the rows as they arrive."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from ops import stages
from ops.embedded import packages
from ops.process import Progress
from ops.samples import Samples
from ops.supervisor import Supervisor
from pipeline.errors import Exit
from pipeline.settings import Settings


def up(
    settings: Settings,
    talk: Console,
    *,
    inbox: Path,
    samples: Samples,
    port: int | None,
    until_drained: bool,
) -> int:
    """Run everything until Ctrl-C, or until everything fed has come to its end; gives the exit status.

    Raises SettingError where a service is neither named nor can be started here.
    """
    packages.require_for(settings)
    inbox.mkdir(parents=True, exist_ok=True)
    # A drained run feeds by itself, before anybody watches: then "all of it" is a known number.
    watched = () if until_drained else (inbox,)
    supervisor = Supervisor(
        settings,
        watched,
        say=lambda text: talk.print(text, style="yellow", markup=False, soft_wrap=True),
        kafka_port=port,
        # Nobody sends or asks anything of a run that ends by itself.
        stages=tuple(stage for stage in stages.STAGES if stage != "web" or not until_drained),
        polls=not until_drained,
    )
    since = datetime.now(UTC) - timedelta(seconds=1)
    with stages.on_signal() as stop, ExitStack() as stack:
        with _progress(talk) as progress:
            stack.enter_context(supervisor.running(progress, stop))
        # Kafka and the stages are on their way by now: what reads rows and books loads beside them.
        from ops import arrivals

        fed = _feed(samples, [inbox] if until_drained else [], settings, talk, stop)
        if not supervisor.wait_ready(stop):
            return Exit.INTERRUPTED
        talk.print(
            f"[green]ready[/] after {time.time() - psutil.Process().create_time():.1f} s" + (f"; {fed}" if fed else "")
        )
        _say_where(talk, supervisor, inbox, until_drained)
        status = arrivals.watch(supervisor.endpoints, settings, since, stop, until_drained=until_drained)
        talk.print("stopping")
    return status


@contextmanager
def _progress(talk: Console) -> Iterator[Progress]:
    """Bars for the long steps of a first start; silent where nobody watches."""
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=talk,
        disable=not talk.is_terminal,
        transient=True,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)

        yield show


def _feed(samples: Samples, folders: Sequence[Path], settings: Settings, talk: Console, stop: threading.Event) -> str:
    """Feed what is new in the samples and these folders into the spool; what was fed before is not fed again."""
    from producers import feed
    from producers.extraction import ExtractionPool
    from producers.run import open_spool

    def say(_: feed.FeedCount, sentence: str | None) -> None:
        if sentence:
            talk.print(sentence, style="yellow", markup=False)

    said = []
    with open_spool(settings) as spool, ExtractionPool(settings.extraction) as pool:
        sample_folder = samples.folder_for(is_new=spool.held().last_seq == 0)
        for folder in [sample_folder, *folders] if sample_folder else folders:
            count = feed.feed_once([folder], "dir", None, spool, True, say, stop=stop, extract=pool.page)
            if count.accepted or count.dead_lettered:
                whose = " (the samples of the package)" if samples.is_packaged and folder == sample_folder else ""
                said.append(f"{folder}{whose}: {count.accepted} accepted, {count.dead_lettered} dead letters")
    return "fed " + "; ".join(said) if said else ""


def _say_where(talk: Console, supervisor: Supervisor, inbox: Path, until_drained: bool) -> None:
    from sinks.database import address

    endpoints = supervisor.endpoints
    lines = [
        f"  Kafka       {endpoints.bootstrap_servers}      news topics · news lag · news tail articles.enriched",
        f"  PostgreSQL  {address(endpoints.database_url)}      news db psql · news articles blinken",
    ]
    if supervisor.web is not None:
        lines.append(f"  HTTP        {supervisor.web}/docs      in a moment; news keys create NAME")
    if not until_drained:
        lines.append(f"  inbox       {inbox}/      drop .txt and .jsonl files here; Ctrl-C ends everything")
    for line in lines:
        talk.print(line, markup=False, soft_wrap=True)
