"""`news process`: article files -> NDJSON, by the very functions of the stages, with no broker and no database.

One line for each input, in order. Deliveries are decided against each other, in the order in which they are read.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel

from pipeline import cleaning
from pipeline.cleaning import Span
from pipeline.dead_letters import DeadLetter
from pipeline.errors import InvalidRecord, SettingError
from pipeline.records import (
    Coordinates,
    Decision,
    Enrichment,
    Entity,
    Guard,
    Kind,
    Method,
    RawArticle,
    Sentiment,
    TargetSentiment,
    UniqueArticle,
)
from pipeline.settings import Settings
from processors import articles, entry, fingerprint
from processors.fingerprint import Prepared
from processors.pool import NlpPool
from processors.signature_index import SignatureIndex
from producers import files
from producers.formats.page import Extract

Only = Literal["clean", "deduplicate", "enrich"]

STEPS: Final[dict[str, Only]] = {"clean": "clean", "deduplicate": "deduplicate", "enrich": "enrich"}

#: Articles that are in work together; a line is written when its batch is done.
BATCH: Final = 64
#: Where the lines "stand": a topic of this run alone.
_HERE: Final = uuid.UUID(int=0)
_DAY_MS: Final = 86_400_000


class DecisionLine(BaseModel):
    """The decision in an output line."""

    kind: Kind
    of: uuid.UUID | None
    of_version: uuid.UUID | None
    method: Method | None
    score: float | None
    threshold: float | None
    rules_version: int
    contains: uuid.UUID | None
    resembles: uuid.UUID | None
    guard: Guard | None


class Line(BaseModel):
    """One output line: the contract of `news process`. Every field is there, null where it has nothing to say."""

    status: Literal["ok", "dead-letter"]
    reason: str | None = None
    detail: str | None = None
    origin: str | None = None
    article_id: uuid.UUID | None = None
    version_id: uuid.UUID | None = None
    source: str | None = None
    url: str | None = None
    title: str | None = None
    byline: str | None = None
    published_at: AwareDatetime | None = None
    language: str | None = None
    notes: tuple[str, ...] = ()
    raw: str | None = None
    text: str | None = None
    removed: tuple[Span, ...] = ()
    decision: DecisionLine | None = None
    entities: tuple[Entity, ...] = ()
    sentiment: Sentiment | None = None
    targets: tuple[TargetSentiment, ...] = ()
    models: dict[str, str] = {}


class _Work(NamedTuple):
    """One input on its way: a line already, or a delivery that still needs its enrichment."""

    line: Line
    article: UniqueArticle | None


def inputs(
    paths: Sequence[Path], source: str | None, extract: Extract | None = None
) -> Iterator[RawArticle | DeadLetter]:
    """The deliveries in files and folders, and in stdin for "-"; `extract` finds the text in html.

    Raises SettingError for a path that is not there.
    """
    for path in paths:
        if str(path) == "-":
            given = files.Given(source or "stdin", "", extract=extract)
            found: Iterable[files.Found | files.End] = files.read_stream(
                sys.stdin.buffer.readline, given, "stdin", lambda: datetime.now(UTC)
            )
            yield from (f.what for f in found if isinstance(f, files.Found))
        elif path.is_dir():
            for inner in files.scan(path):
                if isinstance(inner, Path):
                    yield from _file(inner, path, source, extract)
        elif path.exists():
            yield from _file(path, None, source, extract)
        else:
            raise SettingError(f"There is no file or folder {path}.")


def _file(
    path: Path, folder: Path | None, source: str | None, extract: Extract | None
) -> Iterator[RawArticle | DeadLetter]:
    given = files.Given.of(path, folder, source, extract=extract)
    for found in files.read_file(path, given, files.format_of(path) or "text", unfinished="take"):
        if isinstance(found, files.Found):
            yield found.what


def process(deliveries: Iterable[RawArticle | DeadLetter], only: Only | None, settings: Settings) -> Iterator[Line]:
    """Clean, decide and enrich deliveries, or do only one of the three; one line each, in order."""
    stage = _Stages(only, settings)
    batch: list[RawArticle | DeadLetter] = []
    with asyncio.Runner() as runner:
        try:
            for delivery in deliveries:
                batch.append(delivery)
                if len(batch) == BATCH:
                    yield from runner.run(stage.lines(batch))
                    batch = []
            if batch:
                yield from runner.run(stage.lines(batch))
        finally:
            stage.close()


class _Stages:
    """The state of one run: the index of what it has seen, and the pool of models."""

    def __init__(self, only: Only | None, settings: Settings) -> None:
        self._only = only
        self._rules = cleaning.load_rules()
        self._index = SignatureIndex(_HERE, self._rules.version, int(settings.dedup.window_days * _DAY_MS))
        self._next = 0
        self._pool = NlpPool(settings.nlp) if only in (None, "enrich") else None
        if self._pool is not None:
            self._pool.start()

    async def lines(self, batch: Sequence[RawArticle | DeadLetter]) -> list[Line]:
        works = self._decided([self._prepared(delivery) for delivery in batch])
        to_enrich = [work.article for work in works if work.article is not None]
        if self._pool is None or not to_enrich:
            return [work.line for work in works]
        await self._pool.is_warm()  # models that cannot be loaded are a wrong setting
        outcomes = iter(await self._pool.enrich([articles.work_of(article) for article in to_enrich]))
        return [work.line if work.article is None else _with(work.line, next(outcomes)) for work in works]

    def close(self) -> None:
        self._index.close()
        if self._pool is not None:
            self._pool.close()

    def _prepared(self, delivery: RawArticle | DeadLetter) -> Prepared | Line:
        if isinstance(delivery, DeadLetter):
            return Line(
                status="dead-letter", reason=delivery.reason.value, detail=delivery.detail, origin=delivery.origin
            )
        at = Coordinates(topic_id=_HERE, partition=0, offset=self._next)
        self._next += 1
        try:
            return fingerprint.prepare(delivery, at, self._rules)
        except InvalidRecord as error:
            return Line(
                status="dead-letter",
                reason=error.reason.value,
                detail=error.detail,
                source=delivery.source,
                url=delivery.url,
                title=delivery.title,
                raw=delivery.body,
            )

    def _decided(self, batch: Sequence[Prepared | Line]) -> list[_Work]:
        """Decide a batch in its order; lines of what cannot be decided stay where they are."""
        now_ms = int(time.time() * 1000)
        signatures = [p.signature for p in batch if isinstance(p, Prepared)]
        applied = iter(self._index.apply_all([entry.of(s, s.raw.offset, now_ms) for s in signatures]))
        works = []
        for prepared in batch:
            if isinstance(prepared, Line):
                works.append(_Work(prepared, None))
                continue
            decision = self._index.decision(next(applied).row, prepared.signature)
            article = UniqueArticle(
                decision=decision,
                metadata=prepared.metadata,
                body=prepared.body,
                targets=prepared.article.targets,
            )
            works.append(_Work(_line(prepared, decision, with_decision=self._only in (None, "deduplicate")), article))
        return works


def _line(prepared: Prepared, decision: Decision, *, with_decision: bool) -> Line:
    metadata, body = prepared.metadata, prepared.body
    return Line(
        status="ok",
        article_id=decision.article_id,
        version_id=decision.version_id,
        source=decision.source,
        url=metadata.url,
        title=metadata.title,
        byline=metadata.byline,
        published_at=metadata.published_at,
        language=metadata.language,
        notes=metadata.notes,
        raw=body.raw,
        text=body.text,
        removed=body.removed,
        decision=DecisionLine(**{name: getattr(decision, name) for name in DecisionLine.model_fields})
        if with_decision
        else None,
    )


def _with(line: Line, outcome: Enrichment | InvalidRecord) -> Line:
    if isinstance(outcome, InvalidRecord):
        return line.model_copy(update={"reason": outcome.detail})
    return line.model_copy(
        update={
            "language": outcome.language,
            "reason": outcome.reason,
            "entities": outcome.entities,
            "sentiment": outcome.sentiment,
            "targets": outcome.targets,
            "models": outcome.models,
        }
    )
