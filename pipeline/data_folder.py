"""The folder of NEWS_DATA_DIR: made where it is not there, and what is said where it cannot be written."""

import os
from pathlib import Path

from pipeline.errors import SettingError


def ensure(folder: Path) -> Path:
    """The folder, made unless it is there. Raises SettingError where this user cannot write to it."""
    why = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f" ({error.strerror})"
    if why or not os.access(folder, os.W_OK | os.X_OK):
        raise SettingError(
            f"NEWS_DATA_DIR: user {os.getuid()} cannot write to {folder}{why}; give it to this user (chown), or name "
            "another folder."
        )
    return folder
