"""CloudEvents 1.0 attributes as Kafka headers (binary mode), and `traceparent` passed on."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

Headers = list[tuple[str, bytes]]
TRACEPARENT: Final = "traceparent"


def headers(event_id: UUID, topic: str, source: str, incoming: Iterable[tuple[str, bytes]] = ()) -> Headers:
    """The headers of a record on `topic`, made by `source` ("/producers/files"); `incoming` gives the trace (W3C)."""
    own = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode()),
        ("ce_type", topic.encode()),
        ("ce_source", source.encode()),
        ("ce_time", datetime.now(UTC).isoformat().encode()),
        ("ce_dataschema", f"schemas/{topic}.json".encode()),
    ]
    return own + [(name, value) for name, value in incoming if name == TRACEPARENT and value is not None]
