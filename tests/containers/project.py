"""docker-compose.yml as a person runs it: a folder with it, `config/` and `inbox/`, and `docker compose` typed there.

Each project has a random name and free ports, so that several run beside each other, and beside one that is in use.
"""

import json
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from ops.process import LOOPBACK, choose_port
from tests.running import REPOSITORY, Outcome, clean_environment, until

#: Deadlines are for a machine that is busy with other things; nothing waits longer than it has to.
UP_SECONDS: Final = 240
COMMAND_SECONDS: Final = 120
BALANCED_SECONDS: Final = 180
#: Names of compose's own that a developer may have set for a project of theirs.
OF_COMPOSE: Final = ("IMAGE", "SECRETS", "INBOX", "CONFIG", "KAFKA_PORT", "POSTGRES_PORT", "WEB_PORT")


def docker(*arguments: str, seconds: float = COMMAND_SECONDS, stdin: str = "") -> Outcome:
    """Run `docker …` to its end."""
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, timeout=seconds, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def inspect(container: str) -> dict[str, Any]:
    """All that the engine knows of a container."""
    (known,) = json.loads(docker("inspect", container).out)
    found: dict[str, Any] = known
    return found


def health(container: str) -> tuple[str, str]:
    """Its health, and what its last check said."""
    state = inspect(container)["State"]["Health"]
    said = state["Log"][-1]["Output"].strip() if state["Log"] else ""
    return state["Status"], said


def one_line(said: str) -> str:
    """The one line that a command said of what is wrong."""
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return lines[0]


class Project:
    """One compose project in a folder of its own; `variables` are those that compose reads."""

    def __init__(self, folder: Path, image: str, **variables: str) -> None:
        self.name = f"news-test-{secrets.token_hex(4)}"
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        shutil.copy(REPOSITORY / "docker-compose.yml", self.folder)
        shutil.copytree(REPOSITORY / "config", self.folder / "config")
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir()
        taken: set[int] = set()
        for name in ("KAFKA_PORT", "POSTGRES_PORT", "WEB_PORT"):
            taken.add(port := choose_port(name, None, None, taken=taken))
            variables.setdefault(name, str(port))
        self.variables = {"IMAGE": image, **variables}
        self.environment = {k: v for k, v in clean_environment().items() if k not in OF_COMPOSE} | {
            "COMPOSE_PROJECT_NAME": self.name,
            **self.variables,
        }
        self._reader: str | None = None

    # What a person types.

    def try_compose(self, *arguments: str, seconds: float = COMMAND_SECONDS, stdin: str = "") -> Outcome:
        """Run `docker compose …` here to its end."""
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def compose(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run `docker compose …`, which must end with 0; gives what it printed."""
        outcome = self.try_compose(*arguments, seconds=seconds)
        assert outcome.status == 0, f"docker compose {' '.join(arguments)}: {outcome}\n{self.logs()}"
        return outcome.out

    def up(self, *arguments: str) -> None:
        """`docker compose up --wait`: every service healthy, every one-shot ended with 0."""
        self.compose("up", "--wait", *arguments, seconds=UP_SECONDS)

    def news(self, service: str, *arguments: str, status: int = 0, stdin: str = "") -> str:
        """Run a `news` command in the container of a service; it must end with `status`."""
        outcome = self.try_compose("exec", "-T", service, "news", *arguments, stdin=stdin)
        assert outcome.status == status, f"news {' '.join(arguments)}: {outcome}"
        return outcome.out

    def logs(self, *services: str) -> str:
        """What its containers have logged."""
        return self.try_compose("logs", "--no-color", "--no-log-prefix", *services).out

    def containers(self, *services: str) -> list[str]:
        """The names of its containers, ended ones too."""
        said = self.compose("ps", "--all", "--format", "{{.Name}}", *services)
        return sorted(said.split())

    def container(self, service: str) -> str:
        """The name of the one container of a service."""
        (name,) = self.containers(service)
        return name

    # What came of it.

    def wait_balanced(self, seconds: float = BALANCED_SECONDS) -> dict[str, Any]:
        """Wait until nothing is on its way; the books must balance then."""

        def settled() -> dict[str, Any] | None:
            outcome = self.try_compose("exec", "-T", "sink", "news", "balance", "--json")
            if outcome.status not in (0, 1):  # its container, or a service, is on its way back
                return None
            (books,) = outcome.rows()
            return books if books["verdict"] == "balanced" else None

        return until(f"the books balance\n{self.name}", settled, seconds, pause_seconds=0.5)

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """The rows of a query, asked from this host as a reader."""
        if self._reader is None:
            said = self.news("sink", "db", "reader", "tester").strip()
            self._reader = re.sub("@postgres:5432/", f"@{LOOPBACK}:{self.variables['POSTGRES_PORT']}/", said)
        with psycopg.connect(self._reader, row_factory=dict_row, connect_timeout=10) as connection:
            return connection.execute(query, arguments or None).fetchall()

    def value(self, query: str, *arguments: object) -> Any:
        """The one value of a query, asked from this host as a reader."""
        (row,) = self.rows(query, *arguments)
        (value,) = row.values()
        return value

    def left(self) -> list[str]:
        """What the engine still has of it: containers, volumes, networks."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [
            f"{kind[0]} {name}" for kind in kinds for name in docker(*kind, "--quiet", "--filter", label).out.split()
        ]

    def remove(self) -> None:
        """Take all of it away; what ran is killed."""
        self.try_compose("kill")
        outcome = self.try_compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        assert not (left := self.left()), f"{left}: {outcome}"
