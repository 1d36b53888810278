"""NewsMTSC files (one JSON object a line) -> sentences with targets and their polarity; and the split for validation.

The format: Hamborg & Donnay 2021, https://aclanthology.org/2021.eacl-main.142; polarity 2, 4, 6 is negative, neutral,
positive.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

#: In the order of the model's shares.
LABELS: Final = ("negative", "neutral", "positive")
_POLARITY: Final = {2.0: 0, 4.0: 1, 6.0: 2}


class Target(NamedTuple):
    """One annotated mention: code points in the sentence, the index of its label, where else the sentence means it."""

    start: int
    end: int
    label: int
    further: tuple[tuple[int, int], ...] = ()


class Example(NamedTuple):
    """One sentence; `source` is the collection of articles it is from, `group` the article or event in that."""

    text: str
    targets: tuple[Target, ...]
    source: str
    group: str


class Split(NamedTuple):
    """No group is on both sides; `usual` has all sentences of its groups, `several` those of two targets or more."""

    train: list[Example]
    usual: list[Example]
    several: list[Example]


def read(path: Path) -> list[Example]:
    """Every line of a file; a line of another shape raises ValueError that says which."""
    examples = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                examples.append(_example(json.loads(line)))
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise ValueError(f"{path}, line {number}: not a NewsMTSC sentence ({error!r})") from error
    return examples


def _example(row: dict[str, Any]) -> Example:
    text = row["sentence_normalized"]
    targets = tuple(
        Target(
            target["from"],
            target["to"],
            _POLARITY[float(target["polarity"])],
            tuple((more["from"], more["to"]) for more in target.get("further_mentions") or ()),
        )
        for target in row["targets"]
    )
    if not all(0 <= target.start < target.end <= len(text) for target in targets):
        raise ValueError("a target lies outside its sentence")
    parts = str(row["primary_gid"]).split("_")
    # allsides_<article>_<event>_…, polusa_v1_<article>_…: what must not stand on both sides of a split.
    return Example(text, targets, parts[0], "_".join((parts[0], *parts[2:3])))


def split(examples: Sequence[Example]) -> Split:
    """Set a tenth of the groups aside as they are, and of another tenth those with sentences of several targets.

    By the hash of the group's name, so it is the same everywhere; sentences of one article or event stay together.
    """
    tenths = {group: _tenth(group) for group in {example.group for example in examples}}
    rich = {example.group for example in examples if len(example.targets) > 1}
    aside = {group for group, tenth in tenths.items() if tenth == 0 or (tenth == 1 and group in rich)}
    return Split(
        train=[e for e in examples if e.group not in aside],
        usual=[e for e in examples if tenths[e.group] == 0],
        several=[e for e in examples if e.group in aside and len(e.targets) > 1],
    )


def _tenth(group: str) -> int:
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") % 10


class Figures(NamedTuple):
    """How well labels were told."""

    macro_f1: float
    accuracy: float
    f1: tuple[float, ...]  # by label


def figures(said: Sequence[int], right: Sequence[int]) -> Figures:
    """The scores that the papers on this data set give; the F1 of a label that neither side has is 0."""
    pairs = list(zip(said, right, strict=True))
    f1 = tuple(
        2 * sum(s == r == label for s, r in pairs) / max(1, sum((s == label) + (r == label) for s, r in pairs))
        for label in range(len(LABELS))
    )
    return Figures(sum(f1) / len(f1), sum(s == r for s, r in pairs) / max(1, len(pairs)), f1)
