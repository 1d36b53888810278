"""Boilerplate: rules that a source needs, proposed from its articles; nothing is learnt silently."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated

import typer

from ops.commands.common import Json, load_settings, show, talk
from pipeline.errors import Exit

#: At most so many articles are read, the newest.
MOST_ARTICLES = 5000

app = typer.Typer(help="Lines that are not the article.", no_args_is_help=True)


@app.callback()
def _boilerplate() -> None:
    """Lines that are not the article: the rules stand in pipeline/cleaning-rules.toml."""


@app.command()
def suggest(
    source: Annotated[str, typer.Option("--source", help="The source whose articles are read.")],
    since: Annotated[int | None, typer.Option("--since", min=1, max=36500, help="Only those of so many days.")] = None,
    min_articles: Annotated[
        int, typer.Option("--min-articles", min=2, help="A line must stand in so many articles, and in 5 % of them.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Lines and sentences that many articles of a source repeat, as rules for pipeline/cleaning-rules.toml."""
    from ops import boilerplate, database, services
    from pipeline import cleaning
    from pipeline.identity import printable
    from sinks import queries

    rules = cleaning.load_rules()
    earliest = None if since is None else datetime.now(UTC) - timedelta(days=since)
    found = []
    with database.connect(services.database_url(load_settings())) as db:
        texts = queries.texts_of_source(db, printable(source), earliest, MOST_ARTICLES)
        first = next(texts, None)
        if first is not None:
            found = boilerplate.repeated(chain([first], texts), rules, min_articles=min_articles)
    if first is None:
        talk.print(f"There is no article of {source}: `news articles` shows sources.", markup=False, highlight=False)
        raise typer.Exit(Exit.FAILURE)
    proposed = boilerplate.proposals(found, (rule.name for rule in rules.rules))
    if as_json:
        show((proposal.as_row() for proposal in proposed), (), as_json=True)
    elif proposed:
        print("\n".join(proposal.as_toml() for proposal in proposed), end="")  # noqa: T201  data
    if not proposed:
        talk.print("Nothing repeats in its articles that the rules do not cut already.", highlight=False)
