"""RawArticle or dead letter -> the row that waits in the spool: topic, key, value, headers."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from pipeline import events, identity, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, Reason
from pipeline.records import RawArticle

Headers = list[tuple[str, bytes]]
#: About what headers take: counting them would cost more than it tells.
HEADER_BYTES: Final = 512
EVENT_SOURCES: Final = "/producers/"
Way = Literal["files", "sources", "warc", "topic", "http"]
"""How a delivery came: the last part of its `ce_source`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record on its way to Kafka; the same delivery id on every resend."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    delivery_id: UUID

    @property
    def size(self) -> int:
        """What the row counts against the limits of the spool and of what is in flight, in bytes."""
        return len(self.key) + len(self.value) + HEADER_BYTES


def value_of(article: RawArticle) -> bytes:
    """The Kafka value of an article. Raises InvalidRecord (`too-large`) beyond the limit of articles.raw."""
    value = article.to_bytes()
    if len(value) > topics.MAX_RAW_BYTES:
        raise InvalidRecord(
            Reason.TOO_LARGE, f"The record has {len(value):,} bytes; articles.raw takes {topics.MAX_RAW_BYTES:,}."
        )
    return value


def row_of_article(article: RawArticle, value: bytes, way: Way = "files") -> Row:
    """The row of a delivery with its `value_of`: keyed by article, so that one article's deliveries keep order."""
    article_id = identity.article_id(article.url, article.source, article.source_item_id, article.title, article.body)
    headers = events.headers(article.delivery_id, topics.RAW, EVENT_SOURCES + way)
    return Row(topics.RAW, str(article_id).encode(), value, headers, article.delivery_id)


def row_of_dead_letter(letter: DeadLetter) -> Row:
    """The row of what could not become an article: its own id is key and delivery id, so that doubles fall together."""
    return Row(topics.DEAD_LETTER, str(letter.id).encode(), letter.value, letter.headers(), letter.id)
