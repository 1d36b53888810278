"""`news withdraw`, `restore`, `erase`: an id or a URL -> records on articles.withdrawals, and what became of them.

What is sent is safe and will be applied; waiting for the sink is for the person who asked.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final, Literal
from uuid import UUID, uuid4

from kafka.errors import KafkaError

from ops import whereabouts
from ops.database import Connection
from ops.services import Endpoints
from pipeline import broker, events, topics
from pipeline.errors import SettingError, Stop, Unavailable
from pipeline.identity import printable
from pipeline.records import Withdrawal, WithdrawalKind
from pipeline.settings import Settings
from pipeline.topics import Topic
from sinks import queries
from sinks.queries import ArticleState

#: How long a command waits for the sink: the record waits longer.
WAIT_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.2
SEND_SECONDS: Final = 60.0
MOST_REASON: Final = 2000

_SOURCE: Final = "/ops/withdraw"
_DAY_MS: Final = 86_400_000
_MICROSECOND: Final = timedelta(microseconds=1)
#: Where the text of an article, or something made of it, stands in Kafka.
_TEXTS: Final = {
    topics.RAW: "the text as delivered",
    topics.SIGNATURES: "hashes of it",
    topics.DECISIONS: "its title, address and byline; of a copy the text",
    topics.UNIQUE: "the text",
    topics.ENRICHED: "the text, and the names in it",
    topics.REENRICH: "the text, where it was enriched again",
    topics.DEAD_LETTER: "the text, where it was set apart",
}

#: What an article is afterwards: `unapplied` where nobody waited.
State = Literal["shown", "withdrawn", "erased", "unapplied"]


@dataclass(frozen=True, slots=True)
class Target:
    """One article to speak of. `known` is None where the database has never heard of it."""

    article_id: UUID
    known: ArticleState | None
    copies: tuple[UUID, ...]
    is_copy: bool = False

    @property
    def is_known(self) -> bool:
        """Whether a delivery of it was ever decided."""
        return self.known is not None and self.known.is_delivered

    @property
    def state(self) -> State:
        """What it is now."""
        withdrawn = self.known.withdrawn if self.known else None
        return "erased" if withdrawn == "erased" else "withdrawn" if withdrawn == "withdrawn" else "shown"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one command is about: the article, its copies where they are wanted too, and how it was found, in words."""

    targets: tuple[Target, ...]
    notes: tuple[str, ...]


def reason(given: str) -> str:
    """The reason as it is kept. Raises SettingError where there is none, or too much of it."""
    kept = printable(given).strip()
    if not 0 < len(kept) <= MOST_REASON:
        raise SettingError(f"--reason is a sentence or two, at most {MOST_REASON:,} characters; it is kept for good.")
    return kept


def find(db: Connection, what: str, *, with_copies: bool) -> Asked:
    """The article that is meant. `what`: an article, version or delivery id, or a URL.

    Raises SettingError when it is neither an id nor a URL.
    """
    sought = whereabouts.wanted(what, db)
    notes = []
    if not queries.article_states(db, [sought]):
        decisions, _ = queries.decisions_about(db, sought, 1)
        if decisions and decisions[0].article_id != sought:
            (decision,) = decisions
            of = "delivery" if decision.delivery_id == sought else "version"
            notes.append(f"{what} is a {of} of article {decision.article_id}: all of the article is meant.")
            sought = decision.article_id
    article_ids = [sought, *(queries.copies_of(db, sought) if with_copies else ())]
    states = queries.article_states(db, article_ids)
    targets = tuple(
        Target(each, states.get(each), tuple(queries.copies_of(db, each)), is_copy=each != sought)
        for each in article_ids
    )
    if not targets[0].is_known:
        notes.append(f"No delivery of article {sought} was stored up to now: this is said in advance.")
    return Asked(targets, tuple(notes))


def records(kind: WithdrawalKind, why: str, targets: Sequence[Target], now: datetime) -> list[Withdrawal]:
    """What is to be sent: nothing of articles that are erased already.

    Its time is `now`, or just after the last word that is stored: clocks differ. Raises Stop for an erased article that
    shall be restored.
    """
    first, *_ = targets
    if kind == "restored" and first.state == "erased":
        raise Stop(f"Article {first.article_id} was erased: there is nothing to restore. Feed it as another article.")
    return [
        Withdrawal(article_id=target.article_id, kind=kind, reason=why, at=_after(target, now))
        for target in targets
        if target.state != "erased"
    ]


def _after(target: Target, now: datetime) -> datetime:
    last = target.known.withdrawn_at if target.known else None
    return now if last is None else max(now, last + _MICROSECOND)


def send(endpoints: Endpoints, words: Sequence[Withdrawal]) -> None:
    """Send them; returns when the broker has them all. Raises Unavailable when it is away."""
    with broker.admin(endpoints.bootstrap_servers) as client:
        if topics.WITHDRAWALS not in broker.topic_states(client):
            raise Unavailable(f"Kafka has no topic {topics.WITHDRAWALS}: run `news topics apply`.")
    with closing(broker.producer(endpoints.bootstrap_servers)) as producer:
        try:
            sent = [
                producer.send(
                    topics.WITHDRAWALS,
                    word.to_bytes(),
                    key=str(word.article_id).encode(),
                    headers=events.headers(uuid4(), topics.WITHDRAWALS, _SOURCE),
                )
                for word in words
            ]
            for future in sent:
                future.get(SEND_SECONDS)
        except KafkaError as error:
            raise Unavailable(
                f"Kafka at {endpoints.bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS) takes no records: {error!r}. "
                "Run it again: what is said twice changes nothing."
            ) from error


def is_applied(endpoints: Endpoints, db: Connection, stop: Event, say: Callable[[int], None]) -> bool:
    """Wait until the sink has read all that is on the topic by now; False when `stop` was set first.

    `say` hears how many records it has still to read. Raises Unavailable when it takes longer than WAIT_SECONDS.
    """
    with broker.admin(endpoints.bootstrap_servers) as client:
        states = {topics.WITHDRAWALS: broker.topic_states(client)[topics.WITHDRAWALS]}
        ends = broker.log_offsets(client, states)
    topic_id = states[topics.WITHDRAWALS].id
    began = time.monotonic()
    while not stop.is_set():
        stored = {p.partition: p.next_offset for p in queries.stored_positions(db) if p.topic_id == topic_id}
        left = sum(max(0, end - stored.get(partition, 0)) for (_, partition), end in ends.items())
        if not left:
            return True
        say(left)
        if time.monotonic() - began > WAIT_SECONDS:
            raise Unavailable(
                f"The sink has not read it within {WAIT_SECONDS:.0f} s: does `news run sink` run? The record is on "
                f"{topics.WITHDRAWALS} and will be applied when it does."
            )
        stop.wait(LOOK_SECONDS)
    return False


def now() -> datetime:
    """When something is said."""
    return datetime.now(UTC)


# In words.


def remains(kind: WithdrawalKind, settings: Settings) -> Iterator[str]:
    """What still holds the text afterwards and until when, a line each."""
    if kind == "withdrawn":
        yield "It stays stored, and no view of schema news shows it; `news restore` shows it again."
    if kind != "erased":
        return
    for topic in topics.of(settings):
        if topic.name in _TEXTS:
            yield f"{topic.name} still holds {_TEXTS[topic.name]}, {kept(topic)}"
    yield "spools of producers: a delivery that Kafka has not acknowledged yet; it is sent, counted and left out"
    yield "backups of PostgreSQL, and what readers have copied: they are told by news.changes (kind erased)"


def kept(topic: Topic) -> str:
    """How long the records of a topic are kept, as it is declared."""
    milliseconds, size = int(topic.config["retention.ms"]), int(topic.config["retention.bytes"])
    if milliseconds >= 0:
        return f"for {milliseconds / _DAY_MS:g} days"
    if size >= 0:
        return f"until {size / topics.MIB / 1024:g} GiB a partition of newer records have come"
    return "for good"
