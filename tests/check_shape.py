"""sinks/shape.json is what the migrations make: `python -m tests.check_shape [--write]`, on an embedded PostgreSQL."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg

from ops.embedded.postgres import EmbeddedPostgres
from sinks import migrate, shape

FILE: Final = Path(shape.__file__).parent / shape.FILE
CHANGED: Final = (
    "the migrations make another schema than sinks/shape.json: run make schemas and note it in CHANGELOG.md"
)


def wanted(url: str) -> str:
    """The text of the file, from an empty database."""
    migrate.migrate(url)
    with psycopg.connect(url) as connection:
        return shape.text(shape.of(connection))


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 where the file differs."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder), Path(folder))
        server.prepare(lambda *_: None)
        server.start()
        try:
            server.wait_ready()
            text = wanted(server.url)
        finally:
            server.stop()
    if "--write" in arguments:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print(CHANGED, file=sys.stderr)  # noqa: T201  a script talks
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
