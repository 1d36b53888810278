"""`news db check`: a database -> where its schema, roles and publication differ from this version's."""

from typing import NamedTuple

import psycopg

from ops.database import Connection
from pipeline.errors import Stop
from sinks import backfill, publication, roles, schema, shape
from sinks.shape import Difference


class Findings(NamedTuple):
    """What differs, and what is only to be known."""

    differences: list[Difference]
    notes: list[str]


def findings(connection: Connection, published: str | None) -> Findings:
    """All of it, as far as this user can see. Raises Stop for a schema that is older or newer: that says it all."""
    schema.check_schema(connection)
    notes: list[str] = []
    if not schema.may_be_seen(connection):
        notes.append(f"this user is only a reader: that the migrations are done to {schema.newest()} cannot be seen")
    differences = shape.differences(shape.of(connection), shape.expected())
    if ("schema", "news") not in shape.of(connection):
        raise Stop(f"The database has no schema yet, this version needs {schema.newest()}: run `news db migrate`.")
    undone = roles.undone(connection)
    missing = roles.missing(undone)
    if missing:
        notes.append(
            f"there is no role {', '.join(sorted(missing))}: everything works as one user. `news db roles` prints the "
            "statements for somebody who may make roles"
        )
    # Of one who is not there nothing else is said; nor what this user could take on for itself.
    for statement in undone:
        if statement.role not in missing and statement.step not in (1, 2):
            what = f"role {statement.role}: {_plain(statement.sql)}"
            differences.append(Difference(what, "run `news db migrate` as a user who may", f"{statement.sql};"))
    if schema.may_be_seen(connection):
        _look_at_search(connection, differences, notes)
    for sentence in publication.differences(connection, published):
        differences.append(Difference(sentence, "run `news db migrate`"))
    return Findings(differences, notes)


def _look_at_search(connection: Connection, differences: list[Difference], notes: list[str]) -> None:
    try:
        if not backfill.is_complete(connection):
            differences.append(
                Difference("search does not know every article yet", "run `news db migrate`: it goes on")
            )
    except psycopg.errors.QueryCanceled:
        notes.append("whether search knows every article took too long to find out: `news db migrate` sees to it")
    except psycopg.errors.UndefinedTable:
        notes.append("whether search knows every article cannot be told: see what is missing")


def _plain(statement: str) -> str:
    """A statement as what has not been done."""
    return f"`{statement}` was not done"
