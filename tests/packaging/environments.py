"""An environment of its own with the wheel in it, and of other packages those that a lock names.

These are links to what this environment has: to install them takes a minute and a network. Nothing of the repository
can be reached from there.
"""

import re
import subprocess
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

from tests.packaging.test_locks import pins
from tests.running import COMMAND_SECONDS, Outcome, clean_environment


class Installed:
    """A virtual environment, and an empty folder to work in."""

    def __init__(self, folder: Path, wheel: Path, lock: str) -> None:
        self.folder = folder / "empty"
        self.folder.mkdir()
        environment = folder / "venv"
        venv.create(environment, with_pip=True)
        self._bin = environment / "bin"
        (self.site_packages,) = (environment / "lib").glob("python*/site-packages")
        _link(self.site_packages, set(pins(lock)))
        self.run("pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel))

    def run(self, program: str, *arguments: str, seconds: float = COMMAND_SECONDS, **variables: str) -> Outcome:
        """Run a program of this environment in the empty folder."""
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.folder,
            env=clean_environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


def _link(site_packages: Path, names: set[str]) -> None:
    """Link what the packages with these names have in this environment into another one."""
    ours = Path(sysconfig.get_path("purelib"))
    for package in metadata.distributions(path=[str(ours)]):
        if re.sub(r"[-_.]+", "-", package.name).lower() in names:
            # Scripts lie outside ("..") and belong to the other interpreter; what is compiled is made again.
            tops = {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}
            for top in tops:
                link = site_packages / top
                if not link.exists():
                    link.symlink_to(ours / top)
