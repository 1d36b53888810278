"""The decision: a pure function of the signature log before it. No clock, no database, no settings but the window.

Feed it the log in order, in batches of any size, and it says what each delivery is. Any worker, restart or offline
replay says the same. A record may bring its verdict along, made by a worker that could see further back: it is taken.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple
from uuid import UUID

import xxhash

from pipeline import identity
from pipeline.errors import Stop
from pipeline.records import Kind, Method, Verdict
from processors import keys, near
from processors.entry import Entry
from processors.keys import ARTICLE, VERSION, Lookup
from processors.near import SHORT_TEXT_WORDS, Match, Nearest, Text
from processors.postings import Hashes
from processors.said import GUARDS, KIND_NUMBERS, KINDS, METHODS, microseconds
from processors.window import NO_CONTENT, NO_ID, NO_ROW, Row, Window

#: A text that so many versions say word for word is looked for among the newest of them that may be called its
#: original, and those among so many of all.
_MOST_SAYING_THE_SAME: Final = 64
_MOST_LOOKED_AT: Final = 1_024

_TEXTS: Final = (KIND_NUMBERS["new"], KIND_NUMBERS["revision"])
_METHODS_BY_NAME: Final[dict[str, Method]] = {"url": "url", "item": "item", "text": "text"}


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


class Portion:
    """Some records of the log on their way into the window, decided one after the other."""

    def __init__(self, window: Window, entries: Sequence[Entry], rules_version: int, window_ms: int) -> None:
        self._window = window
        self._entries = entries
        self._rules_version = rules_version
        self._window_ms = window_ms
        self._posts: dict[bytes, tuple[int, int]] = {}  # -> hash, the row replaced or NO_ROW
        self._content: dict[bytes, list[int]] = {}
        self._content_posts: list[tuple[int, int, int]] = []

    def apply(self) -> list[Applied]:
        """Decide about them in their order. Raises Stop for a record of newer rules than this worker has."""
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
        self._keys = [key for e in entries for key in keys.of(e)]
        self._lookup = Lookup(window, self._keys)
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
        at = i * keys.PER_RECORD
        place, delivery = self._keys[at : at + 2]
        earlier = lookup.number(at, place)
        if earlier != NO_ROW:
            return Applied(earlier, True, KINDS[window.row(earlier).kind])

        again = lookup.number(at + 1, delivery)
        # Of a resend the article is known, or the delivery itself would not be.
        article = self._known_article(i, e) if again == NO_ROW else lookup.search(ARTICLE + window.row(again).article)
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
        at = i * keys.PER_RECORD + 2
        number = self._lookup.number(at, self._keys[at])
        if number == NO_ROW and e.item is not None:
            by_item = self._lookup.number(at + 1, self._keys[at + 1])
            if by_item != NO_ROW:
                number = self._lookup.search(ARTICLE + self._window.row(by_item).article)
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
        number = self._lookup.search(VERSION + known.article + version)
        seen = self._window.row(number) if number != NO_ROW else None
        if says_the_same and (seen is None or seen.metadata != e.metadata):
            return _Verdict("unchanged", method, known.article, version, *current)
        if seen is not None and (says_the_same or microseconds(e.observed_at) < known.current_observed):
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
        for number in chain(reversed(self._content.get(e.content, ())), self._lookup.all(i * keys.PER_RECORD + 4)):
            row = self._window.row(number) if number >= self._window.live else None
            if row is not None and row.content == e.content and row.kind in _TEXTS:
                yield Text(number, row)

    def _remember(self, e: Entry, v: _Verdict, known: Row | None, now_ms: int, sample: Hashes) -> int:
        holds_text = v.kind in ("new", "revision", "copy")
        holder = e.delivery if holds_text else v.of_delivery
        observed = microseconds(e.observed_at)
        current = (e.content, v.version, holder, observed)
        if e.verdict is not None and e.verdict.current is not None:
            c = e.verdict.current
            current = (
                bytes.fromhex(c.content_hash),
                c.version_id.bytes,
                c.delivery_id.bytes,
                microseconds(c.observed_at),
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
                kind=KIND_NUMBERS[v.kind],
                method=METHODS.index(v.method),
                guard=GUARDS.index(m.guard),
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
        at, lookup = i * keys.PER_RECORD + 2, self._lookup
        article, item = self._keys[at : at + 2]
        if v.article == e.article:
            self._post(lookup.hashes[at], article, number, known)
        else:  # known by the source's own id
            article = ARTICLE + v.article
            self._post(xxhash.xxh32_intdigest(article), article, number, lookup.search(article))
        version = VERSION + v.article + v.version
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


def _bytes(value: UUID | None) -> bytes:
    return value.bytes if value else NO_ID
