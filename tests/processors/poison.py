"""Models with a weakness: what a text says is what happens to the process that reads it.

POISON ends it, HANG holds it up for ever, GREED takes memory until there is none, BUG raises, ONCE ends it the first
time only (a file remembers). Everything else goes to the real models. `load` is what a pool is given that shall have
them.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline import topics
from pipeline.records import Enrichment
from pipeline.settings import NlpSettings
from processors import child
from processors.nlp import Models, Work

MEMORY_FILE = "NEWS_TEST_ONCE"


class WeakModels:
    def __init__(self, models: Models) -> None:
        self._models = models

    def enrich(self, works: Sequence[Work]) -> list[Enrichment]:
        said = " ".join(work.text for work in works)
        if "POISON" in said:
            os._exit(1)
        if "HANG" in said:
            threading.Event().wait()
        if "GREED" in said:
            _ = [np.empty(256 * topics.MIB, dtype=np.uint8) for _ in range(1000)]
        if "BUG" in said:
            raise IndexError("list index out of range")
        if "ONCE" in said and not (remembers := Path(os.environ[MEMORY_FILE])).exists():
            remembers.touch()
            os._exit(1)
        return self._models.enrich(works)


def load(settings: NlpSettings) -> WeakModels:
    return WeakModels(child.load(settings))


def load_nothing(settings: NlpSettings) -> WeakModels:
    raise OSError(f"no weights of {settings.packages}")
