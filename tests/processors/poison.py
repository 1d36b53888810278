"""Models with a weakness: a text that says POISON ends their process, one that says HANG holds it up for ever.

Everything else goes to the real models. `load_once` is the initializer of a pool that shall have them.
"""

import os
import threading
from collections.abc import Sequence

from pipeline.records import Enrichment
from processors import child
from processors.nlp import Models, Work


class WeakModels:
    def __init__(self, models: Models) -> None:
        self._models = models

    def enrich(self, works: Sequence[Work]) -> list[Enrichment]:
        if any("POISON" in work.text for work in works):
            os._exit(1)
        if any("HANG" in work.text for work in works):
            threading.Event().wait()
        return self._models.enrich(works)


def load_once(model: str) -> None:
    child.load_once(model)
    child._models = WeakModels(child._models)  # type: ignore[assignment,arg-type]
