"""names.toml -> what the steps of the ladder know of English names, read once."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Wordlists:
    """The lists of names.toml; lower case without full stops, but for the adjectives."""

    titles: frozenset[tuple[str, ...]]
    longest_title: int
    personal_titles: frozenset[str]
    before_titles: frozenset[str]
    particles: frozenset[str]
    generations: frozenset[str]
    legal_forms: frozenset[str]
    abbreviations: frozenset[str]
    with_article: tuple[str, ...]
    with_possessive: tuple[str, ...]
    no_names: frozenset[str]
    never_in_people: frozenset[str]
    boilerplate: tuple[str, ...]
    full_forms: dict[str, str]
    adjectives: frozenset[str]
    places: frozenset[str]


@cache
def load() -> Wordlists:
    """The lists that come with the package."""
    lists: dict[str, Any] = tomllib.loads((resources.files("processors") / "names.toml").read_text(encoding="utf-8"))
    titles = frozenset(tuple(title.split()) for title in lists["titles"])
    singular = lists["adjectives"]["words"].split()
    return Wordlists(
        titles=titles,
        longest_title=max(map(len, titles)),
        personal_titles=frozenset(lists["personal_titles"]),
        before_titles=frozenset(lists["before_titles"]),
        particles=frozenset(lists["particles"]),
        generations=frozenset(lists["generations"]),
        legal_forms=frozenset(lists["legal_forms"]),
        abbreviations=frozenset(lists["abbreviations"]),
        with_article=tuple(lists["with_article"]),
        with_possessive=tuple(lists["with_possessive"]),
        no_names=frozenset(lists["no_names"]),
        never_in_people=frozenset(lists["never_in_people"]),
        boilerplate=tuple(lists["boilerplate"]),
        full_forms={short: full for full, forms in lists["full_forms"].items() for short in forms},
        places=frozenset(" ".join(place.split()) for place in lists["places"]["words"].split(";")),
        adjectives=frozenset([*singular, *(f"{word}s" for word in singular)]),
    )


def plain(word: str) -> str:
    """A word as the lists have it."""
    return word.replace(".", "").lower()
