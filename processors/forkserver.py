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
from pipeline.settings import NlpSettings

#: Tells the fork server which models to load before it forks: the settings, as JSON.
PRELOAD_VARIABLE: Final = "NEWS_NLP_PRELOAD"


def require(package: str) -> None:
    """Raise SettingError naming NEWS_NLP__MODELS where that package is not installed; imports nothing."""
    if not package.isidentifier() or find_spec(package) is None:
        raise SettingError(
            f"NEWS_NLP__MODELS: there is no spaCy model {package!r} here; install its package or unset it."
        )


def start(settings: NlpSettings) -> ForkServerContext:
    """Have the fork server running, with these models loading; gives the context that makes processes of it.

    Raises SettingError for a model that is not installed.
    """
    for package in settings.packages.values():
        require(package)
    os.environ[PRELOAD_VARIABLE] = settings.model_dump_json()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["processors.preloaded"])
    forkserver.ensure_running()
    return context
