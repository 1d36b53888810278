"""What a step takes from a topic: bytes with their place, in batches that the crash journal watches."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pipeline import dead_letters, events, metrics, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord
from pipeline.journal import CrashJournal
from pipeline.records import Coordinates
from processors.publisher import Outgoing

Result = TypeVar("Result")


class Incoming(NamedTuple):
    """One record of a topic, not decoded yet."""

    topic: str
    at: Coordinates
    key: bytes | None
    value: bytes | None
    headers: events.Headers


def from_event(event: Any, topic_ids: dict[str, UUID]) -> Incoming:
    """The record in a Faust event."""
    message = event.message
    at = Coordinates(topic_id=topic_ids[message.topic], partition=message.partition, offset=message.offset)
    return Incoming(message.topic, at, message.key, message.value, list(message.headers or ()))


def parts(records: Sequence[Incoming], journal: CrashJournal) -> Iterator[Sequence[Incoming]]:
    """The batch in one piece; one by one while it holds a record that was in work when a process ended."""
    if any(journal.is_suspect(r.at.partition, r.at.offset) for r in records):
        yield from ((record,) for record in records)
    else:
        yield records


def work(
    stage: str, records: Sequence[Incoming], journal: CrashJournal, do: Callable[[Incoming], Result]
) -> tuple[list[tuple[Incoming, Result]], list[DeadLetter]]:
    """Do the pure work on each record; InvalidRecord makes it a dead letter and leaves its neighbours alone.

    The journal knows what is in work: a record that ended its process three times is not tried again.
    """
    done: list[tuple[Incoming, Result]] = []
    dead: list[DeadLetter] = []
    places = [(r.at.partition, r.at.offset) for r in records]
    journal.begin(places)
    for record in records:
        try:
            journal.check(record.at.partition, record.at.offset)
            done.append((record, do(record)))
        except InvalidRecord as error:
            tries = journal.crashes(record.at.partition, record.at.offset) + 1
            dead.append(
                dead_letters.of_record(stage, error, record.topic, record.at, record.key, record.value, tries=tries)
            )
    journal.end(places)
    return done, dead


def dead_letter_records(letters: Sequence[DeadLetter]) -> list[Outgoing]:
    """The records that put dead letters on their topic, counted."""
    for letter in letters:
        metrics.dead_letters.labels(stage=letter.stage, reason=letter.reason.value).inc()
    return [Outgoing(topics.DEAD_LETTER, str(letter.id).encode(), letter.value, letter.headers()) for letter in letters]
