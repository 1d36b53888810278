"""`news config …`, and that a secret which comes from a file stands in nothing that is printed or logged."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ops import secret_file
from pipeline.errors import SettingError
from tests.running import REPOSITORY, Outcome, clean_environment

SECRET = "hunter2-hunter2"
URL = "postgresql://news@127.0.0.1:1/news"


def news(folder: Path, *arguments: str, **variables: str) -> Outcome:
    """A `news` command in a folder of its own, so that .env is its own too."""
    done = subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=folder,
        env=clean_environment(**{"PYTHONPATH": str(REPOSITORY), **variables}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_a_secret_is_made_once_and_all_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "database-password"
    first = news(tmp_path, "config", "secret", str(file))
    made = file.read_text(encoding="utf-8")
    again = news(tmp_path, "config", "secret", str(file))

    assert (first.status, first.err) == (0, f"{file}: made\n")
    assert (again.status, again.err) == (0, f"{file}: there already, left as it is\n")
    assert file.read_text(encoding="utf-8") == made
    assert len(made) == 44
    assert made.endswith("\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert made.strip() not in first.out + first.err + again.out + again.err
    assert list(tmp_path.iterdir()) == [file]


def test_several_at_once_make_one_secret(tmp_path: Path) -> None:
    file, made = tmp_path / "secret", list[bool]()
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        made.append(secret_file.make(file))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [False] * 7 + [True]
    assert list(tmp_path.iterdir()) == [file]


def test_what_keeps_a_secret_from_being_made_is_said_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff")

    with pytest.raises(SettingError, match="empty is empty: take it away"):
        secret_file.make(tmp_path / "empty")
    with pytest.raises(SettingError, match="binary is not text"):
        secret_file.make(tmp_path / "binary")
    with pytest.raises(SettingError, match=r"the folder .*nowhere is not there; make it"):
        secret_file.make(tmp_path / "nowhere" / "secret")
    with pytest.raises(SettingError, match="Is a directory; name another file"):
        secret_file.make(tmp_path)


def test_a_folder_of_somebody_else_is_said_with_the_remedy(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o555)

    with pytest.raises(SettingError, match="give the folder to this user"):
        secret_file.make(tmp_path / "secret")


def test_check_names_what_is_misspelt_in_the_environment_and_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NEWS_NLP__PROCESES=2\nNEWS_KAFKA_PARTITIONS=2\n", encoding="utf-8")

    found = news(tmp_path, "config", "check", NEWS_DATADIR="x")

    assert found.status == 2
    assert sorted(found.err.splitlines()) == [
        "NEWS_DATADIR is no setting (did you mean NEWS_DATA_DIR?): see `news config show`.",
        "NEWS_KAFKA_PARTITIONS in .env is no setting (did you mean NEWS_KAFKA__PARTITIONS?): see `news config show`.",
        "error: NEWS_NLP__PROCESES: there is no such setting (did you mean NEWS_NLP__PROCESSES?), "
        "see `news config show`",
    ]


def test_check_reads_the_files_of_secrets(tmp_path: Path) -> None:
    variables = {"NEWS_DATABASE__URL": URL, "NEWS_DATABASE__PASSWORD_FILE": str(tmp_path / "password")}
    missing = news(tmp_path, "config", "check", **variables)
    (tmp_path / "password").write_text(SECRET + "\n", encoding="utf-8")
    there = news(tmp_path, "config", "check", **variables)

    assert (missing.status, missing.err.count("\n")) == (2, 1)
    assert f"NEWS_DATABASE__PASSWORD_FILE: {tmp_path / 'password'} is not there" in missing.err
    assert (there.status, there.err) == (0, "all settings can be read\n")


@pytest.mark.parametrize(
    "given",
    [
        {"NEWS_DATABASE__URL": "postgresql://news:hunter2-hunter2%zz@127.0.0.1:1/news"},
        {"NEWS_DATABASE__URL": "postgresql://news:pw@hunter2-hunter2@127.0.0.1:1/news"},
        {"NEWS_DATABASE__URL": URL, "NEWS_DATABASE__PASSWORD_FILE": SECRET},
    ],
)
@pytest.mark.parametrize("command", [("config", "check"), ("config", "show"), ("db", "migrate")])
def test_a_secret_in_the_wrong_place_is_refused_in_one_line_without_it(
    tmp_path: Path, command: tuple[str, ...], given: dict[str, str]
) -> None:
    found = news(tmp_path, *command, **given)

    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1), found
    assert found.err.startswith("error: NEWS_DATABASE__")
    assert "hunter2" not in found.err


SAYING = {
    "config show": ("config", "show"),
    "config show as JSON": ("config", "show", "--json"),
    "config check": ("config", "check"),
    "doctor": ("doctor",),
    "a stage that cannot start": ("run", "sink"),
    "a migration that cannot start": ("db", "migrate"),
    "a shell that cannot start": ("db", "psql"),
}


@pytest.mark.parametrize("command", SAYING.values(), ids=list(SAYING))
def test_a_secret_from_a_file_is_in_nothing_that_is_said(tmp_path: Path, command: tuple[str, ...]) -> None:
    password = tmp_path / "password"
    password.write_text(SECRET + "\n", encoding="utf-8")

    found = news(
        tmp_path,
        *command,
        NEWS_DATABASE__URL=URL,
        NEWS_DATABASE__PASSWORD_FILE=str(password),
        NEWS_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1",
        NEWS_KAFKA__START_TIMEOUT_SECONDS="1",
        NEWS_LOG__LEVEL="DEBUG",
    )

    assert SECRET not in found.out + found.err
    assert found.out + found.err
    if "--json" in command:
        assert f"NEWS_DATABASE__PASSWORD_FILE={password}" in found.out
    for file in (path for path in tmp_path.rglob("*") if path.is_file() and path != password):
        assert SECRET.encode() not in file.read_bytes(), file
