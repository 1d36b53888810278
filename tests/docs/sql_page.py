"""docs/sql.md out of the comments of a migrated database: `python -m tests.docs.sql_page` writes it (`make docs`)."""

import sys
import tempfile
from pathlib import Path
from typing import Final

import psycopg

from sinks import contract, migrate
from tests.fixtures.database import embedded
from tests.running import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "sql.md"


def main() -> int:
    """Write the page as a PostgreSQL of its own has it; 1 if something has no comment."""
    with tempfile.TemporaryDirectory() as name, embedded(Path(name)) as url:
        migrate.migrate(url)
        with psycopg.connect(url) as connection:
            found = contract.read(connection)
    PAGE.write_text(contract.page(found), encoding="utf-8")
    problems = list(contract.problems(found))
    for problem in problems:
        sys.stderr.write(problem + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
