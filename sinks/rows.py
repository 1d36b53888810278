"""A record -> its rows, purely: what the sink writes, before any database is asked.

Every fact comes from one record alone, so that no record needs another to be there first.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple, NewType
from uuid import UUID

from pydantic import TypeAdapter

from pipeline import dead_letters, topics
from pipeline.cleaning import Span
from pipeline.dead_letters import DeadLetter, Headers
from pipeline.errors import InvalidRecord, Reason
from pipeline.identity import printable
from pipeline.records import (
    Body,
    Coordinates,
    DecidedArticle,
    Decision,
    EnrichedArticle,
    Enrichment,
    Entity,
    Evidence,
    Metadata,
    SourceState,
    TargetSentiment,
    Withdrawal,
    WithdrawalKind,
)
from sinks import register
from sinks.register import RegisterRow

STAGE: Final = "sink"
#: A name longer than this is no name; a B-tree entry takes 2,704 bytes.
MAX_NAME: Final = 500
MAX_LABEL: Final = 50
#: Of one transaction, about: 500 articles of 15 names and 40 mentions each are fewer, and take some seconds of 30.
MAX_ROWS: Final = 50_000
#: Of the records of one transaction: texts of 1 MB take a quarter of a second each to be indexed.
MAX_BYTES: Final = 16 * 2**20

#: Rows go to the database as JSON text; these write it.
_SPANS: Final = TypeAdapter(tuple[Span, ...])
_TARGETS: Final = TypeAdapter(tuple[TargetSentiment, ...])
_EVIDENCE: Final = TypeAdapter(tuple[Evidence, ...])

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


def parts(prepared: Iterable[Prepared], most: int = MAX_ROWS, most_bytes: int = MAX_BYTES) -> Iterator[list[Prepared]]:
    """The records in the order of their logs, in parts of about so many rows and bytes: a part is one transaction.

    The order matters: the position behind a part says that all before it is written.
    """
    part: list[Prepared] = []
    size = length = 0
    for each in sorted(prepared, key=lambda p: (p.incoming.place, p.incoming.offset)):
        rows, bytes_ = each.rows.count, len(each.incoming.value or b"")
        if part and (size + rows > most or length + bytes_ > most_bytes):
            yield part
            part, size, length = [], 0, 0
        part.append(each)
        size += rows
        length += bytes_
    if part:
        yield part


def prepare(incoming: Incoming) -> Prepared:
    """The rows of one record; of one that cannot be read, its dead letter."""
    try:
        return Prepared(incoming, _rows(incoming))
    except InvalidRecord as error:
        return dead(incoming, error)


def dead(incoming: Incoming, error: InvalidRecord, tries: int = 1) -> Prepared:
    """The sink's own dead letter for a record; a dead letter is never dead-lettered: its bare bytes are kept."""
    at = incoming.coordinates
    if incoming.topic == topics.DEAD_LETTER:
        letter = DeadLetter.from_kafka(incoming.key, incoming.value, [], at)
    else:
        letter = dead_letters.of_record(STAGE, error, incoming.topic, at, incoming.key, incoming.value, tries)
    return Prepared(incoming, Rows(dead_letter=_dead_letter_row(letter)))


def refused(prepared: Prepared, detail: str) -> Prepared:
    """The dead letter of a record whose rows PostgreSQL refused."""
    return dead(prepared.incoming, InvalidRecord(Reason.ROW_REFUSED, printable(detail)))


def best_versions(versions: Iterable[Version]) -> list[Version]:
    """Of each version the enrichment that stands, sorted by key, so that two sinks do not wait for each other."""
    best: dict[bytes, Version] = {}
    for version in versions:
        key = version.row.delivery_id.bytes
        if key not in best or _rank(version) > _rank(best[key]):
            best[key] = version
    return [best[key] for key in sorted(best)]


def newest_articles(articles: Iterable[ArticleRow]) -> list[ArticleRow]:
    """Of each article the newest delivery, with the earliest time of all, sorted as best_versions sorts."""
    newest: dict[UUID, ArticleRow] = {}
    for article in articles:
        known = newest.setdefault(article.article_id, article)
        first_seen_at = min(known.first_seen_at, article.first_seen_at)
        newest[article.article_id] = (article if _is_newer(article, known) else known)._replace(
            first_seen_at=first_seen_at
        )
    return [newest[key] for key in sorted(newest)]


def last_withdrawals(words: Iterable[WithdrawalRow]) -> list[WithdrawalRow]:
    """Of each article the word that stands, sorted as best_versions sorts."""
    last: dict[UUID, WithdrawalRow] = {}
    for word in words:
        known = last.setdefault(word.article_id, word)
        if _weight(word) > _weight(known):
            last[word.article_id] = word
    return [last[key] for key in sorted(last)]


def last_states(states: Iterable[SourceRow]) -> list[SourceRow]:
    """Of each source what was changed last (of one moment, what comes last), sorted as best_versions sorts."""
    last: dict[str, SourceRow] = {}
    for state in states:
        if state.name not in last or state.changed_at >= last[state.name].changed_at:
            last[state.name] = state
    return [last[name] for name in sorted(last)]


def _is_newer(one: ArticleRow, other: ArticleRow) -> bool:
    """As the guard of upsert_articles.sql."""
    if one.observed_at != other.observed_at:
        return one.observed_at > other.observed_at
    if one.log_id == other.log_id:
        return one.log_offset > other.log_offset
    return (one.decided_at, one.log_id) > (other.decided_at, other.log_id)


def _weight(word: WithdrawalRow) -> tuple[bool, datetime, bool, bytes]:
    """As the guard of withdraw_articles.sql: erased is for good; of two words of one moment the safer one stands."""
    return word.kind == "erased", word.at, word.kind == "withdrawn", word.reason.encode(errors="replace")


def _rank(version: Version) -> tuple[int, float]:
    """As the guard of upsert_versions.sql: the newest generation, of one generation what was made first."""
    row = version.row
    if row.generation is None or row.enriched_at is None:
        return -1, 0.0
    return row.generation, -row.enriched_at.timestamp()


def _rows(incoming: Incoming) -> Rows:
    match incoming.topic:
        case topics.DECISIONS:
            return of_decided(DecidedArticle.from_bytes(incoming.value))
        case topics.ENRICHED:
            return of_enriched(EnrichedArticle.from_bytes(incoming.value))
        case topics.DEAD_LETTER:
            return Rows(dead_letter=_dead_letter_row(_letter(incoming)))
        case topics.SOURCES:
            state = SourceState.from_bytes(incoming.value)
            return Rows(source=SourceRow(**state.model_dump(include=set(SourceRow._fields))))
        case topics.WITHDRAWALS:
            word = Withdrawal.from_bytes(incoming.value)
            return Rows(withdrawal=WithdrawalRow(word.article_id, word.kind, word.reason, word.at))
        case other:
            raise ValueError(f"The sink does not read {other}.")


def of_decided(record: DecidedArticle) -> Rows:
    """Its decision; unless a redelivery what it says about its article; for a copy its text."""
    decision = record.decision
    if decision.kind == "redelivery":
        return Rows(decision=_decision_row(decision))
    version = None
    if decision.kind == "copy":
        if record.body is None:
            raise InvalidRecord(Reason.WRONG_SHAPE, "body: a copy comes with its text, which no other topic carries.")
        version = Version(_version_row(decision, record.metadata, record.body, None))
    return Rows(
        decision=_decision_row(decision),
        article=_article_row(decision, record.metadata),
        version=version,
    )


def of_enriched(record: EnrichedArticle) -> Rows:
    """Its version with its names, and its article: whichever of the two topics is read first makes the row."""
    decision, enrichment = record.decision, record.enrichment
    if decision.kind not in ("new", "revision", "copy"):
        raise InvalidRecord(Reason.WRONG_SHAPE, f"decision.kind: a delivery that is {decision.kind} has no version.")
    registered = tuple(_register_row(entity, decision.observed_at) for entity in enrichment.entities)
    entities = tuple(
        _entity_row(decision.delivery_id, number, entity, who.id)
        for number, (entity, who) in enumerate(zip(enrichment.entities, registered, strict=True))
    )
    mentions = tuple(
        MentionRow(decision.delivery_id, number, place, m.text, m.start, m.end, m.raw_start, m.raw_end)
        for number, entity in enumerate(enrichment.entities)
        for place, m in enumerate(entity.mentions)
    )
    return Rows(
        article=_article_row(decision, record.metadata),
        version=Version(
            _version_row(decision, record.metadata, record.body, enrichment), entities, mentions, registered
        ),
    )


def _entity_row(delivery_id: UUID, number: int, entity: Entity, register_id: UUID) -> EntityRow:
    s = entity.sentiment
    return EntityRow(
        delivery_id=delivery_id,
        entity=number,
        name=entity.name[:MAX_NAME],
        label=entity.label[:MAX_LABEL],
        times=entity.count,
        sentiment_label=s.label if s else None,
        sentiment_score=s.score if s else None,
        negative=s.negative if s else None,
        neutral=s.neutral if s else None,
        positive=s.positive if s else None,
        salience=entity.salience,
        aliases=[alias[:MAX_NAME] for alias in entity.aliases],
        register_id=register_id,
        evidence=Json(_EVIDENCE.dump_json(entity.evidence).decode()),
    )


def _register_row(entity: Entity, observed_at: datetime) -> RegisterRow:
    name, label = entity.name[:MAX_NAME], entity.label[:MAX_LABEL]
    watch_id = entity.id[:MAX_NAME] if entity.id is not None else None
    return register.row(name, label, watch_id, observed_at, [alias[:MAX_NAME] for alias in entity.aliases])


def _decision_row(d: Decision) -> DecisionRow:
    return DecisionRow(
        raw_topic_id=d.raw.topic_id,
        raw_partition=d.raw.partition,
        raw_offset=d.raw.offset,
        delivery_id=d.delivery_id,
        article_id=d.article_id,
        version_id=d.version_id,
        kind=d.kind,
        method=d.method,
        of_article=d.of,
        of_version=d.of_version,
        of_delivery=d.of_delivery,
        same_text_as=d.same_text_as,
        contains=d.contains,
        resembles=d.resembles,
        guard=d.guard,
        score=d.score,
        threshold=d.threshold,
        rules_version=d.rules_version,
        log_id=d.log_id,
        log_offset=d.log_offset,
        decided_at=d.decided_at,
        observed_at=d.observed_at,
        source=d.source,
    )


def _article_row(d: Decision, m: Metadata) -> ArticleRow:
    unchanged = d.kind == "unchanged" and d.of_delivery is not None
    return ArticleRow(
        article_id=d.article_id,
        current_delivery=d.of_delivery if unchanged and d.of_delivery is not None else d.delivery_id,
        observed_at=d.observed_at,
        log_id=d.log_id,
        log_offset=d.log_offset,
        decided_at=d.decided_at,
        source=d.source,
        source_item_id=m.source_item_id,
        url=m.url,
        title=m.title,
        byline=m.byline,
        language=m.language,
        published_at=m.published_at,
        updated_at=m.updated_at,
        notes=list(m.notes),
        details=_details(m),
        first_seen_at=d.observed_at,
    )


def _version_row(d: Decision, m: Metadata, b: Body, e: Enrichment | None) -> VersionRow:
    copy_of = d.of if d.kind == "copy" else d.same_text_as if d.kind == "revision" else None
    return VersionRow(
        delivery_id=d.delivery_id,
        article_id=d.article_id,
        version_id=d.version_id,
        kind=d.kind,
        copy_of=copy_of,
        of_version=d.of_version if d.kind == "copy" else None,
        entities_of=d.delivery_id if e else d.of_delivery,
        observed_at=d.observed_at,
        log_id=d.log_id,
        log_offset=d.log_offset,
        decided_at=d.decided_at,
        source=d.source,
        source_item_id=m.source_item_id,
        url=m.url,
        title=m.title,
        byline=m.byline,
        declared_language=m.language,
        published_at=m.published_at,
        updated_at=m.updated_at,
        notes=list(m.notes),
        raw=None if b.raw == b.text else b.raw,  # most texts lose nothing in cleaning: kept once
        text=b.text,
        removed=Json(_SPANS.dump_json(b.removed).decode()),
        content_hash=b.content_hash,
        generation=e.generation if e else None,
        language=e.language if e else None,
        sentiment_label=e.sentiment.label if e and e.sentiment else None,
        sentiment_score=e.sentiment.score if e and e.sentiment else None,
        targets=Json(_TARGETS.dump_json(e.targets).decode()) if e and e.targets else None,
        models=Json(json.dumps(e.models, ensure_ascii=False)) if e else None,
        enrich_reason=e.reason if e else None,
        enriched_at=e.enriched_at if e else None,
        details=_details(m),
    )


def _details(m: Metadata) -> Json | None:
    return Json(m.details.model_dump_json(exclude_defaults=True)) if m.details else None


def _letter(incoming: Incoming) -> DeadLetter:
    at = incoming.coordinates
    try:
        return DeadLetter.from_kafka(incoming.key, incoming.value, list(incoming.headers), at)
    except ValueError:  # a header that another writer filled with something else than it says
        return DeadLetter.from_kafka(incoming.key, incoming.value, [], at)


def _dead_letter_row(letter: DeadLetter) -> DeadLetterRow:
    at = letter.coordinates
    clean = replace(letter, detail=printable(letter.detail), worker=printable(letter.worker)[:200])
    return DeadLetterRow(
        id=clean.id,
        stage=printable(clean.stage),
        reason=clean.reason.value,
        detail=clean.detail,
        topic=printable(clean.topic)[:249] if clean.topic is not None else None,
        topic_id=at.topic_id if at else None,
        partition=at.partition if at else None,
        record_offset=at.offset if at else None,
        origin=printable(clean.origin) if clean.origin is not None else None,
        key=clean.key,
        value=clean.value,
        length=clean.length,
        sha256=printable(clean.sha256)[:64],
        tries=clean.tries,
        truncated=clean.truncated,
        failed_at=clean.failed_at,
        worker=clean.worker,
    )
