"""The file .env.example is what the settings say: `python -m tests.check_env_example [--write]`."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.settings import FILE_SUFFIX, fields, secrets, variable

FILE: Final = Path(__file__).parents[1] / ".env.example"
CHANGED: Final = "pipeline/settings.py has changed and .env.example has not: run make docs"

HEAD: Final = """\
# Every setting, with its default, written from pipeline/settings.py by `make docs`.
#
# Copy this file to .env and take the # away from what you change: every `news` command reads .env in the folder where
# it runs, and docker compose hands it to our services. A variable of the environment goes before its line here.
# `news config check` finds misspelt names, `news config show` shows what is in force.
#
# A secret can stand in a file of its own, which its variable with _FILE names; `news config secret FILE` makes one.
# Give one of the two, wherever it stands: both are an error.
"""
#: These are of docker-compose.yml, not of `news`.
COMPOSE: Final = """\
# --- docker compose alone: docs/deployment.md. It sets the addresses of Kafka and PostgreSQL and NEWS_DATA_DIR itself,
# and hands nothing of NEWS_DATABASE__URL and NEWS_DATABASE__PASSWORD to containers.

# port of this machine, on 127.0.0.1, at which Kafka can be reached
#KAFKA_PORT=9092

# the same for PostgreSQL
#POSTGRES_PORT=5432

# the same for the HTTP API
#WEB_PORT=8080

# folder of the secrets, which holds the file database-password; or a volume, in which the password is made
#SECRETS=secrets

# folders of this machine: files to be fed, and what the stages read (feeds.toml, a watch list)
#INBOX=./inbox
#CONFIG=./config

# the image of our services: built where it is not there, never pulled
#IMAGE=news-pipeline

# labels of the image, when it is built: the commit, and the time (RFC 3339)
#REVISION=unknown
#CREATED=unknown

# NEWS_NLP__PROCESSES of one enrich container, and its memory limit, which go together
#ENRICH_PROCESSES=2
#ENRICH_MEMORY=2g

# NEWS_EXTRACTION__PROCESSES, of the producers and of the HTTP API each
#EXTRACTION_PROCESSES=2
"""


def wanted() -> str:
    """What must stand in the file."""
    return "\n".join([HEAD, *_settings(), COMPOSE])


def _settings() -> Iterator[str]:
    previous: str | None = None
    with_file = secrets()
    for where, field in fields():
        if len(where) > 1 and where[0] != previous:
            previous = where[0]
            yield f"# --- {variable((previous, '*'))}\n"
        name = variable(where)
        yield f"# {field.description}\n#{name}={_text(field.default)}" + ("" if name in with_file else "\n")
        if name in with_file:
            yield f"#{name}{FILE_SUFFIX}=\n"


def _text(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, bool | dict):
        return json.dumps(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def main(arguments: Sequence[str], file: Path = FILE) -> int:
    """The exit status: 1 where the file differs."""
    if "--write" in arguments:
        file.write_text(wanted(), encoding="utf-8")
    if file.exists() and file.read_text(encoding="utf-8") == wanted():
        return 0
    print(CHANGED, file=sys.stderr)  # noqa: T201  a script talks
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
