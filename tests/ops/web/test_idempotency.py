"""The same Idempotency-Key: the same answer, and nothing is sent twice; after a kill too."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ops.web import feeding
from producers.ingest.keys import KeyStore
from producers.run import open_spool
from tests.ops.web.serving import NDJSON, NOBODY, Answer, Broker, Service, settings_of
from tests.running import REPOSITORY, clean_environment, until

pytestmark = pytest.mark.timeout(120)


def bodies_sent(service: Service) -> list[str]:
    assert service.broker is not None
    return [article.body for article in service.broker.articles]


def test_a_repeat_has_the_same_answer_and_sends_nothing(service: Service) -> None:
    batch = [{"body": "Once."}, {"body": ""}]

    first = service.post(batch, Idempotency_Key='"8e03978e-40d5-43dd-bc93-6894a57f9324"')
    again = service.post(batch, Idempotency_Key="8e03978e-40d5-43dd-bc93-6894a57f9324")

    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert bodies_sent(service).count("Once.") == 1


def test_an_answer_too_long_to_be_kept_has_no_notes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [{"body": f"Noted {n}.", "unknown": n} for n in range(3)]
    monkeypatch.setattr(feeding, "MAX_KEPT_ANSWER_BYTES", 10)

    first = service.post([*batch, {"body": "Plain."}], Idempotency_Key="long")
    again = service.post([*batch, {"body": "Plain."}], Idempotency_Key="long")
    not_kept = service.post(batch)

    assert first.body == again.body
    assert [result.get("notes") for result in first.json["results"]] == [[*feeding.NOTES_LEFT_OUT]] * 3 + [None]
    assert not_kept.json["results"][0]["notes"] == ["Unknown fields left out: unknown."]


def test_without_a_key_a_repeat_is_another_delivery(service: Service) -> None:
    first, again = (service.post({"body": "Twice."}) for _ in range(2))

    assert first.json["article_id"] == again.json["article_id"]
    assert first.json["delivery_id"] != again.json["delivery_id"]
    assert bodies_sent(service).count("Twice.") == 2


def test_the_same_key_with_another_request_is_422(service: Service) -> None:
    service.post({"body": "One request."}, Idempotency_Key="one")

    answer = service.post({"body": "Another request."}, Idempotency_Key="one")

    assert (answer.status, answer.json["type"]) == (422, "/docs#other-request")
    assert "Another request." not in bodies_sent(service)


def test_a_refused_request_takes_no_key(service: Service) -> None:
    assert service.post({"body": ""}, Idempotency_Key="mended").status == 422
    assert service.post({"body": "Mended."}, Idempotency_Key="mended").status == 202


def test_each_api_key_has_its_own_names(service: Service) -> None:
    with service.keys() as keys:
        other = keys.create("other")
    service.post({"body": "Of one."}, Idempotency_Key="shared")

    assert service.post({"body": "Of the other."}, Idempotency_Key="shared", key=other).status == 202


def test_while_one_is_being_worked_on_the_same_is_409(service: Service) -> None:
    assert service.broker is not None
    service.broker.go_away()
    answers: list[Answer] = []
    thread = threading.Thread(
        target=lambda: answers.append(service.post({"body": "Busy."}, Idempotency_Key="busy")), name="first"
    )
    thread.start()
    until("the first one waits", lambda: service.spool.held().records == 1, 30)

    meanwhile = service.post({"body": "Busy."}, Idempotency_Key="busy")
    service.broker.come_back()
    thread.join(30)

    assert (meanwhile.status, meanwhile.json["type"]) == (409, "/docs#in-progress")
    assert [answer.status for answer in answers] == [202]
    assert service.post({"body": "Busy."}, Idempotency_Key="busy").body == answers[0].body


@pytest.mark.parametrize("name", ["", '""', "x" * 256, "\xe9"])
def test_a_name_that_is_none_is_refused(service: Service, name: str) -> None:
    answer = service.post({"body": "b"}, Idempotency_Key=name)

    assert (answer.status, answer.json["field"]) == (400, "Idempotency-Key")


def test_a_stream_has_no_name(service: Service) -> None:
    answer = service.post(b'{"body": "b"}\n', type=NDJSON, Idempotency_Key="stream")

    assert (answer.status, answer.json["field"]) == (400, "Idempotency-Key")


def test_after_a_kill_between_disk_and_answer_a_repeat_gets_the_ids_that_were_kept(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with KeyStore(tmp_path) as keys, open_spool(settings) as spool:
        assert settings.web.port is not None
        service = Service(settings.web.port, tmp_path, spool, None, keys.create("crawler"))
        command = [sys.executable, "-m", "ops", "run", "web"]
        environment = clean_environment(
            NEWS_DATA_DIR=str(tmp_path), NEWS_KAFKA__BOOTSTRAP_SERVERS=NOBODY, NEWS_WEB__PORT=str(service.port)
        )
        with subprocess.Popen(
            command, cwd=REPOSITORY, env=environment | {"NEWS_TEST_CRASH_AT": "producers.after_spool"}
        ) as dying:
            until("it listens", lambda: is_up(service), 60)
            with pytest.raises((ConnectionError, OSError)):
                service.post({"body": "Kept."}, Idempotency_Key="kept")
            assert dying.wait(30) == 70
        (kept,) = spool.read_after(0, 10, 1 << 20)

        broker = Broker(spool.folder, spool)
        with subprocess.Popen(command, cwd=REPOSITORY, env=environment) as process:
            try:
                until("it listens", lambda: is_up(service), 60)
                answer = service.post({"body": "Kept."}, Idempotency_Key="kept")
                process.terminate()
                assert process.wait(30) == 0
            finally:
                process.kill()
                broker.close()

        assert (answer.status, answer.json["delivery_id"]) == (202, str(kept.row.delivery_id))
        assert [row.delivery_id for row in broker.sent] == [kept.row.delivery_id]


def is_up(service: Service) -> bool:
    try:
        return service.get("/healthz").status == 200
    except ConnectionError:
        return False
