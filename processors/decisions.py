"""The decision: a pure function of the signature log before it. No clock, no database, no settings but the window.

Feed it the log in order, in batches of any size, and it says what each delivery is. Any worker, restart or offline
replay says the same. A record may bring its verdict along, made by a worker that could see further back: it is taken.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple, get_args
from uuid import UUID

import numpy as np
import xxhash

from pipeline import identity
from pipeline.errors import Stop
from pipeline.records import Current, Decision, Guard, Kind, Method, Signature, Verdict, utc
from processors import entry, near
from processors.entry import Entry, Forget
from processors.near import SHORT_TEXT_WORDS, Match, Nearest, Text
from processors.postings import Hashes
from processors.window import LARGEST_SEGMENT, NO_CONTENT, NO_ID, NO_ROW, Row, Window

#: A text that so many versions say word for word is looked for among the newest of them that may be called its
#: original, and those among so many of all.
_MOST_SAYING_THE_SAME: Final = 64
_MOST_LOOKED_AT: Final = 1_024
#: Records are taken in portions of at most this many.
_PORTION: Final = 2_048

_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_METHODS: Final[tuple[Method | None, ...]] = (None, *get_args(Method))
_GUARDS: Final[tuple[Guard | None, ...]] = (None, *get_args(Guard))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Outcome(NamedTuple):
    """A decision, and whether it is said again: after a crash between append and outcome, or a rebalance."""

    decision: Decision
    replay: bool


class Applied(NamedTuple):
    """What became of one record of the log: its row, or the earlier row that it repeats."""

    row: int
    replay: bool
    kind: Kind


class _Verdict(NamedTuple):
    """What is decided about one record; ids are their 16 bytes."""

    kind: Kind
    method: Method | None
    article: bytes
    version: bytes
    of: bytes = NO_ID
    of_version: bytes = NO_ID
    of_delivery: bytes = NO_ID
    same_text_as: bytes = NO_ID
    match: Match = Match()


class SignatureIndex:
    """Everything the log says about the last `window_ms`, by log-append time taken as a running maximum.

    `folder` is where its files lie while it lives; without one, where temporary files lie.
    """

    def __init__(
        self,
        log_id: UUID,
        rules_version: int,
        window_ms: int,
        folder: Path | None = None,
        largest_segment: int = LARGEST_SEGMENT,
    ) -> None:
        self._log_id = log_id
        self._rules_version = rules_version
        self._window_ms = window_ms
        self._window = Window(window_ms, folder, largest_segment)

    def __len__(self) -> int:
        """How many deliveries are known."""
        return len(self._window)

    @property
    def window(self) -> Window:
        """What it knows, for measurements."""
        return self._window

    def apply(self, signature: Signature, log_offset: int, log_ms: int, verdict: Verdict | None = None) -> Outcome:
        """Take the next record of the log (append time in milliseconds since the epoch) and decide.

        Raises Stop for a record of newer rules than this worker has: it would decide otherwise than the others.
        """
        (applied,) = self.apply_all([entry.of(signature, log_offset, log_ms, verdict)])
        return Outcome(self.decision(applied.row, signature), applied.replay)

    def apply_all(self, entries: Sequence[Entry]) -> list[Applied]:
        """Take the next records of the log; the answers are those of one record at a time. Raises Stop as `apply`."""
        applied: list[Applied] = []
        for begin in range(0, len(entries), _PORTION):
            portion = entries[begin : begin + _PORTION]
            applied += _Portion(self._window, portion, self._rules_version, self._window_ms).apply()
        return applied

    def forget(self, f: Forget) -> None:
        """Take the next record of the log where it is this one: nothing of the article's texts is known any more.

        What was decided about them stays; the article is known for the window from here on, as one that was erased.
        """
        window, key = self._window, _ARTICLE + f.article
        window.prepare(1, 0, 0, f.log_ms)
        window.now_ms = max(window.now_ms, f.log_ms)
        window.forget(window.now_ms - self._window_ms)
        lookup = _Lookup(window, [key])
        for number in window.rows_of(f.article, lookup.hashes[0]):
            window.erase(number, xxhash.xxh32_intdigest(_CONTENT + window.row(number).content))
        newest = lookup.number(0, key)
        number = window.append(_erased(f, window.now_ms))
        window.post([(lookup.hashes[0], number, newest)], [near.NOTHING])

    def is_forgotten(self, article: bytes) -> bool:
        """Whether an article is known as one that was erased: its next delivery will be left without its text."""
        key = _ARTICLE + article
        number = _Lookup(self._window, [key]).number(0, key)
        return number != NO_ROW and self._window.row(number).current_content == NO_CONTENT

    def holding(self, articles: Sequence[bytes]) -> list[bytes]:
        """Those of these articles of whose texts something is held."""
        keys = np.array([xxhash.xxh32_intdigest(_ARTICLE + article) for article in articles], dtype=np.uint32)
        posted = np.flatnonzero(self._window.newest(keys) != NO_ROW).tolist()
        return [articles[i] for i in posted if self._holds(articles[i], int(keys[i]))]

    def _holds(self, article: bytes, key: int) -> bool:
        rows = map(self._window.row, self._window.rows_of(article, key))
        return any(row.content != NO_CONTENT for row in rows)

    def article(self, number: int) -> bytes:
        """The article of a row."""
        return self._window.row(number).article

    def rows(self, signatures: Sequence[Signature]) -> list[int]:
        """The rows of the records at these raw coordinates, NO_ROW for what has not passed through the log."""
        places = [_place(s.raw.topic_id.bytes, s.raw.partition, s.raw.offset) for s in signatures]
        lookup = _Lookup(self._window, places)
        return [lookup.number(i, place) for i, place in enumerate(places)]

    def says(self, number: int, verdict: Verdict) -> bool:
        """Whether a row holds what another replica decided about its record."""
        row = self._window.row(number)
        return (_KINDS[row.kind], _uuid(row.of)) == (verdict.kind, verdict.of)

    def outcome(self, signature: Signature) -> Decision | None:
        """The decision about the record at these raw coordinates, once it has passed through the log."""
        (number,) = self.rows([signature])
        return None if number == NO_ROW else self.decision(number, signature)

    def decision(self, number: int, signature: Signature) -> Decision:
        """The decision in a row about this delivery."""
        row = self._window.row(number)
        return Decision(
            delivery_id=signature.delivery_id,
            article_id=UUID(bytes=row.article),
            version_id=UUID(bytes=row.version),
            kind=_KINDS[row.kind],
            method=_METHODS[row.method],
            of=_uuid(row.of),
            of_version=_uuid(row.of_version),
            of_delivery=_uuid(row.of_delivery),
            same_text_as=_uuid(row.same_text_as),
            contains=_uuid(row.contains),
            resembles=_uuid(row.resembles),
            guard=_GUARDS[row.guard],
            score=_number(row.score),
            threshold=_number(row.threshold),
            rules_version=row.rules_version,
            log_id=self._log_id,
            log_offset=row.log_offset,
            decided_at=utc(row.log_ms),
            raw=signature.raw,
            observed_at=signature.observed_at,
            source=signature.source,
        )

    def verdict(self, number: int, signature: Signature, log_offset: int) -> Verdict:
        """The same for other replicas, about the record at `log_offset`, without what its signature says already."""
        row = self._window.row(number)
        article, own_version = UUID(bytes=row.article), _version(row.article, signature.text_digest)
        known_before = _KINDS[row.kind] not in ("new", "copy")
        # Forgotten after it was decided: what the article said by then is not known any more.
        overwritten = row.current_content == NO_CONTENT and row.current_version != NO_ID
        return Verdict(
            offset=log_offset,
            kind=_KINDS[row.kind],
            method=_METHODS[row.method],
            article_id=None if article == signature.article_id else article,
            version_id=None if row.version == own_version else UUID(bytes=row.version),
            of=_uuid(row.of),
            of_version=_uuid(row.of_version),
            of_delivery=_uuid(row.of_delivery),
            same_text_as=_uuid(row.same_text_as),
            contains=_uuid(row.contains),
            resembles=_uuid(row.resembles),
            guard=_GUARDS[row.guard],
            score=_number(row.score),
            threshold=_number(row.threshold),
            current=Current(
                version_id=UUID(bytes=row.current_version),
                delivery_id=UUID(bytes=row.current_delivery),
                content_hash=row.current_content.hex(),
                observed_at=_EPOCH + row.current_observed * _MICROSECOND,
            )
            if known_before and not overwritten
            else None,
        )

    def close(self) -> None:
        """Give memory and files back."""
        self._window.close()


class _Lookup:
    """Rows by key, asked for a whole portion at once; what the portion itself adds comes first.

    A key is one byte that says of what, and the id.
    """

    def __init__(self, window: Window, keys: Sequence[bytes]) -> None:
        self._window = window
        hashes = np.array([xxhash.xxh32_intdigest(key) for key in keys], dtype=np.uint32)
        self.hashes: list[int] = hashes.tolist()
        self._newest: list[int] = window.newest(hashes).tolist()
        self.added: dict[bytes, int] = {}

    def number(self, i: int, key: bytes) -> int:
        """The newest row under the `i`-th key, or NO_ROW."""
        number = self.added.get(key)
        if number is None:
            number = self._newest[i]
            if number == NO_ROW:
                return NO_ROW
            if number >= self._window.live and not _has(self._window.row(number), key):
                number = self.search(key)
        return number if number >= self._window.live else NO_ROW

    def search(self, key: bytes) -> int:
        """The newest row under a key that was not asked for before, or NO_ROW."""
        number = self.added.get(key)
        if number is not None:
            return number if number >= self._window.live else NO_ROW
        numbers = self._window.posted(xxhash.xxh32_intdigest(key))
        return next((n for n in numbers if _has(self._window.row(n), key)), NO_ROW)

    def all(self, i: int) -> Iterator[int]:
        """All rows of the window under the hash of the `i`-th key, as `Window.posted`."""
        return self._window.posted(self.hashes[i]) if self._newest[i] != NO_ROW else iter(())


class _Portion:
    """Some records of the log on their way into the window, decided one after the other."""

    _KEYS: Final = 5

    def __init__(self, window: Window, entries: Sequence[Entry], rules_version: int, window_ms: int) -> None:
        self._window = window
        self._entries = entries
        self._rules_version = rules_version
        self._window_ms = window_ms
        self._posts: dict[bytes, tuple[int, int]] = {}  # -> hash, the row replaced or NO_ROW
        self._content: dict[bytes, list[int]] = {}
        self._content_posts: list[tuple[int, int, int]] = []

    def apply(self) -> list[Applied]:
        entries, window = self._entries, self._window
        for e in entries:
            if e.rules_version > self._rules_version:
                raise Stop(
                    f"The signature log holds rules version {e.rules_version}, this worker has "
                    f"{self._rules_version}: update it before it goes on."
                )
        samples = [near.sample(e) for e in entries]
        sets_bytes = 4 * sum(len(e.shingles) + len(e.numbers) + len(e.names) for e in entries)
        window.prepare(len(entries), sum(map(len, samples)), sets_bytes, max(e.log_ms for e in entries))
        self._keys = [key for e in entries for key in _keys(e)]
        self._lookup = _Lookup(window, self._keys)
        self._near = Nearest(window, entries, samples)
        applied = [self._apply_one(i, e, samples[i]) for i, e in enumerate(entries)]
        posts = [(hashed, self._lookup.added[key], replaced) for key, (hashed, replaced) in self._posts.items()]
        window.post([*posts, *self._content_posts], self._near.samples)
        return applied

    def _apply_one(self, i: int, e: Entry, sample: Hashes) -> Applied:
        window, lookup = self._window, self._lookup
        now_ms = max(window.now_ms, e.log_ms)
        window.now_ms = now_ms
        window.forget(now_ms - self._window_ms)
        at = i * self._KEYS
        place, delivery = self._keys[at : at + 2]
        earlier = lookup.number(at, place)
        if earlier != NO_ROW:
            return Applied(earlier, True, _KINDS[window.row(earlier).kind])

        again = lookup.number(at + 1, delivery)
        # Of a resend the article is known, or the delivery itself would not be.
        article = self._known_article(i, e) if again == NO_ROW else lookup.search(_ARTICLE + window.row(again).article)
        known = window.row(article) if article != NO_ROW else None
        if e.verdict is not None:
            v = _given(e, e.verdict)
        elif again != NO_ROW:  # the producer did not hear the broker and sent it twice
            row = window.row(again)
            method = _METHODS_BY_NAME[e.identified_by]
            v = _Verdict("redelivery", method, row.article, row.version, row.article, row.version, row.holder)
        elif known is None:
            v = self._first(i, e)
        elif known.current_content == NO_CONTENT:
            v = self._erased(e, known)
        else:
            v = self._again(i, e, known)
        number = self._remember(e, v, known, now_ms, sample)
        self._post(lookup.hashes[at], place, number, NO_ROW)
        self._post(lookup.hashes[at + 1], delivery, number, again)
        # Resends too: a replica that never saw the first delivery takes this one for the article's newest.
        self._post_article(i, e, v, number, article)
        return Applied(number, False, v.kind)

    def _known_article(self, i: int, e: Entry) -> int:
        at = i * self._KEYS + 2
        number = self._lookup.number(at, self._keys[at])
        if number == NO_ROW and e.item is not None:
            by_item = self._lookup.number(at + 1, self._keys[at + 1])
            if by_item != NO_ROW:
                number = self._lookup.search(_ARTICLE + self._window.row(by_item).article)
        return number

    def _first(self, i: int, e: Entry) -> _Verdict:
        """The first delivery of an article: new, or a copy of the earliest enriched text that says the same."""
        version = _version(e.article, e.text_digest)
        match = self._same_text(i, e, e.article)
        if match.same is None:
            return _Verdict("new", None, e.article, version, match=match)
        row = match.same.row
        return _Verdict("copy", match.method, e.article, version, row.article, row.version, row.delivery, match=match)

    def _again(self, i: int, e: Entry, known: Row) -> _Verdict:
        """A later delivery of a known article, held against its current text."""
        method: Method = "item" if known.article != e.article else _METHODS_BY_NAME[e.identified_by]
        version = _version(known.article, e.text_digest)
        current = (known.article, known.current_version, known.current_delivery)
        says_the_same = e.content == known.current_content
        number = self._lookup.search(_VERSION + known.article + version)
        seen = self._window.row(number) if number != NO_ROW else None
        if says_the_same and (seen is None or seen.metadata != e.metadata):
            return _Verdict("unchanged", method, known.article, version, *current)
        if seen is not None and (says_the_same or _microseconds(e.observed_at) < known.current_observed):
            return _Verdict("redelivery", method, known.article, version, known.article, version, seen.holder)
        match = self._same_text(i, e, known.article)
        same = match.same.row.article if match.same else NO_ID
        return _Verdict(
            "revision",
            method,
            known.article,
            version,
            *current,
            same_text_as=same,
            match=match._replace(contains=NO_ID, resembles=NO_ID, guard=None) if match.same else Match(),
        )

    def _erased(self, e: Entry, known: Row) -> _Verdict:
        """A later delivery of an erased article, whatever it says: counted, and its text let through nowhere."""
        method: Method = "item" if known.article != e.article else _METHODS_BY_NAME[e.identified_by]
        version = _version(known.article, e.text_digest)
        return _Verdict("redelivery", method, known.article, version, known.article)

    def _same_text(self, i: int, e: Entry, article: bytes) -> Match:
        exact = self._exact(i, e, article)
        if exact is not None:
            return Match(exact, "exact", 1.0, 1.0)
        return self._near.find(i, e, article)

    def _exact(self, i: int, e: Entry, article: bytes) -> Text | None:
        """The earliest text of another article that says the same and may be called the original."""
        across_sources = e.words >= SHORT_TEXT_WORDS and not e.wall
        source = near.source(e.source)
        newest: dict[bytes, Text] = {}  # of each article its newest text that says this
        others = (
            text
            for text in islice(self._saying_the_same(i, e), _MOST_LOOKED_AT)
            if text.row.article != article and (across_sources or text.row.source == source)
        )
        for text in islice(others, _MOST_SAYING_THE_SAME):
            newest.setdefault(text.row.article, text)
        return min(newest.values(), default=None, key=lambda text: text.number)

    def _saying_the_same(self, i: int, e: Entry) -> Iterator[Text]:
        """All texts that say word for word the same, the newest first."""
        for number in chain(reversed(self._content.get(e.content, ())), self._lookup.all(i * self._KEYS + 4)):
            row = self._window.row(number) if number >= self._window.live else None
            if row is not None and row.content == e.content and row.kind in _TEXTS:
                yield Text(number, row)

    def _remember(self, e: Entry, v: _Verdict, known: Row | None, now_ms: int, sample: Hashes) -> int:
        holds_text = v.kind in ("new", "revision", "copy")
        holder = e.delivery if holds_text else v.of_delivery
        observed = _microseconds(e.observed_at)
        current = (e.content, v.version, holder, observed)
        if e.verdict is not None and e.verdict.current is not None:
            c = e.verdict.current
            current = (
                bytes.fromhex(c.content_hash),
                c.version_id.bytes,
                c.delivery_id.bytes,
                _microseconds(c.observed_at),
            )
        elif known is not None:
            was = (known.current_content, known.current_version, known.current_delivery, known.current_observed)
            if v.kind == "redelivery" or observed < known.current_observed:
                current = was
            elif not holds_text:
                current = (*was[:3], observed)
        is_text = v.kind in ("new", "revision")
        is_erased = current[0] == NO_CONTENT
        sets = e.shingles.tobytes() + e.numbers.tobytes() + e.names.tobytes() if is_text else b""
        m = v.match
        number = self._window.append(
            Row(
                log_offset=e.log_offset,
                log_ms=now_ms,
                raw_topic=e.raw_topic,
                raw_partition=e.raw_partition,
                raw_offset=e.raw_offset,
                delivery=e.delivery,
                article=v.article,
                version=v.version,
                item=e.item or NO_ID,
                content=NO_CONTENT if is_erased else e.content,
                metadata=NO_ID if is_erased else e.metadata,
                kind=_KIND_NUMBERS[v.kind],
                method=_METHODS.index(v.method),
                guard=_GUARDS.index(m.guard),
                rules_version=e.rules_version,
                of=v.of,
                of_version=v.of_version,
                of_delivery=v.of_delivery,
                same_text_as=v.same_text_as,
                contains=m.contains,
                resembles=m.resembles,
                score=math.nan if m.score is None else m.score,
                threshold=math.nan if m.threshold is None else m.threshold,
                holder=holder,
                current_content=current[0],
                current_version=current[1],
                current_delivery=current[2],
                current_observed=current[3],
                source=near.source(e.source),
                words=e.words,
                shingle_count=e.shingle_count,
                sets_at=self._window.write_sets(sets),
                shingles=len(e.shingles) if is_text else 0,
                numbers=len(e.numbers) if is_text else 0,
                names=len(e.names) if is_text else 0,
            )
        )
        if is_text:
            self._content.setdefault(e.content, []).append(number)
        self._near.add(number, sample if is_text else near.NOTHING)
        return number

    def _post_article(self, i: int, e: Entry, v: _Verdict, number: int, known: int) -> None:
        at, lookup = i * self._KEYS + 2, self._lookup
        article, item = self._keys[at : at + 2]
        if v.article == e.article:
            self._post(lookup.hashes[at], article, number, known)
        else:  # known by the source's own id
            article = _ARTICLE + v.article
            self._post(xxhash.xxh32_intdigest(article), article, number, lookup.search(article))
        version = _VERSION + v.article + v.version
        seen = lookup.search(version) if known != NO_ROW else NO_ROW
        self._post(xxhash.xxh32_intdigest(version), version, number, seen)
        if e.item is not None:
            self._post(lookup.hashes[at + 1], item, number, lookup.number(at + 1, item))
        if v.kind in ("new", "revision"):
            self._content_posts.append((lookup.hashes[at + 2], number, NO_ROW))

    def _post(self, hashed: int, key: bytes, number: int, replaced: int) -> None:
        if key not in self._posts:
            self._posts[key] = (hashed, replaced)
        self._lookup.added[key] = number


def _erased(f: Forget, now_ms: int) -> Row:
    """What is left to know of an erased article."""
    return Row(
        log_offset=f.log_offset,
        log_ms=now_ms,
        raw_topic=NO_ID,
        raw_partition=0,
        raw_offset=0,
        delivery=NO_ID,
        article=f.article,
        version=NO_ID,
        item=NO_ID,
        content=NO_CONTENT,
        metadata=NO_ID,
        kind=_KIND_NUMBERS["redelivery"],
        method=0,
        guard=0,
        rules_version=0,
        of=NO_ID,
        of_version=NO_ID,
        of_delivery=NO_ID,
        same_text_as=NO_ID,
        contains=NO_ID,
        resembles=NO_ID,
        score=math.nan,
        threshold=math.nan,
        holder=NO_ID,
        current_content=NO_CONTENT,
        current_version=NO_ID,
        current_delivery=NO_ID,
        current_observed=0,
        source=0,
        words=0,
        shingle_count=0,
        sets_at=0,
        shingles=0,
        numbers=0,
        names=0,
    )


_PLACE: Final = b"p"
_DELIVERY: Final = b"d"
_ARTICLE: Final = b"a"
_ITEM: Final = b"i"
_VERSION: Final = b"v"
_CONTENT: Final = b"c"
_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}
_TEXTS: Final = (_KIND_NUMBERS["new"], _KIND_NUMBERS["revision"])
_METHODS_BY_NAME: Final[dict[str, Method]] = {"url": "url", "item": "item", "text": "text"}


def _place(topic: bytes, partition: int, offset: int) -> bytes:
    return _PLACE + topic + partition.to_bytes(4, "big") + offset.to_bytes(8, "big")


def _keys(e: Entry) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The keys under which a record is looked up, in the order of _Portion._KEYS."""
    return (
        _place(e.raw_topic, e.raw_partition, e.raw_offset),
        _DELIVERY + e.delivery,
        _ARTICLE + e.article,
        _ITEM + (e.item or NO_ID),
        _CONTENT + e.content,
    )


def _has(row: Row, key: bytes) -> bool:
    """Whether this row was posted under the key, and not only under its hash."""
    match key[:1]:
        case b"p":
            return _place(row.raw_topic, row.raw_partition, row.raw_offset) == key
        case b"d":
            return row.delivery == key[1:]
        case b"a":
            return row.article == key[1:]
        case b"i":
            return row.item == key[1:]
        case _:
            return row.article + row.version == key[1:]


def _version(article: bytes, text_digest: str) -> bytes:
    return identity.version_id_bytes(article, text_digest)


def _given(e: Entry, v: Verdict) -> _Verdict:
    article = v.article_id.bytes if v.article_id else e.article
    if v.kind == "new" and v.score is None:  # most are
        return _Verdict("new", None, article, _version(article, e.text_digest))
    match = Match(
        score=v.score,
        threshold=v.threshold,
        contains=_bytes(v.contains),
        resembles=_bytes(v.resembles),
        guard=v.guard,
    )
    return _Verdict(
        v.kind,
        v.method,
        article,
        v.version_id.bytes if v.version_id else _version(article, e.text_digest),
        _bytes(v.of),
        _bytes(v.of_version),
        _bytes(v.of_delivery),
        _bytes(v.same_text_as),
        match,
    )


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _uuid(value: bytes) -> UUID | None:
    return None if value == NO_ID else UUID(bytes=value)


def _bytes(value: UUID | None) -> bytes:
    return value.bytes if value else NO_ID


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
