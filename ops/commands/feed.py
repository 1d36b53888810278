"""Feeding: `news feed …` through spool and Kafka, `news process` with neither."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops.commands.common import load_settings, plain, quiet_logs, safe_json, talk
from pipeline.errors import Exit, SettingError

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from producers.feed import FeedCount, Progress
    from producers.spool import Spool

app = typer.Typer(help="Feed articles: files, folders, archives, stdin, the web, another topic.", no_args_is_help=True)

Source = Annotated[str | None, typer.Option("--source", help="Name of the source, where the input names none.")]
Paths = Annotated[list[Path], typer.Argument(metavar="PATH…")]
Urls = Annotated[list[str], typer.Argument(metavar="URL…")]
Name = Annotated[str | None, typer.Option("--source", help="Name of the source; without it the site's domain.")]
Language = Annotated[
    str | None, typer.Option("--language", help="Language of what does not name its own, as en or pt-BR.")
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="OURS=THEIRS", help="What is called otherwise: title=headline,body=content.text"),
]
Changed = Annotated[bool, typer.Option("--changed", help="Leave out what was fed before and has not changed.")]


@app.command("file")
def file(paths: Paths, source: Source = None) -> None:
    """Feed files of articles, each by what its name ends in: text, JSON lines, CSV, pages."""
    _feed(paths, "file", source)


@app.command("dir")
def folder(
    paths: Paths,
    source: Source = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Watch the folder and feed what comes, until Ctrl-C.")
    ] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Leave out what was fed before and has not changed.")
    ] = False,
) -> None:
    """Feed a folder with everything below it, in sorted order."""
    if follow:
        from ops import stages

        stages.run("producers", load_settings(), paths, polls=False)
        return
    _feed(paths, "dir", source, only_changed=changed)


@app.command("jsonl")
def jsonl(paths: Paths, source: Source = None, names: Map = None, changed: Changed = False) -> None:
    """Feed files of JSON lines, whatever their names end in, packed by gzip or zstd or not."""
    _feed(paths, "jsonl", source, names, only_changed=changed)


@app.command("csv")
def csv(paths: Paths, source: Source = None, names: Map = None, changed: Changed = False) -> None:
    """Feed CSV or TSV files with a header, packed or not: each row is an article."""
    _feed(paths, "csv", source, names, only_changed=changed)


@app.command("stdin")
def stdin(source: Source = None, names: Map = None) -> None:
    """Feed JSON lines from standard input; what has come is sent as soon as it pauses."""
    _feed([], "stdin", source, names)


@app.command("warc")
def warc(
    paths: Paths,
    source: Name = None,
    language: Language = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many articles of each file.")] = None,
    changed: Changed = False,
) -> None:
    """Feed the pages in WARC files, packed or not; one that was interrupted goes on where it was."""

    def work(at: _Work) -> tuple["FeedCount", int]:
        from producers import archives

        count = archives.feed_warc(
            paths,
            at.spool,
            at.settings,
            source=source,
            language=language,
            only_changed=changed,
            limit=limit,
            progress=at.say,
            stop=at.stop,
        )
        return _counted(count)

    _run(work)


@app.command("topic")
def topic(
    name: Annotated[str, typer.Argument(metavar="TOPIC")],
    servers: Annotated[
        str | None, typer.Option("--bootstrap", metavar="HOST:PORT", help="Its cluster; without it the pipeline's own.")
    ] = None,
    names: Map = None,
    source: Annotated[str | None, typer.Option("--source", help="Name of the source; without it the topic's.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Who reads it, each with a place of its own: news.feed.TOPIC.")
    ] = None,
    begin: Annotated[
        Literal["earliest", "latest"], typer.Option("--from", help="Where a group begins that has not read it yet.")
    ] = "earliest",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = False,
) -> None:
    """Feed another Kafka topic, whose values are JSON objects, from where it was left to its end."""

    from producers.formats import naming

    mapping = naming.parse(names or ())

    def work(at: _Work) -> tuple["FeedCount", int]:
        from pipeline import topics
        from producers import topic as kafka_topic
        from producers.extraction import ExtractionPool

        own = {declared.name for declared in topics.of(at.settings)}
        if name in own and servers in (None, at.bootstrap):
            raise SettingError(f"{name} is a topic of this pipeline: feeding it to itself would not end.")
        given = kafka_topic.TopicSource(
            bootstrap_servers=servers or at.bootstrap,
            topic=name,
            group=group or f"news.feed.{name}",
            source=kafka_topic.check_source(source or name),
            names=mapping,
            begin=begin,
        )
        with ExtractionPool(at.settings.extraction) as pool:
            count = kafka_topic.feed_topic(
                given,
                at.spool,
                follow=follow,
                timeout_seconds=at.settings.kafka.start_timeout_seconds,
                extract=pool.page,
                progress=at.say,
                stop=at.stop,
            )
        return _counted(count)

    _run(work)


def _feed(
    paths: list[Path],
    kind: Literal["file", "dir", "jsonl", "csv", "stdin"],
    source: str | None,
    names: list[str] | None = None,
    *,
    only_changed: bool = False,
) -> None:
    from producers.formats import naming

    mapping = naming.parse(names or ())

    def work(at: _Work) -> tuple["FeedCount", int]:
        from producers import feed
        from producers.extraction import ExtractionPool

        with ExtractionPool(at.settings.extraction) as pool:
            count = feed.feed_once(
                paths,
                kind,
                source,
                at.spool,
                only_changed,
                at.say,
                stop=at.stop,
                stdin=sys.stdin.buffer if kind == "stdin" else None,
                names=mapping,
                extract=pool.page,
            )
        return _counted(count)

    _run(work)


@dataclass(frozen=True, slots=True)
class _Work:
    """What feeding takes."""

    settings: "Settings"
    bootstrap: str
    spool: "Spool"
    say: "Progress"
    stop: Event


def _run(work: "Callable[[_Work], tuple[FeedCount, int]]") -> None:
    """Put it on disk first, then into Kafka; `work` gives what came and the exit code."""
    from ops import stages
    from producers import run, sender

    settings = load_settings()
    quiet_logs()
    bootstrap = _bootstrap(settings)

    def say(_: object, sentence: str | None) -> None:
        if sentence:
            talk.print(plain(sentence), markup=False, highlight=False)

    with stages.on_signal() as stop, run.open_spool(settings) as spool:
        with run.sending(spool, bootstrap):  # what stdin brings goes on while more is awaited
            count, exit_code = work(_Work(settings, bootstrap, spool, say, stop))
            sender.wait_until_sent(spool, spool.held().last_seq, stop, settings.kafka.start_timeout_seconds)
        talk.print(
            f"{count.accepted} accepted, {count.dead_lettered} dead letters, {count.left_out} left out"
            + ("; interrupted" if stop.is_set() else ""),
            highlight=False,
        )
        if stop.is_set():
            raise typer.Exit(Exit.INTERRUPTED)
    if exit_code:
        raise typer.Exit(exit_code)


def _counted(count: "FeedCount") -> tuple["FeedCount", int]:
    """What came, with 3 where some of it became dead letters."""
    return count, Exit.SOME_DEAD_LETTERED if count.dead_lettered else Exit.OK


@app.command("rss")
def rss(
    urls: Urls,
    source: Name = None,
    follow: Annotated[bool, typer.Option("--follow", help="Poll, politely, until Ctrl-C.")] = False,
    changed: Changed = False,
) -> None:
    """Feed what RSS, Atom or JSON feeds have now; where an entry is only a teaser, its page is fetched."""
    _feed_web(urls, "rss", source, follow=follow, only_changed=changed)


@app.command("sitemap")
def sitemap(
    urls: Urls,
    source: Name = None,
    since: Annotated[
        datetime | None, typer.Option("--since", help="Leave out pages that are dated before.", formats=["%Y-%m-%d"])
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="The newest pages of each address.")] = None,
    changed: Changed = False,
) -> None:
    """Feed the pages that sitemaps name; of a site's own address those of the sitemaps in its robots.txt."""
    since = since.replace(tzinfo=UTC) if since is not None else None
    _feed_web(urls, "sitemap", source, since=since, limit=limit, only_changed=changed)


@app.command("url")
def url(urls: Urls, source: Name = None) -> None:
    """Feed web pages: the article of each."""
    _feed_web(urls, "url", source)


def _feed_web(
    urls: list[str],
    kind: Literal["rss", "sitemap", "url"],
    source: str | None,
    *,
    follow: bool = False,
    only_changed: bool = False,
    since: datetime | None = None,
    limit: int | None = None,
) -> None:
    """The same from the web; 69 when a site was away, 1 when an address could not be had, 3 with dead letters."""

    def work(at: _Work) -> tuple["FeedCount", int]:
        from producers import web_feed
        from producers.extraction import ExtractionPool

        with ExtractionPool(at.settings.extraction) as pool, web_feed.tools(at.settings, pool) as asking:
            fed = web_feed.feed_web(
                urls,
                kind,
                source,
                at.spool,
                asking,
                at.settings.producers.fetch_threads,
                follow=follow,
                only_changed=only_changed,
                since=since,
                limit=limit,
                progress=at.say,
                stop=at.stop,
            )
        for address, sentence in (*fed.away, *fed.refused):
            at.say(fed.count, f"{address}: {sentence}")
        return fed.count, fed.exit_code

    _run(work)


def _bootstrap(settings: "Settings") -> str:
    from ops import services

    return services.bootstrap_servers(settings)


def process(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH…|-]", help="Files, folders, or - for stdin.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="clean, deduplicate or enrich: that step alone.")] = None,
    source: Source = None,
) -> None:
    """Clean, decide and enrich articles with no Kafka and no PostgreSQL: NDJSON, one line for each input, in order."""
    from ops import offline
    from producers.extraction import ExtractionPool

    step = offline.STEPS.get(only) if only is not None else None
    if only is not None and step is None:
        raise SettingError(f"--only is {', '.join(offline.STEPS)}, not {only!r}.")
    settings = load_settings()
    quiet_logs()
    dead = 0
    with ExtractionPool(settings.extraction) as pool:
        for line in offline.process(offline.inputs(paths or [Path("-")], source, pool.page), step, settings):
            dead += line.status == "dead-letter"
            sys.stdout.write(safe_json(line.model_dump_json()) + "\n")
            sys.stdout.flush()
    if dead:
        talk.print(f"{dead} dead letters", highlight=False)
        raise typer.Exit(Exit.SOME_DEAD_LETTERED)
