"""`--map title=headline`: what others call our fields; an object or a header of theirs -> the fields of JSON lines."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.errors import InvalidRecord, Reason, SettingError
from producers.formats import fields

Names = Mapping[str, str]
"""Our field -> their name or path; empty: they use our names."""

OURS: Final[Names] = {}
MAX_SHOWN: Final = 40
MAX_COLUMNS_SHOWN: Final = 20
_SEPARATOR: Final = "."


def parse(given: Sequence[str]) -> Names:
    """The names of `--map` options, each `ours=theirs` or several with commas. Raises SettingError."""
    names: dict[str, str] = {}
    for pair in (pair for option in given for pair in option.split(",")):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not (equals and ours and theirs):
            raise SettingError(f"--map is OURS=THEIRS, as title=headline, not {pair!r}.")
        if ours not in fields.FIELDS:
            raise SettingError(f"--map {pair}: there is no field {ours!r}; it is one of {', '.join(fields.FIELDS)}.")
        if ours in names:
            raise SettingError(f"--map gives {ours} twice: {names[ours]!r} and {theirs!r}.")
        names[ours] = theirs
    return names


def ours(theirs: Mapping[str, Any], names: Names) -> Mapping[str, Any]:
    """The fields of their object under our names; those that are not mapped keep theirs where it is one of ours.

    Whoever maps has chosen: what else the object holds is left out without a note. A whole number as id becomes text.
    """
    if not names:
        return theirs
    taken = set(names.values())
    given = {field: theirs[field] for field in fields.FIELDS if field in theirs and field not in taken}
    given.update({field: _at(theirs, path) for field, path in names.items()})
    if type(given.get("id")) is int:
        given["id"] = str(given["id"])
    return given


def _at(theirs: Mapping[str, Any], path: str) -> Any:
    """What stands at a path: a key as it is, else keys joined by full stops; a number leads into a list."""
    if path in theirs:
        return theirs[path]
    value: Any = theirs
    for step in path.split(_SEPARATOR):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdecimal() and len(step) < 6:
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def columns(header: Sequence[str], names: Names) -> Mapping[str, str]:
    """The column of a header -> our field, capitals or not; columns that are none of ours stand for themselves.

    Raises InvalidRecord where no column is the text, or one that is named is not there.
    """
    by_name = {column.casefold(): column for column in reversed(header) if column}
    found: dict[str, str] = {}
    for field, theirs in names.items():
        column = theirs if theirs in header else by_name.get(theirs.casefold())
        if column is None:
            raise _no_column(f"There is no column {theirs!r} for {field}", header)
        found[column] = field
    for field in fields.FIELDS:
        column = field if field in header else by_name.get(field)
        if field not in names and column is not None and column not in found:
            found[column] = field
    if not {"body", "html"} & set(found.values()):
        raise _no_column("No column is named body: say which one is the text with --map body=COLUMN", header)
    if not names:
        found.update({column: column for column in header if column and column not in found})
    return found


def _no_column(why: str, header: Sequence[str]) -> InvalidRecord:
    shown = ", ".join(column[:MAX_SHOWN] for column in header[:MAX_COLUMNS_SHOWN])
    return InvalidRecord(Reason.WRONG_SHAPE, f"{why}. The header has {shown}.")
