"""One poll of a source and one page of an entry, each in two steps: asking, which writes nothing, and what comes of it.

`ask` and `ask_page` wait for strangers, in any thread. `outcome` and `page_outcome` are functions of what they brought
and of what was known: the rows to spool, what is seen now, the pages to fetch, and where the source stands then.
Whoever keeps that in one transaction (sources/keeper.py) may be killed at any point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pipeline import dead_letters
from pipeline.errors import InvalidRecord, Reason
from producers import deliveries, web_articles
from producers.deliveries import Row
from producers.formats.entries import Entry
from producers.formats.page import Page
from producers.net import urls
from producers.net.fetch import PASSING, FetchFailed, Request, Why
from producers.net.urls import BadUrl
from producers.sources import cadence, intervals, sitemap_walk
from producers.sources.answers import Answer, Failed, PageAnswer, Read, Tools, Unchanged, request
from producers.sources.declared import Source
from producers.sources.intervals import Bounds
from producers.sources.state import FORGET_SEEN, SEEN_AGAIN, Seen, Standing, WaitingPage, host_of, stored_entry

PRUNE: Final = timedelta(days=1)
EPOCH: Final = datetime.fromtimestamp(0, UTC)
#: A page that cannot be had for now is tried again after so many seconds each, then given up.
PAGE_RETRY_SECONDS: Final = (300.0, 1800.0, 7200.0, 21600.0)
#: So many pages are queued by one poll at most (or as many as a first poll takes); the others come with the next.
#: Nor is a source polled that has so many waiting.
MOST_PAGES: Final = 1000


def ask(source: Source, standing: Standing, tools: Tools, since: datetime | None = None) -> Answer:
    """Ask a source what it has; of a sitemap what is dated `since`."""
    asked_at = tools.clock()
    delay = tools.settings.host_delay_seconds
    found: Read | Unchanged | Failed
    try:
        delay = _admitted(standing.url, tools)
        is_sitemap = source.kind == "sitemap"
        found = sitemap_walk.walk(standing, tools, delay, since) if is_sitemap else _ask_feed(standing, tools)
    except FetchFailed as error:
        found = Failed(error.why, error.sentence, error.retry_after_seconds, error.host)
    except InvalidRecord as error:
        found = Failed(Why.WRONG_TYPE, error.detail)
    return Answer(standing.url, asked_at, found, delay)


def ask_page(entry: Entry, tools: Tools) -> PageAnswer:
    """Ask for the page of an entry and take the article out of it."""
    asked_at = tools.clock()
    delay = tools.settings.host_delay_seconds
    url = entry.url or ""
    found: Page | InvalidRecord | Failed
    try:
        delay = _admitted(url, tools)
        response = tools.fetcher.get(Request(url, "page"))
        found = tools.pool.page(response.body, url=response.url, charset=response.charset, now=response.fetched_at)
    except FetchFailed as error:
        found = Failed(error.why, error.sentence, error.retry_after_seconds, error.host)
    except InvalidRecord as error:
        found = error
    return PageAnswer(asked_at, found, delay)


def _ask_feed(standing: Standing, tools: Tools) -> Read | Unchanged:
    response = tools.fetcher.get(request(standing, "feed", tools.clock()))
    if response.status == 304:
        return Unchanged(response.etag, response.modified, response.max_age_seconds)
    feed = tools.pool.feed(
        response.body,
        url=response.url,
        content_type=response.content_type,
        charset=response.charset,
        now=response.fetched_at,
    )
    return Read(
        feed.entries,
        response.moved_to or standing.url,
        response.etag,
        response.modified,
        feed.language,
        max(feed.ttl_seconds or 0.0, response.max_age_seconds or 0.0),
        feed.notes,
    )


def _admitted(url: str, tools: Tools) -> float:
    """How long the host is to be left alone after this. Raises FetchFailed where its robots.txt forbids the address."""
    try:
        urls.read(url)
    except BadUrl as error:
        raise FetchFailed(Why.BAD_URL, f"This address cannot be fetched: {error}.") from None
    rules = tools.robots.rules(url)
    if not rules.allows(url):
        if rules.reason is not None:  # it could not be had: that may be over soon, a rule stays
            raise FetchFailed(Why.UNREACHABLE, rules.reason)
        raise FetchFailed(Why.ROBOTS, f"The robots.txt of {host_of(url)} forbids {url}.")
    return max(tools.settings.host_delay_seconds, rules.crawl_delay_seconds or 0.0)


# What comes of it -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that one poll changes, and what there is to count and to say."""

    after: Standing
    rows: tuple[Row, ...] = ()
    seen: tuple[Entry, ...] = ()
    passed_over: tuple[Entry, ...] = ()
    """Seen, and never to be taken."""
    pages: tuple[Entry, ...] = ()
    forget_before: datetime | None = None
    new: int = 0
    changed: int = 0
    known: int = 0
    left_out: int = 0
    letters: tuple[Reason, ...] = ()
    gap: bool = False
    said: tuple[str, ...] = ()


def outcome(
    source: Source,
    standing: Standing,
    answer: Answer,
    seen: Mapping[str, Seen],
    *,
    now: datetime,
    chance: float,
    since: datetime | None = None,
    called: str | None = None,
) -> Outcome:
    """What a poll changes; `seen` has what was known of its entries, `chance` in [0, 1] spreads the next poll.

    Entries dated before `since` are left out. A first poll takes the `max_entries` newest. `called`: what the articles
    say that they are from, where that is not the source's name.
    """
    found = answer.found
    polled = replace(standing, polled_at=answer.asked_at, changed_at=now)
    if isinstance(found, Failed):
        return _after_failure(source, polled, found, now, chance)
    if isinstance(found, Unchanged):
        return _after_unchanged(source, polled, found, now, chance)
    return _after_read(source, polled, found, seen, now, chance, since, called or source.name)


def _after_failure(source: Source, polled: Standing, failed: Failed, now: datetime, chance: float) -> Outcome:
    failures = polled.failures + 1
    after = replace(polled, failures=failures, why=failed.why.value, reason=failed.sentence)
    if failed.why is Why.GONE:
        said = f"{source.name} is polled no more: {failed.sentence}"
        return Outcome(replace(after, gone=failed.sentence, next_poll_at=None), said=(said,))
    seconds = intervals.retry_seconds(polled.interval_seconds, failures, _bounds(source))
    seconds = intervals.jittered(seconds, chance, intervals.at_most_asked(failed.retry_after_seconds))
    said = f"{source.name} cannot be read: {failed.sentence}"
    return Outcome(replace(after, next_poll_at=now + timedelta(seconds=seconds)), said=(said,) if failures == 1 else ())


def _after_unchanged(source: Source, polled: Standing, found: Unchanged, now: datetime, chance: float) -> Outcome:
    interval = intervals.next_interval(
        polled.interval_seconds, "all", 1.0, _bounds(source, found.max_age_seconds or 0.0)
    )
    return Outcome(
        replace(
            polled,
            etag=found.etag or polled.etag,
            modified=found.modified or polled.modified,
            succeeded_at=polled.succeeded_at if polled.failures else polled.polled_at,
            interval_seconds=interval,
            next_poll_at=now + timedelta(seconds=intervals.jittered(interval, chance)),
            new_entries=0,
            known_share=1.0,
            cadence=cadence.unchanged(polled.cadence, polled_at=now),
        )
    )


def _after_read(
    source: Source,
    polled: Standing,
    read: Read,
    seen: Mapping[str, Seen],
    now: datetime,
    chance: float,
    since: datetime | None,
    called: str,
) -> Outcome:
    entries = tuple({entry.key: entry for entry in reversed(read.entries)}.values())[::-1]  # of doubles the first
    fresh = [entry for entry in entries if entry.key not in seen]
    others = [entry for entry in entries if entry.key in seen and not seen[entry.key].says(entry)]
    changed = [entry for entry in others if seen[entry.key].may_change(now)]
    still = [e for e in entries if e.key in seen and seen[e.key].says(e) and now - seen[e.key].seen_at > SEEN_AGAIN]
    is_first = polled.read_at is None
    wanted = _wanted(source, fresh, is_first, since)
    share = (len(entries) - len(fresh)) / len(entries) if entries else 1.0
    hangs = intervals.overlap(len(entries), len(entries) - len(fresh), is_first=is_first)
    interval = intervals.next_interval(polled.interval_seconds, hangs, share, _bounds(source, read.asked_seconds))
    by_page = [entry for entry in (*wanted, *changed) if _needs_page(source, entry)]
    later = {entry.key for entry in by_page[max(MOST_PAGES, source.max_entries) :]}  # as if they were not there yet
    taken = {entry.key for entry in wanted}
    # By its date an entry is left out for now only; by its place in a long list for good.
    passed_over = [entry for entry in fresh if entry.key not in taken] if since is None else []
    unmarked = later | {entry.key for entry in passed_over}
    newest = max((at for e in entries if (at := _said_at(e)) is not None and at <= now), default=None)
    is_pruned = polled.pruned_at is not None and now - polled.pruned_at < PRUNE
    after = replace(
        polled,
        url=read.url,
        gone=None,
        etag=None if later else read.etag,
        modified=None if later else read.modified,
        interval_seconds=interval,
        next_poll_at=now + timedelta(seconds=intervals.jittered(interval, chance)),
        succeeded_at=polled.polled_at,
        read_at=polled.read_at if (read.is_partial or later) and polled.read_at else polled.polled_at,
        newest_entry_at=newest or polled.newest_entry_at,
        entries=len(entries),
        new_entries=len(fresh),
        known_share=share,
        failures=0,
        why=None,
        reason=None,
        cadence=cadence.learnt(
            polled.cadence, polled_at=now, entries=len(entries), new=len(fresh), newest_entry_at=newest
        ),
        pruned_at=polled.pruned_at if is_pruned else now,
    )
    rows: list[Row] = []
    pages: list[Entry] = []
    letters: list[Reason] = []
    for entry in reversed([*changed, *wanted]):  # the oldest first: so their order is that of the news
        if entry.key in later:
            continue
        spoken = replace(entry, language=source.language or entry.language or read.language)
        if _needs_page(source, spoken):
            pages.append(spoken)
        else:
            made = _of_entry(spoken, called, polled.polled_at or now, polled.url)
            rows.append(made.row)
            letters.extend(made.letters)
    said = [f"{source.name}: {note}" for note in read.notes] if is_first else []
    said += [f"{source.name}: {note}" for note in read.cut]
    if later:
        said.append(f"{source.name}: {len(later):,} pages are left for the next polls.")
    left_out = len(fresh) - len(wanted)
    if left_out:
        said.append(f"{source.name}: of {len(fresh):,} entries the {len(wanted):,} newest are taken.")
    if read.url != polled.url:
        said.append(f"{source.name} has moved for good, from {polled.url} to {read.url}.")
    gap = hangs == "lost"
    if gap:
        said.append(f"{source.name}: none of its {len(entries):,} entries was known; some may have been missed before.")
    return Outcome(
        after,
        tuple(rows),
        tuple(entry for entry in (*fresh, *changed, *still) if entry.key not in unmarked),
        tuple(passed_over),
        tuple(pages),
        None if is_pruned else _forget_before(source, polled, now),
        new=sum(entry.key not in later for entry in fresh),
        changed=sum(entry.key not in later for entry in changed),
        known=len(entries) - len(fresh) - len(changed),
        left_out=left_out,
        letters=tuple(letters),
        gap=gap,
        said=tuple(said),
    )


def _wanted(source: Source, fresh: Sequence[Entry], is_first: bool, since: datetime | None) -> Sequence[Entry]:
    """The entries that are taken, newest first."""
    if since is not None:
        fresh = [entry for entry in fresh if (at := _said_at(entry)) is None or at >= since]
    dated = [(at, entry) for entry in fresh if (at := _said_at(entry)) is not None]
    if len(dated) == len(fresh) or source.kind == "sitemap":  # else the feed's own order is the better witness
        by_date = [entry for _, entry in sorted(dated, key=lambda pair: pair[0], reverse=True)]
        fresh = by_date + [entry for entry in fresh if _said_at(entry) is None]
    return fresh[: source.max_entries] if is_first else fresh


def _said_at(entry: Entry) -> datetime | None:
    return entry.published_at or entry.updated_at


def _forget_before(source: Source, polled: Standing, now: datetime) -> datetime:
    """What was seen last before this is forgotten: long ago, and not in the answer before this one either.

    Of sitemaps nothing: those that have not changed are not read, and what they list is there all the same.
    """
    if source.kind == "sitemap":
        return EPOCH
    last = polled.read_at or now
    return min(now - FORGET_SEEN, last - SEEN_AGAIN - timedelta(seconds=1))


def _bounds(source: Source, asked: float = 0.0) -> Bounds:
    return Bounds(source.min_interval_seconds, source.max_interval_seconds, asked)


def _needs_page(source: Source, entry: Entry) -> bool:
    if source.full_text == "feed" or entry.url is None or (source.full_text == "auto" and entry.is_full):
        return False
    return bool(host_of(entry.url))


@dataclass(frozen=True, slots=True)
class _Made:
    row: Row
    letters: tuple[Reason, ...] = ()


def _of_entry(entry: Entry, source: str, observed_at: datetime, origin: str, note: str | None = None) -> _Made:
    """The row of an entry's own text, or of its dead letter."""
    try:
        article = web_articles.from_entry(entry, source=source, feed_language=entry.language, observed_at=observed_at)
        if note is not None:
            article = article.model_copy(update={"notes": (*article.notes, note)})
        return _Made(deliveries.row_of_article(article, deliveries.value_of(article), "sources"))
    except InvalidRecord as error:
        return _dead(error, entry, origin)


def _dead(error: InvalidRecord, entry: Entry, origin: str) -> _Made:
    letter = dead_letters.of_source(error, entry.url or origin, stored_entry(entry))
    return _Made(deliveries.row_of_dead_letter(letter), (error.reason,))


# Pages ------------------------------------------------------------------------------------------------------------

PageEnd = Literal["article", "teaser", "dead-letter", "later"]


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What comes of a page: a row, and the page is done with; or another try `later`."""

    end: PageEnd
    rows: tuple[Row, ...] = ()
    letters: tuple[Reason, ...] = ()
    next_try_at: datetime | None = None
    failed: Failed | InvalidRecord | None = None


def page_outcome(
    page: WaitingPage,
    answer: PageAnswer,
    *,
    now: datetime,
    chance: float,
    retry_seconds: Sequence[float] = PAGE_RETRY_SECONDS,
    called: str | None = None,
) -> PageOutcome:
    """What comes of a page: its article; else another try; at last the feed's teaser, or a dead letter without one."""
    entry, source = page.entry, called or page.source
    found = answer.found if not isinstance(answer.found, Page) else _of_page(answer.found, entry, source, answer)
    if isinstance(found, Row):
        return PageOutcome("article", (found,))
    if isinstance(found, Failed) and found.why in PASSING and page.tries < len(retry_seconds):
        seconds = intervals.jittered(
            retry_seconds[page.tries], chance, intervals.at_most_asked(found.retry_after_seconds)
        )
        return PageOutcome("later", next_try_at=now + timedelta(seconds=seconds), failed=found)
    error = InvalidRecord(Reason.UNFETCHABLE, found.sentence) if isinstance(found, Failed) else found
    if entry.text:
        note = f"only the feed's teaser: {error.detail}"
        made = _of_entry(entry, source, answer.asked_at, source, note)
        if not made.letters:
            return PageOutcome("teaser", (made.row,), failed=found)
    made = _dead(error, entry, source)
    return PageOutcome("dead-letter", (made.row,), made.letters, failed=found)


def _of_page(page: Page, entry: Entry, source: str, answer: PageAnswer) -> Row | InvalidRecord:
    try:
        article = web_articles.from_page(page, source=source, observed_at=answer.asked_at, entry=entry)
        return deliveries.row_of_article(article, deliveries.value_of(article), "sources")
    except InvalidRecord as error:
        return error
