"""`news up`: Kafka, PostgreSQL and the stages as processes under one supervisor that starts, watches and ends them.

Every process is tethered: it ends with the supervisor, however that ends. A process that ends by itself is started
again after 1, 2, 4 … 30 s; acknowledged work is safe meanwhile, so a restart repeats and never loses.
"""

import fcntl
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from ops import stages
from ops.embedded import kafka
from ops.embedded.kafka import EmbeddedKafka
from ops.embedded.postgres import EmbeddedPostgres
from ops.process import Progress, ServiceProcess, choose_port, read_ports, write_ports
from ops.services import Endpoints, Run
from pipeline import logs, readiness
from pipeline.errors import Exit, SettingError, Stop, Unavailable
from pipeline.settings import Settings

log = logs.get(__name__)

TICK_SECONDS: Final = 0.1
STOP_SECONDS: Final = 30.0
READY_SECONDS: Final = 120.0
MAX_BACKOFF_SECONDS: Final = 30.0
#: A process that ran for so long starts again at once when it ends.
STEADY_SECONDS: Final = 60.0
MAX_LOG_BYTES: Final = 10 * 1024 * 1024

#: Called with what happened, for the person who watches.
Say = Callable[[str], None]


@dataclass(slots=True)
class StageProcess:
    """One stage as a process, with its restarts."""

    name: str
    process: ServiceProcess
    ready_file: Path
    log_file: Path
    metrics_port: int
    restarts: int = 0
    backoff_seconds: float = 0.0
    started_at: float = 0.0
    start_again_at: float | None = None
    paused: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether this very process said that it is ready."""
        return readiness.is_marked(self.ready_file, self.process.pid)


@dataclass(slots=True)
class Supervisor:
    """Starts everything in the order in which things need each other, watches, and ends it in the order of the flow."""

    settings: Settings
    inboxes: Sequence[Path]
    say: Say
    kafka_port: int | None = None
    stages: tuple[str, ...] = stages.STAGES
    polls: bool = True
    _kafka: EmbeddedKafka | None = None
    _postgres: EmbeddedPostgres | None = None
    _processes: dict[str, StageProcess] = field(default_factory=dict)
    _endpoints: Endpoints | None = None
    _web_port: int | None = None
    _state: str = "starting"
    #: Service -> when it may be started again, and how long it waited for that.
    _service_waits: dict[str, tuple[float, float]] = field(default_factory=dict)
    _failure: BaseException | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Where the services listen; known once `start` has come back."""
        if self._endpoints is None:
            raise RuntimeError("start() comes first")
        return self._endpoints

    @property
    def web(self) -> str | None:
        """Where the HTTP API will listen; None if that stage is not run."""
        return None if self._web_port is None else f"http://{_in_url(self.settings.web.host)}:{self._web_port}"

    @contextmanager
    def running(self, progress: Progress, stop: threading.Event) -> Iterator[None]:
        """Everything runs inside the block; at its end everything is ended."""
        data_dir = self.settings.data_dir
        with ExitStack() as stack:
            stack.enter_context(_only_one(data_dir))
            stack.callback(self._end)
            self._start(progress)
            watcher = threading.Thread(target=self._watch, args=(stop,), name="supervisor", daemon=True)
            watcher.start()
            stack.callback(watcher.join)
            stack.callback(stop.set)
            yield
        if self._failure is not None:
            raise self._failure

    def wait_ready(self, stop: threading.Event) -> bool:
        """Wait until every stage but the HTTP API said that it is ready; False when `stop` came first.

        That one is started now: nothing waits for it, and sooner it would only take the cores from the others.
        Raises Unavailable, naming the stage and its log, when one is not ready after two minutes.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not stop.wait(TICK_SECONDS):
            late = [p for p in self._processes.values() if not p.is_ready and not p.paused and p.name != "web"]
            if not late:
                self._launch_first("web")
                self._state = "ready"
                self._write()
                return True
            if time.monotonic() > deadline:
                names = ", ".join(f"{p.name} (see {p.log_file})" for p in late)
                raise Unavailable(f"Not ready after {READY_SECONDS:.0f} s: {names}.")
        return False

    def _start(self, progress: Progress) -> None:
        data_dir, cache = self.settings.data_dir, kafka.user_cache_folder(os.environ)
        for folder in ("logs", "ready", "paused", "stages"):
            (data_dir / folder).mkdir(parents=True, exist_ok=True)
        if not self.settings.kafka.bootstrap_servers:
            self._kafka = EmbeddedKafka(data_dir / "kafka", cache, self.kafka_port)
        if not self.settings.database.url:
            self._postgres = EmbeddedPostgres(data_dir / "postgres", cache)
        if "web" in self.stages:
            remembered = data_dir / "web-port.json"
            self._web_port = choose_port("web", self.settings.web.port, read_ports(remembered).get("web"))
            write_ports(remembered, {"web": self._web_port})
        services = [service for service in (self._kafka, self._postgres) if service is not None]
        with ThreadPoolExecutor(max_workers=2) as together:
            list(together.map(lambda service: service.prepare(progress), services))
        self._endpoints = Endpoints(
            self._kafka.bootstrap_servers if self._kafka else self.settings.kafka.bootstrap_servers or "",
            self._postgres.url
            if self._postgres
            else self.settings.database.url.get_secret_value()
            if self.settings.database.url
            else "",
        )
        for service in services:
            service.start()
        for name in self.stages:
            self._processes[name] = self._stage_process(name)
            self._processes[name].paused = self._is_paused(name)
        # Loading the models takes longest and needs no service, so it begins while the broker does. The others would
        # only take the two cores of a small machine from the broker, for which all of them wait.
        self._launch_first("enrich")
        # Imported while all of that starts: together they take as long as PostgreSQL.
        from ops import database
        from pipeline import broker, topics
        from sinks import schema

        self._write()
        if self._postgres is not None:
            self._postgres.wait_ready()
        else:
            # Says which setting is wrong when nothing answers.
            with database.connect(self.endpoints.database_url, check=False):
                pass
        if not schema.is_current(self.endpoints.database_url):
            from sinks import backfill, migrate  # Alembic takes a second to import, and most starts migrate nothing

            migrate.migrate(self.endpoints.database_url, self.settings.database.publication, self.say)
            backfill.index_all(self.endpoints.database_url, self.say)
        if self._kafka is not None:
            self._kafka.wait_ready()
        for name in ("deduplicate", "sink", "producers"):
            self._launch_first(name)
        with broker.admin(self.endpoints.bootstrap_servers, self.settings.kafka.start_timeout_seconds) as client:
            kafka_settings = self.settings.kafka
            broker.apply(client, topics.of(self.settings), kafka_settings.partitions, kafka_settings.replication_factor)
        self._write()

    def _stage_process(self, name: str) -> StageProcess:
        data_dir = self.settings.data_dir
        return StageProcess(
            name,
            ServiceProcess(f"The stage {name}", data_dir / "stages" / f"{name}.json", signal.SIGTERM),
            data_dir / "ready" / name,
            data_dir / "logs" / f"{name}.log",
            choose_port(
                "metrics", None, None, {p.metrics_port for p in self._processes.values()} | {self._web_port or 0}
            ),
        )

    def _launch_first(self, name: str) -> None:
        process = self._processes.get(name)
        if process is not None and not process.paused and process.process.pid is None:
            process.process.end_left_over()
            self._launch(process)

    def _launch(self, process: StageProcess) -> None:
        process.ready_file.unlink(missing_ok=True)
        if process.log_file.exists():
            process.log_file.replace(process.log_file.with_suffix(".log.1"))
        command = [sys.executable, "-m", "ops", "run", process.name]
        if process.name == "producers":
            command += [argument for inbox in self.inboxes for argument in ("--inbox", str(inbox.absolute()))]
            command += [] if self.polls else ["--no-poll"]
        process.process.launch(
            command, directory=Path.cwd(), environment=self._environment(process), output=process.log_file
        )
        process.started_at, process.start_again_at = time.monotonic(), None

    def _environment(self, process: StageProcess) -> Mapping[str, str]:
        return {
            **os.environ,
            **({"NEWS_WEB__PORT": str(self._web_port)} if process.name == "web" else {}),
            "NEWS_DATA_DIR": str(self.settings.data_dir.absolute()),
            "NEWS_KAFKA__BOOTSTRAP_SERVERS": self.endpoints.bootstrap_servers,
            "NEWS_DATABASE__URL": self.endpoints.database_url,  # with its password; so nothing else may give one
            **dict.fromkeys(("NEWS_DATABASE__URL_FILE", "NEWS_DATABASE__PASSWORD", "NEWS_DATABASE__PASSWORD_FILE"), ""),
            "NEWS_METRICS__PORT": str(process.metrics_port),
            readiness.VARIABLE: str(process.ready_file.absolute()),
        }

    def _watch(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(TICK_SECONDS):
                self._watch_services()
                for process in self._processes.values():
                    self._watch_stage(process)
        except BaseException as error:  # a full disk, a bug: what nobody watches any more must not go on
            self._failure = error
            stop.set()

    def _watch_services(self) -> None:
        for name, service in (("Kafka", self._kafka), ("PostgreSQL", self._postgres)):
            again_at, waited = self._service_waits.get(name, (0.0, 0.0))
            if service is not None and service.poll() is not None and time.monotonic() >= again_at:
                self.say(f"{name} ended with status {service.poll()}; starting it again")
                try:
                    service.start()
                    service.wait_ready()
                    self._service_waits.pop(name, None)
                    self.say(f"{name} is back")
                except (Unavailable, Stop) as error:
                    wait = min(MAX_BACKOFF_SECONDS, max(1.0, waited * 2))
                    self._service_waits[name] = (time.monotonic() + wait, wait)
                    self.say(f"{name} does not start: {error} Trying again in {wait:.0f} s.")
                self._write()

    def _watch_stage(self, process: StageProcess) -> None:
        paused = self._is_paused(process.name)
        if paused != process.paused:
            process.paused = paused
            self.say(f"{process.name} is {'paused' if paused else 'resumed'}")
            if paused:
                process.process.stop(STOP_SECONDS)
                process.ready_file.unlink(missing_ok=True)
            if not paused:
                self._launch(process)
            process.start_again_at = None
            self._write()
        if process.paused:
            return
        status = process.process.poll()
        if status is not None and process.start_again_at is None:
            ran = time.monotonic() - process.started_at
            process.backoff_seconds = (
                0 if ran > STEADY_SECONDS else min(MAX_BACKOFF_SECONDS, max(1.0, process.backoff_seconds * 2))
            )
            process.start_again_at = time.monotonic() + process.backoff_seconds
            self.say(
                f"{process.name} ended with status {status} ({_meaning(status)}); "
                f"starting it again in {process.backoff_seconds:.0f} s; its log: {process.log_file}"
            )
        if process.start_again_at is not None and time.monotonic() >= process.start_again_at:
            process.restarts += 1
            self._launch(process)
            self._write()
        _bound(process.log_file)

    def _is_paused(self, name: str) -> bool:
        return paused_file(self.settings.data_dir, name).exists()

    def _end(self) -> None:
        self._state = "stopping"
        with ThreadPoolExecutor(max_workers=len(self._processes) or 1) as together:
            # All at once: none needs another to finish what it has in work, and each has its own 30 s.
            list(together.map(lambda p: p.process.stop(STOP_SECONDS), self._processes.values()))
        for service in (self._postgres, self._kafka):
            if service is not None:
                service.stop()
        (self.settings.data_dir / "run.json").unlink(missing_ok=True)

    def _write(self) -> None:
        embedded = [("kafka", self._kafka), ("postgres", self._postgres)]
        pids = {name: service.pid for name, service in embedded if service is not None}
        pids |= {p.name: p.process.pid for p in self._processes.values()}
        Run(
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            state=self._state,
            bootstrap_servers=self.endpoints.bootstrap_servers,
            database_url=self.endpoints.database_url,
            embedded=tuple(name for name, service in embedded if service is not None),
            pids={name: pid for name, pid in pids.items() if pid is not None},
            metrics_ports={p.name: p.metrics_port for p in self._processes.values()},
            restarts={p.name: p.restarts for p in self._processes.values()},
            web=self.web,
        ).write(self.settings.data_dir)


def paused_file(data_dir: Path, stage: str) -> Path:
    """The file whose presence keeps a stage stopped; it stays over restarts of the supervisor."""
    return data_dir / "paused" / stage


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("a")
    except OSError as error:
        raise SettingError(f"NEWS_DATA_DIR: the folder {data_dir} cannot be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(
                f"`news up` already runs on {data_dir}: see `news status`, end it with `news down`, "
                "or name another folder by NEWS_DATA_DIR."
            ) from None
        yield


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _meaning(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    meanings: dict[int, str] = {
        Exit.FAILURE: "it stopped for a reason that a person must see",
        Exit.USAGE: "a setting is wrong",
        Exit.SERVICE_AWAY: "a service is away",
        Exit.BUG: "an unexpected error, nothing acknowledged",
        75: "the watchdog found it standing still",
    }
    return meanings.get(status, "unexpected")


def _bound(log_file: Path) -> None:
    """Keep a log that is written to under its size: its last 10 MiB are in `.log.1`."""
    if log_file.exists() and log_file.stat().st_size > MAX_LOG_BYTES:
        shutil.copyfile(log_file, log_file.with_suffix(".log.1"))
        os.truncate(log_file, 0)
