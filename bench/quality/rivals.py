"""The same deliveries through what tutorials and libraries offer: MinHash and LSH, in memory, a copy or not.

They know no articles, so they see first deliveries only; each is asked for the best of its hits, and like the tutorials
they keep what they did not call a copy. The texts are cleaned as the pipeline cleans them: the rule is compared, not
the cleaning.
"""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

from pipeline import identity

PERMUTATIONS: Final = 128
_WORD = re.compile(r"\w+")


class Rival(Protocol):
    """Asked once for each first delivery, in order."""

    def match(self, key: int, text: str) -> int | None:
        """The earlier key that this text is called a copy of; without one, the text is kept under its own."""


class Datasketch:
    """MinHash of the word 3-shingles, MinHashLSH."""

    def __init__(self, threshold: float) -> None:
        self._library: Any = import_module("datasketch")
        self._lsh = self._library.MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._sketches: dict[int, Any] = {}

    def match(self, key: int, text: str) -> int | None:
        sketch = self._library.MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([shingle.encode() for shingle in shingles(text)])
        hits: list[int] = self._lsh.query(sketch)
        if hits:
            return max(hits, key=lambda hit: float(sketch.jaccard(self._sketches[hit])))
        self._lsh.insert(key, sketch)
        self._sketches[key] = sketch
        return None


class Rensa:
    """RMinHash of the word 3-shingles, RMinHashLSH, hits checked against the threshold."""

    def __init__(self, threshold: float, bands: int) -> None:
        self._library: Any = import_module("rensa")
        self._threshold = threshold
        self._lsh = self._library.RMinHashLSH(threshold, PERMUTATIONS, bands)
        self._sketches: dict[int, Any] = {}

    def match(self, key: int, text: str) -> int | None:
        sketch = self._library.RMinHash(PERMUTATIONS, 1)
        sketch.update(sorted(shingles(text)))
        scores: dict[int, float] = {hit: float(sketch.jaccard(self._sketches[hit])) for hit in self._lsh.query(sketch)}
        best = max(scores, key=scores.__getitem__, default=None)
        if best is not None and scores[best] >= self._threshold:
            return best
        self._lsh.insert(key, sketch)
        self._sketches[key] = sketch
        return None


#: Name -> the package it needs, and how it is made.
RIVALS: Final[Mapping[str, tuple[str, Callable[[], Rival]]]] = {
    "datasketch MinHashLSH 0.8 (the tutorial)": ("datasketch", lambda: Datasketch(0.8)),
    "datasketch MinHashLSH 0.5": ("datasketch", lambda: Datasketch(0.5)),
    "rensa RMinHashLSH 0.8, 16 bands": ("rensa", lambda: Rensa(0.8, 16)),
    "rensa RMinHashLSH 0.5, 32 bands": ("rensa", lambda: Rensa(0.5, 32)),
}


def missing(package: str) -> str | None:
    """What to do where the package is not there."""
    if find_spec(package) is None:
        return f"{package} not installed: pip install -r requirements/bench.txt"
    return None


def shingles(text: str) -> set[str]:
    """The distinct word 3-shingles; of a text with fewer words, all of them together."""
    words = _WORD.findall(identity.normalised(text))
    return {" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))}
