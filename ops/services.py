"""Where Kafka and PostgreSQL are: a cluster that the settings name, or the embedded ones of the running supervisor."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import psutil

from ops.process import write_atomically
from pipeline.errors import Unavailable
from pipeline.settings import Settings

RUN_FILE: Final = "run.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the two services listen."""

    bootstrap_servers: str
    database_url: str


@dataclass(frozen=True, slots=True)
class Run:
    """What a running supervisor says of itself, in the data folder."""

    pid: int
    started: float
    state: str
    bootstrap_servers: str
    database_url: str
    embedded: tuple[str, ...] = ()
    pids: dict[str, int] = field(default_factory=dict)
    metrics_ports: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    web: str | None = None

    def write(self, data_dir: Path) -> None:
        """Say it; only this account may read it, the URL has the password."""
        previous = os.umask(0o077)
        try:
            write_atomically(data_dir / RUN_FILE, json.dumps(asdict(self), indent=1))
        finally:
            os.umask(previous)


def running(data_dir: Path) -> Run | None:
    """The supervisor that runs on this data folder, or None; what a killed one left behind does not count."""
    try:
        said = json.loads((data_dir / RUN_FILE).read_text(encoding="utf-8"))
        run = Run(**said)
        process = psutil.Process(run.pid)
        alive = abs(process.create_time() - run.started) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, ValueError, TypeError, psutil.NoSuchProcess):
        return None
    return run if alive else None


def bootstrap_servers(settings: Settings) -> str:
    """Where Kafka is, for what needs no database. Raises as `find` does."""
    return settings.kafka.bootstrap_servers or find(settings).bootstrap_servers


def database_url(settings: Settings) -> str:
    """Where PostgreSQL is, for what needs no Kafka. Raises as `find` does."""
    return settings.database.url.get_secret_value() if settings.database.url else find(settings).database_url


def find(settings: Settings) -> Endpoints:
    """Where both services are, from the settings first, then from the running supervisor.

    Raises Unavailable, saying what to set or start, when neither knows.
    """
    run = running(settings.data_dir)
    bootstrap = settings.kafka.bootstrap_servers or (run.bootstrap_servers if run else None)
    url = settings.database.url.get_secret_value() if settings.database.url else (run.database_url if run else None)
    missing = [
        name for name, value in (("NEWS_KAFKA__BOOTSTRAP_SERVERS", bootstrap), ("NEWS_DATABASE__URL", url)) if not value
    ]
    if not bootstrap or not url:
        raise Unavailable(
            f"Nothing runs on {settings.data_dir}, and {' and '.join(missing)} {'are' if missing[1:] else 'is'} not "
            "set. Start `news up` here, or set what your services need."
        )
    return Endpoints(bootstrap, url)
