"""What a process of the NLP pool loads: its models."""

import os

from pipeline.settings import NlpSettings
from processors import forkserver
from processors.nlp import Models


def load(settings: NlpSettings) -> Models:
    """The models: those of the fork server, unless this process was spawned and not forked."""
    if os.environ.get(forkserver.PRELOAD_VARIABLE) == settings.model_dump_json():
        from processors import preloaded

        return preloaded.MODELS
    return Models(settings)
