"""The fork server of the pool, which loads the models once: started first of all, because that takes longest.

Nothing heavy is imported here, so that it loads while the stage itself is still importing.
"""

import multiprocessing
import os
from importlib.util import find_spec
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Final

from pipeline.errors import SettingError

#: Tells the fork server which model to load before it forks.
PRELOAD_VARIABLE: Final = "NEWS_NLP_PRELOAD"


def require(model: str) -> None:
    """Raise SettingError naming NEWS_NLP__MODEL where that package is not installed; imports nothing."""
    if not model.isidentifier() or find_spec(model) is None:
        raise SettingError(f"NEWS_NLP__MODEL: there is no spaCy model {model!r} here; install its package or unset it.")


def start(model: str) -> ForkServerContext:
    """Have the fork server running, with this model loading; gives the context that makes processes of it.

    Raises SettingError for a model that is not installed.
    """
    require(model)
    os.environ[PRELOAD_VARIABLE] = model
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["processors.preloaded"])
    forkserver.ensure_running()
    return context
