"""What can never succeed: the original bytes with the reason in headers, on articles.dead-letter.

A dead letter has an id made of where its record stood, so that doubles (a crash, a replay) fall together; a dead
letter is never dead-lettered again.
"""

import hashlib
import os
import re
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Self
from uuid import UUID

from pipeline import identity
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import Coordinates
from pipeline.topics import KIB, MAX_RECORD_BYTES

#: A value up to this size is kept whole; of a larger one its beginning, length and hash.
MAX_WHOLE_BYTES: Final = MAX_RECORD_BYTES - 64 * KIB
BEGINNING_BYTES: Final = 64 * KIB
MAX_DETAIL: Final = 1000
#: The longest address that an article may have, and some more for a line number.
MAX_ORIGIN: Final = 8192
MAX_NAME: Final = 250  # Kafka's own limit on topic names is 249
#: What PostgreSQL's integer and bigint hold: a greater number in a header is no number.
MAX_INTEGER: Final = 2**31 - 1
MAX_BIGINT: Final = 2**63 - 1

_SHA256 = re.compile("[0-9a-f]{64}")

Headers = list[tuple[str, bytes]]


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter. `coordinates` is where the record stood in Kafka; `origin` where it came from otherwise."""

    id: UUID
    stage: str
    reason: Reason
    detail: str
    value: bytes
    key: bytes | None = None
    topic: str | None = None
    coordinates: Coordinates | None = None
    origin: str | None = None
    length: int = 0
    sha256: str = ""
    tries: int = 1
    failed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    worker: str = field(default_factory=_worker)

    @property
    def truncated(self) -> bool:
        """Whether `value` is only the beginning of the record."""
        return self.length > len(self.value)

    def headers(self) -> Headers:
        """The reason as Kafka headers, all text in UTF-8."""
        at = self.coordinates
        values = {
            "dl-id": str(self.id),
            "dl-stage": self.stage,
            "dl-reason": self.reason.value,
            "dl-detail": self.detail[:MAX_DETAIL],
            "dl-topic": self.topic,
            "dl-topic-id": str(at.topic_id) if at else None,
            "dl-partition": str(at.partition) if at else None,
            "dl-offset": str(at.offset) if at else None,
            "dl-origin": self.origin[:MAX_ORIGIN] if self.origin is not None else None,
            "dl-length": str(self.length),
            "dl-sha256": self.sha256,
            "dl-tries": str(self.tries),
            "dl-failed-at": self.failed_at.isoformat(),
            "dl-worker": self.worker,
            "content-type": "application/octet-stream",
        }
        return [(name, identity.printable(value).encode()) for name, value in values.items() if value is not None]

    @classmethod
    def from_kafka(cls, key: bytes | None, value: bytes | None, headers: Headers, at: Coordinates) -> Self:
        """Read a record of articles.dead-letter; what another writer left out is filled in, nothing is refused.

        `at` is where the dead letter itself stands, for one that carries no id.
        """
        text = {
            name: identity.printable(content.decode("utf-8", "replace"))
            for name, content in headers
            if content is not None
        }
        body = value or b""
        topic_id = _uuid(text.get("dl-topic-id"))
        partition = _number(text.get("dl-partition"), MAX_INTEGER)
        offset = _number(text.get("dl-offset"), MAX_BIGINT)
        coordinates = None
        if topic_id is not None and partition is not None and offset is not None:
            coordinates = Coordinates(topic_id=topic_id, partition=partition, offset=offset)
        known = text.get("dl-reason") in {reason.value for reason in Reason}
        sha256 = text.get("dl-sha256", "")
        return cls(
            id=_uuid(text.get("dl-id"))
            or identity.dead_letter_id(str(at.topic_id), str(at.partition), str(at.offset), "unknown"),
            stage=text.get("dl-stage", "unknown")[:MAX_NAME],
            reason=Reason(text["dl-reason"]) if known else Reason.WRONG_SHAPE,
            detail=text.get("dl-detail", "A dead letter without its reason.")[:MAX_DETAIL],
            value=body,
            key=key,
            topic=text["dl-topic"][:MAX_NAME] if "dl-topic" in text else None,
            coordinates=coordinates,
            origin=text["dl-origin"][:MAX_ORIGIN] if "dl-origin" in text else None,
            length=max(_number(text.get("dl-length"), MAX_BIGINT) or 0, len(body)),
            sha256=sha256 if _SHA256.fullmatch(sha256) else hashlib.sha256(body).hexdigest(),
            tries=_number(text.get("dl-tries"), MAX_INTEGER) or 1,
            failed_at=_time(text.get("dl-failed-at")) or datetime.now(UTC),
            worker=text.get("dl-worker", "unknown")[:MAX_NAME],
        )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text)
    except (TypeError, AttributeError, ValueError):
        return None


def _number(text: str | None, most: int) -> int | None:
    """A number of a header; None for what is none, or is too great for the column it goes to."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > len(str(most)):
        return None
    number = int(text)
    return number if number <= most else None


def _time(text: str | None) -> datetime | None:
    """A time of a header in UTC; one without an offset is taken as UTC."""
    try:
        time = datetime.fromisoformat(text or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def of_record(
    stage: str,
    error: InvalidRecord,
    topic: str,
    at: Coordinates,
    key: bytes | None,
    value: bytes | None,
    tries: int = 1,
) -> DeadLetter:
    """The dead letter of a Kafka record that `stage` could not use."""
    letter_id = identity.dead_letter_id(str(at.topic_id), str(at.partition), str(at.offset), stage)
    whole = DeadLetter(letter_id, stage, error.reason, error.detail, value or b"", key, topic, at, tries=tries)
    return _sized(whole)


def of_source(
    error: InvalidRecord, origin: str, value: bytes, length: int | None = None, sha256: str | None = None
) -> DeadLetter:
    """The dead letter of something a producer could not turn into an article; `origin` is a path with line, or a URL.

    `length` and `sha256` describe the whole where `value` is only its beginning.
    """
    letter = DeadLetter(UUID(int=0), "producers", error.reason, error.detail, value, origin=origin)
    sized = _sized(letter)
    if sha256 is not None:
        sized = replace(sized, length=length or len(value), sha256=sha256)
    return replace(sized, id=identity.dead_letter_id(origin, str(sized.length), sized.sha256, "producers"))


def _sized(letter: DeadLetter) -> DeadLetter:
    digest = hashlib.sha256(letter.value).hexdigest()
    kept = letter.value if len(letter.value) <= MAX_WHOLE_BYTES else letter.value[:BEGINNING_BYTES]
    return replace(letter, value=kept, length=len(letter.value), sha256=digest)
