"""The typed values on the topics. Bytes become one of these on the first line of a step, and nowhere else.

JSON, frozen, each with its own `schema_version`. JSON Schemas stand in schemas/ and change only on purpose:
`make schemas` writes them, `make check` fails where they differ.
"""

import base64
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from pipeline.cleaning import Span
from pipeline.errors import InvalidRecord, Reason
from pipeline.identity import printable

Hashes = npt.NDArray[np.uint32]

#: Times lie between these: so they do not leave the years 1 to 9999 in any time zone, here or in PostgreSQL.
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
#: The most hashes in one set of a signature; the writer keeps the smallest of a larger one.
MAX_SHINGLES: Final = 4096
MAX_OTHERS: Final = 1024
#: The largest numbers that Kafka has, and that a row of the index has room for (processors/window.py).
MAX_OFFSET: Final = 2**63 - 1
MAX_PARTITION: Final = 2**31 - 1
MAX_COUNT: Final = 2**32 - 1


def _is_in_reach(time: datetime) -> datetime:
    if not EARLIEST <= time <= LATEST:
        raise ValueError(f"must lie between {EARLIEST.date()} and {LATEST.date()}, in UTC")
    return time


def _hashes_from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    packed = base64.b64decode(value, validate=True)
    if len(packed) % 4:
        raise ValueError("not a whole number of 32-bit hashes")
    return np.frombuffer(packed, dtype="<u4")


def _at_most(most: int) -> AfterValidator:
    def checked(hashes: Hashes) -> Hashes:
        if len(hashes) > most:
            raise ValueError(f"{len(hashes):,} hashes; at most {most:,} are taken")
        return hashes

    return AfterValidator(checked)


def _schema_of_hashes(most: int) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "description": "sorted little-endian uint32",
            "maxLength": len(base64.b64encode(bytes(4 * most))),
        }
    )


PackedHashes = Annotated[
    Hashes,
    BeforeValidator(_hashes_from_base64),
    PlainSerializer(lambda hashes: base64.b64encode(hashes.astype("<u4").tobytes()).decode("ascii"), return_type=str),
]
Shingles = Annotated[PackedHashes, _at_most(MAX_SHINGLES), _schema_of_hashes(MAX_SHINGLES)]
OtherHashes = Annotated[PackedHashes, _at_most(MAX_OTHERS), _schema_of_hashes(MAX_OTHERS)]
Instant = Annotated[AwareDatetime, AfterValidator(_is_in_reach)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Partition = Annotated[int, Field(ge=0, le=MAX_PARTITION)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
Text = Annotated[str, BeforeValidator(lambda value: printable(value) if isinstance(value, str) else value)]
Kind = Literal["new", "copy", "revision", "unchanged", "redelivery"]
Method = Literal["url", "item", "text", "exact", "near", "store"]
Guard = Literal["template", "boilerplate"]
#: A page without its text: behind a payment, behind a question about cookies, or one that only points to a live page.
Flag = Literal["paywall", "consent-wall", "live-shell"]
PublishedAtFrom = Literal["source", "page", "url", "archive"]
SentimentLabel = Literal["negative", "neutral", "positive"]
SourceKind = Literal["feed", "sitemap"]
#: `gone`: its server says so for good (410), or it is declared no longer.
Polled = Literal["ok", "failing", "disabled", "gone"]
SourceAlarm = Literal["quiet", "empty", "all-known"]
#: `withdrawn`: hidden from readers until it is `restored`. `erased`: its text is gone from the tables, for good.
WithdrawalKind = Literal["withdrawn", "restored", "erased"]


class Record(BaseModel):
    """What all records share: frozen, extra fields of newer writers are left alone, times are aware."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    schema_version: Literal[1] = 1

    @classmethod
    def from_bytes(cls, value: bytes | None) -> Self:
        """The record in a Kafka value.

        Raises InvalidRecord: `empty`, `not-utf-8`, `not-json`, `unknown-version` or `wrong-shape`, naming the field.
        """
        if not value:
            raise InvalidRecord(Reason.EMPTY, "The record has no value.")
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            raise _explained(error, value) from None

    def to_bytes(self) -> bytes:
        """The Kafka value: JSON in UTF-8."""
        return self.model_dump_json(exclude_none=True).encode()


def _explained(error: ValidationError, value: bytes) -> InvalidRecord:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "json_invalid":
        try:
            value.decode("utf-8")
        except UnicodeDecodeError as bad:
            return InvalidRecord(Reason.NOT_UTF8, f"Byte {bad.start} is not UTF-8 ({bad.reason}).")
        return InvalidRecord(Reason.NOT_JSON, f"Not JSON: {first['msg']}.")
    if where == "schema_version":
        return InvalidRecord(Reason.UNKNOWN_VERSION, "schema_version: this pipeline reads version 1.")
    others = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return InvalidRecord(Reason.WRONG_SHAPE, f"{where or 'the record'}: {first['msg']}{others}.")


class Target(Record):
    """A span of the raw text (code points) that the sender wants the sentiment towards."""

    start: int = Field(ge=0)
    end: int = Field(gt=0)


class Enclosure(BaseModel):
    """A picture, sound or film that a source hangs on an article; it is named, not fetched."""

    model_config = ConfigDict(frozen=True)

    url: Text = Field(max_length=8000)
    type: Text | None = Field(None, max_length=200, description="media type")
    length: int | None = Field(None, ge=0, le=MAX_OFFSET, description="bytes, as the source says")


class Details(BaseModel):
    """What a delivery says about its article beyond what every article has."""

    model_config = ConfigDict(frozen=True)

    categories: tuple[Annotated[Text, Field(max_length=500)], ...] = Field((), max_length=100)
    enclosures: tuple[Enclosure, ...] = Field((), max_length=100)
    published_at_from: PublishedAtFrom | None = Field(None, description="where `published_at` was found")
    extractor: Text | None = Field(None, max_length=100, description="what made text of a page, with its version")
    flags: tuple[Flag, ...] = Field((), max_length=3, description="what the page is instead of an article")


class RawArticle(Record):
    """articles.raw: one delivery of one article, as a producer handed it over."""

    delivery_id: UUID
    observed_at: Instant
    source: Text = Field(min_length=1, max_length=200)
    source_item_id: Text | None = Field(None, max_length=2000)
    url: Text | None = Field(None, max_length=8000)
    title: Text = Field("", max_length=10_000)
    byline: Text | None = Field(None, max_length=2000)
    body: Text = Field(description="the text as delivered; stored as `raw`")
    language: Text | None = Field(None, max_length=35, description="BCP 47, as the source says")
    published_at: Instant | None = None
    updated_at: Instant | None = None
    notes: tuple[Text, ...] = Field((), description="what the producer left out or could not read, in words")
    targets: tuple[Target, ...] = Field((), max_length=1000)
    details: Details | None = None


class Coordinates(BaseModel):
    """A place in Kafka that stays unique when a topic is deleted and made again (KIP-516 topic ids)."""

    model_config = ConfigDict(frozen=True)

    topic_id: UUID
    partition: Partition
    offset: Offset


class Signature(Record):
    """articles.signatures: all that the decision about one delivery needs, and nothing that it does not."""

    rules_version: Count
    identity_version: Count
    delivery_id: UUID
    observed_at: Instant
    article_id: UUID = Field(description="from URL, own id or text; the decision may name a known article instead")
    identified_by: Literal["url", "item", "text"]
    item_key: UUID | None = Field(None, description="(source, own id) as an id, where the source gives one")
    text_digest: Digest
    content_hash: Digest
    metadata_digest: Digest = Field(description="of URL, byline, dates, language as delivered")
    source: Text
    raw: Coordinates
    words: Count
    wall: bool = Field(False, description="looks like a paywall or consent wall")
    shingle_count: Count = Field(description="distinct word 3-shingles before the cap")
    shingles: Shingles
    lines: OtherHashes
    numbers: OtherHashes
    names: OtherHashes


class Decision(Record):
    """What one delivery is, and why; `of`, `of_version` and `of_delivery` name the earlier text it was held against."""

    delivery_id: UUID
    article_id: UUID
    version_id: UUID
    kind: Kind
    method: Method | None = Field(
        None,
        description="how it was recognised: url, item (own id), text; a copy: exact, near; beyond the window: store",
    )
    of: UUID | None = None
    of_version: UUID | None = None
    of_delivery: UUID | None = None
    same_text_as: UUID | None = Field(None, description="revision: another article that has this text")
    contains: UUID | None = Field(
        None, description="new: an earlier article whose text is the smaller part of this one"
    )
    resembles: UUID | None = Field(
        None, description="new: an article that scores as a copy would; `guard` says why not"
    )
    guard: Guard | None = Field(
        None, description="what kept it apart: template (other numbers or names), boilerplate (what many texts share)"
    )
    score: float | None = Field(None, description="share of the smaller text's shingles that the larger one has")
    threshold: float | None = None
    rules_version: int
    log_id: UUID = Field(description="topic id of articles.signatures")
    log_offset: int
    decided_at: Instant = Field(description="log-append time of the signature")
    raw: Coordinates
    observed_at: Instant
    source: Text


class Current(BaseModel):
    """What an article says now: its newest text, and the delivery whose row holds it."""

    model_config = ConfigDict(frozen=True)

    version_id: UUID
    delivery_id: UUID
    content_hash: Digest
    observed_at: Instant


class Verdict(BaseModel):
    """What was decided about one record of the signature log; what its signature says already is left out."""

    model_config = ConfigDict(frozen=True)

    offset: Offset
    kind: Kind
    method: Method | None = None
    article_id: UUID | None = Field(None, description="where it is a known article instead of the signature's own")
    version_id: UUID | None = Field(None, description="where it is not that of the article and the text as delivered")
    of: UUID | None = None
    of_version: UUID | None = None
    of_delivery: UUID | None = None
    same_text_as: UUID | None = None
    contains: UUID | None = None
    resembles: UUID | None = None
    guard: Guard | None = None
    score: float | None = None
    threshold: float | None = None
    current: Current | None = Field(None, description="of an article that was known before")


#: The keys of records on articles.signatures that are no signatures; all other keys are article ids.
VERDICTS_KEY: Final = b"verdicts"
FORGET_KEY: Final = b"forget"


class Verdicts(Record):
    """articles.signatures: what a worker decided about its batch, for replicas that cannot see as far back.

    A decision may hang on records that have left the log since; with its verdict it need not be made again.
    """

    verdicts: tuple[Verdict, ...]


class Forget(Record):
    """articles.signatures: an article was erased; from here on no replica holds anything of its texts."""

    article_id: UUID


class Metadata(BaseModel):
    """What a delivery says about its article besides the text."""

    model_config = ConfigDict(frozen=True)

    url: str | None = None
    source_item_id: str | None = None
    title: str = ""
    byline: str | None = None
    language: str | None = None
    published_at: Instant | None = None
    updated_at: Instant | None = None
    notes: tuple[str, ...] = ()
    details: Details | None = None


class Body(BaseModel):
    """The text: as delivered, as published, and what lies between them."""

    model_config = ConfigDict(frozen=True)

    raw: str
    text: str
    removed: tuple[Span, ...] = ()
    content_hash: str


class DecidedArticle(Record):
    """articles.decisions: every delivery with its decision; the text only where no other topic carries it (copies)."""

    decision: Decision
    metadata: Metadata
    body: Body | None = None


class UniqueArticle(Record):
    """articles.unique: a new text to enrich."""

    decision: Decision
    metadata: Metadata
    body: Body
    targets: tuple[Target, ...] = ()


class StaleArticle(UniqueArticle):
    """articles.reenrich: a stored version to enrich again, as it was sent the first time."""

    generation: int = Field(ge=1, description="of the enrichment that is asked for: one more than the stored one")
    config: str | None = Field(None, description="of the models that shall do it; others leave it; null: any")


class Sentiment(BaseModel):
    """A label and a score in [-1, 1]; the three shares add up to 1 where the model gives them."""

    model_config = ConfigDict(frozen=True)

    label: SentimentLabel
    score: float = Field(ge=-1, le=1)
    negative: float | None = None
    neutral: float | None = None
    positive: float | None = None


class Mention(BaseModel):
    """One place where a name stands: code points into the published text, and into the raw one."""

    model_config = ConfigDict(frozen=True)

    text: str
    start: int
    end: int
    raw_start: int
    raw_end: int


class Evidence(BaseModel):
    """A sentence that says what the sentiment of a name says: code points into the published text, and its score."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    score: float = Field(ge=-1, le=1)


class Entity(BaseModel):
    """A name in one version, with all its mentions (capped; `count` is the true number)."""

    model_config = ConfigDict(frozen=True)

    name: str
    label: str
    id: str | None = Field(None, description="of the watch list's entry, where one names it")
    aliases: tuple[str, ...] = Field((), description="other forms by which the text calls it")
    count: int
    salience: float = Field(0, ge=0, le=1, description="how much the article is about it: title, lead, frequency")
    sentiment: Sentiment | None = None
    evidence: tuple[Evidence, ...] = Field(
        (), description="the sentences that say most clearly what the label says, where it is not neutral"
    )
    mentions: tuple[Mention, ...]


class TargetSentiment(BaseModel):
    """The answer to one `Target`."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    sentiment: Sentiment | None = None  # null is left out of the JSON, so it must be the default


class Enrichment(BaseModel):
    """What the models found, and which models: `generation` orders re-enrichments of one version."""

    model_config = ConfigDict(frozen=True)

    generation: int = 0
    language: str | None = None
    entities: tuple[Entity, ...] = ()
    sentiment: Sentiment | None = None
    targets: tuple[TargetSentiment, ...] = ()
    models: dict[str, str] = Field(default_factory=dict)
    reason: str | None = Field(None, description="why there are no entities, where the models could not run")
    enriched_at: Instant


class EnrichedArticle(Record):
    """articles.enriched: a version with its enrichment, ready to be a row."""

    decision: Decision
    metadata: Metadata
    body: Body
    enrichment: Enrichment


class SourceState(Record):
    """articles.sources: how a polled source is, after each poll; of one name the record changed last counts."""

    name: Text = Field(min_length=1, max_length=200)
    kind: SourceKind
    url: Text = Field(max_length=8000, description="where it is asked now: a permanent redirect changes it")
    declared_url: Text = Field(max_length=8000, description="as feeds.toml has it")
    state: Polled
    reason: Text | None = Field(
        None, max_length=2000, description="of the last failure, in words; only an answer that can be read clears it"
    )
    why: Text | None = Field(None, max_length=100, description="of the last failure: one of a closed set")
    changed_at: Instant = Field(description="orders the records of one name")
    polled_at: Instant | None = None
    succeeded_at: Instant | None = None
    next_poll_at: Instant | None = None
    interval_seconds: float | None = Field(None, ge=0, description="between two polls, as it is now")
    failures: Count = Field(0, description="one after the other, up to now")
    entries: Count = Field(0, description="in its last answer")
    new_entries: Count = Field(0, description="of these, never seen before")
    known_share: float | None = Field(None, ge=0, le=1, description="of the entries of its last answer")
    newest_entry_at: Instant | None = Field(None, description="as the source dates its entries")
    expected_gap_seconds: float | None = Field(None, ge=0, description="the longest silence that is usual for it")
    alarm: SourceAlarm | None = None
    alarm_since: Instant | None = Field(None, description="when what the alarm is about began")


class Withdrawal(Record):
    """articles.withdrawals: an article is taken back, shown again, or forgotten, and why.

    Of one article `erased` stands whatever comes; else the word with the greatest `at`, where two have the same
    `withdrawn`.
    """

    article_id: UUID
    kind: WithdrawalKind
    reason: Text = Field(min_length=1, max_length=2000, description="in words; kept when the text is erased")
    at: Instant = Field(description="when it was said; orders the records of one article")


def utc(milliseconds: int) -> datetime:
    """A Kafka timestamp (milliseconds since the epoch) as an aware time."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
