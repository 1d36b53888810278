"""What README.md tells people to type works: its commands, in its order, against one running instance.

Set-up is not repeated here: see `SETS_UP`, `RUNS` and `stands_for`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.commands import Checkout, commands
from tests.running import END_SECONDS, REPOSITORY, until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

README: Final = REPOSITORY / "README.md"
RUNS: Final = "make run"
SHOWN: Final = "SELECT FROM news.articles WHERE title LIKE 'Blinken Meets%'"
#: Commands that set up what is there already.
SETS_UP: Final = ("git clone", "cd ", ". .venv/bin/activate")


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
    to_run = [command for command in commands(README) if not command.text.startswith(SETS_UP)]
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
