"""The sample articles that `news up` feeds: a folder that was named, `seeds/` where it runs, or the package's own."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

from pipeline.errors import SettingError

#: In the repository a link to seeds/, in the wheel the files themselves.
PACKAGED = Path(str(resources.files("ops") / "seeds"))


@dataclass(frozen=True, slots=True)
class Samples:
    """Where they lie; None: there are to be none."""

    folder: Path | None
    is_packaged: bool = False

    @classmethod
    def of(cls, named: Path | None, *, no_seeds: bool) -> Self:
        """What the options of `news up` mean. Raises SettingError for a folder that is not there."""
        if no_seeds:
            return cls(None)
        if named is not None:
            if not named.is_dir():
                raise SettingError(f"--seeds {named}: there is no such folder; --no-seeds feeds none.")
            return cls(named)
        here = Path("seeds")
        return cls(here) if here.is_dir() else cls(PACKAGED, is_packaged=True)

    def folder_for(self, *, is_new: bool) -> Path | None:
        """The folder to feed into a data folder that `is_new`: nothing was ever taken in there.

        Those of the package are for a first look. They go into a new one only, so that nobody finds made-up articles
        among their own.
        """
        return self.folder if is_new or not self.is_packaged else None
