"""The stages: what `news run` starts, in the order in which an article passes them."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from ops import services
from pipeline import data_folder, logs, metrics, readiness
from pipeline.errors import SettingError, Unavailable
from pipeline.settings import Settings

STAGES: Final = ("producers", "deduplicate", "enrich", "sink", "web")
#: What each has in NEWS_DATA_DIR: looked at when it starts, not when it first has something to write.
FOLDERS: Final = {
    "producers": ("spool",),
    "deduplicate": ("faust/deduplicate", "journal", "index"),
    "enrich": ("faust/enrich", "journal"),
    "sink": ("journal",),
    "web": ("spool",),
}


@contextmanager
def on_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the old handlers come back afterwards."""
    stop = threading.Event()
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run(stage: str, settings: Settings, inboxes: Sequence[Path] = (), *, polls: bool = True) -> None:
    """Run one stage in the foreground until SIGTERM or SIGINT; producers poll no sources unless it `polls`."""
    runners: dict[str, Callable[[Settings, Sequence[Path]], None]] = {
        "producers": partial(_producers, polls=polls),
        "deduplicate": _deduplicate,
        "enrich": _enrich,
        "sink": _sink,
        "web": _web,
    }
    if stage not in runners:
        raise SettingError(f"There is no stage {stage!r}: it is one of {', '.join(STAGES)}.")
    for name in ("", *FOLDERS[stage]):
        data_folder.ensure(settings.data_dir / name)
    if stage == "enrich":
        from processors import forkserver, provenance

        provenance.of(settings.nlp)  # what is wrong with a setting is said here, in one line
        forkserver.start(settings.nlp)  # the models load there while the rest is imported here
    logs.set_up(settings.log.level, stage)
    readiness.begin()
    metrics.serve(settings.metrics.host, settings.metrics.port)
    runners[stage](settings, inboxes)


def _bootstrap(settings: Settings) -> str:
    """The stages that need no database must not ask for one."""
    return services.bootstrap_servers(settings)


def _producers(settings: Settings, inboxes: Sequence[Path], *, polls: bool) -> None:
    import producers.run

    bootstrap = _bootstrap(settings)
    with on_signal() as stop:
        readiness.mark()  # the spool takes what comes, whether Kafka answers yet or not
        producers.run.run(bootstrap, settings, inboxes, stop, polls=polls)


def _deduplicate(settings: Settings, _: Sequence[Path]) -> None:
    from processors import deduplicate

    deduplicate.run(_bootstrap(settings), settings)


def _enrich(settings: Settings, _: Sequence[Path]) -> None:
    from processors.pool import NlpPool

    pool = NlpPool(settings.nlp)
    pool.start()
    from processors import enrich

    enrich.run(_bootstrap(settings), settings, pool)


def _sink(settings: Settings, _: Sequence[Path]) -> None:
    import sinks.run

    endpoints = services.find(settings)
    with on_signal() as stop:
        sinks.run.run(endpoints.bootstrap_servers, endpoints.database_url, settings, stop)


def _web(settings: Settings, _: Sequence[Path]) -> None:
    from ops.web import server

    bootstrap = _bootstrap(settings)
    try:
        database_url = services.database_url(settings)
    except Unavailable:  # articles are taken all the same; whoever asks for some is told
        database_url = None
    with on_signal() as stop:
        server.run(settings, bootstrap, database_url, stop)
