"""`news up`: the supervisor for a person who watches: progress, where things are, and the rows as they arrive."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from psycopg.rows import dict_row
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from ops import books, database, stages
from ops.process import Progress
from ops.supervisor import Supervisor
from pipeline import broker
from pipeline.errors import Exit, Unavailable
from pipeline.settings import Settings
from sinks import statements
from sinks.database import address

TICK_SECONDS: Final = 0.25
BOOKS_EVERY_SECONDS: Final = 0.5
#: Books that say MISSING for so long say it for good: nothing that could still arrive is on its way.
MISSING_SECONDS: Final = 10.0
#: So many rows are printed one by one; what comes after is only counted.
MAX_ROWS: Final = 200
COUNT_EVERY_SECONDS: Final = 5.0


def up(
    settings: Settings,
    talk: Console,
    *,
    inbox: Path,
    seeds: Path | None,
    port: int | None,
    until_drained: bool,
) -> int:
    """Run everything until Ctrl-C, or until everything fed has come to its end; gives the exit status."""
    inbox.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    # A drained run feeds by itself, before anybody watches: then "all of it" is a known number.
    watched = () if until_drained else (inbox,)
    supervisor = Supervisor(
        settings,
        watched,
        say=lambda text: talk.print(text, style="yellow", markup=False, soft_wrap=True),
        kafka_port=port,
    )
    since = datetime.now(UTC) - timedelta(seconds=1)
    with stages.on_signal() as stop, ExitStack() as stack:
        with _progress(talk) as progress:
            stack.enter_context(supervisor.running(progress, stop))
        fed = _feed([seeds, inbox] if until_drained else [seeds], settings, talk, stop)
        if not supervisor.wait_ready(stop):
            return Exit.INTERRUPTED
        talk.print(f"[green]ready[/] after {time.monotonic() - began:.1f} s" + (f"; {fed}" if fed else ""))
        _say_where(talk, supervisor, inbox, until_drained)
        status = _watch_rows(supervisor, settings, since, stop, until_drained)
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


def _feed(folders: Sequence[Path | None], settings: Settings, talk: Console, stop: threading.Event) -> str:
    """Feed what is new in these folders into the spool; a folder that was fed before is not fed again."""
    from producers import feed
    from producers.run import open_spool

    def say(_: feed.FeedCount, sentence: str | None) -> None:
        if sentence:
            talk.print(sentence, style="yellow", markup=False)

    said = []
    with open_spool(settings) as spool:
        for folder in folders:
            if folder is not None and folder.is_dir():
                count = feed.feed_once([folder], "dir", None, spool, True, say, stop=stop)
                if count.accepted or count.dead_lettered:
                    said.append(f"{folder}: {count.accepted} accepted, {count.dead_lettered} dead letters")
    return "fed " + "; ".join(said) if said else ""


def _say_where(talk: Console, supervisor: Supervisor, inbox: Path, until_drained: bool) -> None:
    endpoints = supervisor.endpoints
    lines = [
        f"  Kafka       {endpoints.bootstrap_servers}      news topics · news lag · news tail articles.enriched",
        f"  PostgreSQL  {address(endpoints.database_url)}      news db psql · news articles blinken",
    ]
    if not until_drained:
        lines.append(f"  inbox       {inbox}/      drop .txt and .jsonl files here; Ctrl-C ends everything")
    for line in lines:
        talk.print(line, markup=False, soft_wrap=True)


def _watch_rows(
    supervisor: Supervisor, settings: Settings, since: datetime, stop: threading.Event, until_drained: bool
) -> int:
    """Print rows as they arrive; back on Ctrl-C (130) or, if asked, when the books are drained (0) or wrong (1)."""
    from producers.run import open_spool

    arrivals = Arrivals(since)
    missing_since: float | None = None
    endpoints = supervisor.endpoints
    with open_spool(settings) as spool:
        while not stop.is_set():
            try:
                with (
                    database.connect(endpoints.database_url) as db,
                    broker.admin(endpoints.bootstrap_servers) as client,
                ):
                    reader, next_books = books.Reader(client, db), 0.0
                    while not stop.wait(TICK_SECONDS):
                        arrivals.show(db)
                        if until_drained and time.monotonic() >= next_books:
                            next_books = time.monotonic() + BOOKS_EVERY_SECONDS
                            now = reader.read(spool.held().records)
                            if now.verdict != "MISSING":
                                missing_since = None
                            elif missing_since is None:
                                missing_since = time.monotonic()
                            is_wrong = missing_since is not None and time.monotonic() - missing_since > MISSING_SECONDS
                            if now.is_drained or is_wrong:
                                arrivals.show(db)
                                arrivals.conclude(now)
                                return Exit.FAILURE if is_wrong else Exit.OK
            except Unavailable:
                stop.wait(1.0)  # the supervisor says what happened and brings it back
    return Exit.INTERRUPTED


class Arrivals:
    """The rows of this run, each printed once on stdout when it is complete."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._seen: set[tuple[UUID, int, int] | UUID] = set()
        self._out = Console(file=sys.stdout, soft_wrap=True, highlight=False)
        self._printed = 0
        self._next_count = 0.0

    def show(self, db: database.Connection) -> None:
        """Print what became complete since the last look; of a flood only the number."""
        if self._printed >= MAX_ROWS:
            self._show_count(db)
            return
        with db.cursor(row_factory=dict_row) as cursor:
            arguments = {"since": self._since, "most": 2 * MAX_ROWS}
            for row in cursor.execute(statements.load("select_arrivals"), arguments):
                key = (row["raw_topic_id"], row["raw_partition"], row["raw_offset"])
                if key not in self._seen:
                    self._seen.add(key)
                    self._print(row["kind"], row["source"], row["title"], _enriched(row))
            for row in cursor.execute(statements.load("select_letters_since"), arguments):
                if row["id"] not in self._seen:
                    self._seen.add(row["id"])
                    where = row["origin"] or f"{row['topic']} {row['partition']}:{row['record_offset']}"
                    self._print("dead letter", row["stage"], where, f"{row['reason']}: {row['detail']}")

    def _show_count(self, db: database.Connection) -> None:
        if time.monotonic() < self._next_count:
            return
        self._next_count = time.monotonic() + COUNT_EVERY_SECONDS
        row = db.execute("SELECT count(*) FROM ingest.decisions WHERE decided_at >= %s", [self._since]).fetchone()
        if row is not None:
            self._out.print(f"… {row[0]:,} deliveries decided so far: news articles, news balance", markup=False)

    def conclude(self, now: books.Books) -> None:
        """The last lines: the books."""
        self._out.print(
            f"\n{now.delivered} deliveries = {now.decided} decisions + {now.refused} dead letters; "
            f"{now.texts} texts = {now.stored} stored; {now.verdict}"
        )

    def _print(self, what: str, source: str, title: str, more: str) -> None:
        self._printed += 1
        if self._printed == 1:
            self._out.print(f"{'decision':<12}{'source':<22}{'title':<52}entities, sentiment", style="bold")
        self._out.print(f"{what:<12}{_cut(source, 21):<22}{_cut(title, 51):<52}{more}", markup=False)


def _enriched(row: dict[str, object]) -> str:
    parts = [str(row["entities"] or "")]
    if row["sentiment_label"] is not None:
        parts.append(f"{row['sentiment_label']} {row['sentiment_score']:+.2f}")
    elif row["kind"] in ("new", "revision"):
        parts.append(f"language {row['language'] or 'unknown'}: no names")
    return " · ".join(part for part in parts if part)


def _cut(text: str, width: int) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= width else plain[: width - 1] + "…"
