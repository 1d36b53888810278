"""NewsMTSC sentences + MiniLM -> a checkpoint, and its scores on sentences set aside. README.md has the commands."""

import argparse
import copy
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from training import newsmtsc, rows
from training.model import TowardsNet, from_minilm
from training.newsmtsc import LABELS, Example
from training.rows import UNKNOWN, Row

#: How much of a label is spread over all labels.
SMOOTHING: Final = 0.05
#: How much of what an annotated mention shall get is the teachers' word.
TEACHERS: Final = 0.5
#: Steps until the full rate, and the share of it that is kept at the end.
WARM_UP: Final = 100
LAST_RATE: Final = 0.02
#: What is new learns so much faster than MiniLM's layers.
NEW_RATE: Final = 10
#: What is kept is a running mean of the weights: of so many steps at first, later of the last tenth.
MEAN_OF: Final = 10


class Test(NamedTuple):
    """Sentences set aside, as they are and as rows."""

    examples: Sequence[Example]
    rows: Sequence[Row]


def main() -> None:
    """Train one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="NewsMTSC's train.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint")
    parser.add_argument("--layers", type=int, default=3, help="whole layers before the target layer, 1 to 5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--rdrop", type=float, default=0.0, help="weight of R-Drop; doubles the time")
    parser.add_argument("--teachers", type=Path, nargs="*", default=[], help="checkpoints to learn from as well")
    parser.add_argument("--all", action="store_true", help="train on the sentences set aside too")
    parser.add_argument("--source-out", help="train without this source, and score on it")
    given = parser.parse_args()

    torch.set_num_threads(1)  # the same sums in the same order on every machine of one kind
    torch.manual_seed(given.seed)
    learn, aside = parts_of(newsmtsc.read(given.data), given.all, given.source_out)
    tokenizer = rows.minilm_tokenizer()
    teachers = [load(path) for path in given.teachers]
    material = rows.rows_of(learn, tokenizer, further=True, unknown=bool(teachers))
    tests = {name: Test(part, rows.rows_of(part, tokenizer, further=False)) for name, part in aside.items()}

    net = from_minilm(rows.minilm_folder(), given.layers)
    mean, history = train(net, material, teach(teachers, material), tests, given)
    checkpoint = {
        "layers": given.layers,
        "net": mean.state_dict(),
        "history": history,
        "given": {name: json.loads(json.dumps(value, default=_file_name)) for name, value in vars(given).items()},
    }
    torch.save(checkpoint, given.out)


def _file_name(path: Path) -> str:
    return path.name


def parts_of(
    examples: Sequence[Example], everything: bool, source_out: str | None
) -> tuple[Sequence[Example], Mapping[str, Sequence[Example]]]:
    """What to learn from, and what to score on by name."""
    if source_out is not None:
        out = [example for example in examples if example.source == source_out]
        several = [example for example in out if len(example.targets) > 1]
        return [e for e in examples if e.source != source_out], {"usual": out, "several": several}
    parts = newsmtsc.split(examples)
    return examples if everything else parts.train, {"usual": parts.usual, "several": parts.several}


def train(
    net: TowardsNet,
    material: Sequence[Row],
    taught: Mapping[Row, Tensor],
    tests: Mapping[str, Test],
    given: argparse.Namespace,
) -> tuple[TowardsNet, list[dict[str, Any]]]:
    """The net with the running mean of the weights, and how each epoch went."""
    chance = random.Random(given.seed)
    mean = copy.deepcopy(net)
    new = [p for name, p in net.named_parameters() if _is_new(name)]
    old = [p for name, p in net.named_parameters() if p.requires_grad and not _is_new(name)]
    optimizer = torch.optim.AdamW(
        [{"params": old, "lr": given.rate}, {"params": new, "lr": given.rate * NEW_RATE}], weight_decay=0.01
    )
    per_epoch = math.ceil(len(material) / rows.BATCH)
    steps = given.epochs * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARM_UP, max(LAST_RATE, 1 - step / steps))
    )
    began, step, history = time.monotonic(), 0, []
    for epoch in range(given.epochs):
        net.train()
        total = 0.0
        for part in rows.shuffled(material, chance):
            loss = _loss_of(net, part, taught, given.rdrop)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            total += loss.item()
            _follow(mean, net, MEAN_OF / (step + MEAN_OF))
        line: dict[str, Any] = {"epoch": epoch + 1, "loss": round(total / per_epoch, 4)}
        line |= {name: round(score(mean, test).macro_f1, 4) for name, test in tests.items()}
        history.append(line)
        print(json.dumps(line | {"seconds": round(time.monotonic() - began)}), flush=True)
    return mean, history


def _is_new(name: str) -> bool:
    return name.startswith(("head.", "near"))


@torch.no_grad()
def _follow(mean: TowardsNet, net: TowardsNet, share: float) -> None:
    for one, other in zip(mean.parameters(), net.parameters(), strict=True):
        if other.requires_grad:
            one.lerp_(other, share)


def _loss_of(net: TowardsNet, part: Sequence[Row], taught: Mapping[Row, Tensor], rdrop: float) -> Tensor:
    batch = rows.batch_of(part)
    labels = torch.tensor([label for row in part for label in row.labels])
    weights = torch.tensor([weight for row in part for weight in row.weights])
    wanted = functional.one_hot(labels, len(LABELS)) * (1 - SMOOTHING) + SMOOTHING / len(LABELS)
    if taught:
        own = torch.tensor([(1 - TEACHERS) * (which != UNKNOWN) for row in part for _, which in row.origin])
        wanted = torch.lerp(torch.cat([taught[row] for row in part]), wanted, own[:, None])

    with torch.autocast("cpu", dtype=torch.bfloat16):
        passes = [net(batch).float().log_softmax(1) for _ in range(2 if rdrop else 1)]
    each = -torch.stack([(wanted * said).sum(1) for said in passes]).mean(0)
    if rdrop:
        # How far two passes with other dropout are from each other (Liang et al. 2021).
        one, other = passes
        each = each + rdrop * ((one.exp() - other.exp()) * (one - other)).sum(1) / 2
    return (each * weights).sum() / weights.sum()


def load(path: Path) -> TowardsNet:
    """The net of a checkpoint."""
    checkpoint = torch.load(path, weights_only=True)
    net = TowardsNet(checkpoint["layers"])
    net.load_state_dict(checkpoint["net"])
    return net.eval()


@torch.inference_mode()
def teach(teachers: Sequence[TowardsNet], material: Sequence[Row]) -> dict[Row, Tensor]:
    """The mean of the teachers' shares for each row's targets; nothing without teachers."""
    found: dict[Row, Tensor] = {}
    for part in rows.by_length(material, 64) if teachers else ():
        batch = rows.batch_of(part)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            shares = torch.stack([net(batch).float().softmax(1) for net in teachers]).mean(0)
        found |= zip(part, torch.split(shares, [len(row.spans) for row in part]), strict=True)
    # Out of inference mode by a copy: what comes from it may take no part in a loss.
    return {row: torch.tensor(shares.tolist()) for row, shares in found.items()}


@torch.inference_mode()
def score(net: TowardsNet, test: Test) -> newsmtsc.Figures:
    """How well the annotated mentions are told."""
    net.eval()
    said, right = [], []
    for part in rows.by_length(test.rows, 64):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said += net(rows.batch_of(part)).argmax(1).tolist()
        right += [label for row in part for label in row.labels]
    return newsmtsc.figures(said, right)


if __name__ == "__main__":
    main()
