"""Extraction with a weakness: what a page says is what happens to the process that reads it.

HANG holds it up for ever, POISON ends it, GREED takes memory until there is none, ONCE ends it the first time only (a
file remembers). Of everything else it gives the text without its tags: no trafilatura, so that a process is there in
a moment. `load` is what a pool is given that shall be so.
"""

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.settings import ExtractionSettings
from producers import extraction
from producers.formats.page import Page

MEMORY_FILE = "NEWS_TEST_ONCE"


def load(_settings: ExtractionSettings) -> None:
    extraction._page = weak_page


def weak_page(_: None, documents: Sequence[tuple[Any, ...]]) -> list[Page]:
    return [page_of(html) for html, *_rest in documents]


def page_of(html: str) -> Page:
    if "HANG" in html:
        threading.Event().wait()
    if "POISON" in html:
        os._exit(1)
    if "GREED" in html:
        _ = [bytearray(256 * 1024**2) for _ in range(1000)]
    if "ONCE" in html and not (remembers := Path(os.environ[MEMORY_FILE])).exists():
        remembers.touch()
        os._exit(1)
    text = re.sub("<[^>]*>", "", html)
    return Page(None, "", None, text, None, None, None, None, (), (), "weak", ())
