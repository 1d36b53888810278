import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from processors import tone, towards
from processors.towards import NOTHING, Sentence, Shares, Towards

WEIGHTS = Path(str(resources.files("processors") / "weights"))


@pytest.fixture(scope="module")
def model() -> Towards:
    return Towards()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WEIGHTS, tmp_path / "weights"))


def about(text: str, *names: str) -> Sentence:
    """A sentence with the first place of each name."""
    return Sentence(text, tuple((text.index(name), text.index(name) + len(name)) for name in names))


def labels(model: Towards, sentence: Sentence) -> list[str]:
    return [tone.label(shares) for shares in model.of([sentence])[0]]


def furthest(one: Sequence[Shares], other: Sequence[Shares]) -> float:
    return max(abs(a - b) for p, q in zip(one, other, strict=True) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Voters praised Maria Alvarez for her courage, while the corrupt banker Tom Reed was jailed for fraud.",
            {"Maria Alvarez": "positive", "Tom Reed": "negative"},
        ),
        (
            "Hamas killed dozens of civilians in a brutal attack, the army said on Monday.",
            {"Hamas": "negative"},
        ),
        (
            "Anna Lind said on Monday that the council will meet again next week.",
            {"Anna Lind": "neutral"},
        ),
        (
            "Judge Keller blasted Peter Voss as a liar who had betrayed his own family.",
            {"Peter Voss": "negative"},
        ),
        (
            "Firefighter Omar Haddad was hailed as a hero after he saved three children.",
            {"Omar Haddad": "positive"},
        ),
    ],
)
def test_each_name_has_the_sentiment_that_the_sentence_has_towards_it(
    model: Towards, text: str, told: dict[str, str]
) -> None:
    assert dict(zip(told, labels(model, about(text, *told)), strict=True)) == told


def test_the_shares_add_up_to_one(model: Towards) -> None:
    (shares,) = model.of([about("Ann thanked Bob, and Bob blamed Carol.", "Ann", "Bob", "Carol")])

    assert [sum(each) for each in shares] == pytest.approx([1, 1, 1], abs=1e-5)
    assert all(0 <= share <= 1 for each in shares for share in each)


def test_a_sentence_is_told_the_same_alone_and_among_others() -> None:
    names = ("Ann", "Bob", "Carol Danvers", "the Foreign Ministry", "Acme Inc.")
    sentences = [
        about(f"{'On Monday, ' * (i % 7)}{name} {verb} the {'very ' * (i % 11)}old deal with Zoe.", name, "Zoe")
        for i, (name, verb) in enumerate((n, v) for n in names for v in ("praised", "broke", "signed", "mocked"))
    ]
    alone = [shares for sentence in sentences for shares in Towards().of([sentence])[0]]
    others = [about("Dan " + "shouted 😀 !!! " * 60, "Dan"), Sentence("汉" * 300, ((0, 3),))]

    together = [shares for each in Towards().of([*others, *sentences])[2:] for shares in each]

    assert furthest(alone, together) < 1e-4


def test_a_mention_is_told_the_same_alone_and_beside_others(model: Towards) -> None:
    text = "Voters praised Maria Alvarez for her courage, while the banker Tom Reed was jailed for fraud."

    (both,) = model.of([about(text, "Maria Alvarez", "Tom Reed")])
    (second,) = model.of([about(text, "Tom Reed")])

    assert furthest(both[1:], second) < 1e-4


def test_of_a_long_sentence_the_model_reads_what_stands_round_the_name(model: Towards) -> None:
    filler = "the council met again and talked about the weather and the roads, " * 40
    short = "the corrupt and hated banker Tom Reed was jailed for fraud and lies"

    assert labels(model, about(f"{filler}{short}, {filler}", "Tom Reed")) == ["negative"]
    assert labels(model, about(f"{short}, {filler}", "Tom Reed")) == ["negative"]
    assert labels(model, about(f"{filler}{short}", "Tom Reed")) == ["negative"]


def test_sentences_that_come_again_are_answered_from_the_cache() -> None:
    model = Towards()
    sentence = about("Ann thanked Bob.", "Ann", "Bob")
    first = model.of([sentence, sentence])
    model._session = None  # nothing more can be asked

    assert model.of([sentence]) == first[:1] == first[1:]


def test_the_cache_is_bounded_and_keeps_what_was_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(towards, "CACHED", 8)
    model = Towards()
    sentences = [about(f"Ann met Bob {i} times.", "Ann") for i in range(6)]

    answers = model.of(sentences)

    assert len(model._cache) == 4
    assert model.of(sentences) == answers
    assert list(model._cache) == [towards._key(sentence) for sentence in (*sentences[4:], *sentences[:2])]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t ", "\u200f\u202e\u2066", "\x00\x01", "\u00ad", "\ufffd" * 2000],
    ids=lambda text: ascii(text[:3]),
)
def test_a_span_without_a_token_is_neutral(model: Towards, text: str) -> None:
    assert model.of([Sentence(text, ((0, len(text)), (5, 9)))]) == [(NOTHING, NOTHING)]


@pytest.mark.parametrize(
    "text",
    [
        "😀" * 2000,
        "a" * 2000,
        "a " * 1000,
        "汉" * 2000,
        "." * 2000,
        "\u202eשלום \u200f" * 250,
        "e\u0301\u0327" * 600,
    ],
    ids=lambda text: ascii(text[:2]),
)
def test_hostile_sentences_take_few_and_small_passes(model: Towards, text: str) -> None:
    spans = tuple((at, at + 2) for at in range(0, len(text), 2))
    passes = towards.pieces(model._tokenizer, Sentence(text, spans))

    (shares,) = model.of([Sentence(text, spans)])

    assert len(shares) == len(spans)
    assert all(sum(each) == pytest.approx(1, abs=1e-5) for each in shares)
    assert len(passes) <= 2000 / towards.STRIDE + 1
    assert max(len(each.ids) for each in passes) <= towards.MAX_TOKENS


def test_a_batch_holds_no_more_than_its_memory_allows(model: Towards) -> None:
    text = "Bob " * 500
    crowded = Sentence(text, tuple((at, at + 3) for at in range(0, 2000, 4)) * 2)
    sentences = [crowded, *(about(f"Ann met {'old ' * (i % 60)}Bob.", "Ann", "Bob") for i in range(300))]
    passes = [
        (0, part)
        for each in sentences
        for whole in towards.pieces(model._tokenizer, each)
        for part in towards._parted(whole)
    ]

    batches = list(towards._batches(passes))

    assert sum(len(batch) for batch in batches) == len(passes)
    assert max(len(batch) * max(len(piece.ids) for _, piece in batch) for batch in batches) <= towards.BATCH_TOKENS
    assert max(sum(len(piece.mentions) for _, piece in batch) for batch in batches) <= towards.BATCH_MENTIONS


def test_offsets_are_code_points(model: Towards) -> None:
    text = "😀😀 “Größe” – the corrupt banker Tom Reed was jailed for fraud, and Zoë was praised as a hero."
    (shares,) = model.of([about(text, "Tom Reed", "Zoë")])

    assert [tone.label(each) for each in shares] == ["negative", "positive"]


def test_no_sentence_is_no_answer(model: Towards) -> None:
    assert model.of([]) == []
    assert model.of([Sentence("Nobody is named here.", ())]) == [()]


def test_the_metadata_say_what_the_row_and_the_card_say(model: Towards) -> None:
    metadata = json.loads((WEIGHTS / towards.METADATA).read_bytes())

    assert model.name == f"{metadata['name']}-{metadata['model']['sha256'][:8]}" == towards.name_of(WEIGHTS)
    assert metadata["max_tokens"] == towards.MAX_TOKENS
    assert metadata["name"] in (WEIGHTS / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) <= 25_000_000


@pytest.mark.parametrize("name", ["towards.json", "towards.onnx", "tokenizer.json"])
def test_a_missing_file_is_named_with_the_setting_and_a_remedy(weights: Path, name: str) -> None:
    (weights / name).unlink()

    with pytest.raises(SettingError, match=rf"^NEWS_NLP__SENTIMENT: .*{name} cannot be read: No such file.*\. Put "):
        Towards(weights)


@pytest.mark.parametrize("name", ["towards.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused(weights: Path, name: str) -> None:
    content = bytearray((weights / name).read_bytes())
    content[len(content) // 2] ^= 1
    (weights / name).write_bytes(content)

    with pytest.raises(SettingError, match=rf"^NEWS_NLP__SENTIMENT: .*{name} is damaged.*\. Put "):
        Towards(weights)


FILES = '"model": {"file": "m", "sha256": ""}, "tokenizer": {"file": "t", "sha256": ""}'


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("", "does not describe a model"),
        ("[]", "does not describe a model"),
        ("{", "does not describe a model"),
        ('{"format": 1}', "does not describe a model"),
        (f'{{"format": 2, "name": "n", {FILES}}}', "format 2, this version reads 1"),
        (f'{{"format": 1, "name": 7, {FILES}}}', "does not describe a model"),
    ],
)
def test_metadata_of_another_shape_or_format_are_refused(weights: Path, metadata: str, said: str) -> None:
    (weights / "towards.json").write_text(metadata)

    with pytest.raises(SettingError, match=rf"^NEWS_NLP__SENTIMENT: .*towards.json.*{said}"):
        Towards(weights)


def test_a_file_that_is_no_model_is_refused_though_its_sum_is_right(weights: Path) -> None:
    (weights / "towards.onnx").write_bytes(b"no model")
    metadata = json.loads((weights / "towards.json").read_bytes())
    metadata["model"]["sha256"] = hashlib.sha256(b"no model").hexdigest()
    (weights / "towards.json").write_text(json.dumps(metadata))

    with pytest.raises(SettingError, match=r"^NEWS_NLP__SENTIMENT: the model in .* cannot be used: "):
        Towards(weights)
