"""A site or a sitemap -> the pages that are listed there, from one sitemap to the next."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pipeline.errors import InvalidRecord
from producers.formats import sitemaps
from producers.formats.robots import Rules
from producers.formats.sitemaps import Item, Sitemap
from producers.net import urls
from producers.net.fetch import PASSING, FetchFailed, Request, Why
from producers.net.robots_of import Fetches

#: Indexes of indexes of indexes; the pages are listed below them.
MAX_DEPTH: Final = 3
MAX_FILES: Final = 500
MAX_PAGES: Final = 50_000
#: Where a sitemap is when robots.txt does not say it.
USUAL_PLACES: Final = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap-news.xml")

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is wrong with a sitemap, or was left out, in words."""

    url: str
    sentence: str
    is_cut: bool = False
    """There is more than is looked at."""


@dataclass(frozen=True, slots=True)
class _File:
    url: str
    depth: int


def starts(site_url: str, rules: Rules) -> tuple[str, ...]:
    """Where to look for the sitemaps of a site: where its robots.txt says, else where they usually are."""
    try:
        home = urls.read(site_url)
    except urls.BadUrl:
        return ()
    found = []
    for reference in rules.sitemaps or USUAL_PLACES:
        try:
            found.append(home.joined(reference).url)
        except urls.BadUrl:
            continue
    return tuple(dict.fromkeys(found))


def walk(
    fetcher: Fetches,
    start_urls: Sequence[str],
    *,
    since: datetime | None = None,
    max_depth: int = MAX_DEPTH,
    max_files: int = MAX_FILES,
    max_pages: int = MAX_PAGES,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[Item | Note]:
    """The pages that these sitemaps list, and those they lead to; newest files first, each page once.

    What is said to be older than `since` is left out: pages, and whole files. Each file is asked for when its turn
    comes, by `fetcher`, whose own manners hold, until it `is_over`. Raises FetchFailed or InvalidRecord where none of
    the sitemaps that it begins with can be read; one further down that cannot is a Note.
    """
    seen: set[str] = set()
    for url, found in _files(fetcher, start_urls, since, max_depth, max_files, is_over):
        if isinstance(found, Note):
            yield found
            continue
        for item in found.items:
            if _is_older(item, since) or item.url in seen:
                continue
            if len(seen) >= max_pages:
                yield Note(url, f"More than {max_pages:,} pages; the others were left out.", is_cut=True)
                return
            seen.add(item.url)
            yield item


def _files(
    fetcher: Fetches,
    start_urls: Sequence[str],
    since: datetime | None,
    max_depth: int,
    max_files: int,
    is_over: Callable[[], bool],
) -> Iterator[tuple[str, Sitemap | Note]]:
    """Sitemaps that list pages, and notes about all of them."""
    files = deque(_File(url, 0) for url in dict.fromkeys(start_urls))
    known = {file.url for file in files}
    failures: list[tuple[str, FetchFailed | InvalidRecord]] = []
    fetched = 0
    while files:
        if fetched >= max_files:
            sentence = f"More than {max_files} sitemaps; {len(files)} were not looked at."
            yield files[0].url, Note(files[0].url, sentence, is_cut=True)
            break
        if fetched and is_over():
            sentence = f"It takes too long; {len(files)} sitemaps were not looked at."
            yield files[0].url, Note(files[0].url, sentence, is_cut=True)
            break
        file = files.popleft()
        fetched += 1
        try:
            sitemap = _fetched(fetcher, file.url)
        except (FetchFailed, InvalidRecord) as failure:
            failures.append((file.url, failure))
            continue
        yield from ((file.url, Note(file.url, note)) for note in sitemap.notes)
        if sitemap.kind == "pages":
            yield file.url, sitemap
            continue
        further = [item.url for item in _newest_first(sitemap, since) if item.url not in known]
        if further and file.depth >= max_depth:
            yield file.url, Note(file.url, f"Sitemaps deeper than {max_depth} indexes are not looked at.")
            continue
        known.update(further)
        files.extend(_File(url, file.depth + 1) for url in further)
    if fetched and len(failures) == fetched:
        raise min((failure for _, failure in failures), key=_finality)
    for url, failed in failures:
        # Of the usual places, most are empty on any site.
        if not (isinstance(failed, FetchFailed) and failed.why is Why.NOT_FOUND and url in start_urls):
            yield url, Note(url, str(failed))


def _fetched(fetcher: Fetches, url: str) -> Sitemap:
    response = fetcher.get(Request(url, "sitemap"))
    return sitemaps.parse(response.body, url=response.url)


def _finality(failure: FetchFailed | InvalidRecord) -> int:
    """What may pass goes before what will not, and that before what ends the asking for good."""
    if isinstance(failure, FetchFailed) and failure.why in PASSING:
        return 0
    return 2 if isinstance(failure, FetchFailed) and failure.why is Why.GONE else 1


def _newest_first(sitemap: Sitemap, since: datetime | None) -> list[Item]:
    """Those that may list something new; a file without a date comes last.

    Of those without, or all with the same one, the newest stands at one end: they are taken from both in turn.
    """
    listed = [item for item in sitemap.items if not _is_older(item, since)]
    both_ends = (listed[place // 2] if place % 2 == 0 else listed[-1 - place // 2] for place in range(len(listed)))
    return sorted(
        both_ends,
        key=lambda item: item.modified_at or _LONG_AGO,
        reverse=True,
    )


def _is_older(item: Item, since: datetime | None) -> bool:
    said = item.modified_at or item.published_at
    return since is not None and said is not None and said < since
