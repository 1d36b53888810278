"""One record of each type with every field filled, and small makers of records for tests."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np

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
    Evidence,
    Mention,
    Metadata,
    RawArticle,
    Record,
    Sentiment,
    Signature,
    SourceState,
    StaleArticle,
    Target,
    TargetSentiment,
    UniqueArticle,
    Withdrawal,
)

NOON = datetime(2026, 10, 13, 12, tzinfo=UTC)
HERE = Coordinates(topic_id=UUID(int=0xA), partition=3, offset=17)


def raw_article(**fields: Any) -> RawArticle:
    given = {
        "delivery_id": UUID("0199dd3c-5800-7000-8000-000000000001"),
        "observed_at": NOON,
        "source": "wire",
        "body": "The ferry \u201cBrage\u201d sank.\nShare this article\n",
    }
    return RawArticle(**{**given, **fields})


DETAILS = Details(
    categories=("shipping",),
    enclosures=(Enclosure(url="https://news.example/ferry.jpg", type="image/jpeg", length=1000),),
    published_at_from="page",
    extractor="trafilatura 2.3",
    flags=("paywall",),
)

FULL_RAW = raw_article(
    source_item_id="nl-1",
    url="https://news.example/ferry",
    title="Ferry sinks",
    byline="Kaja Mollerud",
    language="en",
    published_at=NOON,
    updated_at=NOON,
    notes=("published_at was unreadable",),
    targets=(Target(start=4, end=9),),
    details=DETAILS,
)

SIGNATURE = Signature(
    rules_version=1,
    identity_version=1,
    delivery_id=FULL_RAW.delivery_id,
    observed_at=NOON,
    article_id=UUID(int=1),
    identified_by="url",
    item_key=UUID(int=2),
    text_digest="1" * 64,
    content_hash="2" * 64,
    metadata_digest="3" * 64,
    source="wire",
    raw=HERE,
    words=4,
    wall=True,
    shingle_count=2,
    shingles=np.array([1, 2**32 - 1], dtype=np.uint32),
    lines=np.array([7], dtype=np.uint32),
    numbers=np.array([], dtype=np.uint32),
    names=np.array([9], dtype=np.uint32),
)

DECISION = Decision(
    delivery_id=FULL_RAW.delivery_id,
    article_id=UUID(int=1),
    version_id=UUID(int=3),
    kind="revision",
    method="url",
    of=UUID(int=1),
    of_version=UUID(int=4),
    of_delivery=UUID(int=5),
    same_text_as=UUID(int=6),
    score=0.9,
    threshold=0.45,
    rules_version=1,
    log_id=UUID(int=0xB),
    log_offset=12,
    decided_at=NOON,
    raw=HERE,
    observed_at=NOON,
    source="wire",
)

METADATA = Metadata(
    url="https://news.example/ferry", title="Ferry sinks", language="en", published_at=NOON, details=DETAILS
)
BODY = Body(
    raw="The ferry sank.\n",
    text="The ferry sank.",
    removed=(Span(start=15, end=16, rule="white-space", text="\n"),),
    content_hash="2" * 64,
)
SENTIMENT = Sentiment(label="negative", score=-0.5, negative=0.6, neutral=0.4, positive=0.0)
ENRICHMENT = Enrichment(
    generation=2,
    language="en",
    entities=(
        Entity(
            name="Brage",
            label="PRODUCT",
            id="ship:brage",
            aliases=("the Brage",),
            count=1,
            salience=0.5,
            sentiment=SENTIMENT,
            evidence=(Evidence(start=0, end=15, score=-0.5),),
            mentions=(Mention(text="Brage", start=4, end=9, raw_start=4, raw_end=9),),
        ),
    ),
    sentiment=SENTIMENT,
    targets=(TargetSentiment(start=4, end=9, sentiment=SENTIMENT),),
    models={"entities": "en-1"},
    reason="none",
    enriched_at=NOON,
)

SOURCE_STATE = SourceState(
    name="wire",
    kind="feed",
    url="https://news.example/feed.xml",
    declared_url="https://news.example/rss",
    state="failing",
    reason="The server at news.example answered 503.",
    why="server-error",
    changed_at=NOON,
    polled_at=NOON,
    succeeded_at=NOON,
    next_poll_at=NOON,
    interval_seconds=900.0,
    failures=2,
    entries=30,
    new_entries=3,
    known_share=0.9,
    newest_entry_at=NOON,
    expected_gap_seconds=21_600.0,
    alarm="quiet",
    alarm_since=NOON,
)

#: With every field, and with none that may be left out.
RECORDS: dict[str, Record] = {
    "a full raw article": FULL_RAW,
    "a bare raw article": raw_article(),
    "a signature": SIGNATURE,
    "a decided article": DecidedArticle(decision=DECISION, metadata=METADATA),
    "a decided copy": DecidedArticle(decision=DECISION, metadata=METADATA, body=BODY),
    "a unique article": UniqueArticle(
        decision=DECISION, metadata=METADATA, body=BODY, targets=(Target(start=0, end=1),)
    ),
    "a stale article": StaleArticle(
        decision=DECISION,
        metadata=METADATA,
        body=BODY,
        targets=(Target(start=0, end=1),),
        generation=3,
        config="c0ffee",
    ),
    "a stale article for any models": StaleArticle(decision=DECISION, metadata=METADATA, body=BODY, generation=1),
    "an enriched article": EnrichedArticle(decision=DECISION, metadata=METADATA, body=BODY, enrichment=ENRICHMENT),
    "a withdrawal": Withdrawal(article_id=DECISION.article_id, kind="withdrawn", reason="agency kill", at=NOON),
    "an erasure": Withdrawal(article_id=DECISION.article_id, kind="erased", reason="a court order", at=NOON),
    "a source": SOURCE_STATE,
    "a source that was never asked": SourceState(
        name="new",
        kind="sitemap",
        url="https://a.example/",
        declared_url="https://a.example/",
        state="ok",
        changed_at=NOON,
    ),
    "an article without a model": EnrichedArticle(
        decision=DECISION, metadata=Metadata(), body=BODY, enrichment=Enrichment(reason="no model", enriched_at=NOON)
    ),
}
