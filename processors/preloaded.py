"""The models of the fork server: loaded once by importing this, and shared by every process it makes.

Imported by the fork server alone (processors/pool.py), which has one thread and forks; nobody else imports it early.
"""

import gc
import os

from processors import forkserver, nlp

MODEL = os.environ[forkserver.PRELOAD_VARIABLE]
MODELS = nlp.Models(MODEL)
MODELS.warm_up()
gc.freeze()  # what is here stays here: a collection in a child would copy the pages that it only looks at
