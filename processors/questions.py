"""The names and targets of an article -> what is put to the sentiment model; its answers -> sentiments; pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pipeline.records import Evidence, Sentiment, Target
from processors import sentences, tone
from processors.ladder import Name
from processors.towards import Sentence, Shares

#: The sentiment towards a name comes from its first mentions, so many of them: more cost time and change nothing.
MOST_MENTIONS: Final = 50
#: So many sentences are shown for the sentiment towards a name.
MOST_EVIDENCE: Final = 3


class Questions(NamedTuple):
    """Sentences to be asked: the title as a whole, those that mention names, and one for each target.

    `places` says where each sentence of `mentions` stands in the text, `owners`, span by span, which name is meant.
    """

    title: Sentence | None
    mentions: tuple[Sentence, ...]
    places: tuple[tuple[int, int], ...]
    owners: tuple[tuple[int, ...], ...]
    targets: tuple[Sentence | None, ...]

    @property
    def sentences(self) -> list[Sentence]:
        """All of them, in the order in which `answers` wants the shares."""
        every = (self.title, *self.mentions, *self.targets)
        return [sentence for sentence in every if sentence is not None]


class Towards(NamedTuple):
    """The sentiment towards a name, and the sentences that say so; None where nothing could be asked."""

    sentiment: Sentiment | None = None
    evidence: tuple[Evidence, ...] = ()


class Answers(NamedTuple):
    """The sentiment of the article, towards each name and towards each target."""

    article: Sentiment | None
    names: tuple[Towards, ...]
    targets: tuple[Sentiment | None, ...]


def of(title: str, text: str, names: Sequence[Name], targets: Sequence[Target] = (), raw: str = "") -> Questions:
    """What to ask about an article; `targets` are places in `raw`, the text as it was delivered."""
    places = list(sentences.spans(text))
    mentioned: dict[int, list[tuple[int, int, int]]] = {}
    for number, name in enumerate(names):
        for span in name.spans[:MOST_MENTIONS]:
            at, where = _within(places, span.start, span.end)
            if where is not None:
                mentioned.setdefault(at, []).append((*where, number))
    asked, owners = [], []
    for at in sorted(mentioned):
        found = sorted(mentioned[at])
        asked.append(Sentence(text[slice(*places[at])], tuple((start, end) for start, end, _ in found)))
        owners.append(tuple(number for _, _, number in found))
    raw_places = list(sentences.spans(raw)) if targets else []
    return Questions(
        Sentence(title, ((0, len(title)),)) if title.strip() else None,
        tuple(asked),
        tuple(places[at] for at in sorted(mentioned)),
        tuple(owners),
        tuple(_sentence_of(raw, raw_places, target) for target in targets),
    )


def answers(questions: Questions, names: Sequence[Name], shares: Iterator[tuple[Shares, ...]]) -> Answers:
    """The sentiments, of the shares of each span of `questions.sentences`: so many are taken from the iterator."""
    title = next(shares)[0] if questions.title is not None else None
    of_names: list[list[tuple[Shares, tuple[int, int]]]] = [[] for _ in names]
    for place, owners in zip(questions.places, questions.owners, strict=True):
        for number, share in zip(owners, next(shares), strict=True):
            of_names[number].append((share, place))
    towards = tuple(map(_towards, of_names))
    targets = tuple(tone.mean(next(shares)) if asked is not None else None for asked in questions.targets)
    article = tone.of_article(title, [(t.sentiment, name.salience) for t, name in zip(towards, names, strict=True)])
    return Answers(article, towards, targets)


def _towards(said: Sequence[tuple[Shares, tuple[int, int]]]) -> Towards:
    sentiment = tone.mean([shares for shares, _ in said])
    if sentiment is None or sentiment.label == "neutral":
        return Towards(sentiment)
    sign = 1 if sentiment.label == "positive" else -1
    scores: dict[tuple[int, int], float] = {}
    for shares, place in said:
        if tone.label(shares) == sentiment.label:
            score = round(shares.positive - shares.negative, 4)
            scores[place] = max(scores.get(place, score), score, key=lambda s: sign * s)
    clearest = sorted(scores.items(), key=lambda item: (-sign * item[1], item[0]))[:MOST_EVIDENCE]
    return Towards(sentiment, tuple(Evidence(start=start, end=end, score=s) for (start, end), s in clearest))


def _within(places: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, tuple[int, int] | None]:
    """The first sentence that the span touches, and what of the span lies in it, from its beginning."""
    at = bisect_right(places, start, key=lambda place: place[1])
    if at == len(places):
        return at, None
    first, after = places[at]
    inside = max(start, first) - first, min(end, after) - first
    return at, inside if inside[0] < inside[1] else None


def _sentence_of(raw: str, places: Sequence[tuple[int, int]], target: Target) -> Sentence | None:
    at, inside = _within(places, target.start, target.end)
    return Sentence(raw[slice(*places[at])], (inside,)) if inside is not None else None
