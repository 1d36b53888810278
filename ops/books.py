"""The books: what came in is decided, refused or on its way, and every text that was let through is a row.

records on articles.raw = decisions (by raw coordinates) + dead letters of decoding + lag
new + revision          = versions stored + lag      (as the log said, whoever had the last word)
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

from ops import database
from ops.services import Endpoints
from pipeline import broker, topics
from pipeline.errors import Unavailable
from sinks import queries

REENRICH_GROUP: Final = "news.reenrich"
GROUPS: Final = {
    "news.deduplicate": (topics.RAW,),
    "news.enrich": (topics.UNIQUE,),
    REENRICH_GROUP: (topics.REENRICH,),  # in no book: each of these texts is stored already
    "news.sink": (topics.DECISIONS, topics.ENRICHED, topics.DEAD_LETTER, topics.SOURCES, topics.WITHDRAWALS),
}


@dataclass(frozen=True, slots=True)
class Books:
    """Both equations with their numbers."""

    delivered: int
    decided: int
    refused: int
    texts: int
    stored: int
    texts_refused: int
    unread_by_sink: int
    unread_by_stages: int
    spooled: int

    @property
    def undecided(self) -> int:
        """Deliveries that are neither a decision nor a dead letter in PostgreSQL."""
        return self.delivered - self.decided - self.refused

    @property
    def unstored(self) -> int:
        """Texts that were let through and are no row yet."""
        return self.texts - self.stored - self.texts_refused

    @property
    def is_drained(self) -> bool:
        """Everything that was accepted has come to its end."""
        return not (self.undecided or self.unstored or self.unread_by_sink or self.spooled)

    @property
    def verdict(self) -> str:
        """`balanced`, `in flight` (what is missing is still on its way) or `MISSING`."""
        if not (self.undecided or self.unstored):
            return "balanced" if not (self.unread_by_sink or self.spooled) else "in flight"
        return "in flight" if self.unread_by_sink or self.unread_by_stages else "MISSING"

    def as_json(self) -> dict[str, Any]:
        """All numbers, for --json."""
        return {**asdict(self), "undecided": self.undecided, "unstored": self.unstored, "verdict": self.verdict}


def read(endpoints: Endpoints, spooled: int = 0) -> Books:
    """Read both sides. Raises Unavailable when one of the services is away.

    PostgreSQL is asked first: what moves meanwhile then looks like it is on its way, never like it came from nowhere.
    """
    with broker.admin(endpoints.bootstrap_servers) as client, database.connect(endpoints.database_url) as db:
        return Reader(client, db).read(spooled)


class Reader:
    """Reads the books again and again over the same two connections."""

    def __init__(self, client: Any, db: database.Connection) -> None:
        self._client = client
        self._db = db
        states = broker.topic_states(client)
        wanted = {name for names in GROUPS.values() for name in names}
        missing = sorted(wanted - states.keys())
        if missing:
            raise Unavailable(f"Kafka has no topic {', '.join(missing)}: run `news topics apply`.")
        self._states = {name: state for name, state in states.items() if name in wanted}

    def read(self, spooled: int) -> Books:
        """The books as they stand now; `spooled` is what producers still hold."""
        ids = {name: state.id for name, state in self._states.items()}
        names = {"raw_id": topics.RAW, "unique_id": topics.UNIQUE, "enriched_id": topics.ENRICHED}
        arguments = {key: ids[name] for key, name in (names | {"decisions_id": topics.DECISIONS}).items()}
        # PostgreSQL in one snapshot, then the groups, then the ends of the logs: whatever moves meanwhile is seen
        # before it was worked on and then as unread, never as worked on without a trace.
        with self._db.transaction():
            self._db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = queries.counted(self._db, **arguments)
            positions = {(p.topic_id, p.partition): p.next_offset for p in queries.stored_positions(self._db)}
        committed = {
            group: broker.committed_offsets(self._client, group) for group in ("news.deduplicate", "news.enrich")
        }
        ends = broker.log_offsets(self._client, self._states)
        unread_by_stages = sum(
            end - committed[group].get((topic, partition), 0)
            for (topic, partition), end in ends.items()
            for group, its_topics in GROUPS.items()
            if group in committed and topic in its_topics
        )
        unread_by_sink = sum(
            end - positions.get((ids[topic], partition), 0)
            for (topic, partition), end in ends.items()
            if topic in GROUPS["news.sink"] and topic != topics.SOURCES  # in no book: it says nothing of articles
        )
        return Books(
            delivered=sum(end for (topic, _), end in ends.items() if topic == topics.RAW),
            decided=row.decided,
            refused=row.refused + row.decisions_refused,
            texts=row.texts,
            stored=row.stored,
            texts_refused=row.texts_refused,
            unread_by_sink=unread_by_sink,
            unread_by_stages=unread_by_stages,
            spooled=spooled,
        )
