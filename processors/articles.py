"""Records of articles.unique and articles.reenrich -> records of articles.enriched, purely; in a process of the pool.

Bytes come in and bytes go out: a text of a megabyte is decoded and written where it is enriched, never on the event
loop of the worker, and no object crosses between processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from pipeline.errors import InvalidRecord, Reason
from pipeline.records import EnrichedArticle, Enrichment, StaleArticle, TargetSentiment, UniqueArticle
from pipeline.topics import KIB, MAX_RECORD_BYTES
from processors import language, nlp
from processors.provenance import Configuration

#: What the headers of a record take of its size, generously.
_HEAD_BYTES = 64 * KIB

Article = TypeVar("Article", bound=UniqueArticle)


class Enriched(NamedTuple):
    """A record for articles.enriched; the id is that of the delivery."""

    key: bytes
    event_id: UUID
    value: bytes


class Refused(NamedTuple):
    """A record that is no article: why not. (An InvalidRecord does not survive the way between processes.)"""

    reason: Reason
    detail: str

    def error(self) -> InvalidRecord:
        """As the exception it is elsewhere."""
        return InvalidRecord(self.reason, self.detail)


class Dropped(NamedTuple):
    """A record that is left out on purpose."""

    why: str


Outcome = Enriched | Refused | Dropped


class Enricher(Protocol):
    """Models: texts in, enrichments out (processors/nlp.py; tests have weak ones)."""

    def enrich(self, works: Sequence[nlp.Work]) -> list[Enrichment]:
        """One enrichment for each text, in order. May end or hold up its process: the pool knows what to do."""


class Task(Protocol):
    """What a step has its articles go through: called in a process of the pool, `without_names` in the worker."""

    def __call__(self, models: Enricher, values: Sequence[bytes | None]) -> list[Outcome]:
        """One outcome for each record, in order."""

    def without_names(self, value: bytes | None, why: str) -> Enriched | None:
        """The record of an article that the models cannot take; None where an older enrichment must stand.

        Raises InvalidRecord for a record that is no article.
        """


def work_of(article: UniqueArticle) -> nlp.Work:
    """What the models need of an article."""
    return nlp.Work(
        article.metadata.title,
        article.body.text,
        article.body.removed,
        article.metadata.language,
        article.targets,
        article.body.raw if article.targets else "",
    )


def enriched(article: UniqueArticle, enrichment: Enrichment, generation: int = 0) -> Enriched:
    """The record of an article with its enrichment."""
    # Whoever asked for targets is answered, so that a re-enrichment knows what to look for.
    unanswered = () if enrichment.targets else article.targets
    enrichment = enrichment.model_copy(
        update={
            "generation": generation,
            "targets": enrichment.targets
            or tuple(TargetSentiment(start=target.start, end=target.end, sentiment=None) for target in unanswered),
        }
    )
    record = EnrichedArticle(
        decision=article.decision, metadata=article.metadata, body=article.body, enrichment=enrichment
    )
    return Enriched(str(article.decision.article_id).encode(), article.decision.delivery_id, record.to_bytes())


def without_names(
    article: UniqueArticle, why: str, configuration: Configuration, spoken: str | None = None, generation: int = 0
) -> Enriched:
    """The record of an article without an enrichment and with the reason: it is stored all the same."""
    blank = Enrichment(language=spoken, reason=why, models=configuration.of(spoken), enriched_at=datetime.now(UTC))
    return enriched(article, blank, generation)


@dataclass(frozen=True, slots=True)
class Fresh:
    """articles.unique: texts that were never enriched."""

    configuration: Configuration

    def __call__(self, models: Enricher, values: Sequence[bytes | None]) -> list[Outcome]:
        """See Task."""
        found = [_decoded(UniqueArticle, value) for value in values]
        return _enriched(models, [(a, 0) if isinstance(a, UniqueArticle) else a for a in found], self.configuration)

    def without_names(self, value: bytes | None, why: str) -> Enriched:
        """See Task."""
        article = UniqueArticle.from_bytes(value)
        # By the source's word, so that the row is stale when its language gets another model.
        return without_names(article, why, self.configuration, language.subtag(article.metadata.language))


@dataclass(frozen=True, slots=True)
class Again:
    """articles.reenrich: stored versions, to be done by the configuration that they were sent for and no other.

    A worker of another one (before its upgrade, or after the next) leaves them out: their rows stay stale, and the
    next `news reenrich` finds them. So no older model writes over a newer one, and no record waits for a worker.
    """

    configuration: Configuration

    def __call__(self, models: Enricher, values: Sequence[bytes | None]) -> list[Outcome]:
        """See Task."""
        found = [_decoded(StaleArticle, value) for value in values]
        return _enriched(
            models, [self._asked(a) if isinstance(a, StaleArticle) else a for a in found], self.configuration
        )

    def _asked(self, article: StaleArticle) -> tuple[UniqueArticle, int] | Dropped:
        if article.config not in (None, self.configuration.digest):
            return Dropped(f"asked of the configuration {article.config}, and this is {self.configuration.digest}")
        return article, article.generation

    def without_names(self, value: bytes | None, why: str) -> None:
        """Nothing is sent: the names that an older model found stand, and the row stays stale."""
        StaleArticle.from_bytes(value)


def _decoded(record: type[Article], value: bytes | None) -> Article | Refused:
    try:
        return record.from_bytes(value)
    except InvalidRecord as error:
        return Refused(error.reason, error.detail)


def _enriched(
    models: Enricher, asked: Sequence[tuple[UniqueArticle, int] | Refused | Dropped], configuration: Configuration
) -> list[Outcome]:
    enrichments = iter(models.enrich([work_of(a[0]) for a in asked if not isinstance(a, Refused | Dropped)]))
    outcomes: list[Outcome] = []
    for a in asked:
        if isinstance(a, Refused | Dropped):
            outcomes.append(a)
            continue
        (article, generation), enrichment = a, next(enrichments)
        done = enriched(article, enrichment, generation)
        if len(done.value) > MAX_RECORD_BYTES - _HEAD_BYTES:
            why = f"With its names the article takes {len(done.value):,} bytes; the limit is {MAX_RECORD_BYTES:,}."
            done = without_names(article, why, configuration, enrichment.language, generation)
        outcomes.append(done)
    return outcomes
