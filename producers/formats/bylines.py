"""What stands as the author of an article -> the names in it, as a reader would say them."""

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from pipeline import identity

MAX_NAMES: Final = 20
MAX_NAME: Final = 90

_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_BY: Final = re.compile(
    r"^(?:(?:post author|written|words|story|text|report(?:ing|ed)?|photographs?|posted|published)\s+)?"
    r"(?:by|von|par|por|di|door|av|af|przez|autor(?:en|a|es|:in)?|auteur|author|redaktion|text)\s*[:\s]\s*",
    re.IGNORECASE,
)
# "by" of other languages is part of names too: "Di Maria", "Von der Leyen" stay where they begin with a capital.
_CAPITAL_BY: Final = re.compile(r"^(?:Von|Di|Par|Por|Av|Af|Door)\s(?![A-ZÀ-Þ]\w*\s+\S)")
_EMAIL: Final = re.compile(r"[\w.+-]{1,100}@[\w-]{1,100}(?:\.[\w-]{1,60}){1,5}")
_HANDLE: Final = re.compile(
    r"(?<![\w.])@\w{1,50}|(?<!\w)(?:Twitter|X|Instagram|Facebook|Mastodon):\s*\S{0,100}", re.IGNORECASE
)
_ADDRESS: Final = re.compile(r"^(?:https?:)?//|^www\.", re.IGNORECASE)
_TITLE: Final = re.compile(
    r"\b(?:correspondent|reporter|editor|writer|columnist|journalist|contributor|analyst|producer|bureau chief|"
    r"staff|korrespondent(?:in)?|redakteur(?:in)?|journaliste|rédacteur|rédactrice|redactor(?:a)?|periodista|in\s+[A-Z]\w+)\b",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(r"(?<=\w)\s+in\s+[A-ZÀ-Þ][\w. -]{1,40}$")
_NOBODY: Final = frozenset(
    "admin administrator unknown none null undefined anonymous author authors editor editors user root webmaster guest "
    "staff n/a - test auteur auteurs autor autores post".split()
)
_SPLIT: Final = re.compile(r"\s*[;|•·]\s*|\s+/\s+|\r?\n")
_AND: Final = re.compile(
    r"\s+(?:and|und|och|og|&)\s+|(?<=\w)\s+(?:et|y|e|en)\s+(?=[A-ZÀ-Þ]\S*\s+\S)"
)  # not "Ortega y Gasset"
_SPACES: Final = re.compile(r"\s+")


def byline_of(given: Iterable[str]) -> str | None:
    """The names in all that is given, "Ana Silva, Bo Lind": one or several in each, with "By" or without."""
    names: list[str] = []
    for text in given:
        for part in _parts(text):
            name = _name(part)
            if name is not None and name.casefold() not in {known.casefold() for known in names}:
                names.append(name)
    return ", ".join(names[:MAX_NAMES]) or None


def _parts(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", html.unescape(_TAG.sub(" ", html.unescape(identity.printable(text[:2000])))))
    return [
        inner for part in _SPLIT.split(text) for inner in _AND.split(_without_title(_SPACES.sub(" ", part).strip()))
    ]


def _without_title(text: str) -> str:
    """The names of a list: what follows a comma and is a post is left out ("Ana Silva, political editor")."""
    first, *others = [part.strip() for part in text.split(",")]
    kept = [first, *(part for part in others if part and not _TITLE.search(part))]
    return " and ".join(part for part in kept if part)


def _name(text: str) -> str | None:
    name = text
    if not _CAPITAL_BY.match(name):
        name = _BY.sub("", name)
    name = _PLACE.sub("", _HANDLE.sub("", _EMAIL.sub("", name))).strip(' \t,.:-–—|()[]"“”')
    if name.endswith((" Jr", " Sr", " M.D")):
        name += "."
    if not name or len(name) > MAX_NAME or _ADDRESS.match(name) or name.casefold() in _NOBODY:
        return None
    return name if any(character.isalpha() for character in name) else None
