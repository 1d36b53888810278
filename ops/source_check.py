"""A source is asked once, and nothing is fed: what came, what would be made of it, or why it does not work."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipeline import identity
from pipeline.errors import NewsError
from pipeline.settings import Settings
from producers.extraction import ExtractionPool
from producers.formats import decoding, feeds
from producers.formats.entries import Entry, Feed
from producers.net.fetch import PASSING, Fetcher, FetchFailed, Request, Response, Why
from producers.net.robots_of import Robots
from producers.sources import poll
from producers.sources.answers import Failed, Read, Tools, Unchanged
from producers.sources.declared import Source
from producers.sources.state import Standing, host_of


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of asking. `failed`: why it would not work; `feeds`: those that its page names instead."""

    url: str
    failed: str | None = None
    is_away: bool = False
    feeds: tuple[str, ...] = ()
    answered_by: str | None = None
    moved_to: str | None = None
    kind: str | None = None
    title: str | None = None
    content_type: str | None = None
    bytes: int = 0
    entries: int = 0
    full_texts: int = 0
    dated: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    languages: tuple[str, ...] = ()
    robots: str = ""
    conditional_get: str = ""
    articles: int = 0
    pages: int = 0
    dead_letters: int = 0
    left_out: int = 0
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[tuple[str, str]]:
        """For a table: what was looked at, and what was found."""
        yield "address", self.url
        if self.answered_by not in (None, self.url):
            yield "answered by", str(self.answered_by)
        if self.moved_to:
            yield "moved", f"for good: {self.moved_to} is asked from now on"
        if self.robots:
            yield "robots.txt", self.robots
        if self.failed is not None:
            yield "does not work", self.failed
            for feed in self.feeds:
                yield "its page names", feed
            return
        yield "what came", f"{self.kind}, {self.content_type or 'of no type'}, {self.bytes:,} bytes"
        if self.title:
            yield "title", self.title
        yield "entries", f"{self.entries:,}, of them {self.full_texts:,} with their whole text"
        dates = f", from {self.oldest:%Y-%m-%d %H:%M} to {self.newest:%Y-%m-%d %H:%M} UTC" if self.dated else ""
        yield "dates", f"{self.dated:,} of {self.entries:,}{dates}"
        yield "language", ", ".join(self.languages) or "not said"
        yield "asked again", self.conditional_get
        would = [f"{self.articles:,} articles fed as they are", f"{self.pages:,} pages fetched for their text"]
        would += [f"{self.dead_letters:,} dead letters"] if self.dead_letters else []
        would += [f"{self.left_out:,} older entries left out (max_entries)"] if self.left_out else []
        yield "a first poll", ", ".join(would)
        for note in self.notes:
            yield "note", note


def check(source: Source, settings: Settings) -> Checked:
    """Ask a source as a poll would, twice: the second time for what has changed since."""
    try:
        return _checked(source, settings)
    except NewsError:
        raise
    except Exception as error:  # of what a stranger said
        what = identity.printable(f"{type(error).__name__}: {error}")
        return Checked(source.url, failed=f"What came could not be handled ({what}); this is a bug.")


def _checked(source: Source, settings: Settings) -> Checked:
    heard = _Heard()
    with _Fetcher(settings, heard) as fetcher, _Pool(settings, heard) as pool:
        tools = Tools(fetcher, Robots(fetcher, settings.fetch), pool, settings.fetch)
        now = datetime.now(UTC)
        standing = Standing.of(source, now)
        answer = poll.ask(source, standing, tools)
        robots = _robots(source, settings, answer.found)
        if not isinstance(answer.found, Read):
            return _failed(source, answer.found, robots, tools, heard)
        read = answer.found
        outcome = poll.outcome(source, standing, answer, {}, now=now, chance=0.5)
        first = heard.responses[0]
        dates = sorted(at for entry in read.entries if (at := _date(entry)) is not None)
        languages = Counter(entry.language or read.language for entry in read.entries)
        return Checked(
            source.url,
            answered_by=first.url,
            moved_to=read.url if read.url != source.url else None,
            kind=_kind(source, heard.feed),
            title=heard.feed.title if heard.feed else None,
            content_type=first.content_type,
            bytes=len(first.body),
            entries=len(read.entries),
            full_texts=sum(entry.is_full for entry in read.entries),
            dated=len(dates),
            oldest=dates[0] if dates else None,
            newest=dates[-1] if dates else None,
            languages=tuple(language for language, _ in languages.most_common() if language),
            robots=robots,
            conditional_get=_asked_again(source, outcome.after, tools, answer.delay_seconds),
            articles=len(outcome.rows) - len(outcome.letters),
            pages=len(outcome.pages),
            dead_letters=len(outcome.letters),
            left_out=outcome.left_out,
            notes=read.notes,
        )


class _Heard:
    """What came on the way."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.feed: Feed | None = None


class _Fetcher(Fetcher):
    def __init__(self, settings: Settings, heard: _Heard) -> None:
        super().__init__(settings.fetch)
        self._heard = heard

    def get(self, request: Request) -> Response:
        response = super().get(request)
        if request.accept != "robots":
            self._heard.responses.append(response)
        return response


class _Pool(ExtractionPool):
    def __init__(self, settings: Settings, heard: _Heard) -> None:
        super().__init__(settings.extraction)
        self._heard = heard

    def feed(self, body: bytes, **given: Any) -> Feed:
        self._heard.feed = super().feed(body, **given)
        return self._heard.feed


def _kind(source: Source, feed: Feed | None) -> str:
    names = {"rss": "an RSS feed", "atom": "an Atom feed", "rdf": "an RDF feed", "json": "a JSON feed"}
    return names[feed.kind] if feed is not None else f"a {source.kind}"


def _date(entry: Entry) -> datetime | None:
    return entry.published_at or entry.updated_at


def _robots(source: Source, settings: Settings, found: Read | Unchanged | Failed) -> str:
    if not settings.fetch.robots:
        return "not asked for (NEWS_FETCH__ROBOTS)"
    if isinstance(found, Failed) and found.why is Why.ROBOTS:
        return "forbids it"
    return f"of {host_of(source.url)} allows it" if isinstance(found, Read) else ""


def _asked_again(source: Source, after: Standing, tools: Tools, delay_seconds: float) -> str:
    if not (after.etag or after.modified):
        return "gives all of it each time: neither ETag nor Last-Modified"
    tools.pause(delay_seconds)  # as its host wants it
    again = poll.ask(source, replace(after, read_at=datetime.now(UTC)), tools).found
    tags = " and ".join(n for n, tag in (("ETag", after.etag), ("Last-Modified", after.modified)) if tag)
    match again:
        case Unchanged():
            return f"says that nothing has changed ({tags})"
        case Read():
            return f"gives all of it each time, though it sends {tags}"
        case Failed(sentence=sentence):
            return f"fails: {sentence}"


def _failed(source: Source, found: Unchanged | Failed, robots: str, tools: Tools, heard: _Heard) -> Checked:
    if isinstance(found, Unchanged):
        return Checked(source.url, failed="It answers 304 (nothing has changed) to who never asked it.", robots=robots)
    named: tuple[str, ...] = ()
    if found.why is Why.WRONG_TYPE and source.kind == "feed":
        named = _named_feeds(source.url, tools)
    answered_by = heard.responses[0].url if heard.responses else None
    return Checked(
        source.url,
        failed=found.sentence,
        is_away=found.why in PASSING,
        feeds=named,
        answered_by=answered_by,
        robots=robots,
    )


def _named_feeds(url: str, tools: Tools) -> tuple[str, ...]:
    """The feeds that a page names in its head."""
    try:
        tools.pause(tools.settings.host_delay_seconds)
        response = tools.fetcher.get(Request(url, "page"))
    except FetchFailed:
        return ()
    return feeds.discover(decoding.decoded(response.body, response.charset).text, response.url)
