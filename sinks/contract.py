"""The catalogue of schema news -> docs/sql.md, and what is missing in it: the contract as readers find it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

import psycopg
from psycopg.rows import class_row

from sinks import statements

#: What every client knows: drivers, data frames, tools that draw charts.
PLAIN_TYPES: Final = (
    "bigint", "boolean", "bytea", "date", "double precision", "integer", "jsonb", "text", "text[]",
    "timestamp with time zone", "uuid",
)  # fmt: skip
#: In the order in which one wants to know them; what is not named here stands behind.
ORDER: Final = (
    "articles", "titles", "article_versions", "article_entities", "mentions", "entities", "entity_days", "copies",
    "changes", "change_range", "withdrawals", "decisions", "sources", "dead_letters", "balance",
)  # fmt: skip
#: The same of functions.
FUNCTIONS: Final = ("search", "find_articles", "find_names", "read_changes")
#: Where the generated part stands in the page.
PLACE: Final = "<!-- views and functions -->\n"
#: The type that PostgreSQL puts behind a default.
_CAST: Final = re.compile(r"(?<= DEFAULT )(NULL|'[^']*')::[a-z]+(\[\])?")


@dataclass(frozen=True, slots=True)
class Relation:
    """A view, or the rows that a function gives, with its comment."""

    name: str
    kind: Literal["view", "row"]
    comment: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `relation`."""

    relation: str
    name: str
    type: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `types` are all types in its arguments and its result, but for rows of views."""

    name: str
    arguments: str
    result: str
    comment: str | None
    types: list[str]

    @property
    def signature(self) -> str:
        """As one calls it: names, types and defaults."""
        return f"news.{self.name}({self.arguments})"


@dataclass(frozen=True, slots=True)
class Contract:
    """All that schema news has."""

    relations: Sequence[Relation]
    columns: Sequence[Column]
    functions: Sequence[Function]

    @property
    def views(self) -> list[Relation]:
        """The views alone."""
        return [relation for relation in self.relations if relation.kind == "view"]

    def columns_of(self, relation: Relation) -> list[Column]:
        """Its columns, in the order of `SELECT *`."""
        return [column for column in self.columns if column.relation == relation.name]


def read(connection: psycopg.Connection[Any]) -> Contract:
    """What schema news of this database has."""

    def rows(row: type[Any], statement: str) -> list[Any]:
        with connection.cursor(row_factory=class_row(row)) as cursor:
            return cursor.execute(statements.load(statement)).fetchall()

    with connection.transaction():
        connection.execute("SET LOCAL search_path TO ''")  # names of types and views come with their schema
        return Contract(
            rows(Relation, "select_contract_relations"),
            rows(Column, "select_contract_columns"),
            rows(Function, "select_contract_functions"),
        )


def problems(contract: Contract) -> Iterator[str]:
    """What a reader would miss, a line each: comments, and types that not every client knows."""
    for relation in contract.relations:
        if not relation.comment:
            yield f"{relation.kind} news.{relation.name} has no comment"
        for column in contract.columns_of(relation):
            if not column.comment:
                yield f"column news.{relation.name}.{column.name} has no comment"
            if column.type not in PLAIN_TYPES:
                yield f"column news.{relation.name}.{column.name} is {column.type}: no plain type"
    for function in contract.functions:
        if not function.comment:
            yield f"function {function.signature} has no comment"
        for unknown in sorted(set(function.types) - {"void", *PLAIN_TYPES}):
            yield f"function {function.signature} has {unknown}: no plain type"


def page(contract: Contract) -> str:
    """docs/sql.md: the introduction that stands in contract.md, and every view, column and function."""
    introduction = (resources.files("sinks") / "contract.md").read_text(encoding="utf-8")
    before, _, behind = introduction.partition(PLACE)
    return before + "\n".join(_generated(contract)) + "\n" + behind


def _generated(contract: Contract) -> Iterator[str]:
    yield "## Views\n"
    for relation in sorted(contract.views, key=lambda r: _place(ORDER, r.name)):
        yield f"### news.{relation.name}\n"
        yield f"{_escaped(relation.comment)}.\n"
        yield from _columns(contract, relation)
    yield "## Functions\n"
    rows = {f"SETOF news.{relation.name}": relation for relation in contract.relations if relation.kind == "row"}
    for function in sorted(contract.functions, key=lambda f: _place(FUNCTIONS, f.name)):
        yield f"### news.{function.name}\n"
        yield f"```sql\n{_called(function)}\n    -> {_short(function.result)}\n```\n"
        yield f"{_escaped(function.comment)}.\n"
        if function.result in rows:
            yield from _columns(contract, rows[function.result])


def _columns(contract: Contract, relation: Relation) -> Iterator[str]:
    lines = ((f"`{c.name}`", _short(c.type), _escaped(c.comment)) for c in contract.columns_of(relation))
    return _table(("column", "type", "what it is"), lines)


def _called(function: Function) -> str:
    """How it is called: short types, none behind a default; a line for each parameter where they are many."""
    plain = _CAST.sub(r"\1", _short(function.signature))
    return plain if len(plain) <= 100 else plain.replace("(", "(\n    ", 1).replace(", ", ",\n    ")


def _place(order: Sequence[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def _short(kind: str) -> str:
    return kind.replace("timestamp with time zone", "timestamptz")


def _escaped(words: str | None) -> str:
    """A comment as Markdown shows it as it is."""
    return (words or "").replace("<", "\\<")


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    for cells in lines:
        yield _line([cell.replace("|", "\\|").replace("\n", " ") for cell in cells])
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
