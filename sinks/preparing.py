"""A record -> its rows, purely: what the sink writes, before any database is asked.

Every fact comes from one record alone, so that no record needs another to be there first.
"""

import json
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from pipeline import dead_letters, topics
from pipeline.cleaning import Span
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, Reason
from pipeline.identity import printable
from pipeline.records import (
    Body,
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
)
from sinks import register
from sinks.register import RegisterRow
from sinks.rows import (
    ArticleRow,
    DeadLetterRow,
    DecisionRow,
    EntityRow,
    Incoming,
    Json,
    MentionRow,
    Prepared,
    Rows,
    SourceRow,
    Version,
    VersionRow,
    WithdrawalRow,
)

STAGE: Final = "sink"
#: A name longer than this is no name; a B-tree entry takes 2,704 bytes.
MAX_NAME: Final = 500
MAX_LABEL: Final = 50

#: Rows go to the database as JSON text; these write it.
_SPANS: Final = TypeAdapter(tuple[Span, ...])
_TARGETS: Final = TypeAdapter(tuple[TargetSentiment, ...])
_EVIDENCE: Final = TypeAdapter(tuple[Evidence, ...])


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
