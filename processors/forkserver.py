"""The fork server of the pool, which loads the models once: started first of all, because that takes longest.

Nothing heavy is imported here, so that it loads while the stage itself is still importing.
"""

import multiprocessing
import os
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Final

from pipeline.settings import NlpSettings

#: Tells the fork server which models to load before it forks: the settings, as JSON.
PRELOAD_VARIABLE: Final = "NEWS_NLP_PRELOAD"


def start(settings: NlpSettings) -> ForkServerContext:
    """Have the fork server running, with these models loading; gives the context that makes processes of it.

    What is wrong with the settings is a traceback there: provenance.of says it in one line, and comes first.
    """
    os.environ[PRELOAD_VARIABLE] = settings.model_dump_json()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["processors.preloaded"])
    forkserver.ensure_running()
    return context
