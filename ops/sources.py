"""Sources for a person: all of them in a list, names for new ones, and what is wrong with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from ops import database, services
from pipeline.records import SourceState
from pipeline.settings import Settings
from producers.formats.opml import Subscription
from producers.run import open_spool
from producers.sources import cadence, declared
from producers.sources.declared import MAX_NAME, Source
from producers.sources.state import REMOVED, SourceStore
from sinks import queries

#: A source that fails is nothing to worry about until it has failed for so long.
FAILING: Final = timedelta(days=1)
#: So many sources with something wrong get a line each.
MOST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """A source as a list shows it; without a state it is declared and nobody has taken it up."""

    name: str
    url: str
    state: SourceState | None

    @property
    def is_new(self) -> bool:
        """Whether it was never asked."""
        return self.state is None or (self.state.polled_at is None and self.state.state == "ok")

    def as_json(self) -> dict[str, Any]:
        """Everything, for --json."""
        if self.state is None:
            return {"name": self.name, "url": self.url, "state": "new"}
        return self.state.model_dump(mode="json", exclude={"schema_version"}) | (
            {"state": "new"} if self.is_new else {}
        )

    def as_row(self) -> dict[str, Any]:
        """What fits into a table."""
        s = self.state
        if s is None or self.is_new:
            return {"name": self.name, "state": "new", "reason": "not polled yet: `news run producers` does it"}
        return {
            "name": s.name,
            "state": s.state,
            "alarm": s.alarm,
            "last poll": _minute(s.polled_at),
            "next poll": _minute(s.next_poll_at),
            "every": _duration(s.interval_seconds),
            "entries": s.entries,
            "known": None if s.known_share is None else f"{s.known_share:.0%}",
            "failures": s.failures or None,
            "reason": s.reason or (f"{cadence.WORDS[s.alarm]}, since {_minute(s.alarm_since)}" if s.alarm else None),
        }


COLUMNS: Final = ("name", "state", "alarm", "last poll", "next poll", "every", "entries", "known", "failures", "reason")
#: What --csv shows: all that --json does.
FIELDS: Final = tuple(name for name in SourceState.model_fields if name != "schema_version")


def listed(settings: Settings) -> list[Listed]:
    """All sources, by name: from where they are polled if that is here, else as PostgreSQL shows them."""
    sources = declared.of(settings)
    states = {state.name: state for state in local_states(settings)}
    if not states and not settings.producers.feeds.exists():
        with database.connect(services.database_url(settings)) as db:
            states = {state.name: state for state in queries.source_states(db)}
    new = [Listed(source.name, source.url, None) for source in sources if source.name not in states]
    return sorted([*new, *(Listed(s.name, s.url, s) for s in states.values())], key=lambda line: line.name)


def local_states(settings: Settings) -> list[SourceState]:
    """The sources that are polled from this data folder; it is left alone where none ever were."""
    if not (settings.data_dir / "spool" / "spool.sqlite").exists():
        return []
    with open_spool(settings) as spool:
        return SourceStore(spool).states()


class Names:
    """Names that nobody has yet."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def new(self, url: str, wish: str | None = None) -> str:
        """What is wished for, else the site, with its path where that is taken, else a number; then it is taken."""
        parts = urlsplit(url)
        site = (parts.hostname or url).removeprefix("www.")[: MAX_NAME - 8]
        wished = _printable(wish or "")[: MAX_NAME - 8].strip()
        candidates = (wished,) if wished else (site, _printable(site + parts.path.rstrip("/"))[:MAX_NAME].strip())
        name = next((candidate for candidate in candidates if candidate not in self._taken), None)
        base = wished or site
        number = self._numbers.get(base, 2)
        while name is None or name in self._taken:
            name = f"{base} {number}"
            number += 1
        self._numbers[base] = number
        self._taken.add(name)
        return name


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@dataclass(frozen=True, slots=True)
class Import:
    """What a list of feeds gives: the new ones, how many are polled already or twice in it, and what is no source."""

    new: tuple[Source, ...]
    doubles: int
    refused: tuple[str, ...]


def imported(given: Iterable[Subscription], there: Iterable[Source]) -> Import:
    """New sources of a list, each address once, each with a name of its own."""
    there = tuple(there)
    keys = {source.key for source in there}
    names = Names(source.name for source in there)
    new: list[Source] = []
    refused: list[str] = []
    doubles = 0
    for feed in given:
        try:
            address = declared.web_address(feed.url)
        except ValueError as error:
            refused.append(str(error))
            continue
        key = Source("", address).key
        if key in keys:
            doubles += 1
            continue
        keys.add(key)
        new.append(Source(names.new(address, feed.name), address))
    return Import(tuple(new), doubles, tuple(refused))


def problems(states: Iterable[SourceState], now: datetime | None = None) -> Iterator[tuple[str, str]]:
    """What a person should look at: name and sentence."""
    now = now or datetime.now(UTC)
    for state in states:
        if state.state == "gone" and state.reason != REMOVED:
            yield state.name, f"It is polled no more: {state.reason}"
        elif state.state == "failing" and (state.succeeded_at is None or now - state.succeeded_at > FAILING):
            since = f"since {_minute(state.succeeded_at)}" if state.succeeded_at else "ever since it is polled"
            yield state.name, f"It fails {since}: {state.reason}"
        elif state.alarm is not None and state.state != "disabled":
            yield state.name, f"{state.alarm}: {cadence.WORDS[state.alarm]}, since {_minute(state.alarm_since)}."


def shortened(problems: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The first few, each called by its source, and how many more there are."""
    listed = list(problems)
    yield from ((f"source {name}", sentence) for name, sentence in listed[:MOST_PROBLEMS])
    if len(listed) > MOST_PROBLEMS:
        yield "sources", f"{len(listed) - MOST_PROBLEMS:,} more have something wrong: see `news sources list`."


def _minute(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
