"""CloudEvents 1.0 attributes as Kafka headers (binary mode), and `traceparent` passed on."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

Headers = list[tuple[str, bytes]]
TRACEPARENT: Final = "traceparent"


def headers(event_id: UUID, topic: str, source: str, incoming: Iterable[tuple[str, bytes]] = ()) -> Headers:
    """The headers of a record on `topic`, made by `source` ("/producers/files"); `incoming` gives the trace (W3C)."""
    own = [
        *_same(topic, source),
        ("ce_id", str(event_id).encode()),
        ("ce_time", datetime.now(UTC).isoformat().encode()),
    ]
    return own + [(name, value) for name, value in incoming if name == TRACEPARENT and value is not None]


@lru_cache(maxsize=64)
def _same(topic: str, source: str) -> tuple[tuple[str, bytes], ...]:
    """What all records of a topic and source say."""
    return (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", topic.encode()),
        ("ce_source", source.encode()),
        ("ce_dataschema", f"schemas/{topic}.json".encode()),
    )
