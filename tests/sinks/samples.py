"""Records as the stages before the sink make them, with small numbers in place of ids, times and offsets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import psycopg

from pipeline import topics
from pipeline.cleaning import Span
from pipeline.records import (
    Body,
    Coordinates,
    DecidedArticle,
    Decision,
    Details,
    Enclosure,
    EnrichedArticle,
    Enrichment,
    Entity,
    Kind,
    Mention,
    Metadata,
    Record,
    Sentiment,
    SourceState,
    Withdrawal,
    WithdrawalKind,
)
from sinks.rows import Incoming

RAW_TOPIC = UUID(int=1)
LOG = UUID(int=2)
TOPIC_IDS = {
    topics.DECISIONS: UUID(int=11),
    topics.ENRICHED: UUID(int=12),
    topics.DEAD_LETTER: UUID(int=13),
    topics.SOURCES: UUID(int=14),
    topics.WITHDRAWALS: UUID(int=15),
}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def as_owner(connection: psycopg.Connection[Any], statement: str) -> None:
    """What the sink itself may not do, on its connection: it works as news_writer."""
    connection.execute("RESET ROLE")
    connection.execute(statement.encode())
    connection.execute("SET ROLE news_writer")


def article(number: int) -> UUID:
    return UUID(int=1000 + number)


def version(number: int) -> UUID:
    return UUID(int=2000 + number)


def delivery(number: int) -> UUID:
    return UUID(int=3000 + number)


def decision(kind: Kind, *, place: int, of_article: int = 1, text: int = 1, observed: float, **fields: Any) -> Decision:
    """The decision about delivery `place`, which stood there on articles.raw and in the log."""
    return Decision(
        delivery_id=fields.pop("delivery_id", delivery(place)),
        article_id=article(of_article),
        version_id=version(text),
        kind=kind,
        method=fields.pop("method", "url"),
        rules_version=1,
        log_id=fields.pop("log_id", LOG),
        log_offset=place,
        decided_at=fields.pop("decided_at", at(100 + place)),
        raw=Coordinates(topic_id=RAW_TOPIC, partition=0, offset=place),
        observed_at=at(observed),
        source=fields.pop("source", "wire"),
        **fields,
    )


def metadata(number: int) -> Metadata:
    return Metadata(
        url=f"https://example.org/{number}",
        title=f"Title {number}",
        byline=f"Author {number}",
        details=details(number) if number % 2 else None,
    )


def details(number: int) -> Details:
    return Details(
        categories=(f"Category {number}", "News"),
        enclosures=(Enclosure(url=f"https://example.org/{number}.jpg", type="image/jpeg", length=number),),
        published_at_from="page",
        extractor=f"extractor {number}",
        flags=("paywall",),
    )


def body(number: int) -> Body:
    return Body(
        raw=f"Text {number}.\nSubscribe now",
        text=f"Text {number}.",
        removed=(Span(start=7, end=21, rule="footer", text="\nSubscribe now"),),
        content_hash=f"{number:064x}",
    )


def enrichment(*names: str, generation: int = 0, made: float = 200) -> Enrichment:
    return Enrichment(
        generation=generation,
        language="en",
        entities=tuple(
            Entity(
                name=name,
                label="PERSON",
                count=2,
                sentiment=Sentiment(label="positive", score=0.5, negative=0.1, neutral=0.3, positive=0.6),
                mentions=(
                    Mention(text=name, start=0, end=4, raw_start=0, raw_end=4),
                    Mention(text=name, start=5, end=6, raw_start=5, raw_end=6),
                ),
            )
            for name in names
        ),
        sentiment=Sentiment(label="negative", score=-0.25),
        models={"ner": "test 1"},
        enriched_at=at(made),
    )


def decided(made: Decision, number: int, with_body: bool = False) -> DecidedArticle:
    return DecidedArticle(decision=made, metadata=metadata(number), body=body(number) if with_body else None)


def enriched(made: Decision, number: int, found: Enrichment) -> EnrichedArticle:
    return EnrichedArticle(decision=made, metadata=metadata(number), body=body(number), enrichment=found)


def source_state(name: str, changed: float, **fields: Any) -> SourceState:
    given = {"kind": "feed", "url": f"https://{name}.example/feed", "state": "ok", "changed_at": at(changed), **fields}
    return SourceState(name=name, declared_url=f"https://{name}.example/rss", **given)


def word(kind: WithdrawalKind, said: float, of_article: int = 1, reason: str = "Taken back.") -> Withdrawal:
    return Withdrawal(article_id=article(of_article), kind=kind, reason=reason, at=at(said))


def topic_of(record: Record) -> str:
    if isinstance(record, Withdrawal):
        return topics.WITHDRAWALS
    if isinstance(record, SourceState):
        return topics.SOURCES
    return topics.DECISIONS if isinstance(record, DecidedArticle) else topics.ENRICHED


@dataclass
class Feed:
    """Gives records the next offsets of their topics, so that none looks like one that was written before."""

    offsets: dict[str, Any] = field(default_factory=lambda: {name: count() for name in TOPIC_IDS})

    def incoming(self, *records: Record) -> list[Incoming]:
        return [self.raw(topic_of(record), record.to_bytes()) for record in records]

    def raw(self, topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Incoming:
        return Incoming(topic, TOPIC_IDS[topic], 0, next(self.offsets[topic]), value, b"key", list(headers))
