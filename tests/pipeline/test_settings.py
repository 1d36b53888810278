from pathlib import Path

import pytest

from pipeline import settings
from pipeline.errors import SettingError


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine, no .env of the repository."""
    import os

    for name in list(os.environ):
        if name.startswith("NEWS_") or name in settings.STANDARD_NAMES:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_any_variable_everything_is_embedded() -> None:
    found = settings.load()

    assert found.kafka.bootstrap_servers is None
    assert found.database.url is None
    assert found.data_dir == Path(".news")


def test_a_setting_is_named_by_its_group_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_KAFKA__BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("NEWS_DATA_DIR", "/var/lib/news")
    monkeypatch.setenv("NEWS_DEDUP__WINDOW_DAYS", "3.5")

    found = settings.load()

    assert found.kafka.bootstrap_servers == "kafka-1:9092,kafka-2:9092"
    assert found.data_dir == Path("/var/lib/news")
    assert found.dedup.window_days == 3.5


def test_the_environment_counts_more_than_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("NEWS_KAFKA__PARTITIONS=8\nNEWS_NLP__PROCESSES=2\n", encoding="utf-8")
    monkeypatch.setenv("NEWS_KAFKA__PARTITIONS", "16")

    found = settings.load()

    assert (found.kafka.partitions, found.nlp.processes) == (16, 2)


def test_the_names_of_other_software_are_taken_where_ours_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "theirs:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs/news")
    monkeypatch.setenv("NEWS_DATABASE__URL", "postgresql://ours/news")

    found = settings.load()

    assert found.kafka.bootstrap_servers == "theirs:9092"
    assert found.database.url is not None
    assert found.database.url.get_secret_value() == "postgresql://ours/news"


WRONG = {
    "a word for a number": ("NEWS_KAFKA__PARTITIONS", "many", "NEWS_KAFKA__PARTITIONS: ", "(it is 'many')"),
    "a number out of range": ("NEWS_DEDUP__WINDOW_DAYS", "0", "NEWS_DEDUP__WINDOW_DAYS: ", "(it is '0')"),
    "a word that is none of the words": ("NEWS_LOG__LEVEL", "LOUD", "NEWS_LOG__LEVEL: ", "(it is 'LOUD')"),
    "a name that is no setting": ("NEWS_KAFKA__PARTITION", "3", "NEWS_KAFKA__PARTITION: ", "no such setting"),
    "a group that is no group": ("NEWS_KAFKA", "kafka:9092", "NEWS_* variable cannot be read", "kafka"),
}


@pytest.mark.parametrize(("name", "value", "said", "also_said"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_setting_is_named_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str, also_said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingError) as caught:
        settings.load()

    assert said in str(caught.value)
    assert also_said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEWS_DATABASE", "postgresql://news:hunter2@db/news"),
        ("NEWS_DATABASE", '"postgresql://news:hunter2@db/news"'),
        ("NEWS_DATABASE", '{"url": ["postgresql://news:hunter2@db/news"]}'),
        ("NEWS_DATABASE__PASSWORD", "hunter2"),
        ("NEWS_DATABASE__URL__PASSWORD", "hunter2"),
    ],
)
def test_a_secret_stands_in_no_error(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingError) as caught:
        settings.load()

    assert "hunter2" not in str(caught.value)
    assert "database" in str(caught.value).lower()


def test_a_secret_stands_in_no_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL", "postgresql://news:hunter2@db/news")

    found = settings.load()

    assert "hunter2" not in f"{found!r} {found} {found.model_dump_json()}"


def test_variables_that_no_setting_reads_are_found() -> None:
    environment = {
        "NEWS_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
        "NEWS_KAFKA": "{}",
        "NEWS_DATA_DIR": "/tmp",
        "NEWS_READY_FILE": "/tmp/ready",
        "NEWS_TEST_KAFKA": "kafka:9092",
        "NEWS_KAFKA_BOOTSTRAP_SERVERS": "one underscore",
        "NEWS_DATADIR": "/tmp",
        "PATH": "/bin",
    }

    assert settings.unknown_variables(environment) == ["NEWS_DATADIR", "NEWS_KAFKA_BOOTSTRAP_SERVERS"]
