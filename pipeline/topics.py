"""Every topic, declared once: name, partitions, retention, sizes, and the record on it."""

from dataclasses import dataclass, field
from typing import Final

from pipeline import records
from pipeline.settings import Settings

KIB: Final = 1024
MIB: Final = 1024 * KIB
#: The largest record at the edge (articles.raw) and everywhere else, in bytes before compression.
MAX_RAW_BYTES: Final = 1 * MIB
MAX_RECORD_BYTES: Final = 8 * MIB
#: Where there is one machine: keep by size, never by time, so that no unread record goes because it is old.
KEEP_BYTES: Final = 4096 * MIB

RAW: Final = "articles.raw"
SIGNATURES: Final = "articles.signatures"
DECISIONS: Final = "articles.decisions"
UNIQUE: Final = "articles.unique"
ENRICHED: Final = "articles.enriched"
REENRICH: Final = "articles.reenrich"
DEAD_LETTER: Final = "articles.dead-letter"
SOURCES: Final = "articles.sources"
WITHDRAWALS: Final = "articles.withdrawals"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must be; `partitions=None` takes the number from the settings.

    `is_one_order`: another number of partitions than one would break what the topic is for.
    """

    name: str
    what: str
    record: type[records.Record] | None  # None: original bytes with reason headers
    partitions: int | None = None
    is_one_order: bool = False
    max_record_bytes: int = MAX_RECORD_BYTES
    config: dict[str, str] = field(default_factory=dict)

    @property
    def is_compacted(self) -> bool:
        """Whether the broker keeps only the newest record of a key: then its offsets have gaps."""
        return self.config.get("cleanup.policy") == "compact"


def declared(window_days: float, allowed_lag_days: float, raw_partitions: int = 1) -> tuple[Topic, ...]:
    """All topics. The signature log is kept 2 W + lag, so that a replica that starts late knows what the others know.

    `window_days` is W, how far back a text counts as a copy; `allowed_lag_days` how far behind a worker may be.
    """
    keep = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": str(KEEP_BYTES)}
    log_ms = int((2 * window_days + allowed_lag_days) * 86_400_000)
    log = {
        "cleanup.policy": "delete",
        "retention.ms": str(log_ms),
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
    }
    # Nothing is lost: a state that a newer one of its source follows says nothing any more.
    newest = {
        "cleanup.policy": "compact",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "segment.ms": "86400000",  # the segment in use is never compacted
        "segment.bytes": str(64 * MIB),
    }
    return (
        Topic(RAW, "articles as delivered", records.RawArticle, config=keep, partitions=raw_partitions),
        Topic(
            SIGNATURES, "one order for all deliveries", records.Signature, partitions=1, is_one_order=True, config=log
        ),
        Topic(DECISIONS, "what each delivery is", records.DecidedArticle, config=keep),
        Topic(UNIQUE, "new texts to enrich", records.UniqueArticle, config=keep),
        Topic(ENRICHED, "enriched versions", records.EnrichedArticle, config=keep),
        Topic(REENRICH, "versions to enrich again", records.StaleArticle, config=keep),
        Topic(DEAD_LETTER, "what can never succeed, with its reason", None, partitions=1, config=keep),
        Topic(SOURCES, "how each polled source is", records.SourceState, partitions=1, config=newest),
        Topic(WITHDRAWALS, "articles taken back, shown again or erased", records.Withdrawal, partitions=1, config=keep),
    )


def of(settings: Settings) -> tuple[Topic, ...]:
    """The topics as these settings want them."""
    dedup = settings.dedup
    return declared(dedup.window_days, dedup.allowed_lag_days, settings.kafka.raw_partitions)
