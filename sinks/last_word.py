"""The deliveries of an article -> what the database says of those that the log took for the first.

The log forgets an article that was not delivered for the length of its window; the database does not. Purely: the words
hang on the rows alone and not on the order in which they came, so that they may be said anew with every batch.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Literal, NamedTuple, cast
from uuid import UUID

Stored = Literal["revision", "unchanged", "redelivery"]


class Known(NamedTuple):
    """A delivery as its rows have it: its decision, its text if that is stored, and what its article shows."""

    raw_topic_id: UUID
    raw_partition: int
    raw_offset: int
    article_id: UUID
    delivery_id: UUID
    version_id: UUID
    observed_at: datetime
    kind: str
    of_article: UUID | None
    of_version: UUID | None
    of_delivery: UUID | None
    same_text_as: UUID | None
    log_kind: str | None
    retired: str | None  # by retention: its text, or the one that it repeats
    content_hash: str | None  # the text has a row
    version_kind: str | None
    repeats: UUID | None
    current_delivery: UUID
    current_repeats: UUID | None

    @property
    def by_the_log(self) -> str:
        """What the log alone said."""
        return self.log_kind or self.kind


class DecisionWord(NamedTuple):
    """What a decision is to say."""

    raw_topic_id: UUID
    raw_partition: int
    raw_offset: int
    kind: Stored
    of_version: UUID
    of_delivery: UUID
    same_text_as: UUID | None
    log_kind: str


class VersionWord(NamedTuple):
    """What a stored text is to be called, and whose text it is again."""

    delivery_id: UUID
    kind: str
    repeats: UUID | None


class ArticleWord(NamedTuple):
    """Whose text the newest delivery of an article has again."""

    article_id: UUID
    current_repeats: UUID | None


class Words(NamedTuple):
    """What is to be written; nothing where it stands already."""

    decisions: list[DecisionWord]
    versions: list[VersionWord]
    articles: list[ArticleWord]


class _Text(NamedTuple):
    """A text of the article, and the delivery whose row holds it; without a hash there is no row (yet)."""

    version_id: UUID
    delivery_id: UUID
    content_hash: str | None


class _Judged(NamedTuple):
    """A delivery that the log took for the first, and is not; `of` is the text that it was held against."""

    known: Known
    kind: Stored
    of: _Text

    @property
    def repeats(self) -> UUID | None:
        """Whose text it is again."""
        return None if self.kind == "revision" else self.of.delivery_id


def last_words(known: Iterable[Known]) -> Words:
    """What these rows lack. `known`: by article, in the order of the log, as select_doubtful reads them."""
    words = Words([], [], [])
    for article_id, group in groupby(known, key=lambda k: k.article_id):
        deliveries = list(group)
        judged = list(_judge(deliveries))
        words.decisions.extend(word for j in judged if (word := _decision(j)) != _decision_row(j.known))
        # A delivery that came twice has one row: what it was at first says what that row is.
        rows = {j.known.delivery_id: j for j in reversed(judged) if j.repeats != j.known.delivery_id}
        words.versions.extend(row for j in rows.values() if (row := _version(j)) and row != _version_row(j.known))
        now = deliveries[0]
        repeats = rows[now.current_delivery].repeats if now.current_delivery in rows else None
        if repeats != now.current_repeats:
            words.articles.append(ArticleWord(article_id, repeats))
    return words


def _judge(deliveries: Iterable[Known]) -> Iterator[_Judged]:
    """As the log would have judged, had it still known the article (docs/decisions/0006 and 0009)."""
    holders: dict[UUID, _Text] = {}  # by delivery
    versions: dict[UUID, _Text] = {}  # by version id, where there is a row
    current: _Text | None = None
    newest: datetime | None = None
    for k in deliveries:
        text = _Text(k.version_id, k.delivery_id, k.content_hash)
        if k.by_the_log == "unchanged":
            of = k.of_delivery or k.delivery_id
            text = holders.get(of) or _Text(k.of_version or k.version_id, of, None)
        elif k.retired is not None and k.log_kind is not None:
            word = _standing(k, holders)
            text = text if word.kind == "revision" else word.of
            yield word
        elif k.by_the_log in ("new", "copy") and current is not None and newest is not None:
            again = holders.get(k.delivery_id)
            is_current = _is_same(text, current)
            before = current if k.version_id == current.version_id and is_current else versions.get(k.version_id)
            if again is not None:
                text = again
                yield _Judged(k, "redelivery", again)
            elif before is not None and (is_current or k.observed_at < newest):
                text = before
                yield _Judged(k, "redelivery", before)
            elif is_current:
                text = current
                yield _Judged(k, "unchanged", current)
            else:
                yield _Judged(k, "revision", current)
        holders.setdefault(k.delivery_id, text)
        if text.content_hash is not None:
            versions[k.version_id] = text
        if newest is None or k.observed_at >= newest:
            current, newest = text, k.observed_at


def _standing(k: Known, holders: Mapping[UUID, _Text]) -> _Judged:
    """It was judged when the text that it was held against was there; that is gone, and the word stands."""
    of = k.of_delivery or k.delivery_id
    return _Judged(k, cast(Stored, k.kind), holders.get(of) or _Text(k.of_version or k.version_id, of, None))


def _is_same(text: _Text, current: _Text) -> bool:
    if current.content_hash is None:
        return False
    return text.version_id == current.version_id or text.content_hash == current.content_hash


def _decision(j: _Judged) -> DecisionWord:
    k = j.known
    is_redelivery = j.kind == "redelivery"
    return DecisionWord(
        k.raw_topic_id,
        k.raw_partition,
        k.raw_offset,
        kind=j.kind,
        of_version=k.version_id if is_redelivery else j.of.version_id,
        of_delivery=j.of.delivery_id,
        same_text_as=_copy_of(k),
        log_kind=k.by_the_log,
    )


def _decision_row(k: Known) -> tuple[object, ...]:
    """What stands, in the order of DecisionWord."""
    place = (k.raw_topic_id, k.raw_partition, k.raw_offset)
    return (*place, k.kind, k.of_version, k.of_delivery, k.same_text_as, k.log_kind)


def _copy_of(k: Known) -> UUID | None:
    """The article whose text the log found: where the log has it, or where the last word put it."""
    return k.of_article if k.log_kind is None and k.kind == "copy" else k.same_text_as


def _version(j: _Judged) -> VersionWord | None:
    """None where there is no row."""
    k = j.known
    if k.version_kind is None:
        return None
    return VersionWord(k.delivery_id, "revision" if j.kind == "revision" else k.by_the_log, j.repeats)


def _version_row(k: Known) -> VersionWord | None:
    """What stands."""
    return None if k.version_kind is None else VersionWord(k.delivery_id, k.version_kind, k.repeats)
