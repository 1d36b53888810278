"""`news db retain`: what is too old by the settings, removed or counted -> a row a rule and table."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from ops.stages import on_signal
from pipeline.errors import SettingError, Unavailable
from pipeline.settings import Settings
from sinks import retention, schema
from sinks.database import Database


def retained(url: str, settings: Settings, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    """Go through the rules once, or look what they would remove; gives what went.

    Ctrl-C ends it after the batch in work. Raises SettingError where no rule is set, Unavailable where PostgreSQL
    is away or another process is at it.
    """
    if not settings.retention.is_set:
        raise SettingError(
            "No NEWS_RETENTION__* is set, so everything is kept: `news config show` has their names, docs/retention.md "
            "what they remove."
        )
    rules = retention.Rules.of(settings.retention, datetime.now(UTC))
    with closing(Database(url, settings.database.transaction_timeout_seconds)) as database, on_signal() as stop:
        database.run(schema.check_schema)
        if dry_run:
            removed = retention.would_remove(database, rules, stop)
        else:
            done = retention.retain(database, rules, stop, retention.new_holder())
            if done is None:
                raise Unavailable(f"Old rows are removed at the moment by {database.run(retention.holder_now)}.")
            removed = done
    for (rule, table), rows in removed.rows.items():
        yield {"rule": rule, "before": getattr(rules, rule), "table": table, "rows": rows}
