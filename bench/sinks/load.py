"""A seed -> articles of 400 words with 15 names and 40 mentions, as the sink's records and as flat ones; no models run.

The words are those of tests/load.py. Names are drawn as news draws them: a few stand in many articles, most in one.
"""

import hashlib
import itertools
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from pipeline import identity
from pipeline.cleaning import Span
from pipeline.records import (
    Body,
    Coordinates,
    DecidedArticle,
    Decision,
    Details,
    EnrichedArticle,
    Enrichment,
    Entity,
    Evidence,
    Mention,
    Metadata,
    Sentiment,
)
from tests import load

WORDS: Final = 400
NAMES: Final = 15
MENTIONS: Final = 40
RAW_TOPIC: Final = UUID(int=1)
LOG: Final = UUID(int=2)
SOURCES: Final = 50
FOOTER: Final = "\n\nSign up for our newsletter and never miss a story."

#: A record of the flat topic says its own schema, as Kafka Connect's JsonConverter wants it.
FLAT_SCHEMA: Final[dict[str, Any]] = {
    "type": "struct",
    "optional": False,
    "name": "article",
    "fields": [
        {"field": "id", "type": "string", "name": "io.debezium.data.Uuid", "optional": False},
        {"field": "source", "type": "string", "optional": False},
        {"field": "url", "type": "string", "optional": True},
        {"field": "title", "type": "string", "optional": False},
        {"field": "text", "type": "string", "optional": False},
        {"field": "published_at", "type": "string", "name": "io.debezium.time.ZonedTimestamp", "optional": True},
        {"field": "sentiment", "type": "double", "optional": True},
    ],
}


class Made(NamedTuple):
    """One article: its two records, its flat record, its key, and the delivery that brought it."""

    key: bytes
    decided: bytes
    enriched: bytes
    flat: bytes
    delivery_id: str


class _Name(NamedTuple):
    name: str
    label: str


def articles(count: int, seed: int, first_offset: int = 0) -> Iterator[Made]:
    """So many new articles; `first_offset` is the place of the first one on articles.raw and in the log."""
    draw = random.Random(seed)
    names = _names(draw)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(names))))
    words = _words(seed)
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(count):
        yield _article(draw, seed, number, first_offset + number, now, names, weights, words)


def _words(seed: int) -> list[str]:
    """Words of many sentences, for texts to begin anywhere in them."""
    bodies = [json.loads(line)["body"] for line in load.lines(400, seed=seed)]
    return " ".join(bodies).split()


def _names(draw: random.Random) -> list[_Name]:
    people = [_Name(f"{first} {last}", "PERSON") for first in load.FIRST_NAMES for last in load.LAST_NAMES]
    firms = [_Name(f"{word} {kind}", "ORG") for word in load.COMPANY_WORDS for kind in load.COMPANY_KINDS]
    everybody = [*people, *firms, *(_Name(place, "GPE") for place in load.PLACES)]
    draw.shuffle(everybody)
    return everybody


def _article(
    draw: random.Random,
    seed: int,
    number: int,
    offset: int,
    now: datetime,
    names: list[_Name],
    weights: list[float],
    words: list[str],
) -> Made:
    chosen: dict[str, _Name] = {}
    while len(chosen) < NAMES:
        name = draw.choices(names, cum_weights=weights)[0]
        chosen[name.name] = name
    text, mentions = _text(draw, list(chosen.values()), words)
    raw = text + FOOTER if number % 4 == 0 else text
    source = f"source-{draw.randrange(SOURCES)}.example"
    url = f"https://{source}/{seed}/{now:%Y/%m/%d}/story-{number}"
    title = " ".join(text.split()[:9])
    article_id = identity.article_id(url, source, None, title, raw)
    published = now - timedelta(minutes=draw.randint(1, 600))
    decision = Decision(
        delivery_id=identity.new_delivery_id(),
        article_id=article_id,
        version_id=uuid.uuid5(article_id, str(number)),
        kind="new",
        rules_version=1,
        log_id=LOG,
        log_offset=offset,
        decided_at=now,
        raw=Coordinates(topic_id=RAW_TOPIC, partition=0, offset=offset),
        observed_at=now,
        source=source,
    )
    metadata = Metadata(
        url=url,
        source_item_id=str(number),
        title=title,
        byline=draw.choice(names).name,
        language="en",
        published_at=published,
        details=Details(categories=("News", draw.choice(load.PLACES)), published_at_from="source"),
    )
    removed = (Span(start=len(text), end=len(raw), rule="footer", text=FOOTER),) if raw != text else ()
    sentiment = round(draw.uniform(-1, 1), 4)
    record = EnrichedArticle(
        decision=decision,
        metadata=metadata,
        body=Body(raw=raw, text=text, removed=removed, content_hash=hashlib.sha256(text.encode()).hexdigest()),
        enrichment=Enrichment(
            language="en",
            entities=tuple(_entity(draw, name, mentions[name.name], len(text)) for name in chosen.values()),
            sentiment=Sentiment(label=_label(sentiment), score=sentiment),
            models={"ner": "none 0 (bench)", "sentiment": "none 0 (bench)"},
            enriched_at=now,
        ),
    )
    flat = {
        "id": str(article_id),
        "source": source,
        "url": url,
        "title": title,
        "text": text,
        "published_at": published.isoformat(),
        "sentiment": sentiment,
    }
    return Made(
        str(article_id).encode(),
        DecidedArticle(decision=decision, metadata=metadata).to_bytes(),
        record.to_bytes(),
        json.dumps({"schema": FLAT_SCHEMA, "payload": flat}, ensure_ascii=False).encode(),
        str(decision.delivery_id),
    )


def _text(draw: random.Random, chosen: list[_Name], words: list[str]) -> tuple[str, dict[str, list[Mention]]]:
    """A text of 400 words in paragraphs, in which the names stand 40 times; and where."""
    places = sorted(draw.sample(range(WORDS - MENTIONS), MENTIONS))  # a name is two words at most
    # Each once, then again whom the draw favours.
    who = [*chosen, *draw.choices(chosen, k=MENTIONS - NAMES)]
    draw.shuffle(who)
    named = dict(zip(places, who, strict=True))
    begin = draw.randrange(len(words) - WORDS)
    mentions: dict[str, list[Mention]] = {name.name: [] for name in chosen}
    parts: list[str] = []
    length = count = number = 0
    while count < WORDS:
        name = named.get(number)
        word = name.name if name else words[begin + number]
        if name:
            end = length + len(word)
            mentions[name.name].append(Mention(text=word, start=length, end=end, raw_start=length, raw_end=end))
        parts.append(word + ("\n\n" if number % 80 == 79 else " "))
        length += len(parts[-1])
        count += len(word.split())
        number += 1
    return "".join(parts).rstrip(), mentions


def _entity(draw: random.Random, name: _Name, mentions: list[Mention], length: int) -> Entity:
    score = round(draw.uniform(-1, 1), 4)
    share = round(abs(score), 4)
    evidence = (Evidence(start=0, end=min(120, length), score=score),) if share > 1 / 3 else ()
    return Entity(
        name=name.name,
        label=name.label,
        aliases=(name.name.split()[-1],) if name.label == "PERSON" else (),
        count=len(mentions),
        salience=round(draw.random(), 4),
        sentiment=Sentiment(
            label=_label(score),
            score=score,
            negative=share if score < 0 else 0.0,
            neutral=round(1 - share, 4),
            positive=share if score > 0 else 0.0,
        ),
        evidence=evidence,
        mentions=tuple(mentions),
    )


def _label(score: float) -> Any:
    return "neutral" if abs(score) < 1 / 3 else "positive" if score > 0 else "negative"
