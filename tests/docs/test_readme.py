"""What README.md tells people to type works: its commands, in its order, against one running instance.

A command is a line of a ```console block that begins with `$ `. It must end with 0, or with the status that a comment
behind it names ("# exit status 3"). Set-up is not repeated here: see `SETS_UP`, `RUNS` and `stands_for`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.check_docs import lines_of
from tests.running import END_SECONDS, REPOSITORY, Instance, clean_environment, until

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

README: Final = REPOSITORY / "README.md"
COMMAND_SECONDS: Final = 120
RUNS: Final = "make run"
SHOWN: Final = "SELECT FROM news.articles WHERE title LIKE 'Blinken Meets%'"
#: Commands that set up what is there already.
SETS_UP: Final = ("git clone", "cd ", ". .venv/bin/activate")

_STATUS = re.compile(r"\s+#.*\bexit status (\d+)")
_COMMENT = re.compile(r"\s+#.*")


class Command(NamedTuple):
    """One command of the README and the exit status that it says."""

    line: int
    text: str
    status: int


def commands() -> list[Command]:
    found = []
    for line in lines_of(README):
        if line.fence == "console" and line.text.startswith("$ "):
            said = _STATUS.search(line.text)
            text = _COMMENT.sub("", line.text.removeprefix("$ "))
            found.append(Command(line.number, text, int(said[1]) if said else 0))
    return found


class Checkout:
    """A folder that looks like this repository; what running it makes (data, inbox) stays in there."""

    def __init__(self, folder: Path) -> None:
        self.instance = Instance(folder / "instance")
        self.folder = folder / "checkout"
        self.folder.mkdir()
        for entry in REPOSITORY.iterdir():
            if entry.name not in (".git", ".venv", ".news", ".env", "inbox"):
                (self.folder / entry.name).symlink_to(entry)
        (self.folder / "inbox").symlink_to(self.instance.inbox)
        self._programs = folder / "bin"
        self._programs.mkdir()
        news = self._programs / "news"
        news.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m ops "$@"\n', encoding="utf-8")
        news.chmod(0o755)

    def type(self, text: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as a person would type it, here."""
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self.folder,
            env=clean_environment(
                NEWS_DATA_DIR=str(self.instance.data_dir), PATH=f"{self._programs}:{os.environ['PATH']}"
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    try:
        yield made
    finally:
        made.instance.remove()


def stands_for(command: str) -> str:
    """The command that is run: make's targets only say what they would do, for they would run these very tests."""
    return re.sub(r"^make ", "make -n ", command) if command.startswith("make ") else command


def test_the_commands_of_the_readme_work_in_its_order(checkout: Checkout) -> None:
    instance = checkout.instance
    to_run = [command for command in commands() if not command.text.startswith(SETS_UP)]
    assert to_run[0].text == RUNS, "the README begins with make run"

    first_out = ""
    instance.start()
    until("a seed is stored that the README shows", lambda: instance.rows(SHOWN))
    for command in to_run[1:]:
        if command.text == f"{RUNS} ARGS=--until-drained":
            first_out = instance.out()
            down = instance.news_in_background("down")
            instance.supervisor.wait(END_SECONDS)  # it is our child: until we look, it has not quite ended for others
            down.communicate(timeout=END_SECONDS)
            assert down.returncode == 0
            outcome = instance.up_until_drained()
            assert outcome.status == command.status, f"README.md:{command.line}: {outcome}"
            assert outcome.out.rstrip().endswith("balanced")
        else:
            done = checkout.type(stands_for(command.text))
            assert done.returncode == command.status, f"README.md:{command.line}: {command.text}\n{done}"
            assert done.stdout or done.stderr or command.text.startswith("cp "), f"README.md:{command.line}: silent"
            assert "Traceback" not in done.stderr, f"README.md:{command.line}: {done.stderr}"
    assert re.search(r"^copy +inbox +Wellington library", first_out, re.MULTILINE), "the README says that it is printed"
