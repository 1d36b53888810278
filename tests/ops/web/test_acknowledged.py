"""The whole way: HTTP, the spool, the real sender, a real Kafka; and the end of the process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline import topics
from pipeline.records import RawArticle
from producers.ingest.keys import KeyStore
from producers.run import open_spool
from tests.cluster import records_on
from tests.ops.web.serving import NDJSON, Service, settings_of
from tests.running import REPOSITORY, clean_environment, until

pytestmark = [pytest.mark.services, pytest.mark.timeout(120), pytest.mark.usefixtures("sockets_collected")]


@contextmanager
def running(tmp_path: Path, bootstrap_servers: str) -> Iterator[tuple[Service, "subprocess.Popen[bytes]"]]:
    """`news run web`."""
    settings = settings_of(tmp_path)
    assert settings.web.port is not None
    variables = {
        "NEWS_DATA_DIR": str(tmp_path),
        "NEWS_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
        "NEWS_WEB__PORT": str(settings.web.port),
        "NEWS_READY_FILE": str(tmp_path / "ready"),
    }
    with KeyStore(tmp_path) as keys:
        key = keys.create("crawler", ["a.example"])
    with (
        open_spool(settings) as spool,
        subprocess.Popen(
            [sys.executable, "-m", "ops", "run", "web"], cwd=REPOSITORY, env=clean_environment(**variables)
        ) as process,
    ):
        try:
            until("it is ready", (tmp_path / "ready").exists, 60)
            yield Service(settings.web.port, tmp_path, spool, None, key), process
        finally:
            process.kill()


def test_what_was_answered_is_in_kafka_and_sigterm_ends_it_in_good_order(kafka: str, tmp_path: Path) -> None:
    with running(tmp_path, kafka) as (service, process):
        one = service.post({"body": "One."})
        assert one.status == 202
        assert [json.loads(record.value)["body"] for record in records_on(kafka, topics.RAW)] == ["One."]
        many = service.post([{"body": str(number)} for number in range(50)])
        stream = service.post((b'{"body": "line %d"}\n' % number for number in range(500)), type=NDJSON)
        assert (many.json["accepted"], stream.json["accepted"]) == (50, 500)
        assert service.get("/readyz").json == {"status": "ready", "problems": {}}

        found = [RawArticle.from_bytes(record.value) for record in records_on(kafka, topics.RAW)]
        assert len(found) == 551
        assert {article.source for article in found} == {"a.example"}
        sent = {str(article.delivery_id) for article in found}
        assert {one.json["delivery_id"], *(result["delivery_id"] for result in many.json["results"])} <= sent

        process.terminate()
        assert process.wait(30) == 0
