"""What docs/deployment.md tells people to type works: its commands, in its order, on one project."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from ops.psql import find_psql
from tests.containers.project import Project, docker, inspect
from tests.docs.commands import commands
from tests.running import REPOSITORY, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

PAGE: Final = REPOSITORY / "docs" / "deployment.md"
#: Commands that set up what is there already, or change images that other projects use.
SETS_UP: Final = ("git pull", "docker tag ", "docker compose pull ", "REVISION=")
SECRET: Final = "database-password"
COMMAND_SECONDS: Final = 240


def stands_for(command: str, project: Project) -> str:
    """The command with the names, ports and network of this project."""
    for plain, here in (
        ("psql -h localhost", f"psql -h localhost -p {project.variables['POSTGRES_PORT']}"),
        ("news_$v", f"{project.name}_$v"),
        ("news-data", f"{project.name}_data"),
        ("news-sink", f"{project.name}-own-sink"),
        (" news-pipeline ", f" {project.variables['IMAGE']} "),
        ("--env-file", f"--network {project.name}_default --env-file"),
    ):
        command = command.replace(plain, here)
    return command


def type_(project: Project, text: str, programs: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", text],
        cwd=project.folder,
        env=project.environment | {"PATH": f"{programs}:{project.environment['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def test_the_commands_of_the_page_work_in_its_order(project: Project, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    psql = find_psql()
    assert psql is not None, "the page needs psql"
    (programs / "psql").write_text(f'#!/bin/sh\nexec "{psql}" "$@"\n', encoding="utf-8")
    (programs / "psql").chmod(0o755)
    own_sink = f"{project.name}-own-sink"
    articles = 0
    try:
        for command in commands(PAGE):
            if command.text.startswith(SETS_UP):
                continue
            if "own.env" in command.text:
                write_own_settings(project)
            if command.text.startswith("docker stop"):
                until(
                    "its own sink is healthy", lambda: inspect(own_sink)["State"]["Health"]["Status"] == "healthy", 90
                )
            done = type_(project, stands_for(command.text, project), programs)
            assert done.returncode == command.status, f"deployment.md:{command.line}: {command.text}\n{done}"
            assert "Traceback" not in done.stdout + done.stderr, f"deployment.md:{command.line}: {done}"
            if " feed " in command.text:
                project.wait_balanced()
                articles = project.value("SELECT count(*) FROM news.articles")
            if "psql -h" in command.text:
                assert "Blinken Meets With Netanyahu" in done.stdout
        assert articles > 20
        assert project.value("SELECT count(*) FROM news.articles") == articles, "the backup brought all of them back"
        assert (project.folder / "news.dump").read_bytes().startswith(b"PGDMP")
    finally:
        docker("rm", "--force", "--volumes", own_sink)


def write_own_settings(project: Project) -> None:
    """The settings that the page shows, for this project's Kafka and PostgreSQL, and the file with the password."""
    (project.folder / "own.env").write_text(
        "NEWS_KAFKA__BOOTSTRAP_SERVERS=kafka:19092\n"
        "NEWS_DATABASE__URL=postgresql://news@postgres:5432/news\n"
        f"NEWS_DATABASE__PASSWORD_FILE=/run/news/secrets/{SECRET}\n",
        encoding="utf-8",
    )
    folder = project.folder / "secrets"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    password = project.compose("exec", "-T", "sink", "cat", f"/run/news/secrets/{SECRET}")
    (folder / SECRET).write_text(password, encoding="ascii")
