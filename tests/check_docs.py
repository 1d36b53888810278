"""The documents say what is so: links, paths, settings, commands and make targets. `python -m tests.check_docs`."""

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer.main
from prometheus_client import Counter, Gauge, Histogram

from ops import settings_view
from ops.cli import app
from pipeline import metrics, topics
from pipeline import settings as settings_module
from pipeline.settings import Settings, variable

ROOT: Final = Path(__file__).parents[1]
#: Paths that are made by running it.
MADE: Final = ("feeds.toml", "inbox", ".news", "run.json", "web-port.json", ".venv", ".env", ".git")
SUFFIXES: Final = (".py", ".md", ".sql", ".toml", ".json", ".jsonl", ".txt")

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"(`+)(.+?)\1")
_VARIABLE = re.compile(r"\bNEWS_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_]*\*)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_MAKE = re.compile(r"make ([a-z][a-z-]*)")
_UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|X{3}|TB[D]|WI[P])\b|\?{3}|lorem ipsum", re.IGNORECASE)


class Line(NamedTuple):
    """One line of a document. `fence` is the language of the fenced block it stands in; None outside of one."""

    file: Path
    number: int
    text: str
    fence: str | None

    @property
    def commands(self) -> list[str]:
        """What a reader could type: a line of a block of commands, or the code between backticks."""
        if self.fence == "console":
            return [self.text.removeprefix("$ ")] if self.text.startswith("$ ") else []
        if self.fence == "sh":
            return [self.text]
        return [] if self.fence is not None else [code.strip() for _, code in _CODE.findall(self.text)]


def documents(root: Path) -> list[Path]:
    """The documents, in the order in which one reads them."""
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "seeds/README.md")
    return [root / name for name in names] + [
        f for top in ("docs", "examples") for f in sorted((root / top).rglob("*.md"))
    ]


def lines_of(file: Path) -> Iterator[Line]:
    """The lines of a document, each with the fenced block around it."""
    fence: str | None = None
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if text.startswith("```"):
            fence = None if fence is not None else text.removeprefix("```").strip()
        else:
            yield Line(file, number, text, fence)


def links(line: Line) -> Iterator[str]:
    """Relative links that lead nowhere."""
    for target in _LINK.findall(line.text) if line.fence is None else ():
        path = target.partition("#")[0]
        if path and "://" not in path and not (line.file.parent / path).exists():
            yield f"the link {target} leads nowhere"


def paths(line: Line) -> Iterator[str]:
    """Files and folders in backticks that are not there."""
    tops = {entry.name for entry in ROOT.iterdir()}
    for _, code in _CODE.findall(line.text) if line.fence is None else ():
        if not _PATH.fullmatch(code) or code.split("/")[0] in MADE or code in SUFFIXES:
            continue
        is_path = ("/" in code.rstrip("/") and code.split("/")[0] in tops) or code.endswith(SUFFIXES)
        if is_path and not any((folder / code).exists() for folder in (ROOT, line.file.parent)):
            yield f"there is no {code}"


def variables(line: Line) -> Iterator[str]:
    """NEWS_* variables that are no settings."""
    for name in settings_module.unknown_variables(dict.fromkeys(_VARIABLE.findall(line.text), "")):
        yield f"{name} is no setting"


def unfinished(line: Line) -> Iterator[str]:
    """Marks of what is still to be done."""
    if found := _UNFINISHED.search(line.text):
        yield f"unfinished: {found.group()}"


def make_targets(targets: frozenset[str]) -> Callable[[Line], Iterator[str]]:
    """A check of the targets that `make` is called with."""

    def check(line: Line) -> Iterator[str]:
        for command in line.commands:
            found = _MAKE.match(command)
            if found and found[1] not in targets:
                yield f"make has no target {found[1]}"

    return check


def news_commands(root: Any) -> Callable[[Line], Iterator[str]]:
    """A check of the `news` commands and their options, against the command line itself."""

    def check(line: Line) -> Iterator[str]:
        for command in line.commands:
            for part in re.split(r"\s\|\s|&&", command):
                words = _words(part.strip())
                if words[:1] == ["news"]:
                    yield from problems(words[1:])

    def problems(words: list[str]) -> Iterator[str]:
        at, name = root, "news"
        while words and hasattr(at, "commands") and not words[0].startswith("-"):
            if words[0] not in at.commands:
                if words[0] not in ("…", "command"):
                    yield f"there is no command `{name} {words[0]}`"
                return
            at, name = at.commands[words[0]], f"{name} {words[0]}"
            words = words[1:]
        if at.context_settings.get("ignore_unknown_options"):
            return
        known = {option for p in at.params for option in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}
        for word in words:
            if word.startswith("-") and word != "-" and word.partition("=")[0] not in known:
                yield f"`{name}` has no option {word}"

    return check


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=True)
    except ValueError:  # a piece of a message, with one quote
        return []


def unshown_settings() -> Iterator[str]:
    """Settings that `news config show` leaves out, found by the model's own schema."""
    shown = {row["variable"] for row in settings_view.rows(Settings(_env_file=None))}
    schema = Settings.model_json_schema()

    def leaves(node: dict[str, Any], location: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, value in node["properties"].items():
            reference = value.get("$ref")
            inner = schema["$defs"][reference.rpartition("/")[2]] if reference else None
            if inner is not None and "properties" in inner:
                yield from leaves(inner, (*location, name))
            else:
                yield (*location, name)

    for location in leaves(schema, ()):
        if variable(location) not in shown:
            yield f"pipeline/settings.py: `news config show` does not show {variable(location)}"


def left_out() -> Iterator[str]:
    """Topics that the architecture does not name, and metrics that operations do not."""
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for topic in topics.declared(window_days=7, allowed_lag_days=1):
        if f"`{topic.name}`" not in architecture:
            yield f"docs/architecture.md: the topic {topic.name} is not there"
    for metric in vars(metrics).values():
        for family in metric.collect() if isinstance(metric, Counter | Gauge | Histogram) else ():
            name = family.name + ("_total" if family.type == "counter" else "")
            if f"`{name}`" not in operations:
                yield f"docs/operations.md: the metric {name} is not there"


def all_problems() -> list[str]:
    """Everything that is wrong, each with its file and line."""
    targets = frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = news_commands(typer.main.get_command(app))
    checks: Iterable[Callable[[Line], Iterator[str]]] = (
        links, paths, variables, commands, make_targets(targets), unfinished,
    )  # fmt: skip
    found = [
        f"{file.relative_to(ROOT)}:{line.number}: {problem}"
        for file in documents(ROOT)
        for line in lines_of(file)
        for check in checks
        for problem in check(line)
    ]
    return [*found, *unshown_settings(), *left_out()]


def main() -> int:
    """Say what is wrong; 1 if anything is."""
    found = all_problems()
    for problem in found:
        sys.stderr.write(problem + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
