"""The rows of a run as they arrive, and the books at its end: what `news up` prints."""

import sys
import threading
import time
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import dict_row
from rich.console import Console

from ops import books, database
from ops.services import Endpoints
from pipeline import broker
from pipeline.errors import Exit, Unavailable
from pipeline.settings import Settings
from sinks import statements

TICK_SECONDS: Final = 0.25
BOOKS_EVERY_SECONDS: Final = 0.5
#: Books that say MISSING for so long say it for good: nothing that could still arrive is on its way.
MISSING_SECONDS: Final = 10.0
#: So many rows are printed one by one; what comes after is only counted.
MAX_ROWS: Final = 200
COUNT_EVERY_SECONDS: Final = 5.0


def watch(
    endpoints: Endpoints, settings: Settings, since: datetime, stop: threading.Event, *, until_drained: bool
) -> int:
    """Print rows as they arrive; back on Ctrl-C (130) or, if asked, when the books are drained (0) or wrong (1)."""
    from producers.run import open_spool

    arrivals = Arrivals(since)
    missing_since: float | None = None
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
