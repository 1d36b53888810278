import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.quality import sentiments
from bench.quality.sentiments import Result
from processors.towards import Towards
from training import newsmtsc
from training.newsmtsc import Figures

PRAISED_AND_JAILED = (
    "Voters praised Maria Alvarez for her courage, while the corrupt banker Tom Reed was jailed for fraud."
)


def line(text: str, gid: str = "allsides_1000_401_25_Somebody_0_6", **polarities: float) -> dict[str, Any]:
    """One line of a file; names are given with _ for the space."""
    targets = [
        {"Input.gid": gid, "from": text.index(name), "to": text.index(name) + len(name), "mention": name, "polarity": p}
        for name, p in ((name.replace("_", " "), polarity) for name, polarity in polarities.items())
    ]
    return {"primary_gid": gid, "sentence_normalized": text, "targets": targets}


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model() -> Towards:
    return Towards()


@pytest.mark.parametrize(
    ("said", "right", "figures"),
    [
        ([0, 1, 2], [0, 1, 2], Figures(1.0, 1.0, (1.0, 1.0, 1.0))),
        ([0, 0, 0, 0], [0, 0, 1, 2], Figures(2 / 9, 0.5, (2 / 3, 0.0, 0.0))),
        ([2, 1], [1, 2], Figures(0.0, 0.0, (0.0, 0.0, 0.0))),
        ([], [], Figures(0.0, 0.0, (0.0, 0.0, 0.0))),
    ],
)
def test_the_figures_are_those_of_the_papers(said: list[int], right: list[int], figures: Figures) -> None:
    found = newsmtsc.figures(said, right)

    assert found[:2] == pytest.approx(figures[:2])
    assert found.f1 == pytest.approx(figures.f1)


def test_the_model_tells_two_names_of_one_sentence_apart_and_vader_does_not(tmp_path: Path, model: Towards) -> None:
    examples = newsmtsc.read(written(tmp_path / "two.jsonl", line(PRAISED_AND_JAILED, Maria_Alvarez=6.0, Tom_Reed=2.0)))

    assert sentiments.labels_of(examples) == sentiments.by_model(model, examples) == [2, 0]
    assert len(set(sentiments.by_vader(examples))) == 1


def test_the_most_frequent_label_is_everybodys(tmp_path: Path) -> None:
    text = "Ann, Bob and Carol met."
    examples = newsmtsc.read(written(tmp_path / "three.jsonl", line(text, Ann=4.0, Bob=2.0, Carol=4.0)))

    assert sentiments.by_majority(examples) == [1, 1, 1]


def test_the_command_prints_every_system_for_every_file_and_the_goals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Towards
) -> None:
    first = written(tmp_path / "rw.jsonl", line(PRAISED_AND_JAILED, Maria_Alvarez=6, Tom_Reed=2))
    second = written(tmp_path / "mt.jsonl", line("Ann said on Monday that Bob will come.", Ann=4.0, Bob=4.0))
    monkeypatch.setattr(sys, "argv", ["sentiments", str(first), str(second)])

    sentiments.main()

    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows if row[:1] in (["rw.jsonl"], ["mt.jsonl"])] == [
        [name, system] for name in ("rw.jsonl", "mt.jsonl") for system in (model.name, "vader-3.3.2,", "most")
    ]
    assert sum("goal" in row for row in rows) == 2


@pytest.mark.parametrize(
    ("mean", "met"), [(0.74, ["MISSED", "MISSED"]), (0.75, ["met", "MISSED"]), (0.78, ["met", "met"])]
)
def test_the_goals_are_for_the_mean_of_the_files(mean: float, met: list[str]) -> None:
    results = {
        name: Result(Figures(macro_f1, 0.5, (0.5, 0.5, 0.5)), 1.0)
        for name, macro_f1 in (("rw", mean + 0.125), ("mt", mean - 0.125))
    }

    assert [row.split()[-1] for row in sentiments.goals(results).splitlines()] == met


@pytest.mark.parametrize(
    "wrong",
    [
        "no json",
        "[]",
        "{}",
        json.dumps(line("Ann came.", Ann=3.0)),
        json.dumps(line("Ann came.", Ann=4.0) | {"sentence_normalized": "An"}),
    ],
)
def test_a_line_of_another_shape_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    path = written(tmp_path / "bad.jsonl", line("Ann came.", Ann=4.0))
    path.write_text(path.read_text() + wrong + "\n")
    monkeypatch.setattr(sys, "argv", ["sentiments", str(path)])

    with pytest.raises(SystemExit, match=r"^error: .*bad\.jsonl, line 2: not a NewsMTSC sentence"):
        sentiments.main()


def test_what_is_set_aside_shares_no_article_with_what_is_learned(tmp_path: Path) -> None:
    lines = [
        line(
            f"Ann met Bob {i} times.", f"polusa_v1_{i // 3}_-1_{i}_Ann_0_3", **({"Bob": 2.0} if i % 2 else {}), Ann=4.0
        )
        for i in range(600)
    ]
    examples = newsmtsc.read(written(tmp_path / "train.jsonl", *lines))

    train, usual, several = newsmtsc.split(examples)

    learned = {example.group for example in train}
    assert learned.isdisjoint(example.group for example in (*usual, *several))
    assert min(len(example.targets) for example in several) == 2
    assert 0.05 < len(usual) / len(examples) < 0.15
    assert newsmtsc.split(examples) == (train, usual, several)
