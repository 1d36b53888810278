"""The producers together, with a broker that is away."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import ExtractionSettings, ProducerSettings, Settings
from producers import extraction, run
from producers.sources.state import SourceStore
from tests import strangers as they
from tests.producers import weak
from tests.producers.sources.samples import item, rss
from tests.strangers import Strangers

DEADLINE_SECONDS = 60


@pytest.fixture
def nobody() -> str:
    """An address at which no broker is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def settings_of(tmp_path: Path, feeds: Path, strangers: Strangers) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        producers=ProducerSettings(feeds=feeds),
        fetch=strangers.settings(),
        extraction=ExtractionSettings(processes=1),
    )


def test_sources_are_polled_and_inboxes_watched_though_kafka_is_away(
    tmp_path: Path, strangers: Strangers, nobody: str
) -> None:
    url = strangers.at("/feed", they.fixed(rss(item("e1"))))
    feeds, inbox, stop = tmp_path / "feeds.toml", tmp_path / "inbox", threading.Event()
    feeds.write_text(f'[[source]]\nname = "a"\nurl = "{url}"\n', encoding="utf-8")
    inbox.mkdir()
    (inbox / "b.txt").write_text("The harbour of Larvik opens later.", encoding="utf-8")
    settings = settings_of(tmp_path, feeds, strangers)

    with ThreadPoolExecutor(1) as executor, run.open_spool(settings) as spool:
        running = executor.submit(run.run, nobody, settings, [inbox], stop)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while spool.held().records < 4 and time.monotonic() < deadline and not running.done():
            time.sleep(0.01)
        stop.set()
        running.result(DEADLINE_SECONDS)
        waiting = sorted(spooled.row.topic for spooled in spool.read_after(0, 100, 10**9))
        (standing,) = SourceStore(spool).all()

    # The source is told of when it is taken up, and again after its poll.
    assert waiting == ["articles.raw", "articles.raw", "articles.sources", "articles.sources"]
    assert standing.new_entries == 1


def test_a_feeds_toml_that_is_wrong_is_said_at_the_start(tmp_path: Path, strangers: Strangers, nobody: str) -> None:
    settings = settings_of(tmp_path, tmp_path / "missing.toml", strangers)

    with pytest.raises(SettingError, match=r"missing\.toml cannot be read"):
        run.run(nobody, settings, [], threading.Event())


def test_a_page_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, strangers: Strangers, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    monkeypatch.setattr(run, "ExtractionPool", lambda settings: extraction.ExtractionPool(settings, weak.load))
    feeds, inbox = tmp_path / "feeds.toml", tmp_path / "inbox"
    feeds.touch()
    inbox.mkdir()
    (inbox / "a.html").write_text("<p>The harbour of Larvik opens later.</p>", encoding="utf-8")
    (inbox / "b.html").write_text("<p>HANG</p>", encoding="utf-8")
    settings = settings_of(tmp_path, feeds, strangers).model_copy(
        update={"extraction": ExtractionSettings(processes=1, seconds_per_page=120)}
    )

    with ThreadPoolExecutor(1) as executor, run.open_spool(settings) as spool:
        running = executor.submit(run.run, nobody, settings, [inbox], stop)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while spool.held().records < 1 and time.monotonic() < deadline and not running.done():
            time.sleep(0.01)
        stop.set()
        running.result(DEADLINE_SECONDS)  # 120 seconds are not waited for

        assert spool.held().records == 1  # the other is read again at the next start
