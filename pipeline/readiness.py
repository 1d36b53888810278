"""A stage says that it is ready: it has its services, its models and its place in the consumer group.

Whoever runs stages (the supervisor, a container's health check) names a file in NEWS_READY_FILE; it is made when the
stage is ready, and holds its process id.
"""

import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "NEWS_READY_FILE"


def mark() -> None:
    """Make the file, where one is asked for."""
    path = os.environ.get(VARIABLE)
    if path:
        Path(path).write_text(str(os.getpid()), encoding="ascii")


def is_marked(path: Path, pid: int | None) -> bool:
    """Whether the process `pid` has said that it is ready."""
    try:
        return pid is not None and path.read_text(encoding="ascii") == str(pid)
    except FileNotFoundError:
        return False
