"""One host, one journey: up, seeds in, rows out, more workers, kills, restart, down and up, gone.

As a person types it, in one test, for each part goes on where the last one ended.
"""

import json
from typing import Any, Final

import pytest

from tests import load
from tests.containers.project import Project, docker, health, inspect
from tests.running import REPOSITORY, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

STAGES: Final = ("producers", "deduplicate", "enrich", "sink", "web")
SERVICES: Final = ("kafka", "postgres", *STAGES)
ONE_SHOTS: Final = ("secrets", "topics", "migrate")
#: Articles that are fed while something is being killed.
AT_A_TIME: Final = 8
RECOVERY_SECONDS: Final = 120


class Fed:
    """Articles that were put into the inbox: each must come out once, whatever happened meanwhile."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.urls: list[str] = []

    def more(self) -> None:
        """A file of articles that nobody has seen before."""
        number = len(self.urls)
        lines = load.lines(AT_A_TIME, seed=1000 + number, source=f"batch-{number}.example")
        self.urls += [json.loads(line)["url"] for line in lines]
        (self._project.inbox / f"{number}.jsonl").write_bytes(b"".join(lines))

    def is_stored_once_each(self) -> None:
        """Every one has come, once, and the books balance."""
        where = "FROM news.articles WHERE url LIKE 'https://batch-%%' OR url LIKE 'https://www.batch-%%'"
        count = f"SELECT count(*) {where}"
        until("all articles are stored", lambda: self._rows(count) == len(self.urls), RECOVERY_SECONDS, 0.5)
        self._project.wait_balanced()
        rows = self._project.rows(f"SELECT url, versions, copy_of {where}")
        assert sorted(row["url"] for row in rows) == sorted(self.urls)
        assert {(row["versions"], row["copy_of"]) for row in rows} == {(1, None)}
        changes = "SELECT count(*) FROM news.changes WHERE kind = 'new' AND article_id IN (SELECT article_id " + where
        assert self._project.value(changes + ")") == len(self.urls), "a reader of the changes hears of each once"

    def _rows(self, query: str) -> Any:
        return self._project.value(query)


def wait_healthy(project: Project) -> None:
    """Wait until every container that is to run does, and says that it is healthy."""

    def unhealthy() -> list[tuple[str, str]]:
        found = [(name, inspect(name)) for name in project.containers(*SERVICES)]
        return [
            (name, known["State"]["Status"])
            for name, known in found
            if not known["State"]["Running"] or known["State"]["Health"]["Status"] != "healthy"
        ]

    until("every container is healthy again", lambda: not unhealthy(), RECOVERY_SECONDS, 0.5)


def kill_inside(container: str) -> None:
    """SIGKILL for every process of a stage but the first, which only passes signals on; Docker starts it again."""
    before = inspect(container)["RestartCount"]
    docker("exec", container, "sh", "-c", "kill -9 -1")
    until(f"{container} was started again", lambda: inspect(container)["RestartCount"] > before, 60)


def kill(project: Project, service: str) -> None:
    """SIGKILL for a service; Docker takes that for a wish, so it is started by hand."""
    project.compose("kill", service)
    assert inspect(project.container(service))["State"]["ExitCode"] == 137
    project.compose("up", "--detach", "--no-deps", "--no-recreate", service)


def members_with_work(project: Project) -> int:
    """How many workers of enrich have partitions, as Kafka sees it."""
    said = project.compose(
        *("exec", "-T", "kafka", "/opt/kafka/bin/kafka-consumer-groups.sh", "--bootstrap-server", "localhost:19092"),
        *("--describe", "--group", "news.enrich", "--members"),
    )
    return sum(line.startswith("news.enrich") and line.split()[4] != "0" for line in said.splitlines())


def nothing_secret_is_shown(project: Project) -> None:
    """Who may ask the engine sees no password."""
    password = project.compose("exec", "-T", "sink", "cat", "/run/news/secrets/database-password").strip()
    assert len(password) >= 20
    for name in project.containers():
        known = inspect(name)
        assert password not in json.dumps(known), name
    assert password not in project.logs()
    assert password not in project.news("sink", "config", "show", "--json")


def test_the_journey_of_one_host(project: Project) -> None:
    fed = Fed(project)

    # Up, from nothing.
    project.up()
    states = {name: inspect(project.container(name))["State"] for name in (*SERVICES, *ONE_SHOTS)}
    assert {name: states[name]["Health"]["Status"] for name in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    assert {name: states[name]["ExitCode"] for name in ONE_SHOTS} == dict.fromkeys(ONE_SHOTS, 0)
    for service in SERVICES:
        bindings = inspect(project.container(service))["HostConfig"]["PortBindings"] or {}
        assert {each["HostIp"] for port in bindings.values() for each in port} <= {"127.0.0.1"}, service
    for container in project.containers():
        volumes = [mount["Name"] for mount in inspect(container)["Mounts"] if mount["Type"] == "volume"]
        assert not [name for name in volumes if not name.startswith(project.name)], "`down` would leave a nameless one"
    nothing_secret_is_shown(project)

    # Seeds in, rows out.
    project.news("producers", "feed", "dir", "seeds", status=3)  # 3: some of them are dead letters, on purpose
    project.wait_balanced()
    expected = json.loads((REPOSITORY / "seeds" / "expected.json").read_text(encoding="utf-8"))
    kinds = project.rows("SELECT kind, count(*) AS count FROM news.decisions GROUP BY kind")
    for kind in ("new", "copy", "revision", "unchanged"):
        assert {row["kind"]: row["count"] for row in kinds}[kind] == sum(row["kind"] == kind for row in expected), kind
    seeds = project.value("SELECT count(*) FROM news.articles")

    # More workers.
    project.up("--no-recreate", "--scale", "enrich=2")
    until("both workers of enrich have partitions", lambda: members_with_work(project) == 2, RECOVERY_SECONDS, 0.5)
    fed.more()
    fed.is_stored_once_each()

    # Kills, each while articles come in.
    for service in STAGES:
        for container in project.containers(service):
            fed.more()
            kill_inside(container)
    for service in ("kafka", "postgres"):
        fed.more()
        kill(project, service)
    wait_healthy(project)
    fed.is_stored_once_each()

    # Restart: in good order.
    fed.more()
    project.compose("restart")
    wait_healthy(project)
    fed.is_stored_once_each()

    # Down and up: all is kept.
    fed.more()
    project.compose("down")
    assert not [left for left in project.left() if left.startswith("ps ")]
    project.up()
    fed.more()
    fed.is_stored_once_each()
    assert project.value("SELECT count(*) FROM news.articles") == seeds + len(fed.urls)
    project.news("producers", "feed", "dir", "seeds", status=3)
    project.wait_balanced()
    assert project.value("SELECT count(*) FROM news.articles") == seeds + len(fed.urls), "they are known"

    # Gone.
    project.compose("down", "--volumes")
    assert project.left() == []


def test_a_service_that_is_away_is_seen_and_comes_back(project: Project) -> None:
    project.up()

    project.compose("stop", "kafka", "postgres")
    for service in ("deduplicate", "enrich", "sink"):
        name = project.container(service)
        until(f"{service} is unhealthy", lambda name=name: health(name)[0] == "unhealthy", RECOVERY_SECONDS, 0.5)
        assert health(name)[1].startswith("waits for ")

    project.compose("start", "kafka", "postgres")
    wait_healthy(project)
