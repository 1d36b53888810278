"""A topic of flat articles -> rows of one flat table by Debezium's JDBC sink, in a standalone worker of Kafka Connect.

The worker's jars and the connector's come from Maven Central into the user's cache, each with a committed SHA-256
(connect-jars.txt). They are the bench's alone: nothing of the pipeline needs them.
"""

import hashlib
import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from ops.embedded import kafka

JAR_LIST: Final = Path(__file__).with_name("connect-jars.txt")
CONNECTOR: Final = "io.debezium.connector.jdbc.JdbcSinkConnector"
MAX_RECORDS: Final = 500

WORKER: Final = """\
bootstrap.servers={bootstrap_servers}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=true
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=1000
plugin.path={plugins}
plugin.discovery=only_scan
listeners=http://127.0.0.1:{port}
consumer.auto.offset.reset=earliest
consumer.max.poll.records={max_records}
consumer.fetch.max.bytes=52428800
consumer.max.partition.fetch.bytes=9437184
"""

CONNECTOR_PROPERTIES: Final = """\
name={table}
connector.class={connector}
tasks.max=1
topics={topic}
connection.url=jdbc:postgresql://{host}:{port}/{database}?reWriteBatchedInserts=true
connection.username={user}
connection.password={password}
insert.mode=upsert
primary.key.mode=record_value
primary.key.fields=id
collection.name.format=public.{table}
schema.evolution=none
batch.size={max_records}
dialect.postgres.unnest.insert.enabled={unnest}
"""

LOG4J2: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <File name="file" fileName="connect.log"><PatternLayout pattern="[%d] %p %m (%c)%n%throwable"/></File>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="file"/></Root></Loggers>
</Configuration>
"""


def fetch(cache_dir: Path) -> tuple[list[Path], Path]:
    """Bring the jars into the cache; gives those of the worker, and the folder of plugins."""
    jars: dict[str, list[kafka.Jar]] = {"worker": [], "plugin": []}
    for line in JAR_LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            part, *fields = re.split("[: ]", line)
            jars[part].append(kafka.Jar(*fields))
    # A folder for each list: a plugin is all that lies in its folder.
    folder = cache_dir / f"bench-connect-{hashlib.sha256(JAR_LIST.read_bytes()).hexdigest()[:12]}"
    places = {"worker": folder / "worker", "plugin": folder / "plugins" / "debezium-jdbc"}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(6) as executor:
        list(executor.map(lambda each: kafka.fetch_jar(*each), [(j, places[p]) for p in jars for j in jars[p]]))
    return [places["worker"] / jar.file_name for jar in jars["worker"]], folder / "plugins"


class Worker:
    """The process, which lives on when its one task has failed."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid

    def poll(self) -> int | None:
        """What it ended with, or 1 when its task has failed; None while it works."""
        failed = self._log.exists() and "Task threw an uncaught" in self._log.read_text(errors="replace")
        return 1 if failed else self._process.poll()


@contextmanager
def worker(
    folder: Path, cache_dir: Path, bootstrap_servers: str, database_url: str, topic: str, table: str, *, unnest: bool
) -> Iterator[Worker]:
    """The worker with its one connector while the block runs; it is ended with it."""
    jars, plugins = fetch(cache_dir)
    folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    where = conninfo_to_dict(database_url)
    (folder / "worker.properties").write_text(
        WORKER.format(
            bootstrap_servers=bootstrap_servers, folder=folder, plugins=plugins, port=port, max_records=MAX_RECORDS
        )
    )
    properties = CONNECTOR_PROPERTIES.format(
        table=table,
        connector=CONNECTOR,
        topic=topic,
        host=where["host"],
        port=where["port"],
        database=where["dbname"],
        user=where["user"],
        password=where["password"],
        max_records=MAX_RECORDS,
        unnest=str(unnest).lower(),
    )
    (folder / "connector.properties").write_text(properties)
    (folder / "log4j2.xml").write_text(LOG4J2)
    command = [
        str(kafka.java()),
        "-Xms256m",
        "-Xmx1g",
        "-XX:-UsePerfData",
        "-Dlog4j2.configurationFile=log4j2.xml",
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        os.pathsep.join(map(str, jars)),
        "org.apache.kafka.connect.cli.ConnectStandalone",
        "worker.properties",
        "connector.properties",
    ]
    with (folder / "connect.out").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield Worker(process, folder / "connect.log")
    except BaseException as error:
        error.add_note(f"{_state(port, table)}\n{_end(folder / 'connect.out')}\n{_end(folder / 'connect.log')}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _state(port: int, name: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/connectors/{name}/status", timeout=5) as answer:
            return json.dumps(json.load(answer))[:4000]
    except OSError as error:
        return f"The worker does not answer: {error}"


def _end(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[-3000:] if path.exists() else ""
