"""The names of an article -> which of them are one, under their full form; pure.

"Blinken" is Antony Blinken, "WHO" the World Health Organization if the text says so, "US" the United States, "PORTO"
Porto, "Boeing" Boeing Co. Nothing else is guessed: "State" stays apart from the State Department.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from processors import edges, votes, wordlists

_DOTTED: Final = re.compile(r"(?:[A-Z]\.)+[A-Z]?\.?")
_ACRONYM: Final = re.compile(r"[A-Z]{2,8}")
_TITLE_NAME: Final = re.compile(r"(?<![\w’'-])[A-Z][\w.’'-]+(?: [A-Z][\w.’'-]*)*(?: [A-Z][\w’-]+)")
#: So much of a title is read for names.
_MAX_TITLE: Final = 500

Starts = Mapping[str, Sequence[int]]


class Aliases:
    """Which full form a name stands for; most names stand for themselves."""

    def __init__(self, parents: Mapping[str, str], ambiguous: Mapping[str, tuple[list[int], list[str]]]) -> None:
        self._parents = parents
        self._ambiguous = ambiguous

    def full(self, name: str, start: int) -> str:
        """The full form of a name at a place of the text.

        A surname of several people is whoever was called by the full name last, or else will be first.
        """
        if name in self._ambiguous:
            starts, people = self._ambiguous[name]
            name = people[max(0, bisect_right(starts, start) - 1)]
        seen = set()
        while name in self._parents and name not in seen:
            seen.add(name)
            name = self._parents[name]
        return name


def of(labels: Mapping[str, str], starts: Starts, pairs: Iterable[tuple[str, str]], title: str) -> Aliases:
    """The aliases among the names of an article.

    `labels` has the label of each name and `starts` the places of its mentions, both in the order of the text; `pairs`
    are (full form, acronym) as the text introduces them. The title is evidence for full names of people.
    """
    parents: dict[str, str] = {}
    _join_cases(labels, starts, parents)
    bodies = {name: label for name, label in labels.items() if label != "PERSON" and name not in parents}
    for long, short in pairs:
        if short != long and parents.get(long) != short:
            parents.setdefault(short, long)
    _join_acronyms(bodies, starts, parents)
    _join_companies([name for name, label in bodies.items() if label == "ORG"], parents)
    people = [name for name, label in labels.items() if label == "PERSON" and name not in parents]
    return Aliases(parents, _join_people(people, starts, title, parents))


def _join_cases(labels: Mapping[str, str], starts: Starts, parents: dict[str, str]) -> None:
    """Names in capitals are the names that are not."""
    written: dict[str, str] = {}
    for name in labels:
        if not name.isupper():
            key = name.upper()
            if key not in written or len(starts[name]) > len(starts[written[key]]):
                written[key] = name
    for name in labels:
        if name.isupper() and name in written:
            parents[name] = written[name]


def _join_acronyms(bodies: Mapping[str, str], starts: Starts, parents: dict[str, str]) -> None:
    """U.S., US: the full form of the list, or the one name of the article with these initials."""
    known = wordlists.load().full_forms
    initials: dict[str, list[str]] = {}
    for name, label in bodies.items():
        if label == "ORG" and name.count(" ") > 0:
            letters = "".join(word[0] for word in name.split() if word[0].isupper())
            initials.setdefault(letters, []).append(name)
    written: dict[str, str] = {}
    for name, label in bodies.items():
        letters = name.replace(".", "") if _DOTTED.fullmatch(name) else name
        if not _ACRONYM.fullmatch(letters) or name in parents:
            continue
        if letters in known and label in ("GPE", "ORG"):
            parents[name] = known[letters]
        elif label == "ORG" and len(initials.get(letters, ())) == 1:
            parents[name] = initials[letters][0]
        elif (other := written.setdefault(letters, name)) != name:
            one, two = sorted((other, name), key=lambda form: -len(starts[form]))
            parents[two] = written[letters] = one


def _join_companies(bodies: Sequence[str], parents: dict[str, str]) -> None:
    """A company without its legal form is the company with it."""
    forms = wordlists.load().legal_forms
    longest: dict[str, str] = {}
    for name in bodies:
        words = name.split()
        while len(words) > 1 and wordlists.plain(words[-1].strip(",")) in forms:
            words.pop()
        base = " ".join(words).rstrip(",")
        known = longest.setdefault(base, name)
        if known != name:
            short, long = sorted((known, name), key=len)
            parents.setdefault(short, long)
            longest[base] = long


def _join_people(
    people: Sequence[str], starts: Starts, title: str, parents: dict[str, str]
) -> dict[str, tuple[list[int], list[str]]]:
    """Surnames and first names join full names; what several people share is returned with who was named where."""
    full = [name for name in people if " " in name]
    single = [name for name in people if " " not in name]
    known = set(full)
    surnames: dict[str, list[str]] = {}
    firsts: dict[str, list[str]] = {}
    ends: dict[tuple[str, str], str] = {}  # first word and surname: "George W. Bush" and "George Bush" are one
    for name in full:
        surname, first = votes.surname(name), name.split(" ", 1)[0]
        words = name.split()
        for i in range(1, min(len(words) - 1, 6)):  # "Bambang Yudhoyono" of "Susilo Bambang Yudhoyono"
            if (rest := " ".join(words[i:])) in known:
                parents.setdefault(rest, name)
        other = ends.setdefault((first, surname), name)
        if other != name:
            short, long = sorted((other, name), key=len)
            parents.setdefault(short, long)
            ends[first, surname] = long
    for name in full:
        if name not in parents:
            surnames.setdefault(votes.surname(name), []).append(name)
            firsts.setdefault(name.split(" ", 1)[0], []).append(name)
    shared: dict[str, tuple[list[int], list[str]]] = {}
    in_title = _full_names(title, set(single) - surnames.keys() - firsts.keys())
    for name in single:
        key = votes.surname(name)
        if key in surnames:
            whole = [person for person in surnames[key] if person != name]
            if len(whole) == 1:
                parents[name] = whole[0]
            elif whole:
                named = sorted((start, person) for person in whole for start in starts[person])
                shared[name] = ([start for start, _ in named], [person for _, person in named])
        elif len(firsts.get(name, ())) == 1:
            parents[name] = firsts[name][0]
        elif name in in_title:
            parents[name] = in_title[name]
    return shared


def _full_names(title: str, surnames: set[str]) -> dict[str, str]:
    """The full names that a title gives for surnames; a title with capitals throughout gives none."""
    title = title[:_MAX_TITLE]
    if edges.is_headline(title):
        return {}
    known = wordlists.load()
    found: dict[str, str] = {}
    for match in _TITLE_NAME.finditer(title):
        parts = match[0].removesuffix("'s").removesuffix("’s").split()
        if edges.ends_title(title, match.start(), [wordlists.plain(parts[0])]):
            parts.pop(0)
        while parts and (
            wordlists.plain(parts[0]) in known.no_names
            or (wordlists.plain(parts[0]),) in known.titles
            or parts[0] in known.adjectives
            or parts[0] in known.places
        ):
            parts.pop(0)
        if len(parts) in (2, 3) and parts[-1] in surnames:
            found[parts[-1]] = " ".join(parts)
    return found


def forms(names: Iterable[str], full: str) -> tuple[str, ...]:
    """The other forms, the most frequent first."""
    counted = Counter(names)
    return tuple(name for name, _ in counted.most_common() if name != full)
