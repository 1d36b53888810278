"""Deliveries as the signature log holds them, written as short as a story about them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np

from pipeline import identity
from pipeline.records import Coordinates, Decision, Signature
from processors.signature_index import Outcome, SignatureIndex
from processors.window import LARGEST_SEGMENT

LOG_ID: Final = UUID(int=0xB)
RAW_ID: Final = UUID(int=0xA)
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MORNING: Final = datetime(2026, 10, 13, 8, tzinfo=UTC)
NOTHING: Final = np.empty(0, dtype=np.uint32)


def delivery(
    number: int,
    text: str,
    *,
    url: str | None = "news.example/ferry",
    item: str | None = None,
    source: str = "wire",
    raw_text: str | None = None,
    hour: int | None = None,
    words: int = 300,
    wall: bool = False,
    metadata: str = "",
    delivery_id: int | None = None,
    rules_version: int = 1,
    shingles: Iterable[int] = (),
    numbers: Iterable[int] = (),
    names: Iterable[int] = (),
) -> Signature:
    """The `number`-th record of articles.raw. `text` is what it says, `raw_text` the same with other bytes."""
    sets = [np.array(sorted(set(s)), dtype=np.uint32) for s in (shingles, numbers, names)]
    as_delivered = text if raw_text is None else raw_text
    address = f"https://{url}" if url else None
    return Signature(
        rules_version=rules_version,
        identity_version=1,
        delivery_id=UUID(int=1000 + number if delivery_id is None else delivery_id),
        observed_at=MORNING + timedelta(hours=number if hour is None else hour),
        article_id=identity.article_id(address, source, item, "", as_delivered),
        identified_by="url" if url else "item" if item else "text",
        item_key=identity.item_key(source, item) if item else None,
        text_digest=identity.text_digest("", as_delivered),
        content_hash=identity.content_hash("", text),
        metadata_digest=identity.text_digest("metadata", metadata),
        source=source,
        raw=Coordinates(topic_id=RAW_ID, partition=0, offset=number),
        words=words,
        wall=wall,
        shingle_count=len(sets[0]),
        shingles=sets[0],
        lines=NOTHING,
        numbers=sets[1],
        names=sets[2],
    )


def index(
    window_ms: int = 7 * DAY_MS, rules_version: int = 1, largest_segment: int = LARGEST_SEGMENT
) -> SignatureIndex:
    return SignatureIndex(LOG_ID, rules_version, window_ms, largest_segment=largest_segment)


def apply_all(to: SignatureIndex, signatures: Sequence[Signature]) -> list[Outcome]:
    """Each at the log offset of its number, an hour after the one before."""
    return [to.apply(s, s.raw.offset, s.raw.offset * HOUR_MS) for s in signatures]


def decide(*signatures: Signature) -> list[Decision]:
    """What these deliveries are, one after the other."""
    return [outcome.decision for outcome in apply_all(index(), signatures)]
