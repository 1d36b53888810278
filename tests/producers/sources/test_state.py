import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline import identity, topics
from pipeline.errors import SettingError
from pipeline.records import SourceState
from producers.deliveries import Row
from producers.sources.state import BY_COMMAND, IN_FILE, REMOVED, SourceStore, Standing, host_of
from producers.spool import Spool
from tests.producers.sources.samples import NOW, entry, source

MAX_BYTES = 1024**3


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool", MAX_BYTES) as spool:
        yield spool


@pytest.fixture
def store(spool: Spool) -> SourceStore:
    return SourceStore(spool)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example:8080/x", "a.example"),
        ("https://a.example./x", "a.example"),
        ("http://[::1]/x", "::1"),
        ("http://victim.example\\@a.example/x", "victim.example"),  # which is who is asked
        ("mailto:a@b.example", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_the_line_of_an_address_is_that_of_the_host_that_is_asked(url: str, host: str) -> None:
    assert host_of(url) == host


def rows_in(spool: Spool) -> list[Row]:
    return [spooled.row for spooled in spool.read_after(0, 10**6, 10**12)]


def told(spool: Spool) -> list[SourceState]:
    return [SourceState.from_bytes(row.value) for row in rows_in(spool) if row.topic == topics.SOURCES]


def known(store: SourceStore, name: str) -> Standing:
    standing = store.get(name)
    assert standing is not None
    return standing


def test_a_source_of_feeds_toml_is_known_and_told_before_its_first_poll(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("a"), source("b", enabled=False)], NOW)

    assert [(s.name, s.disabled, s.next_poll_at) for s in store.all()] == [("a", None, None), ("b", IN_FILE, None)]
    assert store.due() == [("a", None, False)]
    assert [(state.name, state.state) for state in told(spool)] == [("a", "ok"), ("b", "disabled")]
    assert [row.key for row in rows_in(spool)] == [b"a", b"b"]


def test_what_has_not_changed_in_feeds_toml_is_not_told_again(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.take_up([source("a")], NOW + timedelta(days=1))

    assert len(told(spool)) == 1


def test_a_new_address_begins_anew_but_what_was_seen_stays_seen(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    after = replace(known(store, "a"), etag='"1"', failures=3, reason="away", next_poll_at=NOW, polled_at=NOW)
    store.keep_poll(after, now=NOW, seen=[entry("e1")])

    store.take_up([source("a", "https://a.example/new")], NOW)

    standing = known(store, "a")
    assert (standing.url, standing.etag, standing.failures, standing.next_poll_at) == (
        "https://a.example/new", None, 0, None,
    )  # fmt: skip
    assert store.seen("a", [entry("e1")])["e1"].says(entry("e1"))


def test_a_source_that_leaves_feeds_toml_is_gone_and_comes_back_as_it_was(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.keep_poll(replace(known(store, "a"), etag='"1"', polled_at=NOW), now=NOW, seen=[entry("e1")])

    store.take_up([], NOW)
    assert (known(store, "a").gone, store.due()) == (REMOVED, [])
    assert told(spool)[-1].state == "gone"

    store.take_up([source("a")], NOW)
    assert (known(store, "a").gone, known(store, "a").etag) == (None, '"1"')
    assert store.seen("a", [entry("e1")])


def test_a_source_that_left_long_ago_is_forgotten(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.keep_poll(replace(known(store, "a"), polled_at=NOW), now=NOW, seen=[entry("e1")])
    store.take_up([], NOW)
    store.take_up([], NOW + timedelta(days=61))

    assert store.all() == []
    assert store.seen("a", [entry("e1")]) == {}


def test_how_often_an_entry_said_something_else_is_counted(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    hour = timedelta(hours=1)

    for number, digest in enumerate(("one", "two", "two", "three")):
        store.keep_poll(known(store, "a"), now=NOW + number * hour, seen=[entry("e1", digest=digest)])

    seen = store.seen("a", [entry("e1")])["e1"]
    assert (seen.changes, seen.taken_at, seen.seen_at) == (2, NOW + 3 * hour, NOW + 3 * hour)
    store.keep_poll(known(store, "a"), now=NOW + 5 * hour, seen=[entry("e1", digest="three")])
    seen = store.seen("a", [entry("e1")])["e1"]
    assert (seen.changes, seen.taken_at, seen.seen_at) == (2, NOW + 3 * hour, NOW + 5 * hour)


def test_a_poll_is_kept_as_a_whole(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    article = Row(topics.RAW, b"k", b"v", [], identity.new_delivery_id())

    kept = store.keep_poll(
        replace(known(store, "a"), etag='"1"', polled_at=NOW, entries=2),
        now=NOW,
        rows=[article],
        seen=[entry("e1"), entry("e2")],
        pages=[entry("e2")],
    )

    assert kept
    assert [row.topic for row in rows_in(spool)] == [topics.SOURCES, topics.RAW, topics.SOURCES]
    assert set(store.seen("a", [entry("e1"), entry("e2"), entry("e3")])) == {"e1", "e2"}
    assert store.hosts_of_pages() == ["a.example"]
    assert known(store, "a").entries == told(spool)[-1].entries == 2


def test_of_a_poll_that_breaks_half_way_nothing_is_kept(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    before = rows_in(spool)
    article = Row(topics.RAW, b"k", b"v", [], identity.new_delivery_id())

    with pytest.raises(AttributeError):
        store.keep_poll(
            replace(known(store, "a"), etag='"1"'),
            now=NOW,
            rows=[article],
            seen=[entry("e1")],
            pages=[None],  # type: ignore[list-item]
        )

    assert rows_in(spool) == before
    assert store.seen("a", [entry("e1")]) == {}
    assert known(store, "a").etag is None
    assert spool.held().records == len(before)


def test_what_is_long_gone_from_its_feed_is_forgotten_but_not_what_stands_in_it(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    standing = replace(known(store, "a"), polled_at=NOW)
    store.keep_poll(standing, now=NOW, seen=[entry("old"), entry("stays")])
    later = NOW + timedelta(days=70)

    store.keep_poll(standing, now=later, seen=[entry("stays")], forget_before=later - timedelta(days=60))

    assert set(store.seen("a", [entry("old"), entry("stays")])) == {"stays"}


def test_an_entry_that_changes_while_its_page_waits_is_fetched_as_it_is_now(store: SourceStore) -> None:
    store.queue_pages("a", [entry("e1", title="Before")], NOW)
    fetched = store.next_page("a.example")
    assert fetched is not None
    store.queue_pages("a", [entry("e1", title="After")], NOW)

    store.keep_page(fetched, [])
    store.put_off_page(fetched, NOW + timedelta(hours=1))

    page = store.next_page("a.example")
    assert page is not None
    assert (page.entry, page.tries, page.next_try_at) == (entry("e1", title="After"), 0, NOW)


def test_pages_of_one_host_come_in_the_order_of_their_times(store: SourceStore) -> None:
    store.queue_pages("a", [entry("e1"), entry("e2"), entry("b1", url="https://b.example/b1")], NOW)
    first = store.next_page("a.example")
    assert first is not None
    store.put_off_page(first, NOW + timedelta(hours=1))

    second = store.next_page("a.example")
    assert second is not None
    store.keep_page(second, [])
    last = store.next_page("a.example")

    assert (first.entry.key, second.entry.key) == ("e1", "e2")
    assert last is not None
    assert (last.entry.key, last.tries, last.next_try_at) == ("e1", 1, NOW + timedelta(hours=1))
    assert store.pages_waiting() == 2


def test_a_person_disables_a_source_and_has_it_polled_again(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.queue_pages("a", [entry("e1")], NOW)

    store.set_disabled("a", True)
    assert (known(store, "a").disabled, store.due(), store.next_page("a.example")) == (BY_COMMAND, [], None)
    assert told(spool)[-1].state == "disabled"

    store.set_disabled("a", False)
    assert (known(store, "a").disabled, store.requested()) == (None, ["a"])
    assert store.next_page("a.example") is not None
    assert told(spool)[-1].state == "ok"


def test_a_poll_under_way_does_not_take_back_what_a_person_did(store: SourceStore) -> None:
    store.take_up([source("a"), source("b", "https://b.example/")], NOW)
    before_a, before_b = known(store, "a"), known(store, "b")
    store.set_disabled("a", True)
    store.request_poll("b")

    store.keep_poll(replace(before_a, polled_at=NOW), now=NOW)
    store.keep_poll(replace(before_b, polled_at=NOW), now=NOW)

    assert known(store, "a").disabled == BY_COMMAND
    assert store.requested() == ["b"]


def test_a_wish_is_over_when_it_was_granted(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.request_poll("a")
    wished_at = known(store, "a").poll_requested_at
    assert wished_at is not None

    store.keep_poll(replace(known(store, "a"), polled_at=wished_at + timedelta(seconds=1)), now=NOW)

    assert store.requested() == []


def test_what_nobody_knows_cannot_be_polled(store: SourceStore) -> None:
    with pytest.raises(SettingError, match="no source 'a'"):
        store.request_poll("a")


def test_an_ephemeral_store_leaves_nothing_behind_but_articles(spool: Spool, store: SourceStore) -> None:
    store.take_up([source("kept")], NOW)
    with spool.another() as own:
        ephemeral = SourceStore(own, is_ephemeral=True)
        ephemeral.take_up([source("a")], NOW)
        ephemeral.keep_poll(
            replace(known(ephemeral, "a"), polled_at=NOW),
            now=NOW,
            rows=[Row(topics.RAW, b"k", b"v", [], identity.new_delivery_id())],
            seen=[entry("e1")],
            pages=[entry("e1")],
        )
        assert [s.name for s in ephemeral.all()] == ["a"]
        assert ephemeral.pages_waiting() == 1

    assert [s.name for s in store.all()] == ["kept"]
    assert store.seen("a", [entry("e1")]) == {}
    assert store.pages_waiting() == 0
    assert [row.topic for row in rows_in(spool)] == [topics.SOURCES, topics.RAW]


def test_one_that_remembers_marks_an_entry_when_its_page_is_done(spool: Spool) -> None:
    for expected in ({"whole"}, {"whole", "teaser"}):
        with spool.another() as own:
            store = SourceStore(own, is_ephemeral=True, remembers=True)
            store.take_up([source("a")], NOW)
            entries = [entry("whole"), entry("teaser")]
            store.keep_poll(replace(known(store, "a"), polled_at=NOW), now=NOW, seen=entries, pages=[entry("teaser")])
            assert set(store.seen("a", entries)) == expected
            page = store.next_page("a.example")
            assert page is not None
            store.keep_page(page, [])


def test_an_old_spool_gets_the_tables(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    with sqlite3.connect(folder / "spool.sqlite") as old:
        old.execute("CREATE TABLE held (id INTEGER PRIMARY KEY, records INTEGER NOT NULL, bytes INTEGER NOT NULL)")
    old.close()

    with Spool(folder, MAX_BYTES) as spool:
        assert SourceStore(spool).all() == []


def test_a_command_adds_what_is_new_and_takes_nothing_away(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)

    store.add([source("b"), source("a", "https://elsewhere.example/")])
    store.add([])

    assert [(s.name, s.gone, s.url) for s in store.all()] == [
        ("a", None, source().url),
        ("b", None, source().url),
    ]


def test_a_spool_that_is_full_holds_up_no_command(tmp_path: Path) -> None:
    with Spool(tmp_path / "full", 0) as spool:
        store = SourceStore(spool)
        store.take_up([source("a")], NOW)
        store.add([source("b")])
        store.set_disabled("a", True)

        assert [state.name for state in told(spool)] == ["a", "b", "a"]


def test_a_wish_is_granted_though_the_clock_is_set_back(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.request_poll("a")

    store.keep_poll(replace(known(store, "a"), polled_at=NOW - timedelta(days=365)), now=NOW)

    assert store.requested() == []


def test_an_entry_that_changes_does_not_begin_the_tries_of_its_page_anew(store: SourceStore) -> None:
    store.queue_pages("a", [entry("e1")], NOW)
    page = store.next_page("a.example")
    assert page is not None
    store.put_off_page(page, NOW + timedelta(hours=1))

    store.queue_pages("a", [entry("e1", title="After")], NOW)

    page = store.next_page("a.example")
    assert page is not None
    assert (page.entry.title, page.tries, page.next_try_at) == ("After", 1, NOW + timedelta(hours=1))


def test_what_was_left_out_stays_left_out_whatever_it_says(store: SourceStore) -> None:
    store.take_up([source("a")], NOW)
    store.keep_poll(known(store, "a"), now=NOW, left_out=[entry("e1")])
    store.keep_poll(known(store, "a"), now=NOW, seen=[entry("e1", digest="another")])

    seen = store.seen("a", [entry("e1")])["e1"]
    assert seen.says(entry("e1", digest="a third"))
    assert seen.changes == 0


def test_whether_a_source_has_many_pages_waiting(store: SourceStore) -> None:
    store.queue_pages("a", [entry("e1"), entry("e2")], NOW)

    assert [store.has_pages("a", least) for least in (1, 2, 3)] == [True, True, False]
    assert not store.has_pages("b", 1)
