"""`news status`: what runs, how much it takes, how far behind it is, and whether the books balance."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import psutil

from ops import books, kafka_view, services
from ops.stages import STAGES
from ops.supervisor import paused_file
from pipeline.errors import Stop, Unavailable
from pipeline.settings import Settings

if TYPE_CHECKING:
    from sinks.sizes import TableSize

#: Tables that are said by name.
_LARGEST: Final = 4

_GROUP_OF = {"deduplicate": "news.deduplicate", "enrich": "news.enrich", "sink": "news.sink"}


def processes(settings: Settings) -> Iterator[dict[str, Any]]:
    """One row a process of the running supervisor with its children: enrich with its whole pool."""
    run = services.running(settings.data_dir)
    if run is None:
        return
    lags = _lags(services.Endpoints(run.bootstrap_servers, run.database_url))
    rows = {"supervisor": run.pid, **run.pids}
    for name in ("supervisor", *run.embedded, *STAGES):
        paused = name in STAGES and paused_file(settings.data_dir, name).exists()
        used = _used(rows[name], with_children=name != "supervisor") if name in rows else None
        yield {
            "name": name,
            "state": "paused" if paused else "running" if used else "ended",
            "pid": rows.get(name),
            "memory_mib": used[0] if used else None,
            "cpu_seconds": used[1] if used else None,
            "restarts": run.restarts.get(name),
            "lag": lags.get(_GROUP_OF.get(name, "")),
            "log": str(settings.data_dir / "logs" / f"{name}.log") if name in STAGES else None,
        }


def tables(settings: Settings) -> tuple[Sequence["TableSize"], int | None]:
    """What the tables in PostgreSQL take, the largest first, and bytes that come in a day; nothing where it is away."""
    from ops import database
    from sinks import sizes

    try:
        with database.connect(services.database_url(settings)) as connection:
            found = sizes.sizes(connection)
            return found, sizes.growth_bytes(found, sizes.changes_a_day(connection))
    except (Unavailable, Stop):
        return (), None


def as_rows(found: Sequence["TableSize"]) -> Iterator[dict[str, Any]]:
    """A row a table."""
    return (asdict(each) for each in found)


def in_words(found: Sequence["TableSize"], growth: int | None) -> Iterator[str]:
    """The same in two lines."""
    if not found:
        return
    total, indexes = sum(each.bytes for each in found), sum(each.index_bytes for each in found)
    a_day = f", {_size(growth)} more a day at this rate" if growth is not None else ""
    yield f"PostgreSQL holds {_size(total)}, {_size(indexes)} of it indexes{a_day}"
    yield "  " + ", ".join(f"{each.table} {_size(each.bytes)} ({each.rows:,} rows)" for each in found[:_LARGEST])


def _size(count: int) -> str:
    amount, units = float(count), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while amount >= 1024 and unit != "TiB":
        amount, unit = amount / 1024, next(units)
    return f"{amount:.1f} {unit}" if unit not in ("B", "KiB") else f"{amount:.0f} {unit}"


def summary(settings: Settings) -> Iterator[str]:
    """Where the services are and how the books stand, a line each."""
    endpoints = services.find(settings)
    from producers.run import open_spool
    from sinks.database import address

    with open_spool(settings) as spool:
        spooled = spool.held().records
    run = services.running(settings.data_dir)
    web = f", HTTP {run.web}" if run is not None and run.web is not None else ""
    yield f"Kafka {endpoints.bootstrap_servers}, PostgreSQL {address(endpoints.database_url)}{web}"
    now = books.read(endpoints, spooled)
    yield (
        f"{now.delivered:,} deliveries = {now.decided:,} decisions + {now.refused:,} dead letters + "
        f"{now.undecided:,} on their way; {now.texts:,} texts, {now.stored:,} stored; the books: {now.verdict}"
    )


def _used(pid: int, *, with_children: bool) -> tuple[int, float] | None:
    """Memory (MiB, shared pages counted once where known) and CPU seconds of a process (and its children)."""
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if with_children else ())]
        memory, cpu = 0, 0.0
        for member in family:
            full = member.memory_full_info()
            times = member.cpu_times()
            memory += getattr(full, "pss", full.rss)
            cpu += times.user + times.system
    except psutil.NoSuchProcess:
        return None
    return round(memory / 2**20), round(cpu, 1)


def _lags(endpoints: services.Endpoints) -> dict[str, int]:
    try:
        lags: dict[str, int] = {}
        for row in kafka_view.lag(endpoints):
            lags[row["group"]] = lags.get(row["group"], 0) + row["lag"]
    except Unavailable:
        return {}
    return lags
