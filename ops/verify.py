"""The signature log, decided anew -> what the database and the workers' verdicts say otherwise. Purely.

The decision is a function of the log before it, so doing it again must give the same. Both sides come in the order of
the log and are compared as they come: neither is held in memory.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple

from pipeline import topics
from pipeline.errors import InvalidRecord, Stop
from pipeline.records import FORGET_KEY, VERDICTS_KEY, Decision, Signature, Verdict, Verdicts
from processors import entry
from processors.entry import Forget
from processors.signature_index import SignatureIndex
from sinks.queries import DecisionLine

#: Differences that are kept to be shown; all are counted.
MOST_SHOWN: Final = 20
#: Decisions that are kept until the verdicts about them come by: those follow within a few batches.
RECENT: Final = 20_000
#: Records that wait for their verdicts at most, as in processors/signature_log.py.
MOST_HELD: Final = 10_000

#: What the database says by itself, where it has the last word (method `store`).
_BY_THE_STORE: Final = frozenset({"kind", "method", "of_article", "of_version", "of_delivery", "same_text_as"})
_VERDICT_FIELDS: Final = (
    "kind", "method", "of", "of_version", "of_delivery", "same_text_as", "contains", "resembles", "guard", "score",
    "threshold",
)  # fmt: skip

Where = Literal["database", "verdict"]


class LogRecord(NamedTuple):
    """A record of articles.signatures, with its append time in milliseconds since the epoch."""

    offset: int
    ms: int
    key: bytes | None
    value: bytes | None


class Difference(NamedTuple):
    """Two answers to one question about one record of the log."""

    offset: int
    where: Where
    field: str
    stored: Any
    recomputed: Any


@dataclass(slots=True)
class Report:
    """What was counted. `different` are decisions, `differences` the fields of the first ones."""

    records: int = 0
    recomputed: int = 0
    #: In the first window of a log that was shortened: said by a worker's verdict, not made again.
    taken: int = 0
    replays: int = 0
    equal: int = 0
    different: int = 0
    missing: int = 0
    first_missing: int | None = None
    #: Without a row, and old enough that retention may have removed it with its article.
    retired: int = 0
    #: In the first window of a log that was shortened, without a verdict: they hang on records that are gone.
    not_verifiable: int = 0
    #: Rows whose record is gone.
    older_than_the_log: int = 0
    verdicts_equal: int = 0
    verdicts_different: int = 0
    #: About records too far back, or not verifiable.
    verdicts_left_out: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether nothing that was compared differs."""
        return not (self.different or self.verdicts_different)

    def as_json(self) -> dict[str, Any]:
        """All of it, for --json."""
        return {**asdict(self), "differences": [d._asdict() for d in self.differences]}


class _Held(NamedTuple):
    """A signature that waits for the verdict about it."""

    record: LogRecord
    signature: Signature
    is_near_start: bool


def _offset(held: "_Held | Forget") -> int:
    return held.log_offset if isinstance(held, Forget) else held.record.offset


class _Again(NamedTuple):
    """A decision made again; not `is_verifiable` where records that are gone may have had a say."""

    decision: Decision
    is_verifiable: bool


class Verification:
    """Takes the log record by record, from its start; `rows` are the stored decisions of the same log, in its order.

    `start` is the log's first offset, `first` the one from which on decisions are compared, `retired_to` the greatest
    one of a decision that retention removed. A log that was shortened cannot be decided anew in its first window: there
    the workers' verdicts are taken as they are, as a worker does that starts, and what they say is compared with the
    rows.
    """

    def __init__(
        self,
        index: SignatureIndex,
        rows: Iterator[DecisionLine],
        start: int,
        window_ms: int,
        first: int = 0,
        retired_to: int = -1,
    ) -> None:
        self.report = Report()
        self._index = index
        self._rows = rows
        self._row = next(rows, None)
        self._is_whole = start == 0
        self._window_ms = window_ms
        self._first = first
        self._retired_to = retired_to
        self._now_ms = 0
        self._began_ms: int | None = None
        self._held: deque[_Held | Forget] = deque()
        self._verdicts: dict[int, Verdict] = {}  # about held records
        self._recent: OrderedDict[int, _Again] = OrderedDict()

    def take(self, record: LogRecord) -> None:
        """The next record of the log.

        Raises Stop where a worker would: at a record that cannot be read, or that newer rules made.
        """
        self.report.records += 1
        try:
            if record.key == VERDICTS_KEY:
                for verdict in Verdicts.from_bytes(record.value).verdicts:
                    self._hear(verdict)
            elif record.key == FORGET_KEY:
                self._held.append(entry.read_forget(record.value, record.offset, record.ms))
            else:
                self._hold(record, Signature.from_bytes(record.value))
        except InvalidRecord as error:
            raise Stop(f"{topics.SIGNATURES} offset {record.offset} cannot be read: {error.detail}") from error
        self._decide_held(MOST_HELD)

    def end(self) -> Report:
        """No more records; gives what was found."""
        self._decide_held(0)
        self._pass_rows(None)
        return self.report

    def _hold(self, record: LogRecord, signature: Signature) -> None:
        self._now_ms = max(self._now_ms, record.ms)
        self._began_ms = self._now_ms if self._began_ms is None else self._began_ms
        is_near_start = not self._is_whole and self._now_ms - self._began_ms <= self._window_ms
        self._held.append(_Held(record, signature, is_near_start))

    def _hear(self, verdict: Verdict) -> None:
        if self._held and verdict.offset >= _offset(self._held[0]):
            self._verdicts[verdict.offset] = verdict
        else:
            self._agree(verdict)

    def _decide_held(self, most: int) -> None:
        """Decide what need not wait for its verdict any longer: of those that do wait, so many stay at most."""
        while self._held:
            held = self._held[0]
            if isinstance(held, Forget):
                self._index.forget(held)
                self._held.popleft()
                continue
            verdict = self._verdicts.pop(held.record.offset, None)
            if held.is_near_start and verdict is None and len(self._held) <= most:
                return
            self._held.popleft()
            self._decide(held, verdict)

    def _decide(self, held: _Held, verdict: Verdict | None) -> None:
        offset = held.record.offset
        taken = verdict if held.is_near_start else None
        outcome = self._index.apply(held.signature, offset, held.record.ms, taken)
        is_verifiable = not held.is_near_start or taken is not None
        self._remember(offset, _Again(outcome.decision, is_verifiable))
        if taken is not None:
            self.report.taken += 1
        else:
            self.report.recomputed += 1
        if verdict is not None and taken is None:
            self._agree(verdict)
        if outcome.replay:
            self.report.replays += 1
        elif offset >= self._first:
            self._compare(outcome.decision, held.is_near_start, is_verifiable)

    def _compare(self, decision: Decision, is_near_start: bool, is_verifiable: bool) -> None:
        self._pass_rows(decision.log_offset)
        row = self._row
        is_there = row is not None and row.log_offset == decision.log_offset
        if is_there:
            self._row = next(self._rows, None)
        if not is_verifiable or (is_near_start and not is_there):  # its row may be that of a record that is gone
            self.report.not_verifiable += 1
        elif (row is None or not is_there) and decision.log_offset <= self._retired_to:
            self.report.retired += 1
        elif row is None or not is_there:
            self.report.missing += 1
            if self.report.first_missing is None:
                self.report.first_missing = decision.log_offset
        elif found := list(compared(row, decision)):
            self._differ(found)
        else:
            self.report.equal += 1

    def _pass_rows(self, offset: int | None) -> None:
        """Rows before this offset (None: all) that no record of the log leads to."""
        while (row := self._row) is not None and (offset is None or row.log_offset < offset):
            self._differ([Difference(row.log_offset, "database", "delivery_id", row.delivery_id, None)])
            self._row = next(self._rows, None)

    def _agree(self, verdict: Verdict) -> None:
        again = self._recent.get(verdict.offset)
        if again is None or not again.is_verifiable or verdict.offset < self._first:
            self.report.verdicts_left_out += 1
        elif found := list(agreed(verdict, again.decision)):
            self.report.verdicts_different += 1
            self._show(found)
        else:
            self.report.verdicts_equal += 1

    def _differ(self, found: list[Difference]) -> None:
        self.report.different += 1
        self._show(found)

    def _show(self, found: list[Difference]) -> None:
        self.report.differences += found[: MOST_SHOWN - len(self.report.differences)]

    def _remember(self, offset: int, again: _Again) -> None:
        self._recent[offset] = again
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)


def compared(row: DecisionLine, decision: Decision) -> Iterator[Difference]:
    """Where a stored decision is not what the log says; what the database has the last word on is its own."""
    stored = asdict(row)
    log_kind = stored.pop("log_kind")
    expected = columns(decision)
    if log_kind is not None:
        if log_kind != decision.kind:
            yield Difference(decision.log_offset, "database", "log_kind", log_kind, decision.kind)
        stored = {name: value for name, value in stored.items() if name not in _BY_THE_STORE}
    for name, value in stored.items():
        if value != expected[name]:
            yield Difference(decision.log_offset, "database", name, value, expected[name])


def agreed(verdict: Verdict, decision: Decision) -> Iterator[Difference]:
    """Where a worker's verdict is not what the log says; it leaves out ids that the signature has."""
    names = [*_VERDICT_FIELDS, *(name for name in ("article_id", "version_id") if getattr(verdict, name) is not None)]
    for name in names:
        said, again = getattr(verdict, name), getattr(decision, name)
        if said != again:
            yield Difference(verdict.offset, "verdict", name, said, again)


def columns(d: Decision) -> dict[str, Any]:
    """A decision by the names of the columns it is stored in."""
    values = {name: getattr(d, name) for name in Decision.model_fields if name not in ("schema_version", "raw", "of")}
    raw = {"raw_topic_id": d.raw.topic_id, "raw_partition": d.raw.partition, "raw_offset": d.raw.offset}
    return {**values, "of_article": d.of, **raw}
