"""Labelled deliveries -> how many the pipeline decides rightly, by class, beside the goals and beside its rivals.

    .venv/bin/python -m bench.quality.report --seeds 3
    .venv/bin/python -m bench.quality.report --seeds 1 --noise 100000 --no-rivals
    .venv/bin/python -m bench.quality.report --show-errors 5 --only corrected

Precision: of the deliveries called `copy`, how many are copies, and of the right family. Recall: of the deliveries of a
class, how many got the decision that their label says. The texts are Wikinews (not in this repository) and our own.
"""

import argparse
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final, NamedTuple, get_args
from uuid import UUID

from bench.quality import generate, noise, rivals, wikinews
from bench.quality.generate import Case, Delivery
from pipeline import cleaning
from pipeline.errors import InvalidRecord
from pipeline.records import Coordinates, Verdict
from processors import entry, fingerprint
from processors.signature_index import SignatureIndex

LOG_ID: Final = UUID(int=2)
RAW_ID: Final = UUID(int=3)
WINDOW_MS: Final = 7 * 86_400_000
NOISE_BATCH: Final = 2_000
#: What another outlet carries again: recall is counted over these.
COPIES: Final[tuple[Case, ...]] = ("syndicated", "shortened", "expanded", "corrected")
#: What only looks like a copy: not one may be called so.
LOOKALIKES: Final[tuple[Case, ...]] = ("same-event", "template")
#: Shown and not counted: a form whose few names alone differ cannot be told from a correction of them, and no two
#: articles of one form had all figures in common yet.
UNDECIDABLE: Final[tuple[Case, ...]] = ("template-few-names",)
COUNTED: Final[tuple[Case, ...]] = tuple(case for case in get_args(Case) if case not in UNDECIDABLE)
PRECISION_GOAL: Final = 0.995
RECALL_GOAL: Final = 0.985


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said about one delivery. `said` may be no kind: a text that cleaning leaves nothing of."""

    delivery: Delivery
    said: str
    right: bool
    text: str
    family: str | None = None
    score: float | None = None
    guard: str | None = None
    against: str = ""  # the text of `of` or, where nothing was found, of the original


class Row(NamedTuple):
    """One class in figures."""

    pairs: int
    right: int
    called_copy: int
    rightly_copy: int

    @property
    def precision(self) -> float | None:
        return self.rightly_copy / self.called_copy if self.called_copy else None

    @property
    def recall(self) -> float | None:
        return self.right / self.pairs if self.pairs else None


class Speed(NamedTuple):
    """How long the deliveries took, the noise before them left out."""

    deliveries: int
    seconds: float


def run(deliveries: Sequence[Delivery], noise_count: int, seed: int) -> tuple[list[Answer], Speed]:
    """The deliveries through the functions of the pipeline, after `noise_count` others."""
    rules = cleaning.load_rules()
    index = SignatureIndex(LOG_ID, rules.version, WINDOW_MS)
    began_ms = int(generate.START.timestamp() * 1000)
    # As a replica that starts takes them: with their verdicts, which are no question.
    others = noise.signatures(noise_count, seed, rules.version)
    for begin in range(0, noise_count, NOISE_BATCH):
        size = min(NOISE_BATCH, noise_count - begin)
        index.apply_all(
            [
                entry.of(signature, begin + i, began_ms - 3_600_000, Verdict(offset=begin + i, kind="new"))
                for i, signature in enumerate(islice(others, size))
            ]
        )
    answers: list[Answer] = []
    families: dict[UUID, str] = {}
    texts: dict[UUID, str] = {}
    deliveries_texts: dict[UUID, str] = {}
    seconds = 0.0
    for place, delivery in enumerate(deliveries):
        article, label = delivery.article, delivery.label
        at = Coordinates(topic_id=RAW_ID, partition=0, offset=place)
        log_ms = began_ms + generate.PACE_SECONDS * 1000 * place
        begun = time.perf_counter()
        try:
            prepared = fingerprint.prepare(article, at, rules)
        except InvalidRecord as error:
            answers.append(Answer(delivery, error.reason.value, False, article.body))
            continue
        decision = index.apply(prepared.signature, noise_count + place, log_ms).decision
        seconds += time.perf_counter() - begun
        text = prepared.body.text
        families.setdefault(decision.article_id, label.family)
        named = families.get(decision.of) if decision.of is not None else None
        contained = families.get(decision.contains) if decision.contains is not None else None
        right = decision.kind == label.kind and (label.kind == "new" or named == label.family)
        right = right and (not label.contains or contained == label.family)
        about = decision.of or decision.contains or decision.resembles
        against = texts.get(about, "") if about is not None else ""
        if not against and label.root is not None:
            against = deliveries_texts.get(label.root, "")
        answers.append(Answer(delivery, decision.kind, right, text, named, decision.score, decision.guard, against))
        texts[decision.article_id] = text
        deliveries_texts[article.delivery_id] = text
    return answers, Speed(len(deliveries), seconds)


def run_rival(rival: rivals.Rival, deliveries: Sequence[Delivery]) -> tuple[list[Answer], Speed]:
    """The first deliveries of articles through a rival: new or copy."""
    rules = cleaning.load_rules()
    firsts: list[tuple[Delivery, str]] = []
    known: set[str | None] = set()
    for delivery in deliveries:
        if delivery.article.url not in known:
            known.add(delivery.article.url)
            firsts.append((delivery, cleaning.clean(delivery.article.body, rules).text))
    answers: list[Answer] = []
    begun = time.perf_counter()  # the rivals get the texts clean
    for key, (delivery, text) in enumerate(firsts):
        of = rival.match(key, text)
        family = None if of is None else firsts[of][0].label.family
        said = "new" if of is None else "copy"
        right = said == delivery.label.kind and (of is None or family == delivery.label.family)
        answers.append(Answer(delivery, said, right, text, family, against="" if of is None else firsts[of][1]))
    return answers, Speed(len(firsts), time.perf_counter() - begun)


def rows(answers: Iterable[Answer]) -> dict[Case, Row]:
    """The figures by class, in the order in which the generator names them."""
    by_case: dict[Case, list[Answer]] = {case: [] for case in get_args(Case)}
    for answer in answers:
        by_case[answer.delivery.label.case].append(answer)
    return {case: _row(found) for case, found in by_case.items() if found}


def _row(answers: Sequence[Answer]) -> Row:
    copies = [answer for answer in answers if answer.said == "copy"]
    return Row(len(answers), sum(a.right for a in answers), len(copies), sum(a.right for a in copies))


def overall(found: Mapping[Case, Row], cases: Iterable[Case]) -> Row:
    """Several classes together."""
    kept = [found[case] for case in cases if case in found]
    return Row(*(sum(figures) for figures in zip(*kept, strict=True))) if kept else Row(0, 0, 0, 0)


def table(found: Mapping[Case, Row]) -> str:
    lines = [f"{'class':<20}{'pairs':>7}{'right':>7}{'called copy':>13}{'precision':>11}{'recall':>9}"]
    lines += [
        f"{case:<20}{row.pairs:>7}{row.right:>7}{row.called_copy:>13}{_figure(row.precision):>11}"
        f"{_figure(row.recall):>9}"
        for case, row in found.items()
    ]
    return "\n".join(lines)


def goals(found: Mapping[Case, Row]) -> str:
    """What was asked for beside what there is."""
    precision, recall = overall(found, COUNTED).precision, overall(found, COPIES).recall
    false_copies = overall(found, LOOKALIKES).called_copy
    lines = (
        (f"precision of `copy`, all but {', '.join(UNDECIDABLE)}", _figure(precision), f">= {PRECISION_GOAL}",
         precision is not None and precision >= PRECISION_GOAL),
        (f"recall of {', '.join(COPIES)}", _figure(recall), f">= {RECALL_GOAL}",
         recall is not None and recall >= RECALL_GOAL),
        (f"called copies among {', '.join(LOOKALIKES)}", str(false_copies), "0", false_copies == 0),
    )  # fmt: skip
    return "\n".join(
        f"{what:<58}{figure:>8}   goal {goal:<9}{'met' if met else 'MISSED'}" for what, figure, goal, met in lines
    )


def compared(name: str, found: Mapping[Case, Row], speed: Speed) -> str:
    """One line of the comparison."""
    precision, recall = overall(found, COUNTED).precision, overall(found, COPIES).recall
    return (
        f"{name:<42}{_figure(precision):>11}{_figure(recall):>9}{overall(found, LOOKALIKES).called_copy:>13}"
        f"{speed.deliveries / max(speed.seconds, 1e-9):>12,.0f}"
    )


def side_by_side(answer: Answer, width: int = 74) -> str:
    """One error: what was said and what was right, both texts next to each other."""
    label = answer.delivery.label
    score = "" if answer.score is None else f", score {answer.score:.3f}"
    guard = "" if answer.guard is None else f", guard {answer.guard}"
    lines = [
        f"--- {label.case} {label.variant} (strength {label.strength:.2f}): expected {label.kind}, "
        f"got {answer.said}{score}{guard}; family {label.family}, decided {answer.family}",
    ]
    left, right = (_wrapped(text, width) for text in (answer.text, answer.against))
    lines += [f"{one:<{width}} | {two}" for one, two in zip_longest(left, right, fillvalue="")]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return [line for part in text.split("\n") if part.strip() for line in textwrap.wrap(part, width)]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="how many streams, seeds FIRST, FIRST + 1, …")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--noise", type=int, default=0, help="so many articles of no family are in the index before")
    parser.add_argument("--texts", type=Path, default=wikinews.DEFAULT, help="the Wikinews file of the data folder")
    parser.add_argument("--no-rivals", action="store_true", help="the pipeline alone")
    parser.add_argument("--show-errors", type=int, default=0, metavar="N", help="up to N errors of each class, in full")
    parser.add_argument("--only", choices=get_args(Case), help="errors of this class alone")
    arguments = parser.parse_args()
    try:
        bases = wikinews.load(arguments.texts)
    except wikinews.NoTexts as error:
        raise SystemExit(f"error: {error}") from None
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    streams = {seed: generate.stream(seed, bases) for seed in seeds}
    runs = [run(deliveries, arguments.noise, seed) for seed, deliveries in streams.items()]
    answers = [answer for found, _ in runs for answer in found]
    found = rows(answers)
    print(f"seeds {seeds[0]} to {seeds[-1]}, {len(answers)} deliveries, {arguments.noise} others in each index\n")
    print(table(found), goals(found), sep="\n\n")
    shown: dict[Case, int] = {}
    for answer in answers:
        case = answer.delivery.label.case
        if not answer.right and arguments.only in (None, case) and shown.get(case, 0) < arguments.show_errors:
            shown[case] = shown.get(case, 0) + 1
            print(f"\n{side_by_side(answer)}")
    print(f"\n{'':<42}{'precision':>11}{'recall':>9}{'false copies':>13}{'per second':>12}")
    print(compared("pipeline, cleaning to decision", found, _added(speed for _, speed in runs)))
    if not arguments.no_rivals:
        _compare_rivals(streams.values())


def _compare_rivals(streams: Iterable[Sequence[Delivery]]) -> None:
    for name, (package, made) in rivals.RIVALS.items():
        absent = rivals.missing(package)
        if absent is not None:
            print(f"{name:<42}   {absent}")
            continue
        runs = [run_rival(made(), deliveries) for deliveries in streams]
        found = rows(answer for answers, _ in runs for answer in answers)
        print(compared(name, found, _added(speed for _, speed in runs)))


def _added(speeds: Iterable[Speed]) -> Speed:
    found = list(speeds)
    return Speed(sum(s.deliveries for s in found), sum(s.seconds for s in found))


if __name__ == "__main__":
    main()
