"""What is older than the settings say -> gone from PostgreSQL: in small batches, beside the sinks, nothing half.

Each batch is a transaction of its own. It locks rows of ingest.articles in the order in which every sink locks them,
leaves out those that one writes to at this moment, and looks only then whether they may really go: so nothing that a
sink has written is overlooked, and nobody waits longer than a batch takes. What stays behind says so: the books
(ingest.retired, decisions.retired) and the change feed (change_counter.oldest) stay right.
"""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeVar
from uuid import UUID, uuid4

from psycopg.rows import class_row, dict_row

from pipeline import logs, metrics
from pipeline.errors import Unavailable
from pipeline.settings import DatabaseSettings, RetentionSettings
from sinks import statements
from sinks.database import Connection, Database

Result = TypeVar("Result")
Rule = Literal["articles", "copies", "versions", "changes"]

#: Articles in one transaction: with 15 names and 40 mentions each about 6,000 rows.
ARTICLES: Final = 100
#: Rows of news.changes in one transaction: for so long the sinks wait that append to it.
CHANGES: Final = 5000
#: Rows that are looked at in one query, to find what is old.
PAGE: Final = 2000
#: … in the index alone.
INDEX_PAGE: Final = 20_000
#: For so long the lease holds without a word.
LEASE_SECONDS: Final = 120.0
#: How often an idle sink asks whether it is time.
ASK_SECONDS: Final = 60.0
#: Between two batches it pauses as long as one took: half of the time belongs to the others.
MOST_PAUSE_SECONDS: Final = 1.0
_LOCK_TIMEOUT: Final = "1s"
_FIRST_ID: Final = UUID(int=0)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """Until when each rule reaches: what is older goes; None: it takes nothing away."""

    articles: datetime | None = None
    copies: datetime | None = None
    versions: datetime | None = None
    changes: datetime | None = None

    @classmethod
    def of(cls, settings: RetentionSettings, now: datetime) -> "Rules":
        """As the settings say, counted back from `now`."""

        def before(days: float | None) -> datetime | None:
            return None if days is None else now - timedelta(days=days)

        return cls(
            before(settings.articles_days),
            before(settings.copies_days),
            before(settings.versions_days),
            before(settings.changes_days),
        )


@dataclass(slots=True)
class Removed:
    """What went, or would go, in rows by rule and table; `is_done`: all was gone through."""

    rows: Counter[tuple[Rule, str]] = field(default_factory=Counter)
    is_done: bool = False


class LeaseLost(Exception):
    """Another one removes old rows by now."""


class _Found(NamedTuple):
    """A row of a page, and its place in it."""

    place: datetime
    id: UUID
    article_id: UUID
    is_old: bool


class _Removable(NamedTuple):
    """An article that may go."""

    article_id: UUID
    is_withdrawn: bool


class Retainer:
    """Goes through the rules once; each call of the database is one short query or transaction."""

    def __init__(self, database: Database, holder: str, stop: threading.Event, *, dry_run: bool = False) -> None:
        self._database = database
        self._holder = holder
        self._stop = stop
        self._dry_run = dry_run
        self._renewed_at = time.monotonic()

    def run(self, rules: Rules) -> Removed:
        """Remove what is old, until asked to stop; the holder has the lease, unless nothing is changed (a dry run).

        Raises LeaseLost; Unavailable where PostgreSQL is away: what was removed by then stays removed.
        """
        removed = Removed()
        for rule, before, steps in (
            # Whole articles first: what goes with them need not go twice.
            ("articles", rules.articles, self._articles),
            ("copies", rules.copies, self._copies),
            ("versions", rules.versions, self._versions),
            ("changes", rules.changes, self._changes),
        ):
            if before is None:
                continue
            for count in steps(before):
                for table, rows in count.items():
                    removed.rows[rule, table] += rows  # type: ignore[index]
                    if not self._dry_run:
                        metrics.rows_retired.labels(rule=rule, table=table).inc(rows)
                if self._stop.is_set():
                    return removed
                if time.monotonic() - self._renewed_at > LEASE_SECONDS / 4:  # page after page with nothing old in it
                    self._batch(lambda _: None)
        removed.is_done = True
        return removed

    # The rules: each gives what a step removed, mostly nothing.

    def _articles(self, before: datetime) -> Iterator[Counter[str]]:
        return self._whole("select_old_articles", before, only_copies=False)

    def _copies(self, before: datetime) -> Iterator[Counter[str]]:
        return self._whole("select_old_copies", before, only_copies=True)

    def _whole(self, statement: str, before: datetime, *, only_copies: bool) -> Iterator[Counter[str]]:
        for page in self._pages(statement, before):
            old = list(dict.fromkeys(found.article_id for found in page if found.is_old))
            if not old:
                yield Counter()
            for ids in _parts(old):
                yield self._batch(lambda c, ids=ids: self._remove(c, ids, before, only_copies))  # type: ignore[misc]

    def _pages(self, statement: str, before: datetime) -> Iterator[list[_Found]]:
        place: datetime | None = None
        last: UUID | None = None
        while True:
            arguments = {"before": before, "place": place, "id": last, "most": PAGE}

            def read(connection: Connection, arguments: dict[str, Any] = arguments) -> list[_Found]:
                with connection.cursor(row_factory=class_row(_Found)) as cursor:
                    return cursor.execute(statements.load(statement), arguments).fetchall()

            page = self._database.run(read)
            yield page
            if len(page) < PAGE:
                return
            place, last = page[-1].place, page[-1].id

    def _remove(self, connection: Connection, ids: Sequence[UUID], before: datetime, only_copies: bool) -> Counter[str]:
        locked = self._lock(connection, ids)
        with connection.cursor(row_factory=class_row(_Removable)) as cursor:
            removable = cursor.execute(
                statements.load("select_removable"),
                {"article_ids": locked, "before": before, "only_copies": only_copies},
            ).fetchall()
        whole = [each.article_id for each in removable]
        found = connection.execute(statements.load("select_texts_of"), {"article_ids": whole}).fetchall()
        texts = [row[0] for row in found]
        if self._dry_run:
            return +Counter(articles=sum(not each.is_withdrawn for each in removable), versions=len(texts))
        row = connection.execute(statements.load("retire_decisions"), {"article_ids": whole}).fetchone()
        return +Counter(
            decisions=row[0] if row else 0,
            **_remove_texts(connection, texts),
            articles=connection.execute(statements.load("remove_articles"), {"article_ids": whole}).rowcount,
        )

    def _versions(self, before: datetime) -> Iterator[Counter[str]]:
        for several in self._several():
            if not several:
                yield Counter()
            for ids in _parts(several):
                yield self._batch(lambda c, ids=ids: self._remove_versions(c, ids, before))  # type: ignore[misc]

    def _several(self) -> Iterator[list[UUID]]:
        """All articles with more than one text, page by page."""
        start = _FIRST_ID
        while True:
            arguments = {"article_id": start, "most": INDEX_PAGE}

            def read(connection: Connection, arguments: dict[str, Any] = arguments) -> list[tuple[UUID, int]]:
                return connection.execute(statements.load("select_several"), arguments).fetchall()

            page = self._database.run(read)
            is_last = sum(texts for _, texts in page) < INDEX_PAGE
            if not is_last and len(page) > 1:
                page, start = page[:-1], page[-1][0]  # the page may end in the midst of it
            elif not is_last:
                start = UUID(int=page[0][0].int + 1)
            yield [article_id for article_id, texts in page if texts > 1]
            if is_last:
                return

    def _remove_versions(self, connection: Connection, ids: Sequence[UUID], before: datetime) -> Counter[str]:
        arguments: dict[str, Any] = {"article_ids": self._lock(connection, ids), "before": before}
        with connection.cursor(row_factory=dict_row) as cursor:
            old = cursor.execute(statements.load("select_old_versions"), arguments).fetchall()
        if self._dry_run or not old:
            return +Counter(versions=len(old))
        texts = [each["delivery_id"] for each in old]
        articles = list({each["article_id"] for each in old})
        connection.execute(statements.load("retire_texts"), {"delivery_ids": texts, "article_ids": articles})
        return +_remove_texts(connection, texts)

    def _changes(self, before: datetime) -> Iterator[Counter[str]]:
        oldest: int | None = None
        while True:

            def step(connection: Connection, start: int | None = oldest) -> tuple[int, int]:
                return self._remove_changes(connection, before, start)

            count, oldest = self._batch(step)
            yield +Counter(changes=count)
            if count < CHANGES:
                return

    def _remove_changes(self, connection: Connection, before: datetime, start: int | None) -> tuple[int, int]:
        arguments = {"most": CHANGES, "before": before, "start": start if self._dry_run else None}
        row = connection.execute(statements.load("select_old_changes"), arguments).fetchone()
        if row is None:
            raise AssertionError("the counter has a row")
        oldest, keep = row
        if keep > oldest and not self._dry_run:
            connection.execute(statements.load("remove_changes"), {"oldest": oldest, "keep": keep})
            connection.execute(statements.load("keep_changes"), {"keep": keep})
        return keep - oldest, keep

    # How a batch is done.

    def _lock(self, connection: Connection, ids: Sequence[UUID]) -> list[UUID]:
        """Those that nobody writes to, locked until the batch ends; a dry run takes no locks."""
        if self._dry_run:
            return list(ids)
        found = connection.execute(statements.load("lock_old_articles"), {"article_ids": list(ids)}).fetchall()
        return [row[0] for row in found]

    def _batch(self, work: Callable[[Connection], Result]) -> Result:
        """One batch, and a pause as long as it took."""
        began = time.monotonic()
        done = self._database.run(lambda connection: self._in_transaction(connection, work))
        self._stop.wait(min(MOST_PAUSE_SECONDS, time.monotonic() - began))
        return done

    def _in_transaction(self, connection: Connection, work: Callable[[Connection], Result]) -> Result:
        with connection.transaction():
            if self._dry_run:
                connection.execute("SET TRANSACTION READ ONLY")
                return work(connection)
            # What a crash of the server makes undone is done again: nobody waits for its disk.
            connection.execute("SET LOCAL synchronous_commit TO off")
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
            arguments = {"holder": self._holder, "lease": LEASE_SECONDS}
            if connection.execute(statements.load("renew_retention"), arguments).rowcount != 1:
                raise LeaseLost
            self._renewed_at = time.monotonic()
            return work(connection)


def _remove_texts(connection: Connection, delivery_ids: Sequence[UUID]) -> Counter[str]:
    arguments = {"delivery_ids": delivery_ids}
    return Counter(
        mentions=connection.execute(statements.load("remove_mentions"), arguments).rowcount,
        entities=connection.execute(statements.load("delete_entities"), arguments).rowcount,
        versions=connection.execute(statements.load("remove_versions"), arguments).rowcount,
    )


def _parts(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), ARTICLES):
        yield ids[start : start + ARTICLES]


def retain(
    database: Database, rules: Rules, stop: threading.Event, holder: str, every_seconds: float | None = None
) -> Removed | None:
    """Go through the rules once, if nobody else does and it is time for it (None: it always is); None where not.

    Raises Unavailable where PostgreSQL is away.
    """
    if not _take(database, holder, every_seconds):
        return None
    removed = Removed()
    try:
        removed = Retainer(database, holder, stop).run(rules)
    except LeaseLost:
        log.warning("another one removes old rows by now: it goes on with that")
    finally:
        _release(database, holder, is_done=removed.is_done)
    return removed


def would_remove(database: Database, rules: Rules, stop: threading.Event) -> Removed:
    """What `retain` would remove now; nothing is changed, nothing locked. Raises Unavailable."""
    return Retainer(database, "", stop, dry_run=True).run(rules)


def holder_now(connection: Connection) -> str | None:
    """Who removes old rows at this moment."""
    row = connection.execute(statements.load("select_retention")).fetchone()
    return row[0] if row else None


def new_holder() -> str:
    """A name for the lease that nobody else has, and that tells a person where to look."""
    return f"{socket.gethostname()} process {os.getpid()} {uuid4().hex[:8]}"


def _take(database: Database, holder: str, every_seconds: float | None) -> bool:
    arguments = {"holder": holder, "lease": LEASE_SECONDS, "every": every_seconds}
    return database.run(lambda c: c.execute(statements.load("take_retention"), arguments).rowcount) == 1


def _release(database: Database, holder: str, *, is_done: bool) -> None:
    """Where PostgreSQL is away by now, the lease ends by itself."""
    try:
        database.run(
            lambda c: c.execute(statements.load("release_retention"), {"holder": holder, "is_done": is_done}).rowcount
        )
    except Unavailable as error:
        log.info("the lease of retention was not given back", error=str(error))


@contextmanager
def beside(url: str, retention: RetentionSettings, database: DatabaseSettings) -> Iterator[None]:
    """Remove old rows on a thread of its own while the body runs; nothing where no setting asks for it.

    At its end the batch in work is finished, and no other begun.
    """
    if not retention.is_set:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_loop, args=(url, retention, database, stop), name="retention", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(database.transaction_timeout_seconds)


def _loop(url: str, settings: RetentionSettings, database: DatabaseSettings, stop: threading.Event) -> None:
    """Ask again and again whether it is time. Whatever goes wrong here ends no sink: old rows can wait."""
    holder = new_holder()
    with closing(Database(url, database.transaction_timeout_seconds)) as own:
        while not stop.is_set():
            began = time.monotonic()
            try:
                rules = Rules.of(settings, datetime.now(UTC))
                removed = retain(own, rules, stop, holder, settings.interval_seconds)
                if removed is not None:
                    metrics.retention_passes.labels(outcome="done" if removed.is_done else "postponed").inc()
                    _tell(removed, time.monotonic() - began)
            except Unavailable as error:
                metrics.retention_passes.labels(outcome="postponed").inc()
                log.info("old rows are removed later", error=str(error))
            except Exception:
                metrics.retention_passes.labels(outcome="failed").inc()
                log.exception("old rows could not be removed")
            stop.wait(min(ASK_SECONDS, settings.interval_seconds))


def _tell(removed: Removed, seconds: float) -> None:
    counts = {f"{rule}_{table}": rows for (rule, table), rows in sorted(removed.rows.items())}
    if counts or not removed.is_done:
        log.info("old rows removed", is_done=removed.is_done, seconds=round(seconds, 1), **counts)
