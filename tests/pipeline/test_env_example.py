"""The file .env.example names every setting, and taken as it is it changes none."""

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from pipeline.settings import FILE_SUFFIX, Settings, unknown_variables
from tests import check_env_example

OURS = "NEWS_"
COMPOSE_FILE = check_env_example.FILE.with_name("docker-compose.yml")
#: The variables of docker-compose.yml itself, with their defaults.
COMPOSE = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE_FILE.read_text(encoding="utf-8")))


def uncommented(folder: Path) -> Path:
    lines = check_env_example.FILE.read_text(encoding="utf-8").splitlines()
    file = folder / "all"
    file.write_text("\n".join(line.removeprefix("#") for line in lines if not line.startswith("# ")), encoding="utf-8")
    return file


def leaves(schema: dict[str, object]) -> set[str]:
    """The variables of all settings, by the model's own schema."""
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    found = set()
    for name, value in schema["properties"].items():  # type: ignore[attr-defined]
        group = definitions.get(value.get("$ref", "").rpartition("/")[2])
        inner = [f"{name}__{each}" for each in group["properties"]] if group else [name]
        found |= {OURS + each.upper() for each in inner}
    return found


def test_it_is_what_the_settings_say() -> None:
    assert check_env_example.main([]) == 0, check_env_example.CHANGED


def test_a_file_that_differs_is_found_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / ".env.example"
    file.write_text("#NEWS_DATA_DIR=elsewhere\n", encoding="utf-8")

    assert check_env_example.main([], file) == 1
    assert "make docs" in capsys.readouterr().err
    assert check_env_example.main(["--write"], file) == 0


def test_every_setting_stands_in_it_once(tmp_path: Path) -> None:
    lines = uncommented(tmp_path).read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if "=" in line]

    assert len(names) == len(set(names))
    assert {name for name in names if not name.endswith(FILE_SUFFIX)} == leaves(Settings.model_json_schema()) | set(
        COMPOSE
    )
    assert "NEWS_DATABASE__PASSWORD_FILE" in names
    assert unknown_variables(dict.fromkeys(names, "")) == []


def test_the_values_in_it_are_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = dotenv_values(uncommented(tmp_path))
    for name in values:
        monkeypatch.delenv(name, raising=False)
    defaults = Settings(_env_file=None)
    file = tmp_path / "with values"
    file.write_text("\n".join(f"{name}='{value}'" for name, value in values.items() if value), encoding="utf-8")

    assert Settings(_env_file=file) == defaults
    assert values["NEWS_KAFKA__PARTITIONS"] == "4"
    assert {name: values[name] for name in COMPOSE} == COMPOSE
