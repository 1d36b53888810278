"""`python -m pipeline.health`: 0 if the stage of this container is healthy, else 1 and one line on stdout why not.

Healthy is a stage whose process lives, has said that it is ready, and waits for no service (pipeline/readiness.py
writes both). Asked every few seconds beside the stage: so it imports nothing but what Python has loaded anyway.
"""

import os
import sys
import time

#: Names the file that a stage makes when it is ready; it holds the process id.
VARIABLE = "NEWS_READY_FILE"
#: What the stage waits for stands beside it: the process id, then a line `SECONDS_SINCE_1970 SENTENCE` for each.
WAITS_SUFFIX = ".waits"
#: Shorter waits are no news: the first four tries again (0.1, 0.2, 0.4 and 0.8 s apart) put right what passes by
#: itself, a new leader of a partition or a deadlock; a service that is gone is away for longer.
GRACE_SECONDS = 2.0


def why_not(ready_file: str, now: float) -> str | None:
    """Why the stage that names this file is not healthy at `now` (Unix time); None: it is healthy."""
    ready = _lines(ready_file)
    waits = _lines(ready_file + WAITS_SUFFIX)
    pid = int((ready or waits or ["0"])[0])
    if pid and not _lives(pid):
        return f"process {pid}, that made {ready_file}, has ended"
    if waits and int(waits[0]) == pid:
        found = [(now - float(since), sentence) for since, _, sentence in (line.partition(" ") for line in waits[1:])]
        seconds, sentence = max(found, key=lambda wait: wait[0], default=(0.0, ""))
        if seconds > GRACE_SECONDS:
            return f"waits for {seconds:.0f} s: {sentence}" + (f" (and {len(found) - 1} more)" if found[1:] else "")
    return None if ready else f"not ready yet: there is no {ready_file}"


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123  pathlib takes longer to import than all of this
            return stream.read().splitlines()
    except FileNotFoundError:
        return []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def main() -> int:
    """The exit status."""
    ready_file = os.environ.get(VARIABLE)
    try:
        why = why_not(ready_file, time.time()) if ready_file else f"{VARIABLE} is not set: it names the file to look at"
    except (OSError, ValueError) as error:
        why = f"{ready_file} cannot be read: {error}"
    if why:
        print(why)  # noqa: T201  Docker keeps it
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
