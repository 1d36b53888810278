"""The OpenAPI document says what is so: requests made from it, right and wrong ones, get the answers it promises."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from ops.web.shapes import ArticleIn
from producers.formats import fields
from tests.ops.web.serving import Service, serving

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]

OPERATIONS: Final = {
    ("POST", "/v1/articles"),
    ("GET", "/v1/articles"),
    ("GET", "/v1/articles/{article_id}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
EXAMPLES: Final = 8


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    with closing(socket.create_server(("127.0.0.1", 0))) as kafka:  # all that /readyz asks of it
        address = f"127.0.0.1:{kafka.getsockname()[1]}"
        with serving(tmp_path, bootstrap_servers=address, database_url=database_url) as service:
            yield service


def test_every_answer_is_one_that_the_document_promises(service: Service) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {(operation.method.upper(), operation.path) for operation in operations} == OPERATIONS
    # What an article must be goes beyond its shape: a text that is not blank, spans that lie in it.
    left_out = [CHECKS.get_one("positive_data_acceptance")]

    for operation in operations:
        has_input = bool(operation.query or operation.path_parameters or operation.body)
        for mode in GenerationMode if has_input else [GenerationMode.POSITIVE]:

            @hypothesis.given(operation.as_strategy(generation_mode=mode))
            @hypothesis.settings(
                max_examples=EXAMPLES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
            )
            def tried(case: schemathesis.Case) -> None:
                case.call_and_validate(
                    headers={"Authorization": f"Bearer {service.key}"},
                    excluded_checks=left_out if case.path == "/v1/articles" else None,
                )

            tried()


def test_the_fields_of_an_article_are_those_that_are_read() -> None:
    assert set(ArticleIn.model_fields) == set(fields.FIELDS)
