"""`news sources`: the commands as a person types them, against a server of strangers, and what they work with."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ops import doctor, source_check, sources
from ops.sources import Import, Names
from pipeline.records import SourceState
from pipeline.settings import DatabaseSettings, ProducerSettings, Settings
from producers.formats.opml import Subscription
from producers.sources import declared, poll
from producers.sources.declared import Source
from producers.sources.state import REMOVED, SourceStore
from producers.spool import Spool
from sinks import postgres
from sinks.database import connect
from tests.running import REPOSITORY, Outcome, clean_environment
from tests.sinks import samples
from tests.strangers import Strangers, conditional, fixed, page, redirect, status

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: `news` again and again in one process, which imports everything once; as `main` does it, exit code and all.
DRIVER = """
import contextlib, io, json, os, sys
from ops.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["environment"])
    sys.argv = ["news", *asked["arguments"]]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
News = Callable[..., Outcome]


@pytest.fixture(scope="module")
def driver() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=REPOSITORY,
        env=clean_environment(COLUMNS="500", NEWS_EXTRACTION__PROCESSES="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def news(driver: subprocess.Popen[str], tmp_path: Path, strangers: Strangers) -> News:
    """Runs one command on a folder of its own; it may fetch from the strangers and from nobody else."""
    environment = {
        "NEWS_DATA_DIR": str(tmp_path / "data"),
        "NEWS_PRODUCERS__FEEDS": str(tmp_path / "feeds.toml"),
        "NEWS_FETCH__ALLOW_ADDRESSES": f"{strangers.host}/32",
        "NEWS_FETCH__PORTS": str(strangers.port),
        "NEWS_FETCH__HOST_DELAY_SECONDS": "0",
        "NEWS_FETCH__TIMEOUT_SECONDS": "5",
    }
    (tmp_path / "feeds.toml").touch()

    def run(*arguments: str) -> Outcome:
        assert driver.stdin is not None
        assert driver.stdout is not None
        driver.stdin.write(json.dumps({"arguments": ["sources", *arguments], "environment": environment}) + "\n")
        driver.stdin.flush()
        return Outcome(*json.loads(driver.stdout.readline()))

    return run


def feed(strangers: Strangers) -> str:
    def item(number: int, text: str) -> str:
        return (
            f"<item><guid>n{number}</guid><title>Item {number}</title><link>{strangers.url}/{number}</link>"
            f"<pubDate>Sun, 0{number} Mar 2026 10:00:00 GMT</pubDate><description>{text}</description></item>"
        )

    items = item(1, "A teaser.") + item(2, "Another one.")
    body = f'<rss version="2.0"><channel><title>Wire</title><language>nb</language>{items}</channel></rss>'
    return strangers.at("/feed", conditional(body, etag='"1"'))


def names(tmp_path: Path) -> dict[str, str]:
    return {source.name: source.url for source in declared.read(tmp_path / "feeds.toml")}


def test_a_check_says_what_came_and_what_would_be_made_of_it_and_feeds_nothing(
    news: News, strangers: Strangers, tmp_path: Path
) -> None:
    moved = strangers.at("/moved", redirect(feed(strangers), 301))

    checked = news("check", moved, "--json")

    assert checked.status == 0, checked.err
    (found,) = checked.rows()
    assert (found["kind"], found["title"], found["content_type"]) == ("an RSS feed", "Wire", "application/rss+xml")
    assert (found["entries"], found["full_texts"], found["dated"], found["languages"]) == (2, 0, 2, ["nb"])
    assert (found["oldest"], found["newest"]) == ("2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z")
    assert (found["articles"], found["pages"], found["dead_letters"]) == (0, 2, 0)
    assert found["moved_to"] == found["answered_by"] == f"{strangers.url}/feed"
    assert found["conditional_get"] == "says that nothing has changed (ETag)"
    assert found["robots"] == "of 127.0.0.1 allows it"
    assert not (tmp_path / "data").exists()


def test_a_page_is_added_by_the_feed_that_it_names_and_once(news: News, strangers: Strangers, tmp_path: Path) -> None:
    address = feed(strangers)
    head = '<html><head><link rel="alternate" type="application/rss+xml" href="/feed"></head><body>Hello</body></html>'
    site = strangers.at("/", page(head))

    added = news("add", site, "--language", "nb")
    again = news("add", address, "--no-check")

    assert (added.status, added.out) == (0, "127.0.0.1\n"), added.err
    assert f"is a page; its feed: {address}" in added.err
    assert (again.status, again.err) == (2, f"error: {address} is there already, as '127.0.0.1'.\n")
    assert declared.read(tmp_path / "feeds.toml") == (Source("127.0.0.1", address, language="nb"),)


ROBOTS = fixed("User-agent: *\nDisallow: /secret", "text/plain")


@pytest.mark.parametrize(
    ("path", "behaviour", "code", "says"),
    [
        ("/gone", status(410), 1, "gone for good"),
        ("/nothing", status(404), 1, "has nothing at this address"),
        ("/down", status(503), 69, "503"),
        ("/picture", fixed(b"\x89PNG\r\n", "image/png"), 1, "image/png"),
        ("/page", page("<html><body>No feed here</body></html>"), 1, "feed"),
        ("/secret", fixed("<rss/>"), 1, "forbids"),
        ("/loop", redirect("/loop"), 1, "redirect"),
        ("/inside", redirect("http://10.1.2.3/feed"), 1, "10.1.2.3"),
    ],
)  # fmt: skip
def test_what_would_not_work_is_said_in_a_sentence_and_not_added(
    news: News, strangers: Strangers, tmp_path: Path, path: str, behaviour: Any, code: int, says: str
) -> None:
    strangers.at("/robots.txt", ROBOTS)
    url = strangers.at(path, behaviour)

    checked, added = news("check", url), news("add", url)

    assert (checked.status, added.status) == (code, code)
    assert says in checked.out
    assert "does not work" in checked.out
    assert "not added" in added.err
    assert "Traceback" not in checked.err + added.err
    assert names(tmp_path) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "wire"), "'wire' is neither a web address nor a source"),
        (("check", "ftp://a.example/"), "'ftp://a.example/' is no web address"),
        (("add", "a.example/feed"), "'a.example/feed' is no web address"),
        (("add", "https://me:secret@a.example/"), "user or password"),
        (("add", "https://a.example/", "--no-check", "--name", "a\u200b"), "nothing invisible"),
        (("disable", "nobody"), "There is no source 'nobody'"),
        (("enable", "nobody"), "There is no source 'nobody'"),
        (("poll-now", "nobody"), "There is no source 'nobody'"),
        (("poll-now",), "Name a source, or say --all."),
        (("import", "nowhere.opml"), "nowhere.opml cannot be read"),
        (("import", "pyproject.toml"), "This is no OPML"),
    ],
)
def test_what_cannot_be_meant_is_refused(news: News, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    refused = news(*arguments)

    assert refused.status == 2
    assert says in refused.err
    assert "secret" not in refused.err
    assert names(tmp_path) == {}


def test_a_name_is_asked_for_as_it_is_declared(news: News, strangers: Strangers, tmp_path: Path) -> None:
    declared.append(tmp_path / "feeds.toml", [Source("wire", strangers.at("/gone", status(410)))])

    checked = news("check", "wire")

    assert (checked.status, strangers.count("/gone")) == (1, 1)


def outline(number: int, name: str = "World") -> str:
    return f'<outline type="rss" text="{name}" xmlUrl="https://s{number}.example/feed"/>'


def test_a_list_of_feeds_is_added_each_once_under_a_name_of_its_own(news: News, tmp_path: Path) -> None:
    declared.append(tmp_path / "feeds.toml", [Source("World 2", "https://www.s1.example/feed/")])
    outlines = (
        outline(1) + outline(2) + outline(3) + outline(4, "") + '<outline text="x" xmlUrl="http://u:p@a.example/"/>'
    )
    (tmp_path / "feeds.opml").write_text(f'<opml version="2.0"><body>{outlines}</body></opml>', encoding="utf-8")

    added = news("import", str(tmp_path / "feeds.opml"))
    again = news("import", str(tmp_path / "feeds.opml"))

    assert (added.status, again.status) == (0, 0), added.err
    assert "3 added to" in added.err
    assert "1 are there already" in added.err
    assert "1 are no web addresses" in added.err
    assert "0 added to" in again.err
    assert names(tmp_path) == {
        "World 2": "https://www.s1.example/feed/",
        "World": "https://s2.example/feed",
        "World 3": "https://s3.example/feed",
        "s4.example": "https://s4.example/feed",
    }


def test_ten_thousand_feeds_are_imported(news: News, tmp_path: Path) -> None:
    body = "".join(outline(number) for number in range(10_000))
    (tmp_path / "feeds.opml").write_text(f'<opml version="2.0"><body>{body}</body></opml>', encoding="utf-8")

    added = news("import", str(tmp_path / "feeds.opml"))

    assert "10,000 added to" in added.err
    assert len(names(tmp_path)) == 10_000


def test_a_source_is_listed_disabled_enabled_and_asked_for(news: News, tmp_path: Path) -> None:
    declared.append(tmp_path / "feeds.toml", [Source(name, f"https://{name}.example/") for name in ("a", "b")])

    before = news("list", "--json").rows()
    statuses = [news(*what).status for what in (("disable", "a"), ("poll-now", "b"))]
    disabled = news("list", "--json").rows()
    enabled = news("enable", "a").status
    table = news("list")

    assert before == [
        {"name": "a", "url": "https://a.example/", "state": "new"},
        {"name": "b", "url": "https://b.example/", "state": "new"},
    ]
    assert (statuses, enabled) == ([0, 0], 0)
    assert [(row["name"], row["state"], row["reason"]) for row in disabled] == [
        ("a", "disabled", "It was disabled by `news sources disable`."),
        ("b", "new", None),
    ]
    assert [line.split()[:2] for line in table.out.splitlines()[1:]] == [["a", "new"], ["b", "new"]]
    with Spool(tmp_path / "data" / "spool", 2**30) as spool:
        assert sorted(SourceStore(spool).requested()) == ["a", "b"]
    assert news("list", "--alarm").err.strip() == "no such source"


def test_all_sources_that_are_polled_are_asked_for(news: News, tmp_path: Path) -> None:
    there = [Source("a", "https://a.example/"), Source("b", "https://b.example/", enabled=False)]
    declared.append(tmp_path / "feeds.toml", there)

    assert news("poll-now", "--all").err.strip() == "1 to be polled"


def test_a_file_that_cannot_be_read_is_said_by_every_command(news: News, tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text("[[source]]\nurl = 3", encoding="utf-8")

    for arguments in (("list",), ("add", "https://a.example/", "--no-check"), ("disable", "a")):
        outcome = news(*arguments)

        assert outcome.status == 2
        assert "source 1, name: is missing" in outcome.err


@pytest.mark.services
def test_a_machine_that_polls_nothing_lists_what_postgresql_knows(database_url: str, tmp_path: Path) -> None:
    said = samples.source_state("wire", 1, alarm="quiet", alarm_since=samples.at(0), interval_seconds=60.0)
    with connect(database_url, 30) as connection:
        postgres.write_batch(connection, samples.Feed().incoming(said))
    feeds = tmp_path / "feeds.toml"
    settings = Settings(
        data_dir=tmp_path / "data",
        database=DatabaseSettings(url=SecretStr(database_url)),
        producers=ProducerSettings.model_construct(feeds=feeds, _fields_set=set()),  # as if it was not named
        _env_file=None,
    )

    assert [line.state for line in sources.listed(settings)] == [said]
    feeds.touch()
    assert sources.listed(settings) == []
    assert not settings.data_dir.exists()


# The pure parts.


def test_a_new_source_is_called_by_its_site_then_with_its_path_then_with_a_number() -> None:
    given = Names(["b.example"])

    assert [given.new(f"https://www.a.example/{path}") for path in ("world/", "sport", "sport", "sport?x")] == [
        "a.example",
        "a.example/sport",
        "a.example 2",
        "a.example 3",
    ]
    assert given.new("https://b.example/") == "b.example 2"
    assert given.new("https://c.example/", " The\u202e\n Wire ") == "The Wire"
    assert given.new("https://c.example/", "The Wire") == "The Wire 2"
    assert len(given.new("https://c.example/", "x" * 500)) <= declared.MAX_NAME


def test_an_import_counts_what_it_leaves_out() -> None:
    given = [Subscription("A", url, "") for url in ("https://a.example/", "http://www.a.example", "mailto:x")]

    assert sources.imported(given, []) == Import(
        (Source("A", "https://a.example/"),),
        doubles=1,
        refused=("'mailto:x' is no web address: http:// or https://, a host, no spaces",),
    )


def state(name: str, **fields: Any) -> SourceState:
    given = {"kind": "feed", "url": "https://a.example/", "declared_url": "https://a.example/", "changed_at": NOON}
    return SourceState(name=name, **{"state": "ok", "polled_at": NOON, "succeeded_at": NOON, **given, **fields})


def test_what_is_wrong_with_a_source_is_said_when_a_person_can_do_something() -> None:
    old = NOON - timedelta(days=1, minutes=1)
    states = [
        state("fine"),
        state("off", state="disabled", alarm="quiet", alarm_since=old),
        state("removed", state="gone", reason=REMOVED),
        state("since an hour", state="failing", failures=3, succeeded_at=NOON - timedelta(hours=1), reason="Slow."),
        state("gone", state="gone", reason="The server says so."),
        state("long", state="failing", failures=30, succeeded_at=old, reason="Slow."),
        state("never", state="failing", failures=1, succeeded_at=None, reason="Slow."),
        state("quiet", alarm="quiet", alarm_since=old),
    ]

    assert list(sources.problems(states, NOON)) == [
        ("gone", "It is polled no more: The server says so."),
        ("long", "It fails since 2026-02-28 11:59: Slow."),
        ("never", "It fails ever since it is polled: Slow."),
        ("quiet", "quiet: nothing new for longer than usual, since 2026-02-28 11:59."),
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (0, []),
        (5, [(f"source {n}", "Bad.") for n in range(5)]),
        (
            1006,
            [
                *((f"source {n}", "Bad.") for n in range(5)),
                ("sources", "1,001 more have something wrong: see `news sources list`."),
            ],
        ),
    ],
)
def test_many_problems_are_a_few_lines(wrong: int, said: list[tuple[str, str]]) -> None:
    assert list(sources.shortened((str(n), "Bad.") for n in range(wrong))) == said


def test_doctor_says_what_is_wrong_with_the_file_of_sources(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, producers=ProducerSettings(feeds=tmp_path / "feeds.toml"), _env_file=None)

    (finding,) = doctor.of_sources(settings)

    assert (finding.check, finding.state) == ("sources", "wrong")
    assert "feeds.toml cannot be read: No such file" in finding.detail
    assert list(tmp_path.iterdir()) == []


def test_a_row_of_the_list_is_short() -> None:
    line = sources.Listed(
        "wire", "https://a.example/", state("wire", interval_seconds=5400, known_share=0.956, entries=30, failures=0)
    )

    assert line.as_row() == {
        "name": "wire",
        "state": "ok",
        "alarm": None,
        "last poll": "2026-03-01 12:00",
        "next poll": None,
        "every": "1.5 h",
        "entries": 30,
        "known": "96%",
        "failures": None,
        "reason": None,
    }


def test_a_check_that_shows_a_bug_says_so_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> None:
        raise TypeError("what nobody thought of")

    monkeypatch.setattr(poll, "ask", ask)

    found = source_check.check(Source("a", "https://a.example/"), Settings())

    assert found.failed == "What came could not be handled (TypeError: what nobody thought of); this is a bug."


def test_a_command_in_another_folder_takes_no_source_away(news: News, tmp_path: Path) -> None:
    declared.append(tmp_path / "feeds.toml", [Source("a", "https://a.example/"), Source("b", "https://b.example/")])
    assert news("disable", "a").status == 0
    (tmp_path / "feeds.toml").write_text("", encoding="utf-8")  # as if it were not there

    assert news("enable", "a").status == 0
    assert [row["state"] for row in news("list", "--json").rows()] == ["new", "new"]
