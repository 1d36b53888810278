"""What the tests of packaging share: one build of this tree, as `make build` makes it."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.packaging.environments import Installed
from tests.packaging.trees import EPOCH
from tests.running import REPOSITORY, clean_environment


class Built(NamedTuple):
    """What `make build` left."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    # The environment is taken as it is: made anew, it would be gone under the feet of these very tests.
    subprocess.run(
        ["make", "--assume-old", ".venv/.run", "build", f"DIST={folder}"],
        cwd=REPOSITORY,
        env=clean_environment(SOURCE_DATE_EPOCH=EPOCH),
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with all of its dependencies, as `pip install X.whl` leaves it."""
    return Installed(tmp_path_factory.mktemp("installed"), built.wheel, "embedded")


@pytest.fixture(scope="session")
def as_in_images(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel without dependencies, beside requirements/runtime.txt, as the Dockerfile leaves it."""
    return Installed(tmp_path_factory.mktemp("image"), built.wheel, "runtime")
