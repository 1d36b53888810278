"""Which sample articles `news up` feeds, and into what."""

from pathlib import Path

import pytest

from ops.samples import PACKAGED, Samples
from pipeline.errors import SettingError


def test_seeds_where_it_runs_come_before_those_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Samples.of(None, no_seeds=False) == Samples(PACKAGED, is_packaged=True)

    (tmp_path / "seeds").mkdir()
    assert Samples.of(None, no_seeds=False) == Samples(Path("seeds"))


def test_a_named_folder_comes_before_all(tmp_path: Path) -> None:
    assert Samples.of(tmp_path, no_seeds=False) == Samples(tmp_path)


def test_a_named_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no-such-folder: there is no such folder; --no-seeds feeds none"):
        Samples.of(tmp_path / "no-such-folder", no_seeds=False)


def test_without_samples_none_are_fed() -> None:
    assert Samples.of(None, no_seeds=True).folder_for(is_new=True) is None


def test_those_of_the_package_never_join_articles_that_are_there_already() -> None:
    packaged = Samples(PACKAGED, is_packaged=True)

    assert packaged.folder_for(is_new=True) == PACKAGED
    assert packaged.folder_for(is_new=False) is None


def test_others_are_looked_at_by_every_start() -> None:
    assert Samples(Path("seeds")).folder_for(is_new=False) == Path("seeds")


def test_the_package_has_the_articles_of_the_repository() -> None:
    assert PACKAGED.resolve() == Path(__file__).parents[2] / "seeds"
