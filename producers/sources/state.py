"""What is known of each polled source, in the database of the spool: where it stands, what was seen, pages to fetch.

All that one poll changes is one transaction: its articles, the marks of what was seen, the pages to fetch, the source's
own state and the record that tells readers of it. So is all that one page changes. A kill at any point then loses
nothing and gives nothing a second delivery id: what was not kept is asked for again.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Final, Self

from pydantic import TypeAdapter

from pipeline import crash, events, identity, records, topics
from pipeline.errors import SettingError
from pipeline.records import SourceKind, SourceState
from producers.deliveries import Row
from producers.formats.entries import Entry
from producers.net import urls
from producers.net.urls import BadUrl
from producers.sources import cadence
from producers.sources.cadence import Cadence
from producers.sources.declared import Source
from producers.spool import Spool

EVENT_SOURCE: Final = "/producers/sources"
#: An entry is forgotten when it has not been in its feed for so long …
FORGET_SEEN: Final = timedelta(days=60)
#: … and of one source so many are remembered at most: twice what a sitemap may have.
MAX_SEEN: Final = 100_000
#: That an entry is still in its feed is written down so often: a poll that finds nothing new writes little.
SEEN_AGAIN: Final = timedelta(days=1)
#: An entry that says something else again and again (a count of comments, a token) is taken so often at once, and then
#: after a pause that doubles: each time costs a fetch of its page.
FREE_CHANGES: Final = 5
CHANGE_PAUSE: Final = timedelta(minutes=10)
LONGEST_CHANGE_PAUSE: Final = timedelta(hours=12)
#: In the place of a digest: an entry that the first poll left out. Whatever it says later is no change of anything.
LEFT_OUT: Final = b""
#: A source that has left feeds.toml is remembered for so long, should it come back.
FORGET_REMOVED: Final = timedelta(days=60)

BY_COMMAND: Final = "It was disabled by `news sources disable`."
IN_FILE: Final = "It is not enabled in feeds.toml."
REMOVED: Final = "It is no longer in feeds.toml."

_ENTRY: Final = TypeAdapter(Entry)
_CADENCE: Final = TypeAdapter(Cadence)
_NO_CADENCE: Final = Cadence()


@cache
def _sql(name: str) -> str:
    return (resources.files("producers") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one source stands, between two polls."""

    name: str
    kind: SourceKind
    declared_url: str
    url: str
    changed_at: datetime
    disabled: str | None = None
    gone: str | None = None
    etag: str | None = None
    modified: str | None = None
    interval_seconds: float | None = None
    next_poll_at: datetime | None = None
    poll_requested_at: datetime | None = None
    polled_at: datetime | None = None
    succeeded_at: datetime | None = None
    read_at: datetime | None = None
    newest_entry_at: datetime | None = None
    entries: int = 0
    new_entries: int = 0
    known_share: float | None = None
    failures: int = 0
    why: str | None = None
    reason: str | None = None
    cadence: Cadence = _NO_CADENCE
    pruned_at: datetime | None = None

    @classmethod
    def of(cls, source: Source, now: datetime) -> Self:
        """Of a source that was never polled."""
        return cls(source.name, source.kind, source.url, source.url, now, disabled=None if source.enabled else IN_FILE)

    @property
    def is_polled(self) -> bool:
        """Whether it is polled at all."""
        return self.disabled is None and (self.gone is None or self.poll_requested_at is not None)

    def state(self, now: datetime) -> SourceState:
        """What readers are told of it."""
        alarm = cadence.alarm(self.cadence, now) if self.disabled is None and self.gone is None else None
        return SourceState(
            name=self.name,
            kind=self.kind,
            url=self.url,
            declared_url=self.declared_url,
            state="disabled" if self.disabled else "gone" if self.gone else "failing" if self.failures else "ok",
            reason=(self.disabled or self.gone or self.reason or "")[:2000] or None,
            why=self.why,
            changed_at=self.changed_at,
            polled_at=self.polled_at,
            succeeded_at=self.succeeded_at,
            next_poll_at=self.next_poll_at if self.is_polled else None,
            interval_seconds=self.interval_seconds,
            failures=min(self.failures, records.MAX_COUNT),
            entries=self.entries,
            new_entries=self.new_entries,
            known_share=self.known_share,
            newest_entry_at=self.newest_entry_at,
            expected_gap_seconds=cadence.expected_gap_seconds(self.cadence),
            alarm=alarm[0] if alarm else None,
            alarm_since=alarm[1] if alarm else None,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What an entry said when it was taken, as a hash, and when it was last known to stand in its feed."""

    digest: bytes
    seen_at: datetime
    taken_at: datetime
    changes: int = 0

    @classmethod
    def of(cls, entry: Entry, at: datetime) -> Self:
        """Of an entry that was taken then."""
        return cls(_short(entry.digest), at, at)

    def says(self, entry: Entry) -> bool:
        """Whether the entry says the same still, or was left out and stays so."""
        return self.digest in (LEFT_OUT, _short(entry.digest))

    def may_change(self, now: datetime) -> bool:
        """Whether another text of it is taken already: some feeds say something else at every poll."""
        pause = min(CHANGE_PAUSE * 2 ** min(self.changes - FREE_CHANGES, 16), LONGEST_CHANGE_PAUSE)
        return self.changes < FREE_CHANGES or now - self.taken_at >= pause


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """An entry whose page is to be fetched."""

    id: int
    source: str
    entry: Entry
    tries: int
    next_try_at: datetime
    stored: str


class SourceStore:
    """The sources in one spool; each thread has its own, on a spool of its own.

    An ephemeral one keeps nothing but articles: it begins empty, nobody else sees it, and it is gone when closed. One
    that `remembers` keeps what was seen too, of an entry that needs its page with what came of that.
    """

    def __init__(self, spool: Spool, *, is_ephemeral: bool = False, remembers: bool = False) -> None:
        self._spool = spool
        self._is_ephemeral = is_ephemeral
        self._remembers = remembers
        if is_ephemeral:  # tables of this connection, which go before those of the same name
            for statement in _sql("sources_schema").replace("IF NOT EXISTS ", "IF NOT EXISTS temp.").split(";\n"):
                if not (remembers and "temp.seen_entries" in statement):
                    spool.select(statement, {})

    # What there is.

    def get(self, name: str) -> Standing | None:
        """Where one source stands; None where nobody knows it."""
        found = self._spool.select(_sql("read_source"), {"name": name})
        return _standing(found[0]) if found else None

    def all(self) -> list[Standing]:
        """Where every source stands, by name."""
        return [_standing(row) for row in self._spool.select(_sql("read_sources"), {})]

    def states(self, now: datetime | None = None) -> list[SourceState]:
        """What readers are told of every source, by name; silence as it is `now`."""
        now = now or datetime.now(UTC)
        return [standing.state(now) for standing in self.all()]

    def due(self) -> list[tuple[str, datetime | None, bool]]:
        """Each source that is polled: when (None: never was), and whether somebody wants it now."""
        return [(name, _time(at), bool(wanted)) for name, at, wanted in self._spool.select(_sql("read_due"), {})]

    def requested(self) -> list[str]:
        """The sources that somebody wants polled now."""
        return [name for (name,) in self._spool.select(_sql("read_requested"), {})]

    # What people do with it.

    def add(self, sources: Iterable[Source]) -> None:
        """Have those known that nobody knows yet; all else about feeds.toml is up to the process that polls."""
        now = datetime.now(UTC)
        known = {standing.name for standing in self.all()}
        new = [Standing.of(source, now) for source in sources if source.name not in known]
        if new:
            self._write(new, lambda connection: self._declare(connection, new), now)

    def take_up(self, sources: Iterable[Source], now: datetime | None = None) -> None:
        """Bring what is known in line with feeds.toml: new sources, moved ones, those that are no longer there.

        For the process that polls: nobody else writes what a poll does.
        """
        now = now or datetime.now(UTC)
        known = {standing.name: standing for standing in self.all()}
        new: list[Standing] = []
        changed: list[tuple[Standing, Standing]] = []
        for source in sources:
            standing = known.pop(source.name, None)
            if standing is None:
                new.append(Standing.of(source, now))
                continue
            after = _as_declared(standing, source)
            if after != standing:
                changed.append((standing, replace(after, changed_at=now)))
        forgotten: list[str] = []
        for removed in known.values():
            if removed.gone != REMOVED:
                changed.append((removed, replace(removed, gone=REMOVED, poll_requested_at=None, changed_at=now)))
            elif now - removed.changed_at > FORGET_REMOVED:
                forgotten.append(removed.name)
        if not (new or changed or forgotten):
            return

        def write(connection: sqlite3.Connection) -> None:
            self._declare(connection, new)
            for before, after in changed:
                granted = before.poll_requested_at if after.gone == REMOVED else None
                connection.execute(_sql("write_source"), _values(replace(after, poll_requested_at=granted)))
                if after.disabled != before.disabled:  # else a person may have said otherwise meanwhile
                    connection.execute(_sql("disable_source"), _values(after))
            for name in forgotten:
                connection.execute(_sql("forget_source"), {"name": name})
                connection.execute(_sql("forget_seen"), {"source": name})

        self._write([*new, *(after for _, after in changed)], write, now)

    def request_poll(self, *names: str) -> None:
        """Have sources polled as soon as their hosts allow it, by the process that polls."""
        now = datetime.now(UTC).timestamp()
        values = [{"name": self._required(name).name, "now": now} for name in names]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_sql("request_poll"), values)

        self._spool.append([], also=write)

    def set_disabled(self, name: str, is_disabled: bool) -> None:
        """Poll a source no more, or again (then soon); its pages wait as long."""
        now = datetime.now(UTC)
        standing = self._required(name)
        if not is_disabled and standing.disabled == IN_FILE:
            raise SettingError(f"{name} is not enabled in feeds.toml: change it there.")
        after = replace(
            standing,
            disabled=BY_COMMAND if is_disabled else None,
            poll_requested_at=None if is_disabled else now,
            changed_at=now,
        )

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_sql("disable_source"), _values(after))
            if not is_disabled:
                connection.execute(_sql("request_poll"), {"name": name, "now": now.timestamp()})

        self._write([after], write, now)

    # What a poll does with it.

    def seen(self, source: str, entries: Iterable[Entry]) -> dict[str, Seen]:
        """What was seen of these entries before, by their keys."""
        found: dict[str, Seen] = {}
        query = _sql("read_seen")
        for entry in entries:
            for digest, seen_at, taken_at, changes in self._spool.select(
                query, {"source": source, "key": _short(entry.key)}
            ):
                found[entry.key] = Seen(
                    digest, datetime.fromtimestamp(seen_at, UTC), datetime.fromtimestamp(taken_at, UTC), changes
                )
        return found

    def keep_poll(
        self,
        after: Standing,
        *,
        now: datetime,
        rows: Sequence[Row] = (),
        seen: Sequence[Entry] = (),
        left_out: Sequence[Entry] = (),
        pages: Sequence[Entry] = (),
        forget_before: datetime | None = None,
        stop: threading.Event | None = None,
    ) -> bool:
        """Keep all that came of one poll; False, with nothing kept, if `stop` was set before there was room.

        The wish that `after` has is the one that is granted; another one stays. `left_out`: seen, and never to be
        taken. `forget_before`: what was last seen before goes, but for what is in `seen`.
        """

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_sql("write_source"), _values(after))
            later = {entry.key for entry in pages} if self._remembers else ()
            marks = [_mark(after.name, entry, now) for entry in seen if entry.key not in later]
            marks += [{**_mark(after.name, entry, now), "digest": LEFT_OUT} for entry in left_out]
            connection.executemany(_sql("write_seen"), marks)
            self._queue(connection, after.name, pages, now)
            if forget_before is not None:
                values = {"source": after.name, "before": forget_before.timestamp(), "most": MAX_SEEN}
                connection.execute(_sql("prune_seen"), values)
            crash.at("sources.in_transaction")

        return self._spool.append([*rows, *self._told(after, now)], stop=stop, also=write)

    # Pages to fetch.

    def queue_pages(self, source: str, entries: Sequence[Entry], now: datetime) -> None:
        """Have the pages of these entries fetched, whatever was seen."""
        self._spool.append([], also=lambda connection: self._queue(connection, source, entries, now))

    def hosts_of_pages(self) -> list[str]:
        """The hosts that have pages to fetch."""
        return [host for (host,) in self._spool.select(_sql("read_page_hosts"), {})]

    def next_page(self, host: str) -> WaitingPage | None:
        """The page of this host that is to be tried next, now or later."""
        for number, source, stored, tries, next_try_at in self._spool.select(_sql("read_page"), {"host": host}):
            entry = _ENTRY.validate_json(stored)
            return WaitingPage(number, source, entry, tries, datetime.fromtimestamp(next_try_at, UTC), stored)
        return None

    def pages_waiting(self) -> int:
        """How many pages are to be fetched."""
        return int(self._spool.select(_sql("count_pages"), {})[0][0])

    def has_pages(self, source: str, least: int) -> bool:
        """Whether a source has so many pages to fetch, or more."""
        (found,) = self._spool.select(_sql("count_pages_of"), {"source": source, "most": least})
        return bool(found[0] >= least)

    def keep_page(self, page: WaitingPage, rows: Sequence[Row], stop: threading.Event | None = None) -> bool:
        """Keep what came of a page, which is done with; False, with nothing kept, if `stop` was set before."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_sql("delete_page"), _place(page))
            if self._remembers:
                connection.execute(_sql("write_seen"), _mark(page.source, page.entry, datetime.now(UTC)))
            crash.at("sources.in_transaction")

        return self._spool.append(rows, stop=stop, also=write)

    def put_off_page(self, page: WaitingPage, next_try_at: datetime) -> None:
        """Try a page again later."""
        values = {**_place(page), "next_try_at": next_try_at.timestamp()}

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_sql("put_off_page"), values)

        self._spool.append([], also=write)

    def _queue(self, connection: sqlite3.Connection, source: str, entries: Sequence[Entry], now: datetime) -> None:
        connection.executemany(
            _sql("queue_page"),
            [
                {
                    "source": source,
                    "key": _short(entry.key),
                    "host": host_of(entry.url or ""),
                    "entry": _ENTRY.dump_json(entry).decode(),
                    "next_try_at": now.timestamp(),
                }
                for entry in entries
            ],
        )

    def _declare(self, connection: sqlite3.Connection, new: Sequence[Standing]) -> None:
        connection.executemany(_sql("declare_source"), [_values(standing) for standing in new])

    def _write(self, standings: Sequence[Standing], write: Callable[[sqlite3.Connection], None], now: datetime) -> None:
        """Write what is not of a poll, and tell readers of it; it is little, and waits for no room."""
        rows = [row for standing in standings for row in self._told(standing, now)]
        self._spool.append(rows, also=write, must_fit=False)

    def _told(self, standing: Standing, now: datetime) -> list[Row]:
        """The record that tells readers of a source."""
        if self._is_ephemeral:
            return []
        record_id = identity.new_delivery_id()
        headers = events.headers(record_id, topics.SOURCES, EVENT_SOURCE)
        value = standing.state(now).to_bytes()
        return [Row(topics.SOURCES, standing.name.encode(), value, headers, record_id)]

    def _required(self, name: str) -> Standing:
        standing = self.get(name)
        if standing is None:
            raise SettingError(f"There is no source {name!r}: `news sources list` shows them.")
        return standing


def host_of(url: str) -> str:
    """The host whose patience an address takes, read as it is when it is asked; empty where it has none."""
    try:
        return urls.read(url).host
    except BadUrl:
        return ""


def stored_entry(entry: Entry) -> bytes:
    """An entry as JSON, as it is kept."""
    return _ENTRY.dump_json(entry)


def _as_declared(standing: Standing, source: Source) -> Standing:
    """What feeds.toml says by now; a new address begins anew, what was seen stays seen."""
    if standing.declared_url != source.url or standing.kind != source.kind:
        standing = replace(
            standing,
            kind=source.kind,
            declared_url=source.url,
            url=source.url,
            etag=None,
            modified=None,
            gone=None,
            failures=0,
            why=None,
            reason=None,
            next_poll_at=None,
        )
    if standing.gone == REMOVED:
        standing = replace(standing, gone=None, next_poll_at=None)
    if not source.enabled:
        return replace(standing, disabled=standing.disabled or IN_FILE)
    return replace(standing, disabled=None) if standing.disabled == IN_FILE else standing


def _short(text: str) -> bytes:
    return hashlib.blake2b(identity.printable(text).encode(), digest_size=16).digest()


def _mark(source: str, entry: Entry, now: datetime) -> dict[str, object]:
    """That an entry is seen now."""
    return {"source": source, "key": _short(entry.key), "digest": _short(entry.digest), "seen_at": now.timestamp()}


def _place(page: WaitingPage) -> dict[str, object]:
    return {"id": page.id, "entry": page.stored}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _values(standing: Standing) -> dict[str, object]:
    values: dict[str, object] = {
        name: value.timestamp() if isinstance(value := getattr(standing, name), datetime) else value
        for name in Standing.__dataclass_fields__
    }
    values["cadence"] = _CADENCE.dump_json(standing.cadence).decode()
    return values


_COLUMNS: Final = (
    "name", "kind", "declared_url", "url", "disabled", "gone", "etag", "modified", "interval_seconds", "next_poll_at",
    "poll_requested_at", "polled_at", "succeeded_at", "read_at", "newest_entry_at", "entries", "new_entries",
    "known_share", "failures", "why", "reason", "cadence", "pruned_at", "changed_at",
)  # fmt: skip


def _standing(row: Sequence[object]) -> Standing:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name, value in values.items():
        if name.endswith("_at"):
            values[name] = _time(value)  # type: ignore[arg-type]
    found = values["cadence"]
    values["cadence"] = _CADENCE.validate_json(found) if isinstance(found, str) else Cadence()
    return Standing(**values)  # type: ignore[arg-type]
