"""A real server on the loopback in a thread, and a stand-in for the broker behind a real spool."""

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from ops.web import server
from pipeline.records import RawArticle
from pipeline.settings import ExtractionSettings, ProducerSettings, Settings, WebSettings
from producers.deliveries import Row
from producers.ingest.keys import KeyStore
from producers.run import open_spool
from producers.spool import SenderLock, Spool
from tests.running import until

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
#: Nothing listens there (tests/ops/test_supervisor.py).
NOBODY: Final = "127.0.0.1:1"
SECONDS: Final = 30


class Broker:
    """Takes what is in the spool, as the sender would, whose lock it holds: what it has taken is acknowledged."""

    def __init__(self, folder: Path, spool: Spool) -> None:
        self.sent: list[Row] = []
        self._takes = threading.Event()
        self._takes.set()
        self._stop = threading.Event()
        self._spool = spool
        self._lock = SenderLock(folder)
        assert self._lock.try_take()
        self._thread = threading.Thread(target=self._run, name="broker")
        self._thread.start()

    def go_away(self) -> None:
        self._takes.clear()

    def come_back(self) -> None:
        self._takes.set()

    @property
    def articles(self) -> list[RawArticle]:
        return [RawArticle.from_bytes(row.value) for row in self.sent]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._lock.give_back()

    def _run(self) -> None:
        with self._spool.another() as spool:
            spool.relax()
            while not self._stop.wait(0.002):
                rows = spool.read_after(0, 5000, 1 << 26) if self._takes.is_set() else []
                if rows:
                    self.sent += [spooled.row for spooled in rows]
                    spool.delete(rows)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Service(NamedTuple):
    """A running API."""

    port: int
    data_dir: Path
    spool: Spool
    broker: Broker | None
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        key: str | None = None,
        type: str | None = JSON,
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own; an iterable is sent in chunks. key "" sends none."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if key != "":
            given["Authorization"] = f"Bearer {key or self.key}"
        if type is not None and body is not None:
            given["Content-Type"] = type
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as connection:
            connection.request(method, path, body, given, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def post(self, body: object, **given: Any) -> Answer:
        """Feed: bytes and iterables as they are, all else as JSON."""
        is_raw = isinstance(body, bytes) or (isinstance(body, Iterable) and not isinstance(body, dict | list | str))
        if is_raw and not isinstance(body, bytes):
            given["Transfer_Encoding"] = "chunked"
        return self.call("POST", "/v1/articles", body if is_raw else json.dumps(body).encode(), **given)  # type: ignore[arg-type]

    def get(self, path: str, **given: Any) -> Answer:
        return self.call("GET", path, **given)

    def keys(self) -> KeyStore:
        return KeyStore(self.data_dir)

    def open_raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def settings_of(data_dir: Path, spool_max_bytes: int = 1 << 30, **web: Any) -> Settings:
    return Settings(
        data_dir=data_dir,
        web=WebSettings(port=free_port(), **web),
        producers=ProducerSettings(spool_max_bytes=spool_max_bytes),
        extraction=ExtractionSettings(processes=1),
    )


@contextmanager
def serving(
    data_dir: Path,
    *,
    bootstrap_servers: str = NOBODY,
    database_url: str | None = None,
    with_broker: bool = True,
    spool_max_bytes: int = 1 << 30,
    **web: Any,
) -> Iterator[Service]:
    """An API with one key; what ends it early fails the test. `with_broker`: the stand-in takes what is sent."""
    settings = settings_of(data_dir, spool_max_bytes, **web)
    assert settings.web.port is not None
    with open_spool(settings) as spool, KeyStore(data_dir) as keys:
        key = keys.create("crawler")
        broker = Broker(spool.folder, spool) if with_broker else None
        stop = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                server.run(settings, bootstrap_servers, database_url, stop)
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=run, name="server")
        thread.start()
        try:
            service = Service(settings.web.port, data_dir, spool, broker, key)
            until("the server answers", lambda: failure or _is_up(service), SECONDS)
            yield service
        finally:
            stop.set()
            thread.join(60)
            if broker is not None:
                broker.close()
        assert not failure, failure
        assert not thread.is_alive()


def _is_up(service: Service) -> bool:
    try:
        return service.get("/healthz").status == 200
    except ConnectionError:
        return False
