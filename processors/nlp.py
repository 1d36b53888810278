"""The models, inside one process: texts in, enrichments out. Runs in the children of the pool and in `news process`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the processes are the parallelism

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pipeline.cleaning import Span
from pipeline.errors import SettingError
from pipeline.records import Enrichment, Sentiment, Target, TargetSentiment
from processors import forkserver, language, names, sentences, sentiment
from processors.names import Found

#: Texts per call of nlp.pipe: more is not faster and takes memory (300 MB at 32, 1 GB at 256).
PIPE_BATCH: Final = 16
#: spaCy refuses longer texts by default; the edge lets none through (1 MiB of bytes).
MAX_CHARACTERS: Final = 1_100_000


class Work(NamedTuple):
    """What the models need of one article."""

    title: str
    text: str
    removed: tuple[Span, ...]
    said_language: str | None
    targets: tuple[Target, ...]


class Models:
    """The models of one process, loaded once."""

    def __init__(self, model: str) -> None:
        self._nlp = load(model)
        meta = self._nlp.meta
        self._name = f"{meta['lang']}_{meta['name']}-{meta['version']}"

    def warm_up(self) -> None:
        """Enrich a line, so that what loads at its first use is there."""
        self.enrich(
            [Work("", "Anna Lind of Norway said on Monday that the new ferry is a great success.", (), None, ())]
        )

    def enrich(self, works: Sequence[Work]) -> list[Enrichment]:
        """Enrich a few articles together; one result each, in order."""
        languages = [language.of(work.said_language, work.title, work.text) for work in works]
        english = [i for i, found in enumerate(languages) if found == "en"]
        spans = dict(zip(english, self._names([works[i].text for i in english]), strict=True))
        now = datetime.now(UTC)
        return [
            self._english(work, spans[i], now) if i in spans else _without_model(languages[i], now)
            for i, work in enumerate(works)
        ]

    def _names(self, texts: Sequence[str]) -> list[list[Found]]:
        """The names in English texts; spaCy's memory of their words ends with the zone (explosion/spaCy #10012)."""
        with self._nlp.memory_zone():
            return [
                [
                    kept
                    for e in doc.ents
                    if e.label_ in names.LABELS
                    and (kept := names.trimmed(text, Found(e.start_char, e.end_char, e.label_))) is not None
                ]
                # The text that went in: doc.text is put together from all its tokens at each look.
                for text, doc in zip(texts, self._nlp.pipe(texts, batch_size=PIPE_BATCH), strict=True)
            ]

    def _english(self, work: Work, found: list[Found], now: datetime) -> Enrichment:
        places = list(sentences.spans(work.text))
        scores = sentiment.of_sentences(work.text[start:end] for start, end in places)
        title = [sentiment.score(work.title)] if work.title else []
        towards = _towards(work.text, found, places, scores)
        return Enrichment(
            language="en",
            entities=names.entities(work.text, found, work.removed, towards),
            sentiment=sentiment.mean(title + scores),
            targets=tuple(_target(target, work, places, scores) for target in work.targets),
            models={"entities": self._name, "sentiment": sentiment.NAME},
            enriched_at=now,
        )


def load(model: str) -> Any:
    """The spaCy model with nothing but its NER. Raises SettingError naming NEWS_NLP__MODEL."""
    forkserver.require(model)
    import spacy

    try:
        components = spacy.util.get_model_meta(spacy.util.get_package_path(model))["pipeline"]
        nlp = spacy.load(model, exclude=[name for name in components if name != "ner"])
    except (OSError, ValueError, ImportError) as error:
        raise SettingError(f"NEWS_NLP__MODEL: the spaCy model {model!r} cannot be loaded: {error}") from error
    if "ner" not in nlp.pipe_names:
        raise SettingError(f"NEWS_NLP__MODEL: the spaCy model {model!r} finds no names (it has no `ner`).")
    nlp.max_length = MAX_CHARACTERS
    return nlp


def _without_model(found: str | None, now: datetime) -> Enrichment:
    reason = f"no model for the language {found!r}" if found else "the language is not known"
    return Enrichment(language=found, reason=reason, enriched_at=now)


Scores = Sequence[tuple[float, float, float, float]]
Places = Sequence[tuple[int, int]]


def _towards(text: str, found: list[Found], places: Places, scores: Scores) -> dict[tuple[str, str], Sentiment | None]:
    """The sentiment of each name: the mean over the sentences that mention it, each once."""
    mentioned: dict[tuple[str, str], dict[int, None]] = {}
    at = 0
    for span in sorted(found):
        while at < len(places) and places[at][1] <= span.start:
            at += 1
        if at < len(places):
            mentioned.setdefault((names.name_of(text, span), span.label), {})[at] = None
    return {key: sentiment.mean([scores[i] for i in sorted(where)]) for key, where in mentioned.items()}


def _target(target: Target, work: Work, places: Places, scores: Scores) -> TargetSentiment:
    """The sentiment towards a span of the raw text, from the sentences that it touches."""
    start, end = (
        place - sum(min(span.end, place) - span.start for span in work.removed if span.start < place)
        for place in (target.start, target.end)
    )
    if start >= end:  # all of it was cut
        return TargetSentiment(start=target.start, end=target.end, sentiment=None)
    first = bisect_right(places, start, key=lambda place: place[1])
    after = bisect_left(places, end, key=lambda place: place[0])
    return TargetSentiment(start=target.start, end=target.end, sentiment=sentiment.mean(scores[first:after]))
