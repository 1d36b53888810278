"""The hand-written texts of texts.toml and events.toml, typed."""

import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple


class House(NamedTuple):
    """What one newspaper prints round all of its articles."""

    source: str
    where: str
    text: str


class Quote(NamedTuple):
    """What somebody said in a press release."""

    speaker: str
    text: str


class Event(NamedTuple):
    """Two reports of the same thing, in other words."""

    name: str
    quote: str
    reports: tuple[str, str]


class Titled(NamedTuple):
    """A short text, or a wall."""

    title: str
    text: str


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


_TEXTS: Final = _read("texts.toml")
HEADERS: Final[list[str]] = _TEXTS["headers"]
FOOTERS: Final[list[str]] = _TEXTS["footers"]
HOUSES: Final = tuple(House(**house) for house in _TEXTS["house"])
QUOTES: Final = tuple(Quote(**quote) for quote in _TEXTS["quote"])
SHORTS: Final = tuple(Titled(**short) for short in _TEXTS["short"])
WALLS: Final = tuple(Titled(**wall) for wall in _TEXTS["wall"])
EVENTS: Final = tuple(
    Event(
        event["name"],
        event["quote"],
        (event["a"].format(quote=event["quote"]), event["b"].format(quote=event["quote"])),
    )
    for event in _read("events.toml")["event"]
)
