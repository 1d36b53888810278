"""POST /v1/articles: one and many, what is refused, who may send, and when 202 is said."""

import gzip
import json
import threading
from pathlib import Path

import pytest

from ops.web import desk
from pipeline.errors import InvalidRecord, Reason
from pipeline.topics import MAX_RAW_BYTES
from producers.formats.page import Page
from producers.ingest import bodies
from tests.ops.web.serving import NDJSON, Answer, Broker, Service, serving
from tests.running import until


def broker_of(service: Service) -> Broker:
    assert service.broker is not None
    return service.broker


def kind_of(answer: Answer) -> str:
    """The type of a problem, which is what it says that it is."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == answer.status
    assert answer.json["detail"].endswith(".")
    return str(answer.json["type"]).removeprefix("/docs#")


def test_one_article_is_answered_with_its_ids_once_the_broker_has_it(service: Service) -> None:
    answer = service.post({"url": "https://a.example/one", "title": "One", "body": "One text."})

    assert answer.status == 202
    (sent,) = [article for article in broker_of(service).articles if article.url == "https://a.example/one"]
    assert answer.json["delivery_id"] == str(sent.delivery_id)
    assert (sent.source, sent.title, sent.body) == ("crawler", "One", "One text.")
    assert answer.json["status"] == "accepted"


def test_202_is_not_said_before_the_broker_has_it(service: Service) -> None:
    broker = broker_of(service)
    broker.go_away()
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(service.post({"body": "Waiting text."})))
    thread.start()
    until("it is on disk", lambda: service.spool.held().records == 1, 30)
    assert thread.is_alive()
    assert not answers

    broker.come_back()
    thread.join(30)

    assert [answer.status for answer in answers] == [202]


def test_a_broker_that_stays_away_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path, acknowledge_seconds=2) as service:
        broker_of(service).go_away()
        answer = service.post({"body": "Safe text."}, Idempotency_Key="safe")
        assert (answer.status, kind_of(answer)) == (503, "not-acknowledged")
        assert "safe on disk" in answer.json["detail"]
        assert int(answer.headers["retry-after"]) > 0

        broker_of(service).come_back()
        again = service.post({"body": "Safe text."}, Idempotency_Key="safe")

        assert again.status == 202
        assert again.json == answer.json["kept"]
        assert [article.body for article in broker_of(service).articles] == ["Safe text."]


def test_of_many_each_has_its_result_and_one_bad_one_stops_nobody(service: Service) -> None:
    answer = service.post(b'[{"body": "First."}, {"title": 1}, oops, {"body": "Fourth."}, {"body": ""}]')

    assert answer.status == 202
    assert (answer.json["accepted"], answer.json["refused"]) == (2, 3)
    results = answer.json["results"]
    assert [result["status"] for result in results] == ["accepted", "refused", "refused", "accepted", "refused"]
    assert [result.get("field") for result in results] == [None, "title", None, None, "body"]
    assert [result.get("reason") for result in results] == [None, "wrong-shape", "not-json", None, "no-text"]
    sent = {str(article.delivery_id): article.body for article in broker_of(service).articles}
    assert [sent[result["delivery_id"]] for result in results if "delivery_id" in result] == ["First.", "Fourth."]


def test_none_of_many_is_422_with_all_reasons(service: Service) -> None:
    answer = service.post([{"title": 1}, {"body": " "}])

    assert (answer.status, kind_of(answer)) == (422, "refused")
    assert [result["field"] for result in answer.json["results"]] == ["title", "body"]
    assert kind_of(service.post([])) == "refused"


@pytest.mark.parametrize(
    ("body", "status", "kind", "field"),
    [
        (b'{"body": " "}', 422, "refused", "body"),
        (b'{"body": "b", "title": 1}', 422, "refused", "title"),
        (b"3", 422, "refused", None),
        (b"", 400, "broken-body", None),
        (b'{"body": "b"', 400, "broken-body", None),
        (b'{"body": "\xff"}', 400, "broken-body", None),
        (b'[{"body": "b"},]', 400, "broken-body", None),
        (b'{"body": "%s"}' % (b"x" * MAX_RAW_BYTES), 413, "too-large", None),
        (b"[" + b'{"body": "b"},' * 5000 + b"{}]", 413, "too-large", None),
    ],
)
def test_what_is_wrong_with_a_body_is_named(
    service: Service, body: bytes, status: int, kind: str, field: str | None
) -> None:
    answer = service.post(body)

    assert (answer.status, kind_of(answer), answer.json.get("field")) == (status, kind, field)


def test_other_content_types_are_415(service: Service) -> None:
    assert kind_of(service.post({"body": "b"}, type="text/plain")) == "unsupported-media-type"
    assert kind_of(service.post({"body": "b"}, type=None)) == "unsupported-media-type"
    assert kind_of(service.post({"body": "b"}, Content_Encoding="br")) == "unsupported-media-type"
    assert service.post({"body": "b"}, type="Application/JSON; charset=utf-8").status == 202


def test_gzip_is_unpacked(service: Service) -> None:
    parts = gzip.compress(b'{"body": "Packed') + gzip.compress(b' text."}')

    assert service.post(parts, Content_Encoding="gzip").status == 202
    assert "Packed text." in [article.body for article in broker_of(service).articles]
    assert kind_of(service.post(parts[:-9], Content_Encoding="gzip")) == "broken-body"
    assert kind_of(service.post(b'{"body": "b"}', Content_Encoding="gzip")) == "broken-body"


def test_a_page_is_extracted(service: Service) -> None:
    text = (
        "The harbour of Bergen was reopened on Monday by the mayor, who thanked the builders for their long work. " * 5
    )
    page = f"<html><head><title>Harbour</title></head><body><article><p>{text}</p><p>{text}</p></article></body></html>"

    answer = service.post([{"html": page, "url": "https://a.example/page"}, {"html": "<p></p>"}, {"body": "Plain."}])

    assert answer.status == 202
    assert [result["status"] for result in answer.json["results"]] == ["accepted", "refused", "accepted"]
    assert answer.json["results"][1]["field"] == "html"
    (sent,) = [article for article in broker_of(service).articles if article.url == "https://a.example/page"]
    assert sent.body.startswith("The harbour of Bergen")
    assert "<p>" not in sent.body


class HeldPages:
    """Takes no text out of any page before it is told to, and counts those that it was given."""

    def __init__(self) -> None:
        self.asked = 0
        self.told = threading.Event()

    def __enter__(self) -> "HeldPages":
        return self

    def __exit__(self, *_: object) -> None:
        self.told.set()

    def page(self, html: bytes | str, **_: object) -> Page:
        self.asked += 1
        assert self.told.wait(60)
        raise InvalidRecord(Reason.NO_TEXT, "No text was found.")


@pytest.fixture
def held_pages(monkeypatch: pytest.MonkeyPatch) -> HeldPages:
    pages = HeldPages()
    monkeypatch.setattr(desk, "ExtractionPool", lambda _: pages)
    monkeypatch.setattr(desk, "PAGE_THREADS", 1)
    return pages


def test_one_array_has_few_pages(service: Service) -> None:
    page = b'{"h\\u0074ml": "<p>A page.</p>"},'

    answer = service.post(b"[" + page * 21 + b'{"body": "b"}]')
    texts = service.post([{"html": "<p>A page.</p>", "body": "b"}] * 21)

    assert (answer.status, kind_of(answer), answer.json["field"]) == (422, "refused", "html")
    assert answer.json["detail"].startswith("21 articles have html and no body; of those one array holds 20 at most.")
    assert texts.status == 202


def test_the_pages_of_a_client_that_has_gone_are_not_extracted(tmp_path: Path, held_pages: HeldPages) -> None:
    body = json.dumps([{"html": "<p>A page.</p>"}] * 10).encode()
    with serving(tmp_path, max_requests=1) as service:
        with service.open_raw() as connection:
            connection.sendall(
                b"POST /v1/articles HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"X-API-Key: %s\r\nContent-Length: %d\r\n\r\n%s" % (service.key.encode(), len(body), body)
            )
            until("the first page is in work", lambda: held_pages.asked == 1, 30)
            assert service.post({"body": "b"}).status == 429

        until("its place is free", lambda: service.post({"body": "b"}).status == 202, 30)
        held_pages.told.set()
    assert held_pages.asked == 1


def test_an_array_is_put_off_where_too_many_pages_wait(
    tmp_path: Path, held_pages: HeldPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "MAX_WAITING_PAGES", 1)
    with serving(tmp_path) as service:
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(service.post({"html": "<p>One.</p>"})))
        thread.start()
        until("the first page is in work", lambda: held_pages.asked == 1, 30)

        over = service.post({"html": "<p>Two.</p>"})
        assert service.post({"body": "b"}).status == 202
        held_pages.told.set()
        thread.join(30)

    assert (over.status, kind_of(over)) == (429, "busy")
    assert [answer.status for answer in answers] == [422]


def test_a_body_that_takes_long_to_cut_holds_up_nobody(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    cutting, others_are_answered, split = threading.Event(), threading.Event(), bodies.split

    def cut_slowly(body: bytes) -> bodies.Body:
        cutting.set()
        assert others_are_answered.wait(60)
        return split(body)

    monkeypatch.setattr(bodies, "split", cut_slowly)
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(service.post(b"[[,,,")))
    thread.start()
    assert cutting.wait(30)

    health = service.get("/healthz").status
    others_are_answered.set()
    thread.join(30)

    assert health == 200
    assert [answer.status for answer in answers] == [400]


def test_a_key_is_needed_and_may_be_sent_in_two_ways(service: Service) -> None:
    for given in ({"key": ""}, {"key": "news_wrong"}, {"key": "", "X_API_Key": "news_wrong"}):
        answer = service.post({"body": "b"}, **given)
        assert (answer.status, kind_of(answer)) == (401, "unauthorised")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    assert service.post({"body": "b"}, key="", X_API_Key=service.key).status == 202


def test_a_key_is_bound_to_its_sources_and_out_as_soon_as_it_is_revoked(service: Service) -> None:
    with service.keys() as keys:
        key = keys.create("bound", ["a.example", "b.example"])
        own = service.post({"body": "Bound text."}, key=key)
        other = service.post({"body": "b", "source": "c.example"}, key=key)
        assert own.status == 202
        assert (other.status, kind_of(other), other.json["field"]) == (403, "forbidden-source", "source")
        assert "a.example, b.example" in other.json["detail"]
        assert [a.source for a in broker_of(service).articles if a.body == "Bound text."] == ["a.example"]

        keys.revoke("bound")
        assert service.post({"body": "b"}, key=key).status == 401


def test_a_key_has_a_limit_of_articles_a_minute(service: Service) -> None:
    with service.keys() as keys:
        key = keys.create("limited", per_minute=3)

    assert service.post([{"body": "1"}, {"body": "2"}], key=key).status == 202
    over = service.post([{"body": "3"}, {"body": "4"}], key=key)
    assert (over.status, kind_of(over)) == (429, "rate-limited")
    assert 0 < int(over.headers["retry-after"]) <= 60
    assert service.post({"body": "3"}, key=key).status == 202
    assert kind_of(service.post([{"body": str(i)} for i in range(4)], key=key)) == "too-large"
    assert service.post({"body": "b"}).status == 202


def test_a_spool_that_is_nearly_full_puts_requests_off(tmp_path: Path) -> None:
    with serving(tmp_path, acknowledge_seconds=0.2, spool_max_bytes=1 << 20, spool_share=0.5) as service:
        broker_of(service).go_away()
        first = service.post({"body": "x" * 600_000})
        assert kind_of(first) == "not-acknowledged"
        until("the level is known", lambda: service.post({"body": "b"}).status == 429, 30)

        answer = service.post({"body": "b"})
        assert kind_of(answer) == "busy"
        assert int(answer.headers["retry-after"]) > 0
        assert kind_of(service.post(b'{"body": "b"}\n', type=NDJSON)) == "busy"
        assert service.get("/readyz").status == 503
        broker_of(service).come_back()
        until("there is room again", lambda: service.post({"body": "b"}).status == 202, 30)


def test_too_many_requests_at_once_are_put_off(tmp_path: Path) -> None:
    with serving(tmp_path, max_requests=1) as service:
        broker_of(service).go_away()
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(service.post({"body": "First."})))
        thread.start()
        until("the first one waits", lambda: service.spool.held().records == 1, 30)

        assert kind_of(service.post({"body": "Second."})) == "busy"
        broker_of(service).come_back()
        thread.join(30)
        assert [answer.status for answer in answers] == [202]


def test_what_is_not_there_is_said_as_a_problem(service: Service) -> None:
    assert kind_of(service.get("/nothing")) == "not-found"
    wrong = service.call("DELETE", "/v1/articles")
    assert (wrong.status, kind_of(wrong), wrong.headers["allow"]) == (405, "method-not-allowed", "GET, POST")


def test_health_metrics_and_the_page_need_no_key(service: Service) -> None:
    service.post({"body": "b"})
    assert service.get("/healthz", key="").json == {"status": "ok"}
    ready = service.get("/readyz", key="")
    assert (ready.status, list(ready.json["problems"])) == (503, ["broker"])  # nothing listens there
    metrics = service.get("/metrics", key="").body.decode()
    assert 'news_http_requests_total{route="/v1/articles",status="2xx"}' in metrics
    assert 'news_http_articles_total{result="accepted"}' in metrics

    page = service.get("/docs", key="")
    policy = page.headers["content-security-policy"]
    assert (page.status, page.headers["x-content-type-options"]) == (200, "nosniff")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = page.body.decode()
    assert "POST /v1/articles" in text
    assert "<script" not in text
    assert not [host for host in ("//cdn", "https://fast", "http://") if host in text]
    document = json.loads(service.get("/openapi.json", key="").body)
    assert set(document["paths"]["/v1/articles"]) == {"get", "post"}
