"""Labelled deliveries -> how much each shares with what it could be taken for: the figures that rules are made from.

    .venv/bin/python -m bench.quality.facts --seeds 3

Everything is measured on cleaned texts with plain Python sets, so that no hash and no sketch stands between. A delivery
is held against the one it was made of; where it is an article of its own, against the earlier one of its group that it
shares most with.
"""

import argparse
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np

from bench.quality import generate, wikinews
from bench.quality.generate import Delivery
from pipeline import cleaning, identity

_NUMBER: Final = re.compile(r"\d[\d.,]*\d|\d")
_TOKEN: Final = re.compile(r"\d[\d.,]*\d|\w+")
_CAPITALISED: Final = re.compile(r"\b[^\W\d_]\w+\b")
_INSIDE: Final = re.compile(r"(?<=[\w,;:'’)] )[\"“(]?([A-Z]\w+)")


class Pair(NamedTuple):
    """Two texts, and what they share. `one_*`: what the shorter has alone, as a share of the smaller set of the two."""

    case: str
    variant: str
    containment: float
    one_numbers: float
    other_numbers: float
    one_names: float
    other_names: float
    one_contextual: float
    other_contextual: float
    one_inside_names: float
    other_inside_names: float
    swapped_numbers: float
    swapped_names: float
    swapped_words: float
    swaps: float


MEASURES: Final = Pair._fields[2:]


@dataclass(frozen=True, slots=True)
class Sets:
    """The sets of one cleaned text."""

    shingles: set[str]
    numbers: set[str]
    names: set[str]
    contextual: set[tuple[str, str, str]]
    inside_names: set[str]
    slots: dict[tuple[str, str, str, str], set[str]]  # two words before and after -> what stands between

    @classmethod
    def of(cls, text: str) -> "Sets":
        tokens = _TOKEN.findall(identity.normalised(text))
        padded = ["", "", *tokens, "", ""]
        slots: dict[tuple[str, str, str, str], set[str]] = {}
        for i in range(2, len(padded) - 2):
            slots.setdefault((*padded[i - 2 : i], *padded[i + 1 : i + 3]), set()).add(padded[i])
        return cls(
            wikinews.shingles(text),
            set(_NUMBER.findall(text)),
            names(text),
            {(padded[i - 1], padded[i], padded[i + 1]) for i in range(2, len(padded) - 2) if padded[i][0].isdigit()},
            {name.casefold() for name in _INSIDE.findall(text)},
            slots,
        )


def names(text: str) -> set[str]:
    """Capitalised words that the text never writes in lower case, as the fingerprint has them."""
    words = set(_CAPITALISED.findall(text))
    return {word.casefold() for word in words if word[0].isupper() and word.lower() not in words}


def pair(case: str, variant: str, one: Sets, other: Sets) -> Pair:
    """The figures of two texts; the shorter is `one`."""
    if len(one.shingles) > len(other.shingles):
        one, other = other, one
    shared = one.slots.keys() & other.slots.keys()
    swapped = [slot for slot in shared if not one.slots[slot] & other.slots[slot]]
    numbers = [slot for slot in swapped if any(word[0].isdigit() for word in one.slots[slot])]
    called = one.names | other.names
    named = [slot for slot in swapped if one.slots[slot] & called]
    number_slots = [slot for slot in shared if any(word[0].isdigit() for word in one.slots[slot])]
    name_slots = [slot for slot in shared if one.slots[slot] & called]
    return Pair(
        case,
        variant,
        wikinews.containment(one.shingles, other.shingles),
        *_alone(one.numbers, other.numbers),
        *_alone(one.names, other.names),
        *_alone(one.contextual, other.contextual),
        *_alone(one.inside_names, other.inside_names),
        len(numbers) / max(1, len(number_slots)),
        len(named) / max(1, len(name_slots)),
        len(swapped) / max(1, len(shared)),
        float(len(numbers) + len(named)),
    )


def _alone(one: Set[object], other: Set[object]) -> tuple[float, float]:
    smaller = max(1, min(len(one), len(other)))
    return len(one - other) / smaller, len(other - one) / smaller


def pairs(deliveries: Iterable[Delivery]) -> list[Pair]:
    """Each delivery beside what it could be taken for."""
    rules = cleaning.load_rules()
    seen: dict[UUID, Sets] = {}
    groups: dict[str, list[Sets]] = {}
    found = []
    for delivery in deliveries:
        label = delivery.label
        sets = Sets.of(cleaning.clean(delivery.article.body, rules).text)
        if label.root is not None:
            found.append(pair(label.case, label.variant, sets, seen[label.root]))
        else:
            earlier = groups.setdefault(label.group, [])
            if earlier:
                nearest = max(earlier, key=lambda other: wikinews.containment(sets.shingles, other.shingles))
                found.append(pair(label.case, label.variant, sets, nearest))
            earlier.append(sets)
        seen.setdefault(delivery.article.delivery_id, sets)
    return found


def table(found: Sequence[Pair], measure: str) -> str:
    """One measure by class: minimum, 5 %, median, 95 %, maximum."""
    lines = [f"{measure:<24}{'pairs':>6}{'min':>8}{'5 %':>8}{'median':>8}{'95 %':>8}{'max':>8}"]
    for case in sorted({p.case for p in found}):
        values = [getattr(p, measure) for p in found if p.case == case]
        quantiles = np.quantile(values, [0, 0.05, 0.5, 0.95, 1])
        lines.append(f"  {case:<22}{len(values):>6}" + "".join(f"{value:>8.3f}" for value in quantiles))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="how many streams, seeds 1, 2, …")
    parser.add_argument("--texts", type=Path, default=wikinews.DEFAULT, help="the Wikinews file of the data folder")
    arguments = parser.parse_args()
    try:
        bases = wikinews.load(arguments.texts)
    except wikinews.NoTexts as error:
        raise SystemExit(f"error: {error}") from None
    found = [p for seed in range(1, arguments.seeds + 1) for p in pairs(generate.stream(seed, bases))]
    for measure in MEASURES:
        print(table(found, measure), end="\n\n")


if __name__ == "__main__":
    main()
