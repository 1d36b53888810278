"""A Docker engine, and the image built once a session; without an engine these tests are left out, and say so.

NEWS_TEST_REQUIRES_DOCKER makes it a failure; NEWS_TEST_IMAGE names an image that is there already.
"""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.containers.project import Project, docker
from tests.running import REPOSITORY

BUILD_SECONDS: Final = 900
#: docker-compose.yml says why: `env_file` with `required`.
LEAST_COMPOSE: Final = (2, 24)

MakeProject = Callable[..., Project]


def _why_no_engine() -> str | None:
    try:
        engine = docker("version", "--format", "{{.Server.Version}}")
        compose = docker("compose", "version", "--short")
    except FileNotFoundError:
        return "there is no `docker` on PATH"
    if engine.status != 0:
        return f"no Docker engine answers: {engine.err.strip()}"
    if compose.status != 0:
        return f"there is no Docker Compose: {compose.err.strip()}"
    version = tuple(int(part) for part in compose.out.strip().removeprefix("v").split(".")[:2])
    return None if version >= LEAST_COMPOSE else f"Docker Compose is {compose.out.strip()}, and 2.24 is needed"


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with Compose."""
    why = _why_no_engine()
    if why and os.environ.get("NEWS_TEST_REQUIRES_DOCKER"):
        pytest.fail(f"NEWS_TEST_REQUIRES_DOCKER is set, and {why}")
    if why:
        pytest.skip(f"NOT TESTED, the image and docker-compose.yml: {why}")


@pytest.fixture(scope="session")
def image(engine: None) -> Iterator[str]:
    """The image of this tree, as `docker compose build` makes it."""
    given = os.environ.get("NEWS_TEST_IMAGE")
    if given:
        yield given
        return
    name = f"news-test:{secrets.token_hex(4)}"
    done = subprocess.run(
        ["docker", "compose", "build"],
        cwd=REPOSITORY,
        env=os.environ | {"IMAGE": name},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield name
    removed = docker("image", "rm", name)
    assert removed.status == 0, removed


@pytest.fixture
def make_project(tmp_path: Path, image: str) -> Iterator[MakeProject]:
    """Make compose projects of the image; taken away at the end, whatever happened."""
    made: list[Project] = []

    def make(**variables: str) -> Project:
        made.append(Project(tmp_path, image, **variables))
        return made[-1]

    try:
        yield make
    finally:
        for project in made:
            project.remove()


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """One compose project, not started."""
    return make_project()
