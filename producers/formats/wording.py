"""How strangers' values stand in our sentences: quoted, shortened, named by their type."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pipeline import identity

MAX_QUOTE: Final = 60

_TYPES: Final[Mapping[type, str]] = {
    str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object",
    type(None): "null",
}  # fmt: skip


def type_name(value: object) -> str:
    """What a value of JSON is, in words."""
    return _TYPES.get(type(value), type(value).__name__)


def quoted(value: object) -> str:
    """The value between quotation marks, at most MAX_QUOTE long; a list or an object by its name."""
    return f'"{shortened(str(value) if isinstance(value, str | int | float | datetime) else type_name(value))}"'


def shortened(text: str) -> str:
    """The text, or its beginning and an ellipsis."""
    return identity.printable(text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…")
