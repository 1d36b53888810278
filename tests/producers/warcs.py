"""Records of WARC files, for tests: good ones, and ones that lie."""

from collections.abc import Mapping

PARAGRAPH = (
    "The harbour wall was closed on Friday after divers had found a crack below the water line that is eleven metres "
    "long. The port authority said that the ferries would leave from the southern pier until it has been repaired."
)


def html_of(title: str) -> bytes:
    """A page with a title and text enough to be an article."""
    paragraphs = "".join(f"<p>{title}: {PARAGRAPH} ({i})</p>" for i in range(4))
    page = (
        f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>{paragraphs}</article></body></html>"
    )
    return page.encode()


def http(
    body: bytes,
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    fields: Mapping[str, str] | None = None,
) -> bytes:
    """A response as a crawler keeps it."""
    head = {"Content-Type": content_type, "Content-Length": str(len(body)), **(fields or {})}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in head.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def record(
    url: str,
    block: bytes,
    *,
    kind: str = "response",
    date: str = "2026-02-01T10:30:00Z",
    length: int | None = None,
    fields: Mapping[str, str] | None = None,
) -> bytes:
    """A record; `length` is what it says of itself where that is not true."""
    head = {
        "WARC-Type": kind,
        "WARC-Record-ID": "<urn:uuid:00000000-0000-4000-8000-000000000001>",
        "WARC-Target-URI": url,
        "WARC-Date": date,
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block) if length is None else length),
        **(fields or {}),
    }
    lines = ["WARC/1.0", *(f"{name}: {value}" for name, value in head.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"
