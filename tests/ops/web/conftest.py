from collections.abc import Iterator

import pytest

from tests.ops.web.serving import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API for all tests of a module; none may leave the stand-in for the broker away."""
    with serving(tmp_path_factory.mktemp("web"), read_seconds=0.5, body_seconds=1, acknowledge_seconds=5) as service:
        yield service
