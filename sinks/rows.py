"""What goes through the sink: a Kafka record, and the rows that it leaves, a type for each table."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NewType
from uuid import UUID

from pipeline.dead_letters import Headers
from pipeline.records import Coordinates, WithdrawalKind
from sinks.register import RegisterRow

Json = NewType("Json", str)
Partition = tuple[UUID, int]  # topic id, partition


@dataclass(frozen=True, slots=True)
class Incoming:
    """A Kafka record, with the id of its topic: the name may have belonged to another topic before."""

    topic: str
    topic_id: UUID
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Headers | tuple[()] = ()

    @property
    def place(self) -> Partition:
        """The partition, by topic id."""
        return self.topic_id, self.partition

    @property
    def coordinates(self) -> Coordinates:
        """Where it stands."""
        return Coordinates(topic_id=self.topic_id, partition=self.partition, offset=self.offset)


class DecisionRow(NamedTuple):
    """ingest.decisions"""

    raw_topic_id: UUID
    raw_partition: int
    raw_offset: int
    delivery_id: UUID
    article_id: UUID
    version_id: UUID
    kind: str
    method: str | None
    of_article: UUID | None
    of_version: UUID | None
    of_delivery: UUID | None
    same_text_as: UUID | None
    contains: UUID | None
    resembles: UUID | None
    guard: str | None
    score: float | None
    threshold: float | None
    rules_version: int
    log_id: UUID
    log_offset: int
    decided_at: datetime
    observed_at: datetime
    source: str


class ArticleRow(NamedTuple):
    """What one delivery would make of ingest.articles, were it the newest."""

    article_id: UUID
    current_delivery: UUID
    observed_at: datetime
    log_id: UUID
    log_offset: int
    decided_at: datetime
    source: str
    source_item_id: str | None
    url: str | None
    title: str
    byline: str | None
    language: str | None
    published_at: datetime | None
    updated_at: datetime | None
    notes: list[str]
    details: Json | None
    first_seen_at: datetime  # of the deliveries that this row stands for: the earliest


class VersionRow(NamedTuple):
    """ingest.versions"""

    delivery_id: UUID
    article_id: UUID
    version_id: UUID
    kind: str
    copy_of: UUID | None
    of_version: UUID | None
    entities_of: UUID | None
    observed_at: datetime
    log_id: UUID
    log_offset: int
    decided_at: datetime
    source: str
    source_item_id: str | None
    url: str | None
    title: str
    byline: str | None
    declared_language: str | None
    published_at: datetime | None
    updated_at: datetime | None
    notes: list[str]
    raw: str | None
    text: str
    removed: Json
    content_hash: str
    generation: int | None
    language: str | None
    sentiment_label: str | None
    sentiment_score: float | None
    targets: Json | None
    models: Json | None
    enrich_reason: str | None
    enriched_at: datetime | None
    details: Json | None


class EntityRow(NamedTuple):
    """ingest.entities"""

    delivery_id: UUID
    entity: int
    name: str
    label: str
    times: int  # column `count`: a tuple has a method of that name
    sentiment_label: str | None
    sentiment_score: float | None
    negative: float | None
    neutral: float | None
    positive: float | None
    salience: float
    aliases: list[str]
    register_id: UUID
    evidence: Json


class MentionRow(NamedTuple):
    """ingest.mentions"""

    delivery_id: UUID
    entity: int
    mention: int
    text: str
    start_offset: int
    end_offset: int
    raw_start: int
    raw_end: int


class DeadLetterRow(NamedTuple):
    """ingest.dead_letters"""

    id: UUID
    stage: str
    reason: str
    detail: str
    topic: str | None
    topic_id: UUID | None
    partition: int | None
    record_offset: int | None
    origin: str | None
    key: bytes | None
    value: bytes
    length: int
    sha256: str
    tries: int
    truncated: bool
    failed_at: datetime
    worker: str


class SourceRow(NamedTuple):
    """ingest.sources"""

    name: str
    kind: str
    url: str
    declared_url: str
    state: str
    reason: str | None
    why: str | None
    changed_at: datetime
    polled_at: datetime | None
    succeeded_at: datetime | None
    next_poll_at: datetime | None
    interval_seconds: float | None
    failures: int
    entries: int
    new_entries: int
    known_share: float | None
    newest_entry_at: datetime | None
    expected_gap_seconds: float | None
    alarm: str | None
    alarm_since: datetime | None


class WithdrawalRow(NamedTuple):
    """What one word makes of an article, were it the last."""

    article_id: UUID
    kind: WithdrawalKind
    reason: str
    at: datetime


class Version(NamedTuple):
    """A version with the names of its enrichment: written together or not at all, but for what the register learns."""

    row: VersionRow
    entities: tuple[EntityRow, ...] = ()
    mentions: tuple[MentionRow, ...] = ()
    registered: tuple[RegisterRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """All that one record leaves in the database."""

    decision: DecisionRow | None = None
    article: ArticleRow | None = None
    version: Version | None = None
    dead_letter: DeadLetterRow | None = None
    source: SourceRow | None = None
    withdrawal: WithdrawalRow | None = None

    @property
    def count(self) -> int:
        """How many they are, about."""
        version = self.version
        return 1 if version is None else 1 + len(version.registered) + len(version.entities) + len(version.mentions)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record and its rows."""

    incoming: Incoming
    rows: Rows
