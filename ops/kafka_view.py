"""What a person asks of Kafka: the topics, how far each group is behind, and the records as they come."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from ops import books, database
from ops.services import Endpoints
from pipeline import broker, topics
from pipeline.dead_letters import DeadLetter
from pipeline.errors import SettingError
from pipeline.records import Coordinates
from pipeline.topics import Topic
from sinks import queries

POLL_MS: Final = 300
AGE: Final = re.compile(r"(\d+)([smhd])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def topics_rows(client: KafkaAdminClient, declared: Sequence[Topic]) -> list[dict[str, Any]]:
    """The declared topics as the cluster has them: `records` ever written, `kept` still there.

    How many a compacted one keeps nobody counts.
    """
    states = broker.topic_states(client)
    there = {t.name: states[t.name] for t in declared if t.name in states}
    ends, starts = broker.log_offsets(client, there), broker.log_offsets(client, there, start=True)
    rows = []
    for topic in declared:
        end = sum(o for (name, _), o in ends.items() if name == topic.name)
        start = sum(o for (name, _), o in starts.items() if name == topic.name)
        rows.append(
            {
                "topic": topic.name,
                "partitions": there[topic.name].partitions if topic.name in there else None,
                "records": end,
                "kept": None if topic.is_compacted else end - start,
                "what": topic.what,
            }
        )
    return rows


def lag(endpoints: Endpoints) -> list[dict[str, Any]]:
    """How far each group is behind, by partition. The sink's position is the one in PostgreSQL, which is the truth."""
    with broker.admin(endpoints.bootstrap_servers) as client:
        states = broker.topic_states(client)
        read = {name: states[name] for names in books.GROUPS.values() for name in names if name in states}
        ends = broker.log_offsets(client, read)
        committed = {group: broker.committed_offsets(client, group) for group in books.GROUPS}
    with database.connect(endpoints.database_url) as db:
        stored = {(p.topic_id, p.partition): p.next_offset for p in queries.stored_positions(db)}
    rows: list[dict[str, Any]] = []
    for group, names in books.GROUPS.items():
        for (topic, partition), end in sorted(ends.items()):
            if topic in names:
                position = (
                    stored.get((read[topic].id, partition), 0)
                    if group == "news.sink"
                    else committed[group].get((topic, partition), 0)
                )
                rows.append(
                    {
                        "group": group,
                        "topic": topic,
                        "partition": partition,
                        "position": position,
                        "end": end,
                        "lag": end - position,
                        "lag_seconds": None,
                    }
                )
    _add_ages(endpoints.bootstrap_servers, [row for row in rows if row["lag"] > 0])
    return rows


def _add_ages(bootstrap_servers: str, behind: Sequence[dict[str, Any]]) -> None:
    """The age of the oldest unread record, which is what a reader of the rows feels."""
    if not behind:
        return
    with closing(broker.consumer(bootstrap_servers, max_poll_records=1)) as consumer:
        for row in behind:
            place = TopicPartition(row["topic"], row["partition"])
            consumer.assign([place])
            consumer.seek(place, row["position"])
            for records in consumer.poll(timeout_ms=2000).values():
                row["lag_seconds"] = round(max(0.0, time.time() - records[0].timestamp / 1000), 1)


Condition = Callable[[Any], bool]


def conditions(given: Iterable[str]) -> list[Condition]:
    """PATH=VALUE -> tests of a record: the value at the path, as text, is VALUE. Raises SettingError otherwise."""

    def condition(text: str) -> Condition:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise SettingError(f"--where is PATH=VALUE, for example decision.kind=copy, not {text!r}.")
        names = path.split(".")

        def holds(record: Any) -> bool:
            at = record
            for name in names:
                at = at.get(name) if isinstance(at, dict) else None
            return at is not None and (at if isinstance(at, str) else json.dumps(at)) == value

        return holds

    return [condition(text) for text in given]


def tail(
    bootstrap_servers: str,
    topic: str,
    start: str,
    wanted: Sequence[Condition],
    limit: int | None,
    *,
    follow: bool,
    stop: threading.Event,
) -> None:
    """Print the records of a topic as JSON lines: where each stands, its key, headers and value.

    `start`: "end", "beginning" or an age ("10m"). Without `follow` it ends at the end the topic has now.
    """
    moment = _moment(start)
    with broker.admin(bootstrap_servers) as client:
        state = broker.topic_states(client)[topic]
    with closing(broker.consumer(bootstrap_servers)) as consumer:
        places = [TopicPartition(topic, p) for p in range(state.partitions)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        _seek(consumer, places, start, moment, ends)
        printed = 0
        while not stop.is_set():
            if not follow and all(consumer.position(place) >= ends[place] for place in places):
                return
            for batch in consumer.poll(timeout_ms=POLL_MS).values():
                for record in batch:
                    at = Coordinates(topic_id=state.id, partition=record.partition, offset=record.offset)
                    line = _line(record, at)
                    if all(holds(line["value"]) for holds in wanted):
                        sys.stdout.write(json.dumps(line) + "\n")
                        printed += 1
                        if printed == limit:
                            return
            sys.stdout.flush()


def _moment(start: str) -> datetime | None:
    if start in ("end", "beginning"):
        return None
    age = AGE.fullmatch(start)
    if age is None:
        raise SettingError(f"--from is end, beginning, or an age such as 10m, 2h or 1d, not {start!r}.")
    return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})


def _seek(
    consumer: KafkaConsumer,
    places: Sequence[TopicPartition],
    start: str,
    moment: datetime | None,
    ends: dict[TopicPartition, int],
) -> None:
    if start == "beginning":
        consumer.seek_to_beginning(*places)
        return
    found = {}
    if moment is not None:
        found = consumer.offsets_for_times({place: int(moment.timestamp() * 1000) for place in places})
    for place in places:
        first = found.get(place)
        consumer.seek(place, first.offset if first is not None else ends[place])


def _line(record: Any, at: Coordinates) -> dict[str, Any]:
    headers = {name: value.decode("utf-8", "backslashreplace") for name, value in record.headers if value is not None}
    value: Any
    if record.topic == topics.DEAD_LETTER:
        letter = DeadLetter.from_kafka(record.key, record.value, record.headers, at)
        value = {
            "id": str(letter.id),
            "stage": letter.stage,
            "reason": letter.reason.value,
            "detail": letter.detail,
            "origin": letter.origin,
            "beginning": letter.value[:500].decode("utf-8", "backslashreplace"),
        }
    else:
        try:
            value = json.loads(record.value or b"null")
        except ValueError:
            value = record.value.decode("utf-8", "backslashreplace")
    return {
        "topic": record.topic,
        "partition": at.partition,
        "offset": at.offset,
        "time": datetime.fromtimestamp(record.timestamp / 1000, tz=UTC).isoformat(),
        "key": record.key.decode("utf-8", "backslashreplace") if record.key else None,
        "headers": headers,
        "value": value,
    }


def unread(bootstrap_servers: str, topic: str, wanted: str, behind: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    """(partition, offset) of unread records whose key or event id is `wanted`; `behind` are rows of `lag`."""
    found: list[tuple[int, int]] = []
    with closing(broker.consumer(bootstrap_servers)) as consumer:
        for row in behind:
            place = TopicPartition(topic, row["partition"])
            consumer.assign([place])
            consumer.seek(place, row["position"])
            while consumer.position(place) < row["end"]:
                for record in consumer.poll(timeout_ms=2000).get(place, ()):
                    ids = [record.key, *(value for name, value in record.headers if name == "ce_id")]
                    if wanted.encode() in ids:
                        found.append((record.partition, record.offset))
    return found
