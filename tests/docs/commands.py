"""A page's commands: the lines of its ```console blocks that begin with `$ `, typed in a folder like this repository.

A command must end with 0, or with the status that a comment behind it names ("# exit status 3").
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.check_docs import lines_of
from tests.running import REPOSITORY, Instance, clean_environment

COMMAND_SECONDS: Final = 120

_STATUS = re.compile(r"\s+#.*\bexit status (\d+)")
_COMMENT = re.compile(r"\s+#.*")


class Command(NamedTuple):
    """One command of a page and the exit status that it says."""

    line: int
    text: str
    status: int


def commands(page: Path) -> list[Command]:
    """The commands of a page, in its order."""
    found = []
    for line in lines_of(page):
        if line.fence == "console" and line.text.startswith("$ "):
            said = _STATUS.search(line.text)
            text = _COMMENT.sub("", line.text.removeprefix("$ "))
            found.append(Command(line.number, text, int(said[1]) if said else 0))
    return found


class Checkout:
    """A folder that looks like this repository; what running it makes (data, inbox) stays in there."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.instance = Instance(folder / "instance", **variables)
        self._variables = variables
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
                NEWS_DATA_DIR=str(self.instance.data_dir),
                PATH=f"{self._programs}:{os.environ['PATH']}",
                **self._variables,
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
