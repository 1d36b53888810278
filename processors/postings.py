"""32-bit hash -> numbers: an append-only hash table in numpy arrays, newest first.

No Python object is kept: a posting takes 8 bytes, a hash that has several 12 more, a bucket 4. A bucket leads from hash
to hash, and from each to a chain of its own, so what was posted a hundred thousand times is passed in one step. Lookups
take many hashes at once and walk side by side.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: "No posting", "no chain": they are counted from 1.
NONE: Final = 0
_SMALLEST_BITS: Final = 8
#: Hashes are kept multiplied by this odd number (Knuth: 2**32 by the golden ratio). No two become one, and those of one
#: bucket, which is the upper bits, stand side by side when they are sorted.
_SPREAD: Final = np.uint32(0x9E3779B1)
_HALF: Final = np.uint64(32)
#: From here on a number in `_next` is the place of a chain among the long ones.
_LONG: Final = np.uint32(1 << 31)
_SMALLEST_LONG: Final = 1_024
_CHAIN: Final = np.dtype([("behind", np.uint32), ("newest", np.uint32), ("count", np.uint32)])


class Postings:
    """Up to `capacity` postings. Memory is taken as they come, so a capacity that is not used costs little.

    The postings of one hash are a chain. Its number is that of its oldest posting.
    """

    def __init__(self, capacity: int, expected: int) -> None:
        """Buckets hold one to two hashes when as many came as `expected`."""
        bits = max(_SMALLEST_BITS, (expected - 1).bit_length() - 1)
        self._shift = np.uint32(32 - bits)
        self._heads = np.zeros(1 << bits, dtype=np.uint32)  # of each bucket a chain
        self._hashes = np.empty(capacity + 1, dtype=np.uint32)
        # Of a chain's oldest posting: the next chain in the bucket, or where the chain stands among the long ones. Of
        # all others: the next older posting of the chain.
        self._next = np.empty(capacity + 1, dtype=np.uint32)
        self._next[NONE] = NONE
        self._long = np.empty(_SMALLEST_LONG, dtype=_CHAIN)  # those with two postings and more
        self._long_count = 0
        self.capacity = capacity
        self.count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return self._heads.nbytes + 8 * self.count + _CHAIN.itemsize * self._long_count

    def add(self, hashes: Hashes) -> int:
        """Append postings; returns the number of the first, the others follow one by one."""
        first, n = self.count + 1, len(hashes)
        if n == 0:
            return first
        self.count += n
        spread = hashes * _SPREAD
        self._hashes[first : first + n] = spread
        # One sort brings together what is of one bucket, in it what is of one hash, and that from old to new.
        packed = spread.astype(np.uint64) << _HALF | np.arange(first, first + n, dtype=np.uint64)
        packed.sort()
        spread, postings = (packed >> _HALF).astype(np.uint32), packed.astype(np.uint32)
        begins = np.flatnonzero(np.append(True, spread[1:] != spread[:-1]))
        lasts = np.append(begins[1:], n) - 1
        spread = spread[begins]
        chains = self._find(spread)
        is_new = chains == NONE
        older = np.append(NONE, postings[:-1])
        older[begins] = self.newest(chains)
        self._next[postings] = older
        chains[is_new] = postings[begins[is_new]]
        self._open(chains[is_new], spread[is_new])
        more = lasts - begins + ~is_new  # than the oldest
        grown = more > 0
        self._lengthen(chains[grown], postings[lasts[grown]], more[grown])
        return first

    def _open(self, chains: Numbers, spread: Hashes) -> None:
        """Put new chains, in the order of their hashes, before the others in their buckets."""
        buckets = spread >> self._shift
        behind = self._heads[buckets].astype(np.int64)
        same = buckets[1:] == buckets[:-1]
        behind[1:][same] = chains[:-1][same]
        self._next[chains] = behind
        last = np.append(~same, True)[: len(chains)]
        self._heads[buckets[last]] = chains[last]

    def _lengthen(self, chains: Numbers, newest: Hashes, by: Numbers) -> None:
        short = chains[self._next[chains] < _LONG]
        first, end = self._long_count, self._long_count + len(short)
        if end > len(self._long):
            # Not taken at once like the other arrays: how many become long nobody knows.
            self._long = np.append(self._long, np.empty(end, dtype=_CHAIN))
        self._long_count = end
        self._long["behind"][first:end] = self._next[short]
        self._long["count"][first:end] = 1
        self._next[short] = np.arange(first, end, dtype=np.uint32) + _LONG
        places = self._next[chains] - _LONG
        self._long["newest"][places] = newest
        self._long["count"][places] += by.astype(np.uint32)

    def find(self, hashes: Hashes) -> Numbers:
        """For each hash its chain, or NONE."""
        return self._find(hashes * _SPREAD)

    def _find(self, spread: Hashes) -> Numbers:
        found: Numbers = self._heads[spread >> self._shift].astype(np.int64)
        # Those that met another hash go on along the bucket.
        asking = np.flatnonzero(found)
        while asking.size:
            asking = asking[self._hashes[found[asking]] != spread[asking]]
            found[asking] = self._of(found[asking], "behind", self._next[found[asking]])
            asking = asking[found[asking] != NONE]
        return found

    def newest(self, chains: Numbers) -> Numbers:
        """The newest posting of each chain; NONE of NONE."""
        return self._of(chains, "newest", chains)

    def counts(self, chains: Numbers) -> Numbers:
        """How many postings each chain has."""
        return self._of(chains, "count", chains != NONE)

    def _of(self, chains: Numbers, field: str, short: Hashes | Numbers | Mask) -> Numbers:
        """The field of those chains that are long, what `short` says beside it of the others."""
        found = short.astype(np.int64)
        at = self._next[chains]
        is_long = np.flatnonzero(at >= _LONG)
        found[is_long] = self._long[field][at[is_long] - _LONG]
        return found

    def all(self, chains: Numbers, at_most: Numbers) -> tuple[Numbers, Numbers]:
        """Pairs (place in `chains`, posting), of each chain its newest, as many as `at_most` says for it."""
        left = np.minimum(self.counts(chains), at_most)
        asking = np.flatnonzero(left > 0)
        left, at = left[asking], self.newest(chains[asking])
        places, postings = [asking], [at]
        while asking.size:
            left = left - 1
            more = left > 0
            asking, left, at = asking[more], left[more], self._next[at[more]].astype(np.int64)
            places.append(asking)
            postings.append(at)
        return np.concatenate(places), np.concatenate(postings)

    def remove(self, postings: Numbers) -> None:
        """Take out postings of different hashes: nothing leads to them any more, nor do they say what they were of.

        Their numbers are not given out again. It takes a step for each newer posting of the same hash.
        """
        spread = self._hashes[postings]
        chains = self._find(spread)
        newer, at = np.full(len(postings), NONE, dtype=np.int64), self.newest(chains)
        asking = np.flatnonzero(at != postings)
        while asking.size:
            newer[asking] = at[asking]
            at[asking] = self._next[at[asking]]
            asking = asking[at[asking] != postings[asking]]
        buckets = spread >> self._shift
        for posting, chain, behind, bucket in zip(
            postings.tolist(), chains.tolist(), newer.tolist(), buckets.tolist(), strict=True
        ):
            self._unlink(posting, chain, behind, bucket)
        self._hashes[postings] = 0
        self._next[postings] = NONE

    def _unlink(self, posting: int, chain: int, newer: int, bucket: int) -> None:
        """Take a posting out of its chain. `newer` is the one before it there, NONE where it is the newest."""
        long = int(self._next[chain]) - int(_LONG)
        if posting != chain:
            older = self._next[posting]
            if newer == NONE:
                self._long["newest"][long] = older
            else:
                self._next[newer] = older
            self._long["count"][long] -= 1
        elif newer != NONE:  # the next oldest gives the chain its number
            self._next[newer] = self._next[chain]
            self._long["count"][long] -= 1
            self._lead(bucket, chain, newer)
        else:
            self._lead(bucket, chain, self._behind(chain))

    def _lead(self, bucket: int, chain: int, to: int) -> None:
        """Make what led to a chain in its bucket lead to another one."""
        before, at = NONE, int(self._heads[bucket])
        while at != chain:
            before, at = at, self._behind(at)
        if before == NONE:
            self._heads[bucket] = to
        elif self._next[before] >= _LONG:
            self._long["behind"][self._next[before] - _LONG] = to
        else:
            self._next[before] = to

    def _behind(self, chain: int) -> int:
        """The next chain in the bucket."""
        at = self._next[chain]
        return int(self._long["behind"][at - _LONG] if at >= _LONG else at)

    def chain(self, wanted: int) -> Iterator[int]:
        """All postings of one hash, the newest first."""
        chains = self.find(np.array([wanted], dtype=np.uint32))
        posting = int(self.newest(chains)[0])
        for _ in range(int(self.counts(chains)[0])):
            yield posting
            posting = int(self._next[posting])
