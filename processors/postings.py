"""32-bit hash -> numbers: an append-only chained hash table in numpy arrays, newest first.

No Python object is kept per posting: 8 bytes each, and 4 to 8 more for the heads of the chains. Lookups take many
hashes at once and walk their chains side by side.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]

#: "No posting": they are counted from 1.
NONE: Final = 0
_SMALLEST_BITS: Final = 8


class Postings:
    """Up to `capacity` postings. Memory is taken as they come, so a capacity that is not used costs little."""

    def __init__(self, capacity: int, expected: int) -> None:
        """Chains are one to two postings long when as many came as `expected`."""
        bits = max(_SMALLEST_BITS, (expected - 1).bit_length() - 1)
        self._mask = np.uint32((1 << bits) - 1)
        self._heads = np.zeros(1 << bits, dtype=np.uint32)
        self._hashes = np.empty(capacity + 1, dtype=np.uint32)
        self._next = np.empty(capacity + 1, dtype=np.uint32)
        self.capacity = capacity
        self.count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return self._heads.nbytes + 8 * self.count

    def add(self, hashes: Hashes) -> int:
        """Append postings; returns the number of the first, the others follow one by one."""
        first = self.count + 1
        n = len(hashes)
        if n == 0:
            return first
        self.count += n
        numbers = np.arange(first, first + n, dtype=np.uint32)
        self._hashes[first : first + n] = hashes
        chains = hashes & self._mask
        order = np.argsort(chains, kind="stable")
        chains, numbers = chains[order], numbers[order]
        behind = self._heads[chains]
        same = chains[1:] == chains[:-1]
        behind[1:][same] = numbers[:-1][same]
        self._next[numbers] = behind
        last = np.append(~same, True)
        self._heads[chains[last]] = numbers[last]
        return first

    def newest(self, hashes: Hashes) -> Numbers:
        """For each hash its newest posting, or NONE."""
        found: Numbers = self._heads[hashes & self._mask].astype(np.int64)
        # Queries whose posting is another hash's go on along the chain.
        asking = np.flatnonzero(found)
        while asking.size:
            at = found[asking]
            asking = asking[self._hashes[at] != hashes[asking]]
            found[asking] = self._next[found[asking]]
            asking = asking[found[asking] != NONE]
        return found

    def first(self, wanted: int) -> int:
        """The newest posting of one hash, or NONE."""
        return self._search(int(self._heads[wanted & int(self._mask)]), wanted)

    def older(self, posting: int) -> int:
        """The next older posting of the same hash, or NONE."""
        return self._search(int(self._next[posting]), int(self._hashes[posting]))

    def _search(self, posting: int, wanted: int) -> int:
        while posting != NONE and self._hashes[posting] != wanted:
            posting = int(self._next[posting])
        return posting

    def all(self, hashes: Hashes, at_most: Numbers) -> tuple[Numbers, Numbers]:
        """Pairs (place in `hashes`, posting), of each hash its newest, as many as `at_most` says for it."""
        queries: list[Numbers] = []
        postings: list[Numbers] = []
        asking = np.flatnonzero(at_most > 0)
        at = self._heads[hashes[asking] & self._mask].astype(np.int64)
        left = at_most[asking].copy()
        while True:
            there = at != NONE
            asking, at, left = asking[there], at[there], left[there]
            if not asking.size:
                break
            hit = self._hashes[at] == hashes[asking]
            queries.append(asking[hit])
            postings.append(at[hit])
            left = left - hit
            more = left > 0
            asking, at, left = asking[more], at[more], left[more]
            at = self._next[at].astype(np.int64)
        if not queries:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        return np.concatenate(queries), np.concatenate(postings)
