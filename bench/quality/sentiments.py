"""Files of annotated mentions (NewsMTSC's format) -> how often the sentiment towards each is told rightly.

    .venv/bin/python -m bench.quality.sentiments rw.jsonl mt.jsonl
    .venv/bin/python -m bench.quality.sentiments --set-aside ../shared/data/newsmtsc/train.jsonl

Through the functions of the pipeline, beside VADER on the sentence and the label that is most frequent. The goals are
for files that the model has not seen, whose macro-F1 is averaged. `--set-aside` takes of each file only what training
kept for validation: its usual sentences and, apart, those with several targets.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.quality import vader
from processors import tone
from processors.towards import Sentence, Towards
from training import newsmtsc
from training.newsmtsc import LABELS, Example, Figures

#: (Mean macro-F1, least share of the articles per second of bare NER.) The second is bench.enrich's to measure.
GOALS: Final = ((0.75, 0.6), (0.77, 0.5))
#: Sentences asked together, as of a batch of articles.
TOGETHER: Final = 200


class Result(NamedTuple):
    """What one system got out of one file."""

    figures: Figures
    seconds: float


Teller = Callable[[Sequence[Example]], list[int]]


def by_model(model: Towards, examples: Sequence[Example]) -> list[int]:
    """The labels of all targets by the pipeline's model."""
    said = []
    for at in range(0, len(examples), TOGETHER):
        asked = [
            Sentence(example.text, tuple((target.start, target.end) for target in example.targets))
            for example in examples[at : at + TOGETHER]
        ]
        said += [LABELS.index(tone.label(shares)) for answer in model.of(asked) for shares in answer]
    return said


def by_vader(examples: Sequence[Example]) -> list[int]:
    """Every target has the label of its sentence."""
    return [LABELS.index(vader.label(example.text)) for example in examples for _ in example.targets]


def by_majority(examples: Sequence[Example]) -> list[int]:
    """Every target has the label that is most frequent here."""
    labels = labels_of(examples)
    return [Counter(labels).most_common(1)[0][0]] * len(labels)


def labels_of(examples: Sequence[Example]) -> list[int]:
    """The labels that the annotators gave, in order."""
    return [target.label for example in examples for target in example.targets]


def run(files: Mapping[str, Sequence[Example]], model: Towards) -> dict[str, dict[str, Result]]:
    """Every system on every file: results by system and file."""
    systems: dict[str, Teller] = {
        model.name: lambda examples: by_model(model, examples),
        f"{vader.NAME}, sentence": by_vader,
        "most frequent label": by_majority,
    }
    return {
        system: {name: _result(tell, examples) for name, examples in files.items()} for system, tell in systems.items()
    }


def _result(tell: Teller, examples: Sequence[Example]) -> Result:
    begun = time.perf_counter()
    said = tell(examples)
    return Result(newsmtsc.figures(said, labels_of(examples)), time.perf_counter() - begun)


def table(files: Mapping[str, Sequence[Example]], results: Mapping[str, Mapping[str, Result]]) -> str:
    """One line for each file and system."""
    lines = [
        f"{'file':<28}{'system':<28}{'targets':>8}{'macro-F1':>10}{'accuracy':>10}"
        + "".join(f"{label:>10}" for label in LABELS)
        + f"{'sent./s':>10}"
    ]
    for name, examples in files.items():
        for system, by_file in results.items():
            found, seconds = by_file[name]
            lines.append(
                f"{name[-27:]:<28}{system[:27]:<28}{len(labels_of(examples)):>8}{found.macro_f1:>10.4f}"
                f"{found.accuracy:>10.4f}"
                + "".join(f"{f1:>10.4f}" for f1 in found.f1)
                + f"{len(examples) / max(seconds, 1e-9):>10,.0f}"
            )
    return "\n".join(lines)


def goals(of_model: Mapping[str, Result]) -> str:
    """What was asked for beside what there is."""
    mean = sum(result.figures.macro_f1 for result in of_model.values()) / len(of_model)
    return "\n".join(
        f"mean macro-F1 of {len(of_model)} files, enrichment at >= {ratio} of bare NER{mean:>10.4f}   goal >= {goal}   "
        + ("met" if mean >= goal else "MISSED")
        for goal, ratio in GOALS
    )


def load(paths: Sequence[Path], set_aside: bool) -> dict[str, list[Example]]:
    """The sentences of files, by name; with `set_aside` of each the two parts kept from training."""
    files: dict[str, list[Example]] = {}
    for path in paths:
        examples = newsmtsc.read(path)
        if set_aside:
            parts = newsmtsc.split(examples)
            files |= {f"{path.name}, usual": parts.usual, f"{path.name}, several": parts.several}
        else:
            files[path.name if path.name not in files else str(path)] = examples
    return {name: examples for name, examples in files.items() if examples}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.jsonl")
    parser.add_argument("--weights", type=Path, help="another folder than processors/weights")
    parser.add_argument("--set-aside", action="store_true", help="only what training kept for validation")
    arguments = parser.parse_args()
    try:
        files = load(arguments.files, arguments.set_aside)
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    if not files:
        raise SystemExit("error: no sentences in these files")
    model = Towards(arguments.weights)
    results = run(files, model)
    print(table(files, results), goals(results[model.name]), sep="\n\n")


if __name__ == "__main__":
    main()
