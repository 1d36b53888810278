"""Reading what is stored: articles in a list, one of them whole, the names, two versions side by side."""

import sys
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn
from uuid import UUID

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ops.commands.common import Csv, Json, load_settings, plain, show, talk
from pipeline.errors import Exit, SettingError

if TYPE_CHECKING:
    from ops.database import Connection
    from ops.difference import Change
    from sinks.reading import Row, Version

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME|AGE", help="Seen from then on: 2026-03-01, 7d, 12h.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME|AGE", help="Seen before then.")]

_LIST = ("published_at", "source", "title", "sentiment_label", "copy_of", "versions", "article_id")
#: What --csv has: all of news.articles but the texts, in its order.
_FIELDS = (
    "article_id", "version_id", "source", "url", "title", "byline", "language", "published_at", "updated_at",
    "first_seen_at", "last_seen_at", "content_changed_at", "sentiment_label", "sentiment_score", "copy_of", "versions",
    "categories", "enclosures", "published_at_from", "extractor", "flags", "copies", "raw_topic_id", "raw_partition",
    "raw_offset", "delivery_id",
)  # fmt: skip
_NAMES = ("name", "label", "articles", "mentions", "sentiment_score", "entity_id", "aliases")
_DAYS = ("day", "name", "label", "articles", "mentions", "sentiment_score")
#: A terminal narrower than this shows an article on two lines.
WIDE = 170
#: A text is easiest to read on lines of this length.
LINE = 88
#: Of what stayed the same `news diff` shows so much on either side of a change, of a change so much; in characters.
MAX_SAME = 160
MAX_CHANGED = 2_000
_SENTIMENTS = {"positive": "green", "negative": "red"}


def articles(
    words: Annotated[list[str] | None, typer.Argument(help="Each in the title or in a name.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", help="A name in the article, or a part of one.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only of this source.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Only in this language: en, nb, …")] = None,
    since: Since = None,
    until: Until = None,
    sentiment: Annotated[
        Literal["negative", "neutral", "positive"] | None, typer.Option("--sentiment", help="Only of this sentiment.")
    ] = None,
    copies: Annotated[
        bool | None, typer.Option("--copies/--no-copies", help="Only copies of other articles, or none of them.")
    ] = None,
    limit: Limit = 20,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Go on behind this one, the last of the list before.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="With --json or --csv: the texts too.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """The articles seen first most recently; `news search` looks into the texts."""
    from ops import database, services
    from ops.moments import moment
    from pipeline.identity import printable
    from sinks import reading

    wanted = reading.Wanted(
        words=[printable(word) for word in words or []],
        entity=printable(entity) if entity else None,
        source=printable(source) if source else None,
        language=printable(language) if language else None,
        since=moment("--since", since),
        until=moment("--until", until),
        sentiment=sentiment,
        copies=copies,
        after=_id("--after", after),
    )
    settings = load_settings()
    with database.connect_as_reader(services.database_url(settings), settings.database.reader_timeout_seconds) as db:
        rows = reading.articles(db, wanted, limit, with_text=text)
    fields = (*_FIELDS, "text", "raw") if text else _FIELDS
    if rows and not as_json and not as_csv and sys.stdout.isatty():
        out = Console(file=sys.stdout, highlight=False)
        out.print(listing(rows, out.width))
    else:
        show(rows, _LIST, as_json=as_json, as_csv=as_csv, fields=fields, empty="no such article")
    if len(rows) == limit and not as_json and not as_csv:
        talk.print(f"more of them: --after {rows[-1]['article_id']}", highlight=False)


def listing(rows: "list[Row]", width: int) -> Table:
    """Articles in a table that fits into so many columns: where it is narrow, ids stand below the titles."""
    is_wide = width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", width=min(width, 240))
    table.add_column("published", no_wrap=True)
    table.add_column("source", max_width=24 if is_wide else 16, overflow="ellipsis", no_wrap=True)
    table.add_column("title", ratio=1, overflow="fold")
    if is_wide:
        table.add_column("sentiment", no_wrap=True)
        table.add_column("copy", no_wrap=True)
        table.add_column("versions", justify="right", no_wrap=True)
        table.add_column("article_id", no_wrap=True)
    for row in rows:
        title = Text(plain(row["title"]) or "(no title)")
        cells = [Text(_minute(row["published_at"])), Text(plain(row["source"]))]
        label = row["sentiment_label"] or ""
        if is_wide:
            mood = Text(label, style=_SENTIMENTS.get(label, ""))
            kept = "copy" if row["copy_of"] else ""
            table.add_row(*cells, title, mood, Text(kept), Text(str(row["versions"])), Text(str(row["article_id"])))
            continue
        notes = [label, "copy" if row["copy_of"] else "", f"{row['versions']} versions" if row["versions"] > 1 else ""]
        below = Text(" · ".join([str(row["article_id"]), *(note for note in notes if note)]), style="dim")
        table.add_row(*cells, Group(title, below))
    return table


def article(
    what: Annotated[str, typer.Argument(metavar="ID|URL", help="An article, version or delivery id, or a URL.")],
    as_json: Json = False,
) -> None:
    """One article whole: title, times, sentiment, names, text."""
    from ops import database, services
    from sinks import reading

    settings = load_settings()
    with database.connect_as_reader(services.database_url(settings), settings.database.reader_timeout_seconds) as db:
        article_id = _meant(db, what)
        row = reading.article(db, article_id)
        if row is None:
            _unknown(db, what, article_id)
    if as_json:
        show([row], (), as_json=True)
        return
    if sys.stdout.isatty():
        _print_article(Console(file=sys.stdout, highlight=False), row)
        return
    out = Console(file=StringIO(), highlight=False, width=LINE, force_terminal=False, no_color=True)
    with out.capture() as captured:
        _print_article(out, row)
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())


def _print_article(out: Console, row: "Row") -> None:
    width = min(out.width, LINE)
    out.print(Text(plain(row["title"]) or "(no title)", style="bold"), width=width)
    lines = [
        ("source", " · ".join(plain(said) for said in (row["source"], row["byline"]) if said)),
        ("url", plain(row["url"] or "")),
        ("published", _minute(row["published_at"])),
        ("first seen", _minute(row["first_seen_at"])),
        ("this text", f"since {_minute(row['content_changed_at'])}, {_counted(row['versions'], 'version')}"),
        ("language", plain(row["language"] or "")),
        ("sentiment", _sentiment(row)),
        ("copy of", str(row["copy_of"] or "")),
        ("copies", str(row["copies"] or "")),
        ("flags", ", ".join(map(plain, row["flags"] or ()))),
        ("names", "; ".join(_named(name) for name in row["entities"])),
        ("id", str(row["article_id"])),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=max(20, width - 12))
    for about, said in lines:
        if said:
            table.add_row(Text(about, style="dim"), Text(said))
    out.print(table)
    for paragraph in row["text"].split("\n"):
        if paragraph.strip():
            out.print()
            out.print(Text(plain(paragraph), overflow="fold"), width=width)


def _sentiment(row: "Row") -> str:
    score = row["sentiment_score"]
    return (row["sentiment_label"] or "") + (f" ({score:+.2f})" if score is not None else "")


def _named(name: "Row") -> str:
    mood = f", {_sentiment(name)}" if name["sentiment_label"] not in (None, "neutral") else ""
    return f"{plain(name['name'])} ({name['label']} ×{name['count']}{mood})"


def entities(
    name: Annotated[str | None, typer.Argument(help="A name, or a part of one.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="PERSON, ORG, GPE, …")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME|AGE", help="Only of these days (UTC): 2026-03-01, 7d."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME|AGE", help="With --since: up to this day, which counts too.")
    ] = None,
    days: Annotated[bool, typer.Option("--days", help="With --since: a line for each day.")] = False,
    limit: Limit = 20,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """The names that stand in most articles, copies not counted; with --since in those published in these days."""
    from ops import database, services
    from ops.moments import moment
    from pipeline.identity import printable
    from sinks import reading

    if (days or until is not None) and since is None:
        raise SettingError("--days and --until want --since: from which day on.")
    names = reading.Names(printable(name) if name else None, printable(label) if label else None)
    first, last = moment("--since", since), moment("--until", until)
    settings = load_settings()
    with database.connect_as_reader(services.database_url(settings), settings.database.reader_timeout_seconds) as db:
        if first is None:
            columns: tuple[str, ...] = _NAMES
            rows = reading.entities(db, names, limit)
        else:
            end = last.date() if last else None
            rows = reading.entities_of_days(db, names, first.date(), end, limit, by_day=days)
            columns = _DAYS if days else _DAYS[1:]
    fields = columns if first is None else (*_DAYS[0 if days else 1 :], "register_id")
    show(rows, columns, as_json=as_json, as_csv=as_csv, fields=fields, empty="no such name")


def diff(
    what: Annotated[str, typer.Argument(metavar="ID|URL", help="An article, version or delivery id, or a URL.")],
    one: Annotated[int | None, typer.Argument(metavar="[V1]", help="A version by its number: 1 is the oldest.")] = None,
    other: Annotated[int | None, typer.Argument(metavar="[V2]", help="Another one; default: the newest.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only which versions there are.")] = False,
    full: Annotated[bool, typer.Option("--full", help="What stayed the same too, and each change whole.")] = False,
    as_json: Json = False,
) -> None:
    """What changed between two versions of an article; without numbers between the last two.

    [-so-] is what went, {+so+} what came.
    """
    from ops import database, services
    from ops.difference import difference
    from sinks import reading

    settings = load_settings()
    with database.connect_as_reader(services.database_url(settings), settings.database.reader_timeout_seconds) as db:
        article_id = _meant(db, what)
        versions = reading.versions(db, article_id)
        if not versions:
            _unknown(db, what, article_id)
        if listed:
            rows = [_version_row(number, version) for number, version in enumerate(versions, 1)]
            show(rows, ("number", "kind", "observed_at", "is_current", "characters", "title"), as_json=as_json)
            return
        before, after = _chosen(len(versions), one, other)
        old, new = (reading.text(db, versions[number - 1].delivery_id) for number in (before, after))
    if old is None or new is None:
        raise SettingError("One of the two versions was removed this moment: see `news diff … --list`.")
    title, text = difference(old.title, new.title), difference(old.text, new.text)
    if as_json:
        row = {
            "article_id": article_id,
            "from": _version_row(before, versions[before - 1]),
            "to": _version_row(after, versions[after - 1]),
            "title": [change._asdict() for change in title.changes],
            "text": [change._asdict() for change in text.changes],
            "is_coarse": title.is_coarse or text.is_coarse,
        }
        show([row], (), as_json=True)
        return
    out = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty(), no_color=not sys.stdout.isatty())
    for mark, number, style in (("-", before, "red"), ("+", after, "green")):
        v = versions[number - 1]
        said = f"version {number} of {len(versions)}, {v.kind}, {_minute(v.observed_at)}, {v.version_id}"
        out.print(Text(f"{mark * 3} {said}", style=style))
    for about, found in (("title", title), ("text", text)):
        if found.is_none:
            continue
        out.print(Text(f"\n{about}", style="bold"))
        out.print(rendered(found.changes, full=full))
    if title.is_none and text.is_none:
        talk.print("title and text are equal: what differs is around them (news.article_versions has it)")
    if title.is_coarse or text.is_coarse:
        talk.print("too much to be compared sentence by sentence: what is equal in the middle is shown as changed")


def rendered(changes: "tuple[Change, ...]", *, full: bool) -> Text:
    """The changes with their marks, nothing in them an order to a terminal; what stayed the same is shortened."""
    text = Text(overflow="fold")
    for place, (kind, words) in enumerate(changes):
        if kind == "same":
            is_first, is_last = place == 0, place == len(changes) - 1
            text.append(_lines(words if full else _shortened(words, is_first=is_first, is_last=is_last)))
            continue
        opening, closing, style = ("[-", "-]", "red") if kind == "removed" else ("{+", "+}", "green")
        cut = words if full or len(words) <= MAX_CHANGED else words[:MAX_CHANGED]
        for number, line in enumerate(cut.split("\n")):
            if number:
                text.append("¶\n", style=style)
            if line:
                text.append(f"{opening}{plain(line)}{closing}", style=style)
        if cut != words:
            text.append(f" … {len(words) - len(cut):,} characters more: --full", style="dim")
    return text


def _shortened(words: str, *, is_first: bool, is_last: bool) -> str:
    """What stands around changes, as much as helps to find the place."""
    head = "" if is_first else words[:MAX_SAME]
    tail = "" if is_last else words[-MAX_SAME:]
    if len(words) <= len(head) + len(tail) + MAX_SAME:
        return words
    return head + (" … " if head and tail else " …" if head else "… ") + tail


def _lines(words: str) -> str:
    return "\n".join(plain(line) for line in words.split("\n"))


def _chosen(count: int, one: int | None, other: int | None) -> tuple[int, int]:
    """The numbers of two versions. Raises SettingError, saying what there is."""
    if count == 1:
        raise SettingError("It has one version: there is nothing to compare it with.")
    before = one if one is not None else count - 1
    after = other if other is not None else count
    for number in (before, after):
        if not 1 <= number <= count:
            raise SettingError(f"It has the versions 1 to {count}, none with the number {number}: see --list.")
    return before, after


def _version_row(number: int, version: "Version") -> dict[str, Any]:
    from dataclasses import asdict

    return {"number": number, **asdict(version)}


def _meant(db: "Connection", what: str) -> UUID:
    """The article that is meant. Ends with a word where nothing is known; raises SettingError for what names none."""
    from pipeline import identity
    from sinks import reading

    try:
        found = reading.meant(db, UUID(what))
    except ValueError:
        canonical = identity.canonical_url(what)
        if canonical is None:
            raise SettingError(f"{what!r} is neither an id nor an http(s) URL.") from None
        addresses = [f"{scheme}://{www}{canonical}" for scheme in ("https", "http") for www in ("", "www.")]
        # An article with an own id keeps its id when it moves: then the newest address finds it.
        found = reading.meant(db, identity.article_id(what, "", None, "", "")) or reading.at(
            db, [identity.printable(what), *addresses]
        )
    if found is None:
        talk.print(f"{escape(plain(what))} is not stored: `news where` says whether it is on its way.", highlight=False)
        raise typer.Exit(Exit.FAILURE)
    return found


def _unknown(db: "Connection", what: str, article_id: UUID) -> NoReturn:
    """Say why there is nothing to show, and end."""
    from sinks import reading

    taken_back = reading.withdrawn(db, article_id)
    if taken_back is None:
        talk.print(f"{escape(plain(what))} is not stored yet: see `news where`.", highlight=False)
    else:
        why = f": {taken_back.reason}" if taken_back.reason else ""
        said = f"{what} was {taken_back.kind} at {_minute(taken_back.withdrawn_at)}{why}"
        talk.print(escape(plain(said)), highlight=False)
    raise typer.Exit(Exit.FAILURE)


def _id(option: str, given: str | None) -> UUID | None:
    try:
        return UUID(given) if given is not None else None
    except ValueError:
        raise SettingError(f"{option} is the id of an article, not {given!r}.") from None


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if moment else ""


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
