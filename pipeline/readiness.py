"""A stage says that it is ready: it has its services, its models and its place in the consumer group.

Whoever runs stages (the supervisor, a container's health check) names a file in NEWS_READY_FILE; it is made when the
stage is ready, and holds its process id. While the stage waits for a service, a second file beside it says for which,
before it is ready and after: pipeline/health.py reads both.
"""

import os
import threading
import time
from pathlib import Path
from typing import Final

from pipeline import health, logs

VARIABLE: Final = health.VARIABLE
SENTENCE_CHARACTERS: Final = 500

log = logs.get(__name__)

_lock = threading.Lock()
#: What is waited for, by who waits: since when (Unix time), and a sentence.
_waits: dict[object, tuple[float, str]] = {}
#: The process that keeps the files. Neither its children do, nor a `news feed` that was started in its container.
_keeper: int | None = None


def begin() -> None:
    """This process is a stage: from now on it keeps the files. What another process left there is taken away."""
    global _keeper  # noqa: PLW0603  one process, one state
    with _lock:
        _keeper = os.getpid()
        _waits.clear()
        path = _path()
        if path is not None:
            _write(path, None)
            _write(_beside(path), None)


def mark() -> None:
    """Make the file, where one is asked for. When it cannot be made, that is logged."""
    path = _path()
    if path is not None:
        _write(path, str(os.getpid()))


def is_marked(path: Path, pid: int | None) -> bool:
    """Whether the process `pid` has said that it is ready."""
    try:
        return pid is not None and path.read_text(encoding="ascii") == str(pid)
    except FileNotFoundError:
        return False


def waits(who: object, sentence: str) -> None:
    """Say that `who` (any key: several may wait at once) waits for a service; `sentence` names it, and no secret.

    Said again, it waits since the first time.
    """
    plain = " ".join(sentence.split())[:SENTENCE_CHARACTERS]
    with _lock:
        since = _waits[who][0] if who in _waits else time.time()
        if _waits.get(who) != (since, plain):
            _waits[who] = (since, plain)
            _say_waits()


def goes_on(who: object) -> None:
    """Take back what `who` said by `waits`, if anything."""
    with _lock:
        if _waits.pop(who, None) is not None:
            _say_waits()


def coordinator(who: object, *, is_known: bool) -> None:
    """Say whether `who`, a member of a consumer group, knows its coordinator: the one thing that a member hears of
    every few seconds, also when there are no records; and of a broker that is away a consumer says nothing else.
    """
    if is_known:
        goes_on(who)
    else:
        waits(who, "Kafka (NEWS_KAFKA__BOOTSTRAP_SERVERS) does not answer: no coordinator of the consumer group")


def _say_waits() -> None:
    path = _path()
    if path is None or _keeper != os.getpid():
        return
    lines = [str(_keeper), *(f"{since:.3f} {sentence}" for since, sentence in _waits.values())]
    _write(_beside(path), "\n".join(lines) if _waits else None)


def _path() -> Path | None:
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def _beside(path: Path) -> Path:
    return path.with_name(path.name + health.WAITS_SUFFIX)


def _write(path: Path, text: str | None) -> None:
    """Write the file, so that a reader sees the old text or the new one; None takes it away."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            temporary.write_text(text, encoding="utf-8", errors="replace")
            temporary.replace(path)
    except OSError as error:  # a health check that is wrong is no reason to end what it watches
        log.error("the state of this stage cannot be written", variable=VARIABLE, path=str(path), why=error.strerror)
