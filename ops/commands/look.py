"""Looking: at topics and lag in Kafka, at one delivery, at the books."""

from typing import Annotated

import typer

from ops.commands import completion
from ops.commands.common import Csv, Json, load_settings, quiet_logs, show, talk
from pipeline.errors import Exit, SettingError


def topics(
    action: Annotated[
        str | None, typer.Argument(metavar="[apply]", help="apply: create those that are missing.")
    ] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """The topics: what is on them, their partitions and records; `apply` creates what is missing."""
    from ops import kafka_view, services
    from pipeline import broker
    from pipeline import topics as declared_topics

    settings = load_settings()
    quiet_logs()
    bootstrap = services.bootstrap_servers(settings)
    declared = declared_topics.of(settings)
    if action not in (None, "apply"):
        raise SettingError(f"`news topics` takes `apply` or nothing, not {action!r}.")
    with broker.admin(bootstrap) as client:
        if action == "apply":
            made = broker.apply(client, declared, settings.kafka.partitions, settings.kafka.replication_factor)
            talk.print(f"created: {', '.join(made) or 'nothing, all are there'}", highlight=False)
        rows = kafka_view.topics_rows(client, declared)
        problems = broker.check(broker.topic_states(client), declared)
    show(rows, ("topic", "partitions", "records", "kept", "what"), as_json=as_json, as_csv=as_csv)
    if action == "apply" and problems:
        raise SettingError(" ".join(problems))
    for problem in problems:
        talk.print(f"[red]{problem}[/]", highlight=False)
    if problems:
        raise typer.Exit(Exit.FAILURE)


def lag(as_json: Json = False, as_csv: Csv = False) -> None:
    """How far each consumer group is behind, in records and in seconds (the age of the oldest unread one)."""
    from ops import kafka_view, services

    settings = load_settings()
    quiet_logs()
    rows = kafka_view.lag(services.find(settings))
    show(rows, ("group", "topic", "partition", "position", "end", "lag", "lag_seconds"), as_json=as_json, as_csv=as_csv)


def tail(
    topic: Annotated[str, typer.Argument(help="articles.raw, articles.enriched, …", autocompletion=completion.topics)],
    start: Annotated[str, typer.Option("--from", help="end, beginning, or an age such as 10m, 2h, 1d.")] = "end",
    where: Annotated[
        list[str] | None, typer.Option("--where", help="PATH=VALUE in the record, e.g. decision.kind=copy; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="End after so many.")] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more.")] = True,
) -> None:
    """Records of a topic as JSON lines, as they come; Ctrl-C ends it."""
    from ops import kafka_view, services, stages
    from pipeline import topics as declared_topics

    settings = load_settings()
    quiet_logs()
    known = [t.name for t in declared_topics.of(settings)]
    if topic not in known:
        raise SettingError(f"There is no topic {topic!r}: it is one of {', '.join(known)}.")
    bootstrap = services.bootstrap_servers(settings)
    conditions = kafka_view.conditions(where or ())
    with stages.on_signal() as stop:
        kafka_view.tail(bootstrap, topic, start, conditions, limit, follow=follow, stop=stop)


def where(
    what: Annotated[str, typer.Argument(metavar="ID|URL", help="An article, version or delivery id, or a URL.")],
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Where a delivery is now: spooled, in Kafka, decided, being enriched, stored, or a dead letter."""
    from ops import services
    from ops.whereabouts import find

    settings = load_settings()
    quiet_logs()
    rows, notes = find(what, settings, services.find(settings))
    show(rows, ("where", "at", "kind", "delivery_id", "article_id", "detail"), as_json=as_json, as_csv=as_csv)
    for note in notes:
        talk.print(note, markup=False, highlight=False)
    if not rows:
        talk.print(f"Nothing here knows {what}.", markup=False)
        raise typer.Exit(Exit.FAILURE)


def balance(as_json: Json = False) -> None:
    """The books: what came in is decided, refused or on its way, and each text let through is a row."""
    from ops import books, services
    from producers.run import open_spool

    settings = load_settings()
    quiet_logs()
    endpoints = services.find(settings)
    with open_spool(settings) as spool:
        now = books.read(endpoints, spool.held().records)
    if as_json:
        show([now.as_json()], (), as_json=True)
    else:
        lines = [
            ("records on articles.raw", now.delivered),
            ("  decisions", now.decided),
            ("  dead letters", now.refused),
            ("  on their way", now.undecided),
            ("new + revision", now.texts),
            ("  stored", now.stored),
            ("  dead letters", now.texts_refused),
            ("  on their way", now.unstored),
            ("in the spool", now.spooled),
            ("unread by the sink", now.unread_by_sink),
            ("the books", now.verdict),
        ]
        show(({"what": what, "count": count} for what, count in lines), ("what", "count"), as_json=False)
    if now.verdict == "MISSING":
        raise typer.Exit(Exit.FAILURE)
