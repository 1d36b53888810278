"""feeds.toml while it is watched: the sources that it named last."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipeline import logs
from pipeline.errors import SettingError
from producers.sources import declared
from producers.sources.declared import Source

LOOK_SECONDS: Final = 2.0

_log = logs.get(__name__)


class FeedsFile:
    """feeds.toml as it was read last; a change is noticed within seconds, one that cannot be read leaves it as it was.

    Raises SettingError, when it is made, as `declared.read` does; a file that is not there has no sources unless it is
    `is_named` by a setting.
    """

    def __init__(self, path: Path, *, is_named: bool = True, look_seconds: float = LOOK_SECONDS) -> None:
        self._path = path
        self._look_seconds = look_seconds
        self._look_at = float("-inf")
        self.is_broken = False
        self._state = self._stat()
        self.sources: Sequence[Source] = () if self._state is None and not is_named else declared.read(path)

    def has_changed(self) -> bool:
        """Whether `sources` are others now."""
        clock = time.monotonic()
        if clock < self._look_at:
            return False
        self._look_at = clock + self._look_seconds
        state = self._stat()
        if state == self._state:
            return False
        self._state = state
        if state is None:
            _log.warning("the file of sources is gone: what it said last stays", path=str(self._path))
            return False
        try:
            self.sources = declared.read(self._path)
        except SettingError as error:
            self.is_broken = True
            _log.error("the file of sources cannot be read: what it said before stays", why=str(error))
            return False
        self.is_broken = False
        _log.info("the file of sources has changed", path=str(self._path), sources=len(self.sources))
        return True

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
