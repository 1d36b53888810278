"""The crash journal: which records were in work when a process died, so that a killer is found and set apart.

One small file a partition. `begin` before the pure work on a batch, `end` after it: what stands there at the next start
was in work when the process ended. Suspects are then taken one by one, and a record that was there three times is
dead-lettered. Waiting for a service is outside the brackets: an operator who restarts a waiting worker blames nobody.

The file is written without fsync: the page cache outlives the process, and a machine that lost power proves nothing.
Such a machine may leave a torn file: it counts as empty, for a journal that stops its stage would be worse than none.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from pipeline import logs
from pipeline.errors import InvalidRecord, Reason

log = logs.get(__name__)

MAX_CRASHES: Final = 3


class _Stored(BaseModel):
    crashes: dict[int, int]
    in_work: list[int]


def _counted(stored: bytes) -> dict[int, int]:
    """The deaths in a journal file: those known when it was written, and the one that left records in work."""
    journal = _Stored.model_validate_json(stored)
    crashes = dict(journal.crashes)
    for offset in journal.in_work:
        crashes[offset] = crashes.get(offset, 0) + 1
    return crashes


class CrashJournal:
    """The journal of one stage on one topic id; a partition's file has one owner at a time, as the partition has."""

    def __init__(self, folder: Path, stage: str, topic_id: str) -> None:
        self._folder = folder
        self._prefix = f"{stage}-{topic_id}"
        self._crashes: dict[int, dict[int, int]] = {}  # partition -> offset -> times it was in work at a death
        folder.mkdir(parents=True, exist_ok=True)

    def crashes(self, partition: int, offset: int) -> int:
        """How often this record was in work when its process ended."""
        return self._load(partition).get(offset, 0)

    def is_suspect(self, partition: int, offset: int) -> bool:
        """Whether to take this record alone, so that the next death names it."""
        return self.crashes(partition, offset) > 0

    def check(self, partition: int, offset: int) -> None:
        """Raise InvalidRecord (`crashed`) for a record that ended its process three times."""
        count = self.crashes(partition, offset)
        if count >= MAX_CRASHES:
            raise InvalidRecord(Reason.CRASHED, f"The process ended {count} times with this record in work.")

    def begin(self, records: Iterable[tuple[int, int]]) -> None:
        """These (partition, offset) are in work from now on."""
        by_partition: dict[int, list[int]] = {}
        for partition, offset in records:
            by_partition.setdefault(partition, []).append(offset)
        for partition, offsets in by_partition.items():
            self._save(partition, offsets)

    def end(self, records: Iterable[tuple[int, int]]) -> None:
        """The work on these came to an end: whatever happens later is not theirs."""
        by_partition: dict[int, list[int]] = {}
        for partition, offset in records:
            by_partition.setdefault(partition, []).append(offset)
        for partition, offsets in by_partition.items():
            crashes = self._load(partition)
            for offset in offsets:
                crashes.pop(offset, None)
            self._save(partition, ())

    def _path(self, partition: int) -> Path:
        return self._folder / f"{self._prefix}-{partition}.json"

    def _load(self, partition: int) -> dict[int, int]:
        if partition not in self._crashes:
            crashes: dict[int, int] = {}
            path = self._path(partition)
            if path.exists():
                try:
                    crashes = _counted(path.read_bytes())
                except ValidationError as error:
                    log.warning("a torn crash journal counts as empty", path=str(path), why=str(error))
            self._crashes[partition] = crashes
        return self._crashes[partition]

    def _save(self, partition: int, in_work: Iterable[int]) -> None:
        path = self._path(partition)
        crashes = {str(offset): count for offset, count in self._load(partition).items()}
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"crashes": crashes, "in_work": list(in_work)}), encoding="utf-8")
        fresh.replace(path)  # a death between the two leaves the old file whole
