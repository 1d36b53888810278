"""Decisions, all of them: made anew from the signature log, and compared with what is stored."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands.common import Json, load_settings, quiet_logs, show, talk
from pipeline.errors import Exit, SettingError, Stop, Unavailable

if TYPE_CHECKING:
    from uuid import UUID

    from ops.database import Connection
    from ops.services import Endpoints
    from ops.verify import LogRecord, Report
    from pipeline.settings import Settings

app = typer.Typer(help="Whether all decisions are still what the signature log says.", no_args_is_help=True)

#: A broker that gives no record for so long, with some left to read, is away.
SILENCE_SECONDS = 30
_POLL_MS = 500
_DAY_MS = 86_400_000


@app.command("verify")
def verify(
    first: Annotated[
        int, typer.Option("--from", min=0, metavar="OFFSET", help="Compare from this offset of the log on.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Read the whole signature log, decide everything again, and compare it with the database and the verdicts.

    Exit code 1 when something differs, or is missing while nothing is on its way.
    """
    from ops import services

    settings = load_settings()
    quiet_logs()
    report, is_settled, refused, retired = _verified(services.find(settings), settings, first)
    is_lost = is_settled and (report.missing > refused or report.missing + report.retired > refused + retired)
    if as_json:
        show([{**report.as_json(), "is_settled": is_settled}], (), as_json=True)
    else:
        show(
            ({"what": what, "count": count} for what, count in _lines(report, is_lost)),
            ("what", "count"),
            as_json=False,
        )
        if report.differences:
            talk.print("")
            columns = ("offset", "where", "field", "stored", "recomputed")
            show((d._asdict() for d in report.differences), columns, as_json=False)
    if is_lost and report.missing <= refused:
        talk.print(
            f"[red]{report.missing + report.retired - refused - retired} decisions more than retention removed are not "
            "in the database, and nothing waits for the sink.[/]",
            highlight=False,
        )
    elif is_lost:
        talk.print(
            f"[red]{report.missing} decisions are not in the database and nothing waits for the sink; the first is at "
            f"offset {report.first_missing} of the log.[/]",
            highlight=False,
        )
    if is_lost or not report.is_equal:
        raise typer.Exit(Exit.FAILURE)


def _lines(r: "Report", is_lost: bool) -> Iterator[tuple[str, int | str]]:
    yield "records read", r.records
    yield "decisions made again", r.recomputed
    yield "  of them replays", r.replays
    if r.taken or r.not_verifiable or r.older_than_the_log:
        yield "older than the log", r.older_than_the_log
        yield "in its first window: taken from the verdicts of workers", r.taken
        yield "  not verifiable, without a verdict or a row", r.not_verifiable
    if r.retired:
        yield "removed by retention", r.retired
    yield "equal in the database", r.equal
    yield "different", r.different
    yield "missing" if is_lost else "not in the database yet", r.missing
    yield "verdicts of workers, equal", r.verdicts_equal
    yield "  different", r.verdicts_different
    yield "  not compared", r.verdicts_left_out
    yield "the decisions", "equal" if r.is_equal and not is_lost else "DIFFERENT"


def _verified(endpoints: "Endpoints", settings: "Settings", first: int) -> tuple["Report", bool, int, int]:
    """The report; whether nothing was on its way to the database; how many decisions it refused, and how many retention
    has removed."""
    from ops import database
    from ops.verify import Verification
    from pipeline import broker, cleaning, topics
    from processors.signature_index import SignatureIndex
    from sinks import queries

    window_ms = int(settings.dedup.window_days * _DAY_MS)
    with broker.admin(endpoints.bootstrap_servers) as client, database.connect(endpoints.database_url) as db:
        states = broker.topic_states(client)
        problems = broker.check(states, topics.of(settings))
        if problems:
            raise Stop(" ".join(problems))
        ids = {name: state.id for name, state in states.items()}
        log = {topics.SIGNATURES: states[topics.SIGNATURES]}
        place = (topics.SIGNATURES, 0)
        start, end = (broker.log_offsets(client, log, start=is_start)[place] for is_start in (True, False))
        if first > end:
            raise SettingError(f"--from {first}: {topics.SIGNATURES} ends at offset {end}.")
        is_settled = _is_settled(client, states, db)
        refused = queries.counted(
            db, ids[topics.RAW], ids[topics.UNIQUE], ids[topics.ENRICHED], ids[topics.DECISIONS]
        ).decisions_refused
        log_id: UUID = ids[topics.SIGNATURES]
        older = queries.decisions_before(db, log_id, start)
        retired, retired_to = queries.decisions_retired(db, log_id)
        folder = settings.data_dir / "index"  # its files have no names: nobody else sees them
        folder.mkdir(parents=True, exist_ok=True)
        index = SignatureIndex(log_id, cleaning.load_rules().version, window_ms, folder)
        with closing(index), closing(queries.decisions_of_log(db, log_id, max(start, first), end)) as rows:
            verification = Verification(index, rows, start, window_ms, max(start, first), retired_to)
            with _progress(end - start) as advance:
                for record in _log(endpoints.bootstrap_servers, start, end):
                    verification.take(record)
                    advance(record.offset + 1 - start)
            report = verification.end()
    report.older_than_the_log = older
    return report, is_settled, refused, retired


def _is_settled(client: Any, states: dict[str, Any], db: "Connection") -> bool:
    """Whether all that was on the log before this is in the database: each step is asked after the one before it."""
    from pipeline import broker, topics
    from sinks import queries

    raw = broker.log_offsets(client, {topics.RAW: states[topics.RAW]})
    committed = broker.committed_offsets(client, "news.deduplicate")
    decided = broker.log_offsets(client, {topics.DECISIONS: states[topics.DECISIONS]})
    stored = {(p.topic_id, p.partition): p.next_offset for p in queries.stored_positions(db)}
    topic_id = states[topics.DECISIONS].id
    return all(committed.get(at, 0) >= end for at, end in raw.items()) and all(
        stored.get((topic_id, partition), 0) >= end for (_, partition), end in decided.items()
    )


def _log(bootstrap_servers: str, start: int, end: int) -> Iterator["LogRecord"]:
    """The records of the log in order. Raises Unavailable when the broker falls silent, Stop when the log changes."""
    from kafka import TopicPartition
    from kafka.errors import OffsetOutOfRangeError

    from ops.verify import LogRecord
    from pipeline import broker, topics

    place = TopicPartition(topics.SIGNATURES, 0)
    with broker.explained(bootstrap_servers), closing(broker.consumer(bootstrap_servers)) as consumer:
        consumer.assign([place])
        consumer.seek(place, start)
        heard = time.monotonic()
        while consumer.position(place) < end:
            try:
                batch = consumer.poll(timeout_ms=_POLL_MS).get(place, ())
            except OffsetOutOfRangeError as error:
                raise Stop(f"{topics.SIGNATURES} was shortened while it was read: do this again.") from error
            if batch:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_SECONDS:
                raise Unavailable(f"Kafka at {bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS) fell silent.")
            for record in batch:
                if record.offset < end:
                    yield LogRecord(record.offset, record.timestamp, record.key, record.value)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for a person who watches."""
    from rich.progress import Progress

    with Progress(console=talk, disable=not talk.is_terminal, transient=True) as bars:
        task = bars.add_task("signature log", total=total)
        yield lambda done: bars.update(task, completed=done)
