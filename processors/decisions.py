"""The decision: a pure function of the signature log before it. No clock, no database, no settings but the window.

Feed it the log in order and it says what each delivery is. Any worker, restart or offline replay says the same.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from pipeline import identity
from pipeline.errors import Stop
from pipeline.records import Coordinates, Decision, Kind, Method, Signature, utc

#: Shorter texts ("Markets are closed today.") are never copies across sources.
SHORT_TEXT_WORDS: Final = 40


class Verdict(NamedTuple):
    """What a decision says besides what its signature says; kept to repeat it for a replay."""

    kind: Kind
    method: Method | None
    article_id: UUID
    version_id: UUID
    of: UUID | None
    of_version: UUID | None
    of_delivery: UUID | None
    same_text_as: UUID | None
    log_offset: int
    log_ms: int


class Outcome(NamedTuple):
    """A decision, and whether it is said again: after a crash between append and outcome, or a rebalance."""

    decision: Decision
    replay: bool


class _Text(NamedTuple):
    """A version that was sent to be enriched: what copies can be copies of."""

    article_id: UUID
    version_id: UUID
    delivery_id: UUID
    source: str
    log_ms: int


class _Seen(NamedTuple):
    """A version that the article is known to have had."""

    delivery_id: UUID  # the delivery whose row holds this text
    metadata_digest: str


class _Entry(NamedTuple):
    """What one record of the log put into the index, to take it out again when it leaves the window."""

    log_ms: int
    place: tuple[UUID, int, int]
    delivery_id: UUID
    content: bytes
    article_id: UUID


@dataclass(slots=True)
class _Article:
    """A known article: its current text, and the versions it had."""

    article_id: UUID
    touched_ms: int
    content_hash: bytes
    version_id: UUID
    delivery_id: UUID
    observed_at: datetime
    versions: dict[UUID, _Seen] = field(default_factory=dict)
    item_keys: set[UUID] = field(default_factory=set)


class SignatureIndex:
    """Everything the log says about the last `window_ms`, by log-append time taken as a running maximum."""

    def __init__(self, log_id: UUID, rules_version: int, window_ms: int) -> None:
        self._log_id = log_id
        self._rules_version = rules_version
        self._window_ms = window_ms
        self._now_ms = 0
        self._verdicts: dict[tuple[UUID, int, int], Verdict] = {}
        self._deliveries: dict[UUID, tuple[UUID, UUID, UUID]] = {}  # -> article, version, responsible delivery
        self._articles: dict[UUID, _Article] = {}
        self._items: dict[UUID, UUID] = {}  # (source, own id) -> article
        self._texts: dict[bytes, deque[_Text]] = {}
        self._ages: deque[_Entry] = deque()

    def __len__(self) -> int:
        """How many articles are known."""
        return len(self._articles)

    def apply(self, signature: Signature, log_offset: int, log_ms: int) -> Outcome:
        """Take the next record of the log (append time in milliseconds since the epoch) and decide.

        Raises Stop for a record of newer rules than this worker has: it would decide otherwise than the others.
        """
        if signature.rules_version > self._rules_version:
            raise Stop(
                f"The signature log holds rules version {signature.rules_version}, this worker has "
                f"{self._rules_version}: update it before it goes on."
            )
        self._now_ms = max(self._now_ms, log_ms)
        self._forget()
        raw = signature.raw
        place = (raw.topic_id, raw.partition, raw.offset)
        earlier = self._verdicts.get(place)
        if earlier is not None:
            return Outcome(self._decision(signature, earlier), replay=True)
        verdict = self._decide(signature, log_offset)
        self._verdicts[place] = verdict
        content = bytes.fromhex(signature.content_hash)
        self._ages.append(_Entry(self._now_ms, place, signature.delivery_id, content, verdict.article_id))
        return Outcome(self._decision(signature, verdict), replay=False)

    def outcome(self, signature: Signature) -> Decision | None:
        """The decision about the record at these raw coordinates, once it has passed through the log."""
        raw = signature.raw
        verdict = self._verdicts.get((raw.topic_id, raw.partition, raw.offset))
        return None if verdict is None else self._decision(signature, verdict)

    def _decide(self, s: Signature, offset: int) -> Verdict:
        again = self._deliveries.get(s.delivery_id)
        if again is not None:  # the producer did not hear the broker and sent it twice
            article_id, version_id, _ = again
            return self._verdict("redelivery", s.identified_by, article_id, version_id, offset, of=again)

        content = bytes.fromhex(s.content_hash)
        article = self._articles.get(s.article_id)
        method: Method = s.identified_by
        if article is None and s.item_key is not None and s.item_key in self._items:
            article, method = self._articles.get(self._items[s.item_key]), "item"
        verdict = (
            self._first(s, content, offset) if article is None else self._again(article, s, content, offset, method)
        )
        self._remember(s, content, verdict)
        return verdict

    def _first(self, s: Signature, content: bytes, offset: int) -> Verdict:
        """The first delivery of an article: new, or a copy of the earliest enriched text that says the same."""
        version_id = identity.version_id(identity.ArticleId(s.article_id), s.text_digest)
        original = self._same_text(s, content, s.article_id)
        if original is None:
            return self._verdict("new", None, s.article_id, version_id, offset)
        of = (original.article_id, original.version_id, original.delivery_id)
        return self._verdict("copy", "exact", s.article_id, version_id, offset, of=of)

    def _again(self, article: _Article, s: Signature, content: bytes, offset: int, method: Method) -> Verdict:
        """A later delivery of a known article, held against its current text."""
        version_id = identity.version_id(identity.ArticleId(article.article_id), s.text_digest)
        current = (article.article_id, article.version_id, article.delivery_id)
        seen = article.versions.get(version_id)
        if content == article.content_hash:
            same_bytes = seen is not None and seen.metadata_digest == s.metadata_digest
            if not same_bytes:
                return self._verdict("unchanged", method, article.article_id, version_id, offset, of=current)
        if seen is not None and (content == article.content_hash or s.observed_at < article.observed_at):
            of = (article.article_id, version_id, seen.delivery_id)
            return self._verdict("redelivery", method, article.article_id, version_id, offset, of=of)
        same = self._same_text(s, content, article.article_id)
        return self._verdict(
            "revision",
            method,
            article.article_id,
            version_id,
            offset,
            of=current,
            same=same.article_id if same else None,
        )

    def _same_text(self, s: Signature, content: bytes, article_id: UUID) -> _Text | None:
        """The earliest text of another article, in the window, that says the same and may be called the original."""
        across_sources = s.words >= SHORT_TEXT_WORDS and not s.wall
        return next(
            (
                text
                for text in self._texts.get(content, ())
                if text.article_id != article_id and (across_sources or text.source == s.source)
            ),
            None,
        )

    def _remember(self, s: Signature, content: bytes, verdict: Verdict) -> None:
        article = self._articles.get(verdict.article_id)
        holds_text = verdict.kind in ("new", "revision", "copy")
        delivery_id = s.delivery_id if holds_text else verdict.of_delivery
        if delivery_id is None:
            raise AssertionError("a delivery without a text of its own names the one that has it")
        if article is None:
            article = _Article(
                verdict.article_id, self._now_ms, content, verdict.version_id, delivery_id, s.observed_at
            )
            self._articles[verdict.article_id] = article
        article.touched_ms = self._now_ms
        article.versions[verdict.version_id] = _Seen(delivery_id, s.metadata_digest)
        if verdict.kind != "redelivery" and s.observed_at >= article.observed_at:
            article.observed_at = s.observed_at
            if holds_text:
                article.content_hash, article.version_id, article.delivery_id = content, verdict.version_id, delivery_id
        self._deliveries[s.delivery_id] = (verdict.article_id, verdict.version_id, delivery_id)
        if s.item_key is not None:
            self._items[s.item_key] = verdict.article_id
            article.item_keys.add(s.item_key)
        if verdict.kind in ("new", "revision"):
            text = _Text(verdict.article_id, verdict.version_id, s.delivery_id, s.source, self._now_ms)
            self._texts.setdefault(content, deque()).append(text)

    def _forget(self) -> None:
        """Let go of what left the window, oldest first; an article stays while it is delivered."""
        oldest_ms = self._now_ms - self._window_ms
        while self._ages and self._ages[0].log_ms < oldest_ms:
            entry = self._ages.popleft()
            del self._verdicts[entry.place]
            article = self._articles.get(entry.article_id)
            if article is not None and article.touched_ms < oldest_ms:
                del self._articles[entry.article_id]
                for key in article.item_keys:
                    if self._items.get(key) == article.article_id:
                        del self._items[key]
            self._deliveries.pop(entry.delivery_id, None)
            texts = self._texts.get(entry.content, deque())
            while texts and texts[0].log_ms < oldest_ms:
                texts.popleft()
            if not texts:
                self._texts.pop(entry.content, None)

    def _verdict(
        self,
        kind: Kind,
        method: Method | None,
        article_id: UUID,
        version_id: UUID,
        offset: int,
        of: tuple[UUID, UUID, UUID] | None = None,
        same: UUID | None = None,
    ) -> Verdict:
        of_article, of_version, of_delivery = of or (None, None, None)
        return Verdict(
            kind, method, article_id, version_id, of_article, of_version, of_delivery, same, offset, self._now_ms
        )

    def _decision(self, s: Signature, v: Verdict) -> Decision:
        return Decision(
            delivery_id=s.delivery_id,
            article_id=v.article_id,
            version_id=v.version_id,
            kind=v.kind,
            method=v.method,
            of=v.of,
            of_version=v.of_version,
            of_delivery=v.of_delivery,
            same_text_as=v.same_text_as,
            score=1.0 if v.method == "exact" else None,
            threshold=1.0 if v.method == "exact" else None,
            rules_version=s.rules_version,
            log_id=self._log_id,
            log_offset=v.log_offset,
            decided_at=utc(v.log_ms),
            raw=Coordinates(topic_id=s.raw.topic_id, partition=s.raw.partition, offset=s.raw.offset),
            observed_at=s.observed_at,
            source=s.source,
        )
