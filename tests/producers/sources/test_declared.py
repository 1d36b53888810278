"""feeds.toml: what may stand in it, what is said of what may not, and what `append` does to a file."""

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingError
from pipeline.settings import ProducerSettings, Settings
from producers.sources import declared
from producers.sources.declared import Source

WIRE = '[[source]]\nname = "wire"\nurl = "https://wire.example/feed"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feeds.toml"


def test_a_source_is_a_name_and_an_address_and_the_rest_has_defaults(path: Path) -> None:
    path.write_text(WIRE, encoding="utf-8")

    assert declared.read(path) == (
        Source(
            name="wire",
            url="https://wire.example/feed",
            kind="feed",
            enabled=True,
            language=None,
            full_text="auto",
            min_interval_seconds=300,
            max_interval_seconds=86_400,
            max_entries=100,
        ),
    )


def test_every_key_is_taken(path: Path) -> None:
    path.write_text(
        WIRE + 'kind = "sitemap"\nenabled = false\nlanguage = "pt-BR"\nfull_text = "page"\n'
        "min_interval_seconds = 60\nmax_interval_seconds = 3600.5\nmax_entries = 10\n",
        encoding="utf-8",
    )

    assert declared.read(path) == (
        Source("wire", "https://wire.example/feed", "sitemap", False, "pt-BR", "page", 60, 3600.5, 10),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WIRE + "every = 5\n", "source 1 ('wire'): there is no key 'every'; there are name, url, kind, enabled, "),
        ('[[source]]\nurl = "https://a.example"', "source 1, name: is missing."),
        ('[[source]]\nname = 3\nurl = "https://a.example"', "source 1, name: Input should be a valid string."),
        (WIRE + 'kind = "rss"', "source 1 ('wire'), kind: Input should be 'feed' or 'sitemap'."),
        (WIRE + 'enabled = "no"', "source 1 ('wire'), enabled: Input should be a valid boolean."),
        (WIRE + "min_interval_seconds = 0", "min_interval_seconds: Input should be greater than or equal to 1."),
        (WIRE + 'max_interval_seconds = "1h"', "max_interval_seconds: Input should be a valid number."),
        (WIRE + "max_interval_seconds = 299", "source 1 ('wire'): min_interval_seconds is above max_interval_seconds."),
        (WIRE + "max_entries = 1.5", "max_entries: Input should be a valid integer"),
        (WIRE + 'language = "English"', "'English' is no language tag, as en, nb or pt-BR."),
        ('[[source]]\nname = " a"\nurl = "https://a.example"', "name: a name has nothing invisible in it"),
        ('[[source]]\nname = "a\\u202e"\nurl = "https://a.example"', "name: a name has nothing invisible in it"),
        ('[[source]]\nname = ""\nurl = "https://a.example"', "name: String should have at least 1 character."),
        ('[[source]]\nname = "a"\nurl = "a.example/feed"', "url: 'a.example/feed' is no web address: http://"),
        ('[[source]]\nname = "a"\nurl = "file:///etc/passwd"', "is no web address: http:// or https://, a host"),
        ('[[source]]\nname = "a"\nurl = "http://a.example:port/"', "is no web address: Port could not be cast"),
        ('[[source]]\nname = "a"\nurl = "https://me:secret@a.example/"', "user or password would be shown"),
        (WIRE + WIRE.replace("wire.example", "b.example"), "source 2 ('wire'): source 1 has this name already."),
        (
            WIRE + '[[source]]\nname = "b"\nurl = "http://www.wire.example/feed/?utm_source=x"',
            "source 2 ('b'): source 1 ('wire') has this address already: http://www.wire.example/feed/?utm_source=x.",
        ),
        ("sources = []\n", "'sources' is nothing that the file can have: only [[source]] tables."),
        ("[source]\n", "'source' is one table or value: write [[source]], in two brackets."),
        ("source = [1]\n", "source 1: must be a table."),
        ("[[source]\n", "is no TOML: Expected ']]' at the end of an array declaration (at line 1, column 9)."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_of_the_table_that_has_it(path: Path, text: str, says: str) -> None:
    path.write_text(text, encoding="utf-8")

    with pytest.raises(SettingError) as wrong:
        declared.read(path)

    assert str(wrong.value).startswith(f"NEWS_PRODUCERS__FEEDS: {path}")
    assert says in str(wrong.value)
    assert "secret" not in str(wrong.value)


def test_several_problems_are_counted(path: Path) -> None:
    path.write_text("[[source]]\n[[source]]\n", encoding="utf-8")

    with pytest.raises(SettingError, match=r"source 1, name: is missing \(and 3 more\)\."):
        declared.read(path)


@pytest.mark.parametrize(("data", "says"), [(b"\xff", "is not UTF-8"), (b"a=" + b"[" * 5000, "nested too deep")])
def test_a_file_that_nobody_wrote_is_refused(path: Path, data: bytes, says: str) -> None:
    path.write_bytes(data)

    with pytest.raises(SettingError, match=says):
        declared.read(path)


def test_the_default_file_may_be_missing_and_one_that_is_named_may_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)

    assert declared.of(Settings(_env_file=None)) == ()
    with pytest.raises(SettingError, match="cannot be read: No such file"):
        declared.of(Settings(producers=ProducerSettings(feeds=path), _env_file=None))

    path.write_text(WIRE, encoding="utf-8")
    assert [source.name for source in declared.of(Settings(_env_file=None))] == ["wire"]


names = st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable() and text == text.strip())


@given(st.lists(names, max_size=5, unique=True))
def test_what_is_appended_is_read_again_whatever_the_names(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("feeds") / "feeds.toml"
    sources = tuple(
        Source(name, f"https://{n}.example/?q=é", "sitemap", False, "nb", "page", 1.5, 2.5, 3)
        for n, name in enumerate(names)
    )

    declared.append(path, sources)

    assert declared.read(path) == sources


def test_appending_keeps_comments_and_order_and_rights_and_the_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text(f"# mine\n{WIRE}# the end", encoding="utf-8")
    real.chmod(0o640)
    path.symlink_to(real)

    declared.append(path, [Source("b", "https://b.example/feed", language="nb")])

    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_text(encoding="utf-8") == (
        f'# mine\n{WIRE}# the end\n\n[[source]]\nname = "b"\nurl = "https://b.example/feed"\nlanguage = "nb"\n'
    )
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize("there", [WIRE, "source = []\n", "broken ["], ids=["a double", "a plain array", "no TOML"])
def test_what_would_not_be_right_is_not_written(path: Path, there: str) -> None:
    path.write_text(there, encoding="utf-8")

    with pytest.raises(SettingError):
        declared.append(path, [Source("wire", "https://other.example/feed")])

    assert path.read_text(encoding="utf-8") == there


def test_those_who_append_at_once_lose_nothing_and_readers_see_whole_files(path: Path) -> None:
    declared.append(path, [])
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(len(declared.read(path)))

    def append(writer: int) -> None:
        for n in range(10):
            declared.append(path, [Source(f"{writer}-{n}", f"https://w{writer}.example/{n}")])

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=append, args=(n,)) for n in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    assert len(declared.read(path)) == 40
    assert seen == sorted(seen)


def test_ten_thousand_sources_are_appended_and_read(path: Path) -> None:
    sources = [Source(f"source {n}", f"https://s{n}.example/feed") for n in range(10_000)]

    declared.append(path, sources)

    assert declared.read(path) == tuple(sources)
    assert list(path.parent.iterdir()) == [path]
