"""The models, inside one process: texts in, enrichments out. Runs in the children of the pool and in `news process`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the processes are the parallelism

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pipeline.cleaning import Span
from pipeline.errors import SettingError
from pipeline.records import Enrichment, Target, TargetSentiment
from pipeline.settings import NlpSettings
from processors import ladder, language, mentions, parts, provenance, questions, watchlist
from processors.ladder import Name
from processors.language import Spoken
from processors.names import LABELS, Found, Watched
from processors.towards import Towards, folder_of

#: Texts per call of nlp.pipe: more is not faster and takes memory (300 MB at 32, 1 GB at 256).
PIPE_BATCH: Final = 16
#: spaCy refuses longer texts by default; a part is as long as this where it is nothing but white space.
MAX_CHARACTERS: Final = 1_100_000
#: So many languages without a model have their own words for the watch list; all others have those of none.
MOST_WORDS: Final = 8


class Work(NamedTuple):
    """What the models need of one article; `raw` only where targets are asked for."""

    title: str
    text: str
    removed: tuple[Span, ...]
    said_language: str | None
    targets: tuple[Target, ...] = ()
    raw: str = ""


class _Spans(NamedTuple):
    """What was found in one text."""

    found: list[Found]
    watched: list[Watched]


class _Reader:
    """What finds names in the texts of one language: a model, or nothing but its words; and the watch list."""

    def __init__(self, nlp: Any, entries: watchlist.Entries | None) -> None:
        self._nlp = nlp
        self._watch_list = watchlist.WatchList(entries, nlp) if entries is not None else None

    def spans(self, texts: Sequence[str]) -> list[_Spans]:
        """The spans of each text; spaCy's memory of their words ends with the zone (explosion/spaCy #10012)."""
        pieces = [(number, start, part) for number, text in enumerate(texts) for start, part in parts.of(text)]
        results = [_Spans([], []) for _ in texts]
        with self._nlp.memory_zone():
            docs = self._nlp.pipe((part for _, _, part in pieces), batch_size=PIPE_BATCH)
            for (number, at, part), doc in zip(pieces, docs, strict=True):
                found, watched = results[number]
                found += [Found(at + e.start_char, at + e.end_char, e.label_) for e in doc.ents if e.label_ in LABELS]
                if self._watch_list is not None:
                    seen = self._watch_list.find(doc, part)
                    watched += [w._replace(start=at + w.start, end=at + w.end) for w in seen]
        return results


class Models:
    """The models of one process, loaded once. Raises SettingError where one of them cannot be."""

    def __init__(self, settings: NlpSettings) -> None:
        self._configuration = provenance.of(settings)
        self._entries = watchlist.load(settings.watch_list) if settings.watch_list is not None else None
        self._readers = {
            spoken: _Reader(load(package, settings.models_variable), self._entries)
            for spoken, package in settings.packages.items()
        }
        self._words: dict[str, _Reader] = {}
        self._towards = None if settings.sentiment == "off" else Towards(folder_of(settings.sentiment))

    def warm_up(self) -> None:
        """Enrich a line, so that what loads at its first use is there."""
        self.enrich([Work("", "Anna Lind of Norway said on Monday that the new ferry is a great success.", (), None)])

    def enrich(self, works: Sequence[Work]) -> list[Enrichment]:
        """Enrich a few articles together; one result each, in order."""
        spoken = [language.spoken(work.said_language, work.title, work.text) for work in works]
        names = self._names(works, [s.language for s in spoken])
        asked = [self._asked(*article) for article in zip(works, spoken, names, strict=True)]
        judged = self._judged(asked, names)
        now = datetime.now(UTC)
        return [self._enrichment(*article, now) for article in zip(works, spoken, names, judged, strict=True)]

    def _names(self, works: Sequence[Work], languages: Sequence[str | None]) -> list[list[Name]]:
        readers: dict[_Reader, list[int]] = {}
        for number, spoken in enumerate(languages):
            if (reader := self._reader(spoken)) is not None:
                readers.setdefault(reader, []).append(number)
        names: list[list[Name]] = [[] for _ in works]
        for reader, numbers in readers.items():
            for number, spans in zip(numbers, reader.spans([works[n].text for n in numbers]), strict=True):
                names[number] = ladder.names(works[number].text, works[number].title, *spans)
        return names

    def _reader(self, spoken: str | None) -> _Reader | None:
        """What reads this language: its model, or for the watch list its words alone; None for nothing to find."""
        found = self._readers.get(spoken or "")
        if found is not None or self._entries is None:
            return found
        known = spoken if spoken in self._words or len(self._words) < MOST_WORDS else None
        if (key := known or "xx") not in self._words:
            self._words[key] = _Reader(watchlist.tokenizer(known), self._entries)
        return self._words[key]

    def _asked(self, work: Work, spoken: Spoken, names: Sequence[Name]) -> questions.Questions | None:
        """What the sentiment model is asked about an article; None where it does not know the language."""
        if self._towards is None or "sentiment" not in self._configuration.of(spoken.language):
            return None
        return questions.of(work.title, work.text, names, work.targets, work.raw)

    def _judged(
        self, asked: Sequence[questions.Questions | None], names: Sequence[Sequence[Name]]
    ) -> list[questions.Answers]:
        """The sentiments of each article; the sentences of all of them are asked together."""
        every = [sentence for one in asked if one is not None for sentence in one.sentences]
        shares = iter(self._towards.of(every) if self._towards is not None else ())
        return [
            questions.answers(one, found, shares)
            if one is not None
            else questions.Answers(None, tuple(questions.Towards() for _ in found), ())
            for one, found in zip(asked, names, strict=True)
        ]

    def _enrichment(
        self, work: Work, spoken: Spoken, names: Sequence[Name], judged: questions.Answers, now: datetime
    ) -> Enrichment:
        towards = judged.targets or tuple(None for _ in work.targets)
        return Enrichment(
            language=spoken.language,
            entities=mentions.entities(work.text, names, work.removed, judged.names),
            sentiment=judged.article,
            targets=tuple(
                TargetSentiment(start=target.start, end=target.end, sentiment=sentiment)
                for target, sentiment in zip(work.targets, towards, strict=True)
            ),
            models=self._configuration.of(spoken.language),
            reason=None if spoken.language in self._readers else self._without_model(spoken),
            enriched_at=now,
        )

    def _without_model(self, spoken: Spoken) -> str:
        if spoken.language is None:
            why = spoken.reason or "the language is not known"
        else:
            why = f"no model for the language {spoken.language!r}" + (f" ({spoken.reason})" if spoken.reason else "")
        return why if self._entries is None else f"{why}; only the watch list was looked for"


def load(package: str, variable: str) -> Any:
    """The spaCy model with nothing but its NER. Raises SettingError naming the variable."""
    provenance.package_name(package, variable)
    import spacy

    try:
        components = spacy.util.get_model_meta(spacy.util.get_package_path(package))["pipeline"]
        nlp = spacy.load(package, exclude=[name for name in components if name != "ner"])
    except (OSError, ValueError, ImportError) as error:
        raise SettingError(f"{variable}: the spaCy model {package!r} cannot be loaded: {error}") from error
    nlp.max_length = MAX_CHARACTERS
    return nlp
