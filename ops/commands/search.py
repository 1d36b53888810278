"""`news search`: articles by their words, best first."""

from dataclasses import asdict
from html import unescape
from typing import Annotated, Any, Literal

import typer

from ops.commands.common import Csv, Json, load_settings, show, talk

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")]


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(help='Words, all of them; "a phrase" in quotes; or; -without. None: the newest.'),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Of this source.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", help="A name in the article, or its id.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="de, or de-AT.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="First seen then or later: a date, time or age (7d).")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="First seen before.")] = None,
    sentiment: Annotated[
        Literal["negative", "neutral", "positive"] | None, typer.Option("--sentiment", help="Of the whole article.")
    ] = None,
    limit: Limit = 20,
    after: Annotated[
        str | None, typer.Option("--after", help="The next page: `after` of the last row, from --json.")
    ] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Articles by the words in title and text, best first, with what the text says round them."""
    from ops import database, services
    from ops.moments import moment
    from pipeline.identity import printable
    from sinks import search as searching

    settings = load_settings()
    # The shell took the quotes of "a phrase" away.
    asked = " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words or ())

    def given(option: str | None) -> str | None:
        return printable(option) if option is not None else None

    question = searching.Question(
        words=given(asked) or None,
        source=given(source),
        entity=given(entity),
        language=given(language),
        since=moment("--since", since),
        until=moment("--until", until),
        sentiment=sentiment,
    )
    with database.connect_as_reader(services.database_url(settings)) as db:
        rows = searching.search(db, question, limit, given(after))
    columns = ("published_at", "source", "title", "headline", "sentiment_label", "article_id")
    fields = tuple(searching.Found.__dataclass_fields__)
    shown = map(asdict, rows) if as_json or as_csv else map(_for_people, rows)
    show(shown, columns, as_json=as_json, as_csv=as_csv, fields=fields, empty="no such article")
    if rows and rows[0].is_cut and not (as_json or as_csv):
        talk.print("More than 1,000 articles fit: these are the best of the newest 1,000.")


def _for_people(row: Any) -> dict[str, Any]:
    marked = row.headline.replace("<mark>", "[").replace("</mark>", "]")
    return {**asdict(row), "headline": unescape(marked)}
