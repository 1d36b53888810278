"""What people get wrong, in containers: one line that names the setting and what to do, and a state that is seen."""

import json
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ops.process import LOOPBACK
from pipeline.errors import Exit
from tests.containers.conftest import MakeProject
from tests.containers.project import Project, docker, inspect, one_line
from tests.running import Outcome

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SECRET: Final = "database-password"
#: A stage waits so long for what is not there yet at its start.
IMPATIENT: Final = ("--env", "NEWS_KAFKA__START_TIMEOUT_SECONDS=3")
NOWHERE: Final = (
    *("--env", "NEWS_KAFKA__BOOTSTRAP_SERVERS=nowhere.invalid:9092"),
    *("--env", "NEWS_DATABASE__URL=postgresql://news@nowhere.invalid:5432/news"),
)
#: 128 + SIGKILL.
OUT_OF_MEMORY: Final = 137
KAFKA_TOPICS: Final = ("/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:19092")


def folder_with(folder: Path, secret: str, mode: int = 0o444) -> Path:
    """A folder of the host with this as the password of PostgreSQL."""
    folder.mkdir()
    folder.chmod(0o755)
    (folder / SECRET).write_text(secret, encoding="ascii")
    (folder / SECRET).chmod(mode)
    return folder


def run(image: str, *command: str, options: tuple[str, ...] = ()) -> Outcome:
    """Run a command in a container as compose does it, to its end."""
    return docker("run", "--rm", "--init", "--read-only", "--tmpfs", "/tmp", *options, image, *command)


def run_in(project: Project, service: str, *options: str) -> Outcome:
    """Run a service of a project in the foreground, to its end."""
    return project.try_compose("run", "--rm", "--no-deps", "-T", *options, service)


@pytest.fixture
def services(make_project: MakeProject, tmp_path: Path) -> Project:
    """A project with Kafka and PostgreSQL, and nothing in them; its password lies in the folder `secrets`."""
    project = make_project(SECRETS=str(folder_with(tmp_path / "secrets", secrets.token_urlsafe(24))))
    project.up("kafka", "postgres")
    return project


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("stage", "setting"),
    [
        ("deduplicate", "NEWS_KAFKA__BOOTSTRAP_SERVERS"),
        ("enrich", "NEWS_KAFKA__BOOTSTRAP_SERVERS"),
        ("sink", "NEWS_DATABASE__URL"),  # it asks there first
    ],
)
def test_a_service_that_cannot_be_found_is_named(image: str, stage: str, setting: str) -> None:
    outcome = run(image, "news", "run", stage, options=(*NOWHERE, *IMPATIENT))

    assert "nowhere.invalid" in (said := one_line(outcome.err))
    assert setting in said
    assert outcome.status == Exit.SERVICE_AWAY


def test_a_database_that_cannot_be_found_is_named(image: str) -> None:
    outcome = run(image, "news", "db", "migrate", options=NOWHERE)

    assert "nowhere.invalid" in (said := one_line(outcome.err))
    assert "NEWS_DATABASE__URL" in said
    assert outcome.status == Exit.SERVICE_AWAY


def test_an_address_that_is_not_set_is_named(image: str) -> None:
    outcome = run(image, "news", "run", "deduplicate")

    assert "NEWS_KAFKA__BOOTSTRAP_SERVERS" in one_line(outcome.err)
    assert outcome.status == Exit.SERVICE_AWAY


@pytest.mark.parametrize(("secret", "mode"), [("", 0o444), ("unreadable", 0o000)], ids=["empty", "unreadable"])
def test_a_secret_that_cannot_be_used_ends_the_start(
    make_project: MakeProject, tmp_path: Path, secret: str, mode: int
) -> None:
    project = make_project(SECRETS=str(folder_with(tmp_path / "secrets", secret, mode)))

    up = project.try_compose("up", "--wait", "postgres")

    assert up.status != 0
    assert "secrets" in up.err
    assert inspect(project.container("secrets"))["State"]["ExitCode"] == Exit.USAGE
    assert SECRET in project.logs("secrets")


def test_a_folder_that_its_user_may_not_write_is_named(image: str) -> None:
    volume = f"news-test-{secrets.token_hex(4)}"
    mounted = ("--volume", f"{volume}:/var/lib/news")
    try:
        # Not empty: a fresh volume would take over the owner that the image names.
        change = "touch /var/lib/news/old && chown -R 0:0 /var/lib/news && chmod 700 /var/lib/news"
        changed = docker("run", "--rm", "--user", "0", *mounted, image, "sh", "-c", change)
        assert changed.status == 0, changed

        outcome = run(image, "news", "run", "producers", options=(*mounted, *NOWHERE))

        assert "NEWS_DATA_DIR" in (said := one_line(outcome.err))
        assert "/var/lib/news" in said
        assert outcome.status == Exit.USAGE
    finally:
        docker("volume", "rm", "--force", volume)


def test_too_little_memory_for_the_models_ends_enrich(make_project: MakeProject) -> None:
    project = make_project(ENRICH_MEMORY="150m", ENRICH_PROCESSES="1")

    outcome = project.try_compose("run", "--rm", "-T", "enrich")

    # The kernel chooses whom it kills: mostly the process with the models, else the stage, and Docker says OOMKilled.
    assert outcome.status in (Exit.USAGE, OUT_OF_MEMORY), outcome
    if outcome.status == Exit.USAGE:
        assert "NEWS_NLP__PROCESSES" in (said := one_line(outcome.out + outcome.err))
        assert "memory" in said


def test_a_port_that_is_taken_ends_the_start(make_project: MakeProject, taken_port: int) -> None:
    project = make_project(POSTGRES_PORT=str(taken_port))

    up = project.try_compose("up", "--wait", "postgres")

    assert up.status != 0
    assert str(taken_port) in up.err


def test_what_services_lack_is_said(services: Project) -> None:
    # No topics yet.
    outcome = run_in(services, "deduplicate", *IMPATIENT)
    assert "news topics apply" in one_line(outcome.out + outcome.err)
    assert outcome.status in (Exit.USAGE, Exit.SERVICE_AWAY)

    # The one topic that must have one partition has two.
    create = ("--create", "--topic", "articles.signatures", "--partitions", "2")
    services.compose("exec", "-T", "kafka", *KAFKA_TOPICS, *create)
    outcome = run_in(services, "topics")
    assert "articles.signatures has 2 partitions and must have one" in (said := one_line(outcome.err))
    assert "Delete the topic and run `news topics apply`" in said
    assert outcome.status == Exit.USAGE
    up = services.try_compose("up", "--wait", "deduplicate")
    assert up.status != 0, "what depends on topics does not start"
    assert "topics" in up.err

    # No schema yet.
    outcome = run_in(services, "sink", *IMPATIENT)
    assert outcome.status != 0
    one_line(outcome.out + outcome.err)

    # Another password than the one that the database was made with.
    file = Path(services.variables["SECRETS"]) / SECRET
    right = file.read_text(encoding="ascii")
    file.chmod(0o644)
    file.write_text("another", encoding="ascii")
    outcome = run_in(services, "migrate")
    assert "NEWS_DATABASE__" in (said := one_line(outcome.out + outcome.err))
    assert "password" in said
    assert right not in said
    assert "another" not in said
    assert outcome.status in (Exit.USAGE, Exit.SERVICE_AWAY)


def test_compose_alone_says_what_is_missing(project: Project) -> None:
    """Somebody took the compose file and nothing else: Docker makes empty folders in place of what is missing."""
    shutil.rmtree(project.folder / "config")
    assert run_in(project, "secrets").status == 0

    outcome = run_in(project, "producers")

    assert "NEWS_PRODUCERS__FEEDS: /config/feeds.toml" in one_line(outcome.out + outcome.err)
    assert outcome.status == Exit.USAGE


def test_what_env_says_of_a_database_of_a_laptop_stays_there(project: Project) -> None:
    laptops = f"laptops-{secrets.token_hex(8)}"
    (project.folder / ".env").write_text(
        f"NEWS_DATABASE__PASSWORD={laptops}\nNEWS_DATABASE__URL_FILE=/home/{laptops}\n"
        f"DATABASE_URL=postgresql://news:{laptops}@127.0.0.1/news\nNEWS_LOG__LEVEL=WARNING\n",
        encoding="utf-8",
    )

    services = json.loads(project.compose("config", "--format", "json"))["services"]

    assert services["sink"]["environment"]["NEWS_LOG__LEVEL"] == "WARNING", "it is read"
    assert laptops not in json.dumps(services)
    assert run_in(project, "secrets").status == 0
    for service in ("sink", "producers"):
        outcome = project.try_compose("run", "--rm", "--no-deps", "-T", service, "news", "config", "check")
        assert outcome.status == 0, outcome


def test_only_who_needs_the_database_knows_it(project: Project) -> None:
    services = json.loads(project.compose("config", "--format", "json"))["services"]

    holders = {
        name
        for name, service in services.items()
        if any(mount["target"] == "/run/news/secrets" for mount in service.get("volumes", ()))
    }
    told = {name for name, service in services.items() if service["environment"].get("NEWS_DATABASE__URL")}
    assert holders == {"secrets", "postgres", "migrate", "sink", "web"}
    assert told == {"migrate", "sink", "web"}
