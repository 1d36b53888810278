"""`news reenrich`: stored texts whose enrichment is stale -> articles.reenrich, never more than a few at a time.

It keeps no state: what is stale is asked of the rows each time, so after a kill it is simply run again. What was sent
twice has the same generation, and the second result changes nothing.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Final

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from ops import books, database
from ops.services import Endpoints
from pipeline import broker, events, topics
from pipeline.errors import SettingError, Unavailable
from pipeline.identity import printable
from pipeline.records import StaleArticle
from pipeline.settings import Settings
from processors import provenance
from sinks import queries
from sinks.queries import Stale, StaleCount

#: So many wait on the topic at most: a person who changes their mind waits for no more than these.
OUTSTANDING: Final = 500
PAGE: Final = 100
LOOK_SECONDS: Final = 0.2
#: Nobody takes them for so long: say so.
STILL_SECONDS: Final = 30.0
SEND_SECONDS: Final = 120.0

_SOURCE: Final = "/ops/reenrich"
_KEYS: Final = ("language", "source", "since", "until", "reason")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `still`: nobody has taken anything for half a minute."""

    sent: int
    outstanding: int
    still: bool = False


def wanted(settings: Settings, where: Iterable[str]) -> Stale:
    """What `--where KEY=VALUE …` asks for. Raises SettingError for what it does not know."""
    given: dict[str, str] = {}
    for condition in where:
        key, equals, value = condition.partition("=")
        if key not in _KEYS or not equals or not value:
            raise SettingError(f"--where is KEY=VALUE with {', '.join(_KEYS)} for KEY, not {condition!r}.")
        if key in given:
            raise SettingError(f"--where {key}=… is given twice: it is one value.")
        given[key] = printable(value)
    configuration = provenance.of(settings.nlp)
    return Stale(
        configuration.digests,
        configuration.digest_of_others,
        configuration.digest,
        language=given.get("language"),
        source=given.get("source"),
        since=_moment("since", given.get("since")),
        until=_moment("until", given.get("until")),
        reason=given.get("reason"),
    )


def _moment(key: str, given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise SettingError(
            f"--where {key}=… is a date or a time in ISO 8601, such as 2026-03-01, not {given!r}."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def counts(endpoints: Endpoints, stale: Stale) -> list[StaleCount]:
    """How many enrichments of each kind there are, and how many of them are stale."""
    with database.connect(endpoints.database_url) as db:
        return queries.stale_counts(db, stale)


def send(endpoints: Endpoints, stale: Stale, stop: Event, say: Callable[[Progress], None]) -> int:
    """Send what is stale, page by page, as fast as it is taken; gives how many. Ends early when `stop` is set.

    Raises Unavailable when a service is away; what was sent by then is safe.
    """
    sent, after = 0, None
    with (
        broker.admin(endpoints.bootstrap_servers) as client,
        database.connect(endpoints.database_url) as db,
        closing(broker.producer(endpoints.bootstrap_servers)) as producer,
    ):
        if topics.REENRICH not in broker.topic_states(client):
            raise Unavailable(f"Kafka has no topic {topics.REENRICH}: run `news topics apply`.")
        while page := queries.stale_articles(db, stale, after, PAGE):
            if not _has_room(client, len(page), sent, stop, say):
                break
            _publish(producer, page, endpoints.bootstrap_servers)
            sent, after = sent + len(page), page[-1].decision.delivery_id
        say(Progress(sent, _outstanding(client)))
    return sent


def _has_room(client: KafkaAdminClient, wanting: int, sent: int, stop: Event, say: Callable[[Progress], None]) -> bool:
    """Wait until so many more may be outstanding; False when `stop` was set first."""
    least, since = None, time.monotonic()
    while not stop.is_set():
        outstanding = _outstanding(client)
        if least is None or outstanding < least:
            least, since = outstanding, time.monotonic()
        say(Progress(sent, outstanding, still=time.monotonic() - since > STILL_SECONDS))
        if outstanding + wanting <= OUTSTANDING:
            return True
        stop.wait(LOOK_SECONDS)
    return False


def _outstanding(client: KafkaAdminClient) -> int:
    states = {topics.REENRICH: broker.topic_states(client)[topics.REENRICH]}
    committed = broker.committed_offsets(client, books.REENRICH_GROUP)
    return sum(end - committed.get(place, 0) for place, end in broker.log_offsets(client, states).items())


def _publish(producer: KafkaProducer, page: Iterable[StaleArticle], bootstrap_servers: str) -> None:
    """Send a page; returns when the broker has all of it."""
    try:
        futures = [
            producer.send(
                topics.REENRICH,
                article.to_bytes(),
                key=str(article.decision.article_id).encode(),
                headers=events.headers(article.decision.delivery_id, topics.REENRICH, _SOURCE),
            )
            for article in page
        ]
        for future in futures:
            future.get(SEND_SECONDS)
    except KafkaError as error:
        raise Unavailable(
            f"Kafka at {bootstrap_servers} (NEWS_KAFKA__BOOTSTRAP_SERVERS) takes no records: {error!r}. Run it again: "
            "it goes on with what is still stale."
        ) from error
