from datetime import UTC, datetime
from uuid import UUID

from pipeline import events

ID = UUID("0199dd3c-5800-7000-8000-000000000001")
TRACE = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def test_the_headers_are_cloudevents_attributes_in_binary_mode() -> None:
    before = datetime.now(UTC)

    headers = dict(events.headers(ID, "articles.unique", "/processors/deduplicate"))

    time = datetime.fromisoformat(headers.pop("ce_time").decode())
    assert before <= time <= datetime.now(UTC)
    assert headers == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"0199dd3c-5800-7000-8000-000000000001",
        "ce_type": b"articles.unique",
        "ce_source": b"/processors/deduplicate",
        "ce_dataschema": b"schemas/articles.unique.json",
    }


def test_the_trace_goes_on_and_the_attributes_of_the_last_event_do_not() -> None:
    incoming = [("ce_id", b"another"), TRACE, ("x-anything", b"1")]

    headers = events.headers(ID, "articles.unique", "/processors/deduplicate", incoming)

    assert TRACE in headers
    assert dict(headers)["ce_id"] == str(ID).encode()
    assert "x-anything" not in dict(headers)
