"""A database's schema -> where it differs from the one that this version's migrations make (shape.json)."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final, NamedTuple

import psycopg

from sinks import statements

Connection = psycopg.Connection[Any]

#: Written by `make schemas`, from a database that was migrated from nothing.
FILE: Final = "shape.json"


class Part(NamedTuple):
    """A table, column, view, …; `is_valid` is what PostgreSQL says of an index, or whether a trigger is on."""

    definition: str
    is_valid: bool = True


Shape = Mapping[tuple[str, str], Part]  # by kind and name


class Difference(NamedTuple):
    """What differs, and what to do, in a sentence each; `sql` puts it right where that can be said."""

    what: str
    remedy: str
    sql: str | None = None


def of(connection: Connection) -> Shape:
    """What this database has; of the rights of a user it needs none."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path TO ''")
        rows = connection.execute(statements.load("describe_schema")).fetchall()
    return {(kind, name): Part(definition, is_valid) for kind, name, definition, is_valid in rows}


def expected() -> Shape:
    """What the migrations of this version make."""
    found = json.loads((resources.files("sinks") / FILE).read_text(encoding="utf-8"))
    return {(kind, name): Part(definition) for kind, names in found.items() for name, definition in names.items()}


def text(shape: Shape) -> str:
    """As it stands in the file."""
    kinds: dict[str, dict[str, str]] = {}
    for (kind, name), part in sorted(shape.items()):
        kinds.setdefault(kind, {})[name] = part.definition
    return json.dumps(kinds, indent=1, ensure_ascii=False) + "\n"


def differences(found: Shape, wanted: Shape) -> list[Difference]:
    """How the first differs from the second: what is missing, too many, otherwise, or not valid."""
    said: list[Difference] = []
    for kind, name in sorted(found.keys() | wanted.keys()):
        there, right = found.get((kind, name)), wanted.get((kind, name))
        if _belongs_to_missing(kind, name, found, wanted) or (right and _needs_missing(right, found)):
            continue
        if right is None:
            said.append(
                Difference(f"{kind} {name}: is not of this version", "move it into a schema of your own, or drop it")
            )
        elif there is None:
            said.append(Difference(f"{kind} {name}: is missing", *_remedy(kind, name, right.definition)))
        elif there.definition != right.definition:
            is_short = "\n" not in right.definition and len(right.definition) + len(there.definition) < 200
            than = f"{there.definition or 'nothing'!r} for {right.definition or 'nothing'!r}" if is_short else "another"
            said.append(Difference(f"{kind} {name}: is {than}", *_remedy(kind, name, right.definition, was=True)))
        elif not there.is_valid:
            remedy = ("build it anew", f"REINDEX INDEX CONCURRENTLY {name};")
            if kind == "trigger":
                table, _, trigger = name.rpartition(".")
                remedy = ("enable it", f"ALTER TABLE {table} ENABLE TRIGGER {trigger};")
            said.append(Difference(f"{kind} {name}: is not valid", *remedy))
    return said


def _belongs_to_missing(kind: str, name: str, found: Shape, wanted: Shape) -> bool:
    """Whether it is a column or the like of a table or view that is missing or too many: that says it all."""
    if kind not in ("column", "constraint", "trigger", "index"):
        return False
    if kind == "index":
        part = found.get((kind, name)) or wanted[kind, name]
        owner = part.definition.partition(" ON ")[2].split(" ")[0]
        constraint = ("constraint", f"{owner}.{name.rpartition('.')[2]}")
        if (constraint in found) != (constraint in wanted):
            return True
    else:
        owner = name.rpartition(".")[0]
    places = [(k, owner) for k in ("table", "view", "materialized view", "type")]
    return any((place in found) != (place in wanted) for place in places)


def _needs_missing(right: Part, found: Shape) -> bool:
    """Whether it is made of an extension that is missing: the migrations go on without it."""
    return "gin_trgm_ops" in right.definition and ("extension", "pg_trgm") not in found


def _remedy(kind: str, name: str, definition: str, *, was: bool = False) -> tuple[str, str | None]:
    """What to do about it, in words and, where it can be said, in SQL."""
    table, _, own = name.rpartition(".")
    # A view's options stand behind its query; made anew without them, it would lose them.
    body, _, options = definition.partition("; WITH ")
    # A view with other columns in the same places CREATE OR REPLACE refuses, and says so: nothing is dropped unasked.
    make = {
        "view": f"CREATE OR REPLACE VIEW {name}{options and f' WITH {options}'} AS\n{body}",
        "function": f"{definition};",
        "index": definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1) + ";",
        "constraint": f"ALTER TABLE {table} ADD CONSTRAINT {own} {definition};",
        "trigger": f"{definition};",
        "extension": f"CREATE EXTENSION {name} WITH SCHEMA public;",
    }
    drop = {
        "index": f"DROP INDEX CONCURRENTLY {name};\n",
        "constraint": f"ALTER TABLE {table} DROP CONSTRAINT {own};\n",
        "trigger": f"DROP TRIGGER {own} ON {table};\n",
    }
    if kind in make:
        return "run what `news db check --sql` prints", (drop.get(kind, "") if was else "") + make[kind]
    if was:
        return "put it back by hand, or restore it from a dump", None
    return "what was in it is gone: restore it from a dump", None
