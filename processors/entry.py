"""A value on articles.signatures as the index takes it: the same JSON as `records.Signature`, read eight times as fast.

A replica reads weeks of the log when it starts. What this reader takes is what `records.Signature` makes of the same
bytes; all that it does not know, or that is written in another way than our writer's, `records.Signature` reads or
explains.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from pipeline import records
from pipeline.records import Coordinates, Signature, Verdict, Verdicts
from pipeline.records import Forget as ForgetRecord
from processors.postings import Hashes

_Count = Annotated[int, msgspec.Meta(ge=0, le=records.MAX_COUNT)]
_Digest = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_Others = Annotated[bytes, msgspec.Meta(max_length=4 * records.MAX_OTHERS)]

# Only this form is read alike by all: of a seventh digit msgspec rounds the second, pydantic and Python cut it off.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-5][0-9])"
)
_HASHES: Final = np.dtype("<u4")


class _Raw(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    topic_id: UUID
    partition: Annotated[int, msgspec.Meta(ge=0, le=records.MAX_PARTITION)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=records.MAX_OFFSET)]


class _Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """All fields of a signature. msgspec would pass by others unread, and with them what is no UTF-8."""

    schema_version: Literal[1]
    rules_version: _Count
    identity_version: _Count
    delivery_id: UUID
    observed_at: str
    article_id: UUID
    identified_by: Literal["url", "item", "text"]
    text_digest: _Digest
    content_hash: _Digest
    metadata_digest: _Digest
    source: str
    raw: _Raw
    words: _Count
    shingle_count: _Count
    shingles: Annotated[bytes, msgspec.Meta(max_length=4 * records.MAX_SHINGLES)]
    lines: _Others
    numbers: _Others
    names: _Others
    wall: bool = False
    item_key: UUID | None = None


_DECODER: Final = msgspec.json.Decoder(_Wire)


class Entry(NamedTuple):
    """One record of the log: its place there, and what it says. Ids are their 16 bytes."""

    log_offset: int
    log_ms: int
    rules_version: int
    raw_topic: bytes
    raw_partition: int
    raw_offset: int
    delivery: bytes
    article: bytes
    identified_by: str
    item: bytes | None
    text_digest: str
    content: bytes
    metadata: bytes
    observed_at: datetime
    source: str
    words: int
    wall: bool
    shingle_count: int
    shingles: Hashes
    numbers: Hashes
    names: Hashes
    verdict: Verdict | None = None


class Forget(NamedTuple):
    """A record of the log by which the texts of an article are forgotten."""

    log_offset: int
    log_ms: int
    article: bytes


def of(s: Signature, log_offset: int, log_ms: int, verdict: Verdict | None = None) -> Entry:
    """The entry of a typed record."""
    return Entry(
        log_offset,
        log_ms,
        s.rules_version,
        s.raw.topic_id.bytes,
        s.raw.partition,
        s.raw.offset,
        s.delivery_id.bytes,
        s.article_id.bytes,
        s.identified_by,
        s.item_key.bytes if s.item_key else None,
        s.text_digest,
        bytes.fromhex(s.content_hash),
        bytes.fromhex(s.metadata_digest)[:16],
        s.observed_at,
        s.source,
        s.words,
        s.wall,
        s.shingle_count,
        s.shingles,
        s.numbers,
        s.names,
        verdict,
    )


def read(value: bytes | None, log_offset: int, log_ms: int) -> Entry:
    """The entry of a Kafka value. Raises InvalidRecord with the reason, as `Signature.from_bytes` does."""
    try:
        w = _DECODER.decode(value or b"")
        hexadecimal = w.text_digest + w.content_hash + w.metadata_digest
        digests = bytes.fromhex(hexadecimal)
        if len(digests) != 96 or hexadecimal != hexadecimal.lower() or len(w.lines) % 4 or "\x00" in w.source:
            raise msgspec.ValidationError
        if not _TIME.fullmatch(w.observed_at):
            raise msgspec.ValidationError
        observed_at = datetime.fromisoformat(w.observed_at)
        if not records.EARLIEST <= observed_at <= records.LATEST:
            raise msgspec.ValidationError
        return Entry._make(  # by place, not by name: that pays for the checks above
            (
                log_offset,
                log_ms,
                w.rules_version,
                w.raw.topic_id.bytes,
                w.raw.partition,
                w.raw.offset,
                w.delivery_id.bytes,
                w.article_id.bytes,
                w.identified_by,
                w.item_key.bytes if w.item_key else None,
                w.text_digest,
                digests[32:64],
                digests[64:80],
                observed_at,
                w.source,
                w.words,
                w.wall,
                w.shingle_count,
                np.frombuffer(w.shingles, _HASHES),
                np.frombuffer(w.numbers, _HASHES),
                np.frombuffer(w.names, _HASHES),
                None,
            )
        )
    except (msgspec.MsgspecError, ValueError):
        return of(Signature.from_bytes(value), log_offset, log_ms)


def read_verdicts(value: bytes | None) -> Verdicts:
    """The verdicts in a Kafka value. Raises InvalidRecord."""
    return Verdicts.from_bytes(value)


def read_forget(value: bytes | None, log_offset: int, log_ms: int) -> Forget:
    """The article to forget in a Kafka value. Raises InvalidRecord."""
    return Forget(log_offset, log_ms, ForgetRecord.from_bytes(value).article_id.bytes)


def coordinates(entry: Entry) -> Coordinates:
    """Where the delivery stands on articles.raw."""
    return Coordinates(topic_id=UUID(bytes=entry.raw_topic), partition=entry.raw_partition, offset=entry.raw_offset)
