"""Spans with the model's labels -> one label for each name of the article; pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from processors import names, wordlists
from processors.names import Found

PLACES: Final = frozenset({"GPE", "LOC", "FAC"})
#: ORG is what the model says where it does not know: of the names that it also calls a person or a place, few are one.
_ORG_WEIGHT: Final = 0.3
#: "in Hydra", "the Mara" (said to be a person): a vote for a place that beats one of the model.
_HINT: Final = 1.1
#: A country or a state by its name: two votes of the model are needed against it.
_KNOWN_PLACE: Final = 2.0
#: A surname that the model never called a person is one, if it stands there at most so often for each full name.
_MAX_SURNAMES: Final = 8

_WORD_BEFORE: Final = re.compile(r"(\w+)\s+$")
_PLACE_FOLLOWS: Final = frozenset({"in", "near", "across", "throughout", "outside"})


def labels(text: str, spans: Sequence[Found]) -> dict[str, str]:
    """The label of each name by majority, spans in the order of the text; of equals the first.

    Places vote together, an adjective of a place is NORP, and a surname is what its full name is.
    """
    known = wordlists.load()
    votes: dict[str, Counter[str]] = {}
    hints: dict[str, float] = {}
    for span in spans:
        name = names.name_of(text, span)
        votes.setdefault(name, Counter())[span.label] += 1
        if span.label in ("PERSON", "ORG") and _may_be_place(text, span):
            hints[name] = hints.get(name, 0) + _HINT
    for name in votes.keys() & known.places:
        hints[name] = hints.get(name, 0) + _KNOWN_PLACE
    chosen = {
        name: "NORP" if name in known.adjectives else _winner(name, counted, hints.get(name, 0))
        for name, counted in votes.items()
    }
    for name in _surnames(chosen, votes):
        chosen[name] = "PERSON"
    for name, label in chosen.items():
        if (label == "ORG" or label in PLACES) and _is_full_name(name, chosen):
            chosen[name] = "PERSON"
    return chosen


def surname(name: str) -> str:
    """The last word of a person's name; "Jr." and "II" are none, and "al-Assad" is "Assad"."""
    words = name.split()
    while len(words) > 1 and wordlists.plain(words[-1].strip(",")) in wordlists.load().generations:
        words.pop()
    return words[-1].strip(",").removeprefix("al-").removeprefix("el-")


def _is_full_name(name: str, chosen: Mapping[str, str]) -> bool:
    """Two words, the second a person's name in this article: "Sigrid Kaag" where Kaag is a person."""
    words = name.split()
    return (
        len(words) == 2
        and chosen.get(words[1]) == "PERSON"
        and words[0] not in chosen
        and words[0] not in wordlists.load().adjectives
        and all(word[0].isupper() and word.replace(".", "").replace("-", "").isalpha() for word in words)
    )


def _may_be_place(text: str, span: Found) -> bool:
    before = _WORD_BEFORE.search(text, max(0, span.start - 16), span.start)
    if before is None:
        return False
    word = before[1].lower()
    return word in _PLACE_FOLLOWS or (word == "the" and span.label == "PERSON")


def _winner(name: str, counted: Mapping[str, int], hint: float) -> str:
    groups: dict[str, float] = {}
    for label, count in counted.items():
        group = "GPE" if label in PLACES else label
        weight = _ORG_WEIGHT if label == "ORG" and not name.isupper() else 1
        groups[group] = groups.get(group, 0) + count * weight
    if hint:
        groups["GPE"] = groups.get("GPE", 0) + hint
    best = max(groups, key=groups.__getitem__)
    if best != "GPE":
        return best
    return max((label for label in counted if label in PLACES), key=counted.__getitem__, default="GPE")


def _surnames(chosen: Mapping[str, str], votes: Mapping[str, Counter[str]]) -> list[str]:
    """The names of one word that are a person's here, whatever the model mostly says.

    Not "Ford" of "Ford Motor Company", and not what stood there before anybody was called so.
    """
    full: Counter[str] = Counter()
    firsts: set[str] = set()
    later: set[str] = set()
    for name, label in chosen.items():  # in the order of their first mentions
        if " " not in name:
            if name in full:
                later.add(name)
        elif label == "PERSON":
            full[surname(name)] += votes[name].total()
        elif label == "ORG" or label in PLACES:
            firsts.add(name.split(" ", 1)[0])
    return [
        name
        for name in chosen.keys() & full.keys()
        if name not in firsts
        and name not in wordlists.load().adjectives
        and (
            votes[name]["PERSON"]
            or (name in later and (chosen[name] == "NORP" or votes[name].total() <= _MAX_SURNAMES * full[name]))
        )
    ]
