import traceback
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

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
        ("NEWS_DATABASE__PASSWRD", "hunter2"),
        ("NEWS_DATABASE__URL__PASSWORD", "hunter2"),
    ],
)
def test_a_secret_stands_in_no_error(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingError) as caught:
        settings.load()

    assert "hunter2" not in str(caught.value)
    assert "database" in str(caught.value).lower()


NO_URLS = {
    "a % that stands for itself": "postgresql://news:S3CR3T%zz@db/news",
    "a blank": "postgresql://news:S3CR3T pw@db/news",
    "another database": "mysql://news:S3CR3T@db/news",
    "no scheme": "news:S3CR3T@db/news",
    "a / after letters, read as a port": "postgresql://news:S3CR3T/pw@db/news",
    "a / after digits, read as a database": "postgresql://news:1/S3CR3T@db/news",
    "an @, read as a host": "postgresql://news:pw@S3CR3T@db/news",
    "libpq's form, broken": "host=db user=news S3CR3T",
    "bytes that are no text": "postgresql://news:S3CR3T\udcff@db/news",
}


@pytest.mark.parametrize("url", NO_URLS.values(), ids=list(NO_URLS))
@pytest.mark.parametrize("password", ["", "hunter2"])
def test_a_malformed_url_is_refused_without_any_part_of_it(
    monkeypatch: pytest.MonkeyPatch, url: str, password: str
) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL", url)
    monkeypatch.setenv("NEWS_DATABASE__PASSWORD", password)

    with pytest.raises(SettingError, match="NEWS_DATABASE__URL") as caught:
        settings.load()

    said = "".join(traceback.format_exception(caught.value))
    assert "S3CR3T" not in said
    assert "hunter2" not in said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://news:p%40s%2Fs@db1:5432,db2:5433/news",
        "postgresql://news:pw@db1,[::1]:5433/news?target_session_attrs=read-write",
        "postgresql:///news?host=/run/postgresql",
        "host=db1,db2 port=5432, user=news password='p@s/s%' dbname=news",
    ],
)
def test_every_form_that_libpq_reads_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL", url)

    assert url_of(settings.load()) == url


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


def test_the_nearest_name_is_said_of_the_environment_and_of_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("NEWS_KAFKA_PARTITIONS=3\nOTHERS=1\n", encoding="utf-8")
    monkeypatch.setenv("NEWS_DATADIR", "x")
    monkeypatch.setenv("NEWS_SOMETHING_ELSE", "x")

    assert settings.unknown() == [
        "NEWS_DATADIR is no setting (did you mean NEWS_DATA_DIR?): see `news config show`.",
        "NEWS_KAFKA_PARTITIONS in .env is no setting (did you mean NEWS_KAFKA__PARTITIONS?): see `news config show`.",
        "NEWS_SOMETHING_ELSE is no setting: see `news config show`.",
    ]


def test_an_env_file_that_is_no_text_is_named() -> None:
    Path(".env").write_bytes(b"NEWS_DATA_DIR=\xff\n")

    with pytest.raises(SettingError, match=r"\.env is not UTF-8"):
        settings.load()


def url_of(found: settings.Settings) -> str | None:
    return found.database.url.get_secret_value() if found.database.url else None


URL = "postgresql://news@db:5432/news"


def secret_file(content: bytes = b"s3cret\n", name: str = "password") -> str:
    path = Path(name).absolute()
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("content", [b"s3cret", b"s3cret\n", b"s3cret\r\n", b"\xef\xbb\xbfs3cret\n"])
def test_a_secret_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL", URL)
    monkeypatch.setenv("NEWS_DATABASE__PASSWORD_FILE", secret_file(content))

    assert url_of(settings.load()) == "postgresql://news:s3cret@db:5432/news"


def test_every_secret_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.secrets():
        monkeypatch.setenv(name + "_FILE", secret_file(f"{URL}/{name}".encode(), name))
    found = settings.Settings()

    for name, (group, field) in settings.secrets().items():
        assert getattr(getattr(found, group), field).get_secret_value() == f"{URL}/{name}"


def test_the_file_of_a_secret_can_stand_in_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    path = secret_file(URL.encode(), "url")
    Path(".env").write_text(f"NEWS_DATABASE__URL_FILE={path}\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs/news")

    assert url_of(settings.load()) == URL
    assert settings.secret_sources() == {"NEWS_DATABASE__URL": f"NEWS_DATABASE__URL_FILE={path}"}


def test_an_empty_variable_takes_back_what_the_env_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f"NEWS_DATABASE__PASSWORD_FILE={secret_file()}\n", encoding="utf-8")
    monkeypatch.setenv("NEWS_DATABASE__URL", "postgresql://news:own@db/news")
    monkeypatch.setenv("NEWS_DATABASE__PASSWORD_FILE", "")

    assert url_of(settings.load()) == "postgresql://news:own@db/news"
    assert settings.secret_sources() == {}


WRONG_FILES = {
    "not there": (None, "is not there"),
    "empty": (b"", "is empty"),
    "an empty line": (b" \n", "is empty"),
    "two lines": (b"s3cret\nhunter2\n", "more than one line"),
    "no text": (b"\xff\xfes3cret", "is not UTF-8"),
    "too large": (b"s3cret" * 20_000, "more than 65,536 bytes"),
}


@pytest.mark.parametrize(("content", "said"), WRONG_FILES.values(), ids=list(WRONG_FILES))
def test_a_file_that_holds_no_secret_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    path = "/nowhere/password" if content is None else secret_file(content)
    monkeypatch.setenv("NEWS_DATABASE__URL", URL)
    monkeypatch.setenv("NEWS_DATABASE__PASSWORD_FILE", path)

    with pytest.raises(SettingError) as caught:
        settings.load()

    assert str(caught.value).startswith(f"NEWS_DATABASE__PASSWORD_FILE: {path} ")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pasted", ["hunter2", "postgresql://news:hunter2@db/news", "hunter2/+=", "hunter2" * 100])
def test_a_secret_where_its_file_belongs_is_not_shown(monkeypatch: pytest.MonkeyPatch, pasted: str) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL_FILE", pasted)

    with pytest.raises(SettingError, match="NEWS_DATABASE__URL_FILE: what it has is no path of a file") as caught:
        settings.load()

    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_folder_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL_FILE", str(tmp_path))

    with pytest.raises(SettingError, match=f"NEWS_DATABASE__URL_FILE: {tmp_path} cannot be read: Is a directory"):
        settings.load()


BOTH = {
    "the secret and its file": {"NEWS_DATABASE__URL": URL, "NEWS_DATABASE__PASSWORD": "s3cret", "file": "yes"},
    "a password in the URL": {"NEWS_DATABASE__URL": "postgresql://news:s3cret@db/news", "file": "yes"},
    "a password behind the URL": {"NEWS_DATABASE__URL": "postgresql://news@db/news?password=s3cret", "file": "yes"},
    "no URL": {"file": "yes"},
    "what is no URL": {"NEWS_DATABASE__URL": "host=db s3cret", "file": "yes"},
}


@pytest.mark.parametrize("given", BOTH.values(), ids=list(BOTH))
def test_what_contradicts_a_password_is_said(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name, value in given.items():
        monkeypatch.setenv(*("NEWS_DATABASE__PASSWORD_FILE", secret_file()) if name == "file" else (name, value))

    with pytest.raises(SettingError) as caught:
        settings.load()

    assert "NEWS_DATABASE__" in str(caught.value)
    assert "s3cret" not in str(caught.value)


PASSWORD = "a b/c@d:e?f#g%20'h\\ü"
URLS = [
    "postgresql://news@db:5432/news",
    "postgres://news@[::1]:5432/news?sslmode=require&application_name=a@b",
    "postgresql://news:@db/news",
    "postgresql://db/news?application_name=a@b",
    "postgresql://n%40ws@db1:1,db2:2/news",
    "postgresql:///news?host=/run/postgresql&user=news",
    "host=db user=news dbname=news",
    "dbname='a b' host=/run/postgresql",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_put_into_the_url_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("NEWS_DATABASE__URL", url)
    monkeypatch.setenv("NEWS_DATABASE__PASSWORD", PASSWORD)

    finished = url_of(settings.load())

    assert finished is not None
    assert conninfo_to_dict(finished) == conninfo_to_dict(url) | {"password": PASSWORD}
    assert ("://" in finished) == ("://" in url)
