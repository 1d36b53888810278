"""Sources that are polled: `news sources list|add|import|check|disable|enable|poll-now`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops.commands.common import Csv, Json, load_settings, plain, quiet_logs, show, talk
from pipeline.errors import Exit, InvalidRecord, SettingError

if TYPE_CHECKING:
    from ops.source_check import Checked
    from pipeline.settings import Settings
    from producers.sources.declared import Source

app = typer.Typer(help="Feeds and sitemaps that are polled.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of a source.")]
#: So many refused lines of a list of feeds are shown.
MOST_SHOWN = 5


@app.command("list")
def list_(
    alarm: Annotated[bool, typer.Option("--alarm", help="Only those whose silence is an alarm.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """All sources: state, alarm, last and next poll, how much was known, what is wrong."""
    from ops import sources

    settings = load_settings()
    quiet_logs()
    found = [line for line in sources.listed(settings) if not alarm or (line.state and line.state.alarm)]
    if as_json or as_csv:
        show((line.as_json() for line in found), sources.FIELDS, as_json=as_json, as_csv=as_csv)
    else:
        show((line.as_row() for line in found), sources.COLUMNS, as_json=False, empty="no such source")


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="A feed, a sitemap, or a page that names its feed.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called; default: its site.")] = None,
    kind: Annotated[Literal["feed", "sitemap"], typer.Option("--kind", help="feed or sitemap.")] = "feed",
    language: Annotated[str | None, typer.Option("--language", help="Of its articles: en, nb, pt-BR.")] = None,
    full_text: Annotated[
        Literal["auto", "feed", "page"],
        typer.Option("--full-text", help="auto: the feed's text where it is whole, else the page; or always one."),
    ] = "auto",
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not ask it first.")] = False,
) -> None:
    """Add a source to feeds.toml; a running `news run producers` takes it up by itself."""
    from ops import sources
    from producers.sources import declared

    settings = load_settings()
    quiet_logs()
    there = declared.of(settings)
    source = _source(name or "", url, kind=kind, language=language, full_text=full_text)
    if not no_check:
        source = _working(source, settings)
    _refuse_double(source, there)
    named = name or sources.Names(s.name for s in there).new(source.url)
    source = _source(named, source.url, kind=kind, language=language, full_text=full_text)
    declared.append(settings.producers.feeds, [source])
    talk.print(f"{plain(source.url)} is in {settings.producers.feeds} as:", markup=False, highlight=False)
    print(source.name)  # noqa: T201  data


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE.opml", help="A list of feeds, as readers export it.")],
) -> None:
    """Add all feeds of an OPML file that are not there yet; they are not asked first."""
    from ops import sources
    from producers.formats import opml
    from producers.sources import declared

    settings = load_settings()
    quiet_logs()
    try:
        listed = opml.read(path.read_bytes())
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror or error}.") from None
    except InvalidRecord as error:
        raise SettingError(f"{path}: {error}") from None
    found = sources.imported(listed.feeds, declared.of(settings))
    if found.new:
        declared.append(settings.producers.feeds, found.new)
    for note in (*listed.notes, *found.refused[:MOST_SHOWN]):
        talk.print(f"left out: {plain(note)}", markup=False, highlight=False)
    if len(found.refused) > MOST_SHOWN:
        talk.print(f"left out: {len(found.refused) - MOST_SHOWN:,} more that are no web addresses", highlight=False)
    talk.print(
        f"{len(found.new):,} added to {settings.producers.feeds}, {found.doubles:,} are there already or twice in it, "
        f"{len(found.refused):,} are no web addresses",
        markup=False,
        highlight=False,
    )


@app.command()
def check(
    what: Annotated[str, typer.Argument(metavar="URL|NAME", help="An address, or the name of a declared source.")],
    kind: Annotated[
        Literal["feed", "sitemap"], typer.Option("--kind", help="Of an address: feed or sitemap.")
    ] = "feed",
    as_json: Json = False,
) -> None:
    """Ask a source now and feed nothing: what came, what would be made of it; 1 if it does not work, 69 if away."""
    from dataclasses import asdict

    from ops import source_check
    from producers.sources import declared

    settings = load_settings()
    quiet_logs()
    source = next((s for s in declared.of(settings) if s.name == what), None)
    if source is None and "://" not in what:
        raise SettingError(f"{what!r} is neither a web address nor a source: `news sources list` shows them.")
    found = source_check.check(source or _source("", what, kind=kind), settings)
    if as_json:
        show([asdict(found)], (), as_json=True)
    else:
        show(({"what": what, "found": line} for what, line in found.lines()), ("what", "found"), as_json=False)
    _exit_where_it_fails(found)


@app.command()
def disable(name: Name) -> None:
    """Poll a source no more, until it is enabled again."""
    _set_disabled(name, is_disabled=True)
    talk.print(f"{plain(name)} is polled no more", markup=False, highlight=False)


@app.command()
def enable(name: Name) -> None:
    """Poll a disabled source again, soon."""
    _set_disabled(name, is_disabled=False)
    talk.print(f"{plain(name)} is polled again", markup=False, highlight=False)


@app.command("poll-now")
def poll_now(
    name: Annotated[str | None, typer.Argument(help="The name of a source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All sources that are polled.")] = False,
) -> None:
    """Have a source polled as soon as its host allows it, by the process that polls; a gone one is tried again."""
    from producers.run import open_spool
    from producers.sources import declared
    from producers.sources.state import SourceStore

    if (name is None) != everything:
        raise SettingError("Name a source, or say --all.")
    settings = load_settings()
    quiet_logs()
    with open_spool(settings) as spool:
        store = SourceStore(spool)
        store.add(declared.of(settings))
        names = [wanted for wanted, _, _ in store.due()] if name is None else [name]
        store.request_poll(*names)
    talk.print(f"{len(names):,} to be polled", highlight=False)


def _set_disabled(name: str, *, is_disabled: bool) -> None:
    from producers.run import open_spool
    from producers.sources import declared
    from producers.sources.state import SourceStore

    settings = load_settings()
    quiet_logs()
    with open_spool(settings) as spool:
        store = SourceStore(spool)
        store.add(declared.of(settings))  # a name may be named before its first poll
        store.set_disabled(name, is_disabled)


def _source(
    name: str,
    url: str,
    *,
    kind: Literal["feed", "sitemap"],
    language: str | None = None,
    full_text: Literal["auto", "feed", "page"] = "auto",
) -> "Source":
    """Raises SettingError for what is no web address."""
    from producers.sources import declared

    try:
        declared.web_address(url)
    except ValueError as error:
        sentence = str(error)
        raise SettingError(f"{sentence[:1].upper()}{sentence[1:]}.") from None
    return declared.Source(name, url, kind, language=language, full_text=full_text)


def _refuse_double(source: "Source", there: "tuple[Source, ...]") -> None:
    other = next((s for s in there if s.key == source.key), None)
    if other is not None:
        raise SettingError(f"{source.url} is there already, as {other.name!r}.")


def _working(source: "Source", settings: "Settings") -> "Source":
    """The source as it is to be asked: where the address is a page, the feed that it names. Exits where none works."""
    from dataclasses import replace

    from ops import source_check

    found = source_check.check(source, settings)
    if found.failed is not None and found.feeds:
        first, *others = found.feeds
        talk.print(f"{plain(source.url)} is a page; its feed: {plain(first)}", markup=False, highlight=False)
        for other in others:
            talk.print(f"it names this one too: {plain(other)}", markup=False, highlight=False)
        source = replace(source, url=first)
        found = source_check.check(source, settings)
    if found.failed is not None:
        talk.print(f"not added: {plain(found.failed)} (--no-check adds it all the same)", markup=False, highlight=False)
        _exit_where_it_fails(found)
    if found.moved_to:
        talk.print(f"it has moved for good, to {plain(found.moved_to)}", markup=False, highlight=False)
        source = replace(source, url=found.moved_to)
    return source


def _exit_where_it_fails(found: "Checked") -> None:
    if found.failed is not None:
        raise typer.Exit(Exit.SERVICE_AWAY if found.is_away else Exit.FAILURE)
