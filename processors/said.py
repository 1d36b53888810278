"""A row of the window -> what is said of it: the decision, and the verdict for other replicas."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final, get_args
from uuid import UUID

from pipeline import identity
from pipeline.records import Current, Decision, Guard, Kind, Method, Signature, Verdict, utc
from processors.window import NO_CONTENT, NO_ID, Row

#: A row holds their numbers.
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
METHODS: Final[tuple[Method | None, ...]] = (None, *get_args(Method))
GUARDS: Final[tuple[Guard | None, ...]] = (None, *get_args(Guard))
KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def decision(row: Row, signature: Signature, log_id: UUID) -> Decision:
    """The decision in a row about this delivery."""
    return Decision(
        delivery_id=signature.delivery_id,
        article_id=UUID(bytes=row.article),
        version_id=UUID(bytes=row.version),
        kind=KINDS[row.kind],
        method=METHODS[row.method],
        of=_uuid(row.of),
        of_version=_uuid(row.of_version),
        of_delivery=_uuid(row.of_delivery),
        same_text_as=_uuid(row.same_text_as),
        contains=_uuid(row.contains),
        resembles=_uuid(row.resembles),
        guard=GUARDS[row.guard],
        score=_number(row.score),
        threshold=_number(row.threshold),
        rules_version=row.rules_version,
        log_id=log_id,
        log_offset=row.log_offset,
        decided_at=utc(row.log_ms),
        raw=signature.raw,
        observed_at=signature.observed_at,
        source=signature.source,
    )


def verdict(row: Row, signature: Signature, log_offset: int) -> Verdict:
    """The same for other replicas, about the record at `log_offset`, without what its signature says already."""
    article, own_version = UUID(bytes=row.article), identity.version_id_bytes(row.article, signature.text_digest)
    known_before = KINDS[row.kind] not in ("new", "copy")
    # Forgotten after it was decided: what the article said by then is not known any more.
    overwritten = row.current_content == NO_CONTENT and row.current_version != NO_ID
    return Verdict(
        offset=log_offset,
        kind=KINDS[row.kind],
        method=METHODS[row.method],
        article_id=None if article == signature.article_id else article,
        version_id=None if row.version == own_version else UUID(bytes=row.version),
        of=_uuid(row.of),
        of_version=_uuid(row.of_version),
        of_delivery=_uuid(row.of_delivery),
        same_text_as=_uuid(row.same_text_as),
        contains=_uuid(row.contains),
        resembles=_uuid(row.resembles),
        guard=GUARDS[row.guard],
        score=_number(row.score),
        threshold=_number(row.threshold),
        current=Current(
            version_id=UUID(bytes=row.current_version),
            delivery_id=UUID(bytes=row.current_delivery),
            content_hash=row.current_content.hex(),
            observed_at=_EPOCH + row.current_observed * _MICROSECOND,
        )
        if known_before and not overwritten
        else None,
    )


def agrees(row: Row, verdict: Verdict) -> bool:
    """Whether a row holds what another replica decided about its record."""
    return (KINDS[row.kind], _uuid(row.of)) == (verdict.kind, verdict.of)


def microseconds(time: datetime) -> int:
    """A time as a row holds it: since the epoch."""
    return (time - _EPOCH) // _MICROSECOND


def _uuid(value: bytes) -> UUID | None:
    return None if value == NO_ID else UUID(bytes=value)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
