"""A text -> the earlier text that it is a copy of, word for word or not, among those that were sent to be enriched.

Candidates share sampled shingle hashes (FracMinHash, Irber et al. 2022); those that share enough of them are compared
exactly (processors/likeness.py). What is alike by boilerplate, or by its form only, is told apart here.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.records import Guard, Method
from processors import likeness
from processors.entry import Entry
from processors.likeness import Likeness
from processors.postings import Hashes, Mask, Numbers
from processors.window import NO_ID, Row, Sets, Window

Floats = npt.NDArray[np.float64]

#: Shorter texts ("Markets are closed today.") are never copies across sources, nor near copies of anything.
SHORT_TEXT_WORDS: Final = 40
#: Of each text these shingle hashes are posted: all below a limit, so that two texts choose alike, and at least so many
#: of the smallest, so that short texts are found too.
SAMPLE_LIMIT: Final = 2**32 // 12
FEWEST_SAMPLES: Final = 16
#: A text asks with more of its hashes than it posts: a shorter text may have posted hashes above the limit.
ASK_LIMIT: Final = SAMPLE_LIMIT * 3 // 2
#: A shingle in more texts of the window than this is common speech or boilerplate: it brings no candidates.
FREQUENT: Final = 64
#: So many candidates, those with the most samples in common, are compared exactly.
MOST_CANDIDATES: Final = 16
#: A copy shares fewer samples than are asked of a candidate once in 700 times: standard deviations of a binomial.
DEVIATIONS: Final = 3.0
#: The most samples of one text that are looked at before its whole set is, in shares of the set and more.
_LOOK_SHARE: Final = 0.2
_LOOK_MORE: Final = 16
#: A shingle that so many other articles have besides the two in question proves nothing about them.
SHARED_BY_OTHERS: Final = 2
#: Without such shingles a copy must still reach this containment, estimated from the samples,
OWN_THRESHOLD: Final = 0.3
#: unless less than this share of a text is left without them.
OWN_LEFT: Final = 0.2

_SAMPLE_LIMIT: Final = np.uint32(SAMPLE_LIMIT)
_ASK_LIMIT: Final = np.uint32(ASK_LIMIT)

NOTHING: Final = np.empty(0, dtype=np.uint32)


class Text(NamedTuple):
    """A version that was sent to be enriched: what copies can be copies of."""

    number: int
    row: Row


class Match(NamedTuple):
    """The best that was found among other articles' texts."""

    same: Text | None = None
    method: Method | None = None
    score: float | None = None
    threshold: float | None = None
    contains: bytes = NO_ID
    resembles: bytes = NO_ID
    guard: Guard | None = None


class _Hits(NamedTuple):
    """What a text asked for: places in what it asked, the rows that have them, and which hashes are not frequent."""

    asked: Hashes
    query: Numbers
    rows: Numbers
    posted: Numbers  # how many samples each of these rows has posted
    rare: Mask


def sample(e: Entry) -> Hashes:
    """The smallest hashes of a text, those that are posted; none of a text that is never a near copy."""
    if e.words < SHORT_TEXT_WORDS or e.wall:
        return NOTHING
    return e.shingles[: max(FEWEST_SAMPLES, int(e.shingles.searchsorted(_SAMPLE_LIMIT)))]


def source(name: str) -> int:
    """A source's name as the rows hold it."""
    return xxhash.xxh3_64_intdigest(name.encode())


def _fewest(expected: Floats, share: float) -> Floats:
    """What a copy has more of, all but once in 700 times, when so many are expected and each is there by chance."""
    found: Floats = expected - DEVIATIONS * np.sqrt(expected * (1 - share)) - 0.5
    return np.maximum(found, 0)  # a candidate that shares nothing is none, however few are expected


class Nearest:
    """Near copies for a portion of the log: the window is asked once for all, what the portion adds comes on top."""

    def __init__(self, window: Window, entries: Sequence[Entry], samples: Sequence[Hashes]) -> None:
        self._window = window
        self._first = window.next
        self._asked = [
            e.shingles[: max(len(s), int(e.shingles.searchsorted(_ASK_LIMIT)))]
            if len(s) and e.verdict is None
            else NOTHING
            for e, s in zip(entries, samples, strict=True)
        ]
        self._asks = any(map(len, self._asked))
        self._ends = np.cumsum([len(a) for a in self._asked])
        until_ms = max(window.now_ms, *(e.log_ms for e in entries))
        asked = np.concatenate(self._asked)
        query, rows, self._frequent = window.texts(asked, FREQUENT, until_ms)
        order = np.argsort(query, kind="stable")
        self._query, self._rows = query[order], rows[order]
        self._counts = window.sampled(self._rows)
        # What is asked holds what is posted: only a hash that is there twice can be found among the portion's own.
        every = np.sort(np.concatenate([a if len(a) else s for a, s in zip(self._asked, samples, strict=True)]))
        self._repeated = every[1:][every[1:] == every[:-1]] if self._asks else NOTHING
        self._in_portion = likeness.isin(asked, self._repeated)
        self.samples: list[Hashes] = []  # of the rows that the portion adds
        self._added: dict[int, list[int]] = {}
        self._articles: dict[int, bytes] = {}

    def add(self, number: int, posted: Hashes) -> None:
        """The portion has one more row; `posted` are its samples, none for what is no text to be a copy of."""
        self.samples.append(posted)
        if self._asks:
            for h in posted[likeness.isin(posted, self._repeated)].tolist():
                self._added.setdefault(h, []).append(number)

    def find(self, i: int, e: Entry, article: bytes) -> Match:
        """The earliest text of another article that has enough of this one, or that this one has enough of."""
        if not len(self._asked[i]):
            return Match()
        hits = self._hits(i)
        found = self._alike(e, self._likely(e, article, hits))
        apart: list[tuple[float, bytes, Guard]] = []
        contained: list[tuple[float, bytes]] = []
        for other, like in found:
            score = round(like.containment, 4)
            if like.contains:
                contained.append((score, other.row.article))
            elif like.swapped:
                apart.append((score, other.row.article, "template"))
            elif like.other_subject or self._only_what_many_share(article, hits, other, like):
                apart.append((score, other.row.article, "boilerplate"))
            else:
                return Match(other, "near", score, likeness.THRESHOLD)
        if contained:
            score, contains = max(contained, key=lambda c: c[0])
            return Match(score=score, threshold=likeness.THRESHOLD, contains=contains)
        if apart:
            score, resembles, guard = max(apart, key=lambda a: a[0])
            return Match(score=score, threshold=likeness.THRESHOLD, resembles=resembles, guard=guard)
        return Match()

    def _hits(self, i: int) -> _Hits:
        live, asked = self._window.live, self._asked[i]
        end = int(self._ends[i])
        begin = end - len(asked)
        first, last = np.searchsorted(self._query, [begin, end])
        query, rows, posted = self._query[first:last] - begin, self._rows[first:last], self._counts[first:last]
        if len(rows) and live > rows.min():
            there = rows >= live
            query, rows, posted = query[there], rows[there], posted[there]
        if self._added:
            places = np.flatnonzero(self._in_portion[begin:end])
            more = [
                (q, n)
                for q, h in zip(places.tolist(), asked[places].tolist(), strict=True)
                for n in self._added.get(h, ())[-FREQUENT - 1 :]
            ]
            added = np.array([pair for pair in more if pair[1] >= live], dtype=np.int64).reshape(-1, 2)
            counts = np.array([len(self.samples[n]) for n in (added[:, 1] - self._first).tolist()], dtype=np.int64)
            query, rows = np.concatenate([query, added[:, 0]]), np.concatenate([rows, added[:, 1]])
            posted = np.concatenate([posted, counts])
        rare = ~self._frequent[begin:end] & (np.bincount(query, minlength=len(asked)) <= FREQUENT)
        kept = rare[query]
        return _Hits(asked, query[kept], rows[kept], posted[kept], rare)

    def _likely(self, e: Entry, article: bytes, hits: _Hits) -> list[int]:
        """The rows of other articles that share enough samples to be worth a comparison, the most promising first."""
        if not len(hits.rows):
            return []
        rows, places, counts = np.unique(hits.rows, return_index=True, return_counts=True)
        posted = hits.posted[places]
        posted[posted <= FEWEST_SAMPLES] = FEWEST_SAMPLES // 2  # of a short text some lie above what is asked
        share = likeness.THRESHOLD * np.count_nonzero(hits.rare) / len(hits.rare)
        expected = share * np.minimum(len(sample(e)), posted)
        enough = counts > _fewest(expected, share)
        rows, counts = rows[enough], counts[enough]
        # There are not many: no more than FREQUENT rows have any one of the samples.
        best: list[int] = rows[np.lexsort((rows, -counts))].tolist()
        others = (number for number in best if self._article_of(number) != article)
        return self._closer(hits.asked, list(islice(others, MOST_CANDIDATES)))

    def _closer(self, asked: Hashes, likely: Sequence[int]) -> list[int]:
        """Those that still look like copies when all their small hashes are looked at, posted or not."""
        if not likely:
            return []
        sets = [self._window.shingles(number) for number in likely]
        parts = [s[: int(_LOOK_SHARE * len(s)) + _LOOK_MORE] for s in sets]
        joined = np.concatenate(parts)
        starts = np.cumsum([0, *map(len, parts[:-1])])
        there = np.add.reduceat(joined <= asked[-1], starts, dtype=np.int64)
        shared = np.add.reduceat(likeness.isin(joined, asked), starts, dtype=np.int64)
        enough = shared > _fewest(likeness.THRESHOLD * np.minimum(there, len(asked)), likeness.THRESHOLD)
        return [number for number, close in zip(likely, enough.tolist(), strict=True) if close]

    def _alike(self, e: Entry, likely: Sequence[int]) -> list[tuple[Text, Likeness]]:
        """The candidates with enough containment, the earliest first."""
        text = likeness.Text(Sets(e.shingles, e.numbers, e.names), e.shingle_count, e.words, source(e.source))
        found: list[tuple[Text, Likeness]] = []
        for number in sorted(likely):
            row = self._window.row(number)
            older = likeness.Text(self._window.sets(number, row), row.shingle_count, row.words, row.source)
            like = likeness.compare(text, older)
            if like is not None:
                found.append((Text(number, row), like))
        return found

    def _only_what_many_share(self, article: bytes, hits: _Hits, other: Text, like: Likeness) -> bool:
        """Whether two texts are alike by what other articles have too, and differ in what is their own."""
        if like.containment >= 1 - OWN_LEFT:
            return False
        shingles = self._window.sets(other.number, other.row).shingles
        in_other = likeness.isin(hits.asked, shingles)
        ours = (article, other.row.article)
        having: dict[int, set[bytes]] = {}
        in_both = in_other[hits.query]
        for query, number in zip(hits.query[in_both].tolist(), hits.rows[in_both].tolist(), strict=True):
            others = having.setdefault(query, set())
            if len(others) < SHARED_BY_OTHERS and (name := self._article_of(number)) not in ours:
                others.add(name)
        by_many = ~hits.rare
        by_many[[query for query, others in having.items() if len(others) >= SHARED_BY_OTHERS]] = True
        theirs = int(np.searchsorted(shingles, hits.asked[-1], side="right"))
        own = int(np.count_nonzero(~by_many))
        left = min(own, theirs - int(np.count_nonzero(in_other & by_many)))
        if left < OWN_LEFT * min(len(hits.asked), theirs):
            return False
        return int(np.count_nonzero(in_other & ~by_many)) < OWN_THRESHOLD * left

    def _article_of(self, number: int) -> bytes:
        article = self._articles.get(number)
        if article is None:
            article = self._articles[number] = self._window.row(number).article
        return article
