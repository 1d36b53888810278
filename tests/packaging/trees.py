"""Folders that are built: this tree, a copy of it, and what is in a wheel or an sdist."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from tests.running import REPOSITORY, clean_environment

PACKAGES: Final = ("pipeline", "producers", "processors", "sinks", "ops")
#: Any time but the one that hatchling takes by itself.
EPOCH: Final = "1767225600"


def in_packages(root: Path) -> set[str]:
    """All files of our packages in this tree but compiled ones, links followed."""
    return {
        (Path(folder) / name).relative_to(root).as_posix()
        for package in PACKAGES
        for folder, _, names in os.walk(root / package, followlinks=True)
        for name in names
        if "__pycache__" not in folder
    }


def in_wheel(wheel: Path) -> set[str]:
    """All files of a wheel but its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def in_sdist(sdist: Path) -> set[str]:
    """All files of an sdist, from its one folder on."""
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def copy_of_tree(folder: Path) -> Path:
    """What a build reads, elsewhere: other times, other permissions, and what people have lying about beside it."""
    for name in (*PACKAGES, "seeds", "requirements"):
        shutil.copytree(
            REPOSITORY / name, folder / name, symlinks=True, copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("__pycache__"),
        )  # fmt: skip
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        shutil.copyfile(REPOSITORY / name, folder / name)
    (folder / "ops" / "cli.py").chmod(0o600)
    for left in (".news/run.json", ".venv/pyvenv.cfg", "inbox/mine.txt", "dist/old.whl", ".env", "feeds.toml",
                 "ops/__pycache__/cli.cpython-311.pyc"):  # fmt: skip
        (folder / left).parent.mkdir(parents=True, exist_ok=True)
        (folder / left).write_text("never in an archive", encoding="utf-8")
    return folder


def build(tree: Path, *arguments: str) -> Path:
    """Build a tree with the tools of this environment and no network; gives the folder with what was made."""
    made = tree.parent / f"{tree.name}-built"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *arguments, "--directory", str(made)],
        cwd=tree,
        env=clean_environment(SOURCE_DATE_EPOCH=EPOCH),
        check=True,
        capture_output=True,
    )
    return made
