"""The models of the fork server: loaded once by importing this, and shared by every process it makes.

Imported by the fork server alone (processors/pool.py), which has one thread and forks; nobody else imports it early.
"""

import gc
import os

from pipeline.settings import NlpSettings
from processors import articles, forkserver, nlp  # noqa: F401  what a child needs is there when it is forked

MODELS = nlp.Models(NlpSettings.model_validate_json(os.environ[forkserver.PRELOAD_VARIABLE]))
MODELS.warm_up()
gc.freeze()  # what is here stays here: a collection in a child would copy the pages that it only looks at
