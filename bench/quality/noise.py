"""N -> N signatures of articles that nobody wrote: what makes the index big while its quality is measured.

A part of the shingles is drawn from a common stock, a few of them in every tenth text and most of them hardly ever, as
turns of phrase are; the rest stands in one text only.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

import numpy as np

from bench.quality.generate import START
from pipeline import identity
from pipeline.records import Coordinates, Hashes, Signature

COMMON: Final = 200_000
COMMON_SHARE: Final = 0.35
#: Chance of a rank is 1 / (rank + FLATTEN): the most common shingle stands in about one text of eight.
FLATTEN: Final = 100
SHINGLES: Final = (90, 700)
_BLOCK: Final = 2000
_TOPIC: Final = UUID(int=1)


def signatures(count: int, seed: int, rules_version: int) -> Iterator[Signature]:
    """Signatures of `count` articles of their own, at offsets of a topic of their own."""
    rng = np.random.default_rng(seed)
    stock = rng.integers(0, 1 << 32, COMMON, dtype=np.uint32)
    odds = 1 / (np.arange(COMMON) + FLATTEN)
    ladder = np.cumsum(odds / odds.sum())
    for begin in range(0, count, _BLOCK):
        size = min(_BLOCK, count - begin)
        lengths = np.exp(rng.uniform(np.log(SHINGLES[0]), np.log(SHINGLES[1]), size)).astype(int)
        total = int(lengths.sum())
        drawn = rng.integers(0, 1 << 32, total, dtype=np.uint32)
        common = rng.random(total) < COMMON_SHARE
        ranks = np.minimum(np.searchsorted(ladder, rng.random(int(common.sum()))), COMMON - 1)
        drawn[common] = stock[ranks]
        others = rng.integers(0, 1 << 32, (size, 60), dtype=np.uint32)
        others[:, :15] = stock[rng.integers(0, 2000, (size, 15))]  # 2026, Monday, London
        ends = np.cumsum(lengths)
        for i, ids in enumerate(_ids(rng, size)):
            shingles = np.unique(drawn[ends[i] - lengths[i] : ends[i]])
            yield _signature(begin + i, ids, shingles, np.sort(others[i]), rules_version)


def _ids(rng: np.random.Generator, size: int) -> Iterator[bytes]:
    packed = rng.bytes(64 * size)
    return (packed[64 * i : 64 * (i + 1)] for i in range(size))


def _signature(number: int, ids: bytes, shingles: Hashes, others: Hashes, rules_version: int) -> Signature:
    digest = ids[32:].hex()
    return Signature.model_construct(
        schema_version=1,
        rules_version=rules_version,
        identity_version=identity.IDENTITY_VERSION,
        delivery_id=UUID(bytes=ids[:16]),
        observed_at=START - timedelta(hours=1),
        article_id=UUID(bytes=ids[16:32]),
        identified_by="url",
        item_key=None,
        text_digest=digest,
        content_hash=digest,
        metadata_digest=digest,
        source=f"noise {number % 500}",
        raw=Coordinates.model_construct(topic_id=_TOPIC, partition=0, offset=number),
        words=int(len(shingles) * 1.1),
        wall=False,
        shingle_count=len(shingles),
        shingles=shingles,
        lines=np.sort(others[:12]),
        numbers=np.sort(others[10:25]),
        names=np.sort(others[20:]),
    )
