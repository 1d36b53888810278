"""The signature log, record by record -> what each delivery is, and what is known of the articles of the window."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np
import xxhash

from pipeline.records import Decision, Signature, Verdict
from processors import entry, keys, near, said
from processors.decisions import Applied, Portion
from processors.entry import Entry, Forget
from processors.keys import ARTICLE, CONTENT, Lookup
from processors.window import LARGEST_SEGMENT, NO_CONTENT, NO_ID, NO_ROW, Row, Window

#: Records are taken in portions of at most this many.
_PORTION: Final = 2_048


class Outcome(NamedTuple):
    """A decision, and whether it is said again: after a crash between append and outcome, or a rebalance."""

    decision: Decision
    replay: bool


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
            applied += Portion(self._window, portion, self._rules_version, self._window_ms).apply()
        return applied

    def forget(self, f: Forget) -> None:
        """Take the next record of the log where it is this one: nothing of the article's texts is known any more.

        What was decided about them stays; the article is known for the window from here on, as one that was erased.
        """
        window, key = self._window, ARTICLE + f.article
        window.prepare(1, 0, 0, f.log_ms)
        window.now_ms = max(window.now_ms, f.log_ms)
        window.forget(window.now_ms - self._window_ms)
        lookup = Lookup(window, [key])
        for number in window.rows_of(f.article, lookup.hashes[0]):
            window.erase(number, xxhash.xxh32_intdigest(CONTENT + window.row(number).content))
        newest = lookup.number(0, key)
        number = window.append(_erased(f, window.now_ms))
        window.post([(lookup.hashes[0], number, newest)], [near.NOTHING])

    def is_forgotten(self, article: bytes) -> bool:
        """Whether an article is known as one that was erased: its next delivery will be left without its text."""
        key = ARTICLE + article
        number = Lookup(self._window, [key]).number(0, key)
        return number != NO_ROW and self._window.row(number).current_content == NO_CONTENT

    def holding(self, articles: Sequence[bytes]) -> list[bytes]:
        """Those of these articles of whose texts something is held."""
        hashes = np.array([xxhash.xxh32_intdigest(ARTICLE + article) for article in articles], dtype=np.uint32)
        posted = np.flatnonzero(self._window.newest(hashes) != NO_ROW).tolist()
        return [articles[i] for i in posted if self._holds(articles[i], int(hashes[i]))]

    def _holds(self, article: bytes, key: int) -> bool:
        rows = map(self._window.row, self._window.rows_of(article, key))
        return any(row.content != NO_CONTENT for row in rows)

    def article(self, number: int) -> bytes:
        """The article of a row."""
        return self._window.row(number).article

    def rows(self, signatures: Sequence[Signature]) -> list[int]:
        """The rows of the records at these raw coordinates, NO_ROW for what has not passed through the log."""
        places = [keys.place(s.raw.topic_id.bytes, s.raw.partition, s.raw.offset) for s in signatures]
        lookup = Lookup(self._window, places)
        return [lookup.number(i, place) for i, place in enumerate(places)]

    def says(self, number: int, verdict: Verdict) -> bool:
        """Whether a row holds what another replica decided about its record."""
        return said.agrees(self._window.row(number), verdict)

    def outcome(self, signature: Signature) -> Decision | None:
        """The decision about the record at these raw coordinates, once it has passed through the log."""
        (number,) = self.rows([signature])
        return None if number == NO_ROW else self.decision(number, signature)

    def decision(self, number: int, signature: Signature) -> Decision:
        """The decision in a row about this delivery."""
        return said.decision(self._window.row(number), signature, self._log_id)

    def verdict(self, number: int, signature: Signature, log_offset: int) -> Verdict:
        """The same for other replicas, about the record at `log_offset`, without what its signature says already."""
        return said.verdict(self._window.row(number), signature, log_offset)

    def close(self) -> None:
        """Give memory and files back."""
        self._window.close()


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
        kind=said.KIND_NUMBERS["redelivery"],
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
