"""Inside a process of the pool: its models, and the end with its parent."""

import multiprocessing
import os
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait

from pipeline.records import Enrichment
from processors import forkserver
from processors.nlp import Models, Work

_models: Models | None = None


def load_once(model: str) -> None:
    """Pool initializer: load the models, and end with the parent (a pool's child outlives a kill -9 otherwise)."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            wait([parent.sentinel])
            os._exit(0)

        threading.Thread(target=end_with_parent, name="end-with-parent", daemon=True).start()
    global _models  # noqa: PLW0603  one set of models a process
    if os.environ.get(forkserver.PRELOAD_VARIABLE) == model:
        from processors import preloaded  # there already, unless this process was spawned and not forked

        _models = preloaded.MODELS
    else:
        _models = Models(model)


def enrich(works: Sequence[Work]) -> list[Enrichment]:
    """Pool task: enrich a chunk with this process's models."""
    if _models is None:
        raise RuntimeError("load_once has not run in this process")
    return _models.enrich(works)
