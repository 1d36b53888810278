"""The whole journey on real services: `news up`, the seeds, and everything a person asks of it while it runs."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.running import DRAIN_SECONDS, REPOSITORY, Instance, Outcome, run_news, until

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

SEEDS = REPOSITORY / "seeds"
EXPECTED: list[dict[str, Any]] = json.loads((SEEDS / "expected.json").read_text(encoding="utf-8"))
VOA = "Blinken Meets With Netanyahu In Renewed Push For Gaza Cease-Fire"
REEF = "Scientists chart Ireland's longest cold-water coral reef off Donegal"

#: What reaches articles.raw: all but what the producers refuse. `news feed` keeps the order of the files.
DELIVERED = [e for e in EXPECTED if e["status"] == "ok" or (e["file"], e["line"]) == ("bad.jsonl", 4)]
DECIDED = [e for e in DELIVERED if e["status"] == "ok"]
REFUSED = [e for e in EXPECTED if e["status"] == "dead-letter"]


class Journey(NamedTuple):
    """The instance, the run that ended by itself, and the books when the next run found nothing new."""

    instance: Instance
    drained: Outcome
    books: dict[str, Any]


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory, shared_services: dict[str, str]) -> Iterator[Journey]:
    instance = Instance(tmp_path_factory.mktemp("journey"), **shared_services)
    try:
        drained = instance.up_until_drained()
        instance.assert_nothing_left()
        instance.start()
        yield Journey(instance, drained, instance.wait_balanced())
    finally:
        instance.remove()


@pytest.fixture
def instance(journey: Journey) -> Instance:
    """The running instance; started again if a test before this one ended it."""
    if not journey.instance.is_up:
        journey.instance.start()
    return journey.instance


def place(entry: dict[str, Any]) -> str:
    return entry["file"] if entry["line"] is None else f"{entry['file']}:{entry['line']}"


def test_a_drained_run_ends_with_0_and_balanced_books(journey: Journey) -> None:
    assert journey.drained.status == 0, journey.drained.err
    assert journey.drained.out.splitlines()[-1] == (
        "34 deliveries = 33 decisions + 1 dead letters; 27 texts = 27 stored; balanced"
    )
    assert "Traceback" not in journey.drained.err


def test_a_drained_run_prints_every_row_and_every_dead_letter_once(journey: Journey) -> None:
    printed = Counter(line[:12].strip() for line in journey.drained.out.splitlines()[1:-2])

    assert printed == Counter(e["kind"] or "dead letter" for e in EXPECTED)


def test_a_second_run_feeds_nothing_twice(journey: Journey) -> None:
    assert {name: journey.books[name] for name in ("delivered", "decided", "refused", "texts", "stored")} == {
        "delivered": 34,
        "decided": 33,
        "refused": 1,
        "texts": 27,
        "stored": 27,
    }


def test_every_delivery_has_its_kind(instance: Instance) -> None:
    decided = instance.rows(
        """
        SELECT d.kind, coalesce(v.title, a.title) AS title
        FROM news.decisions AS d
        JOIN news.articles AS a ON a.article_id = d.article_id
        LEFT JOIN news.article_versions AS v ON v.delivery_id = d.delivery_id
        WHERE d.raw_offset < %s
        ORDER BY d.raw_offset
        """,
        len(DELIVERED),
    )

    assert [(d["kind"], d["title"]) for d in decided] == [(e["kind"], e["title"]) for e in DECIDED]


def test_every_dead_letter_has_its_place_and_reason(instance: Instance) -> None:
    letters = instance.rows("SELECT stage, reason, origin, convert_from(value, 'UTF8') AS value FROM news.dead_letters "
                            "WHERE reason <> 'not-utf-8'")  # fmt: skip
    not_utf8 = instance.rows("SELECT origin, value FROM news.dead_letters WHERE reason = 'not-utf-8'")

    by_producers = {letter["origin"]: letter["reason"] for letter in letters if letter["stage"] == "producers"}
    by_deduplicate = [letter for letter in letters if letter["stage"] == "deduplicate"]
    assert by_producers | {n["origin"]: "not-utf-8" for n in not_utf8} == {
        f"seeds/{place(e)}": e["reason"] for e in REFUSED if e not in DELIVERED
    }
    assert [letter["reason"] for letter in by_deduplicate] == ["no-text"]
    assert json.loads(by_deduplicate[0]["value"])["title"] == "Comments are open"
    assert [bytes(n["value"]) for n in not_utf8] == [(SEEDS / "bad-latin-1.txt").read_bytes()]


def test_every_article_has_its_language(instance: Instance) -> None:
    titles = [e["title"] for e in DECIDED]
    stored = instance.rows("SELECT title, language FROM news.articles WHERE title = ANY(%s)", titles)

    assert {row["title"]: row["language"] for row in stored} == {e["title"]: e["language"] for e in DECIDED}


def test_the_voa_article_is_published_without_its_boilerplate(instance: Instance) -> None:
    (article,) = instance.rows(
        "SELECT a.*, v.removed FROM news.articles AS a JOIN news.article_versions AS v USING (version_id) "
        "WHERE a.title = %s",
        VOA,
    )
    delivered = (SEEDS / "voa-blinken-netanyahu.txt").read_text(encoding="utf-8")

    assert article["byline"] == "Nike Ching"
    for line in (
        "VOA’s Cindy Saine contributed to this report.",
        "The VOA is the Voice of America",
        "Leave a Reply",
        "Your email address will not be published",
    ):
        assert line in article["raw"]
        assert line not in article["text"]
        assert any(line in span["text"] for span in article["removed"])
    assert article["raw"].strip() in delivered
    rules = {span["rule"] for span in article["removed"]}
    assert rules == {"contributed", "voa-signature", "comment-form", "white-space"}
    for span in article["removed"]:
        assert article["raw"][span["start"] : span["end"]] == span["text"]


def test_the_voa_article_has_its_names(instance: Instance) -> None:
    names = instance.rows(
        "SELECT name, label FROM news.article_entities JOIN news.articles USING (article_id) WHERE title = %s", VOA
    )
    found = {(row["name"], row["label"]) for row in names}

    assert {("Antony Blinken", "PERSON"), ("Benjamin Netanyahu", "PERSON")} <= found
    assert {"Hamas", "Gaza", "Rafah"} <= {name for name, _ in found}


def test_every_mention_stands_where_it_says_in_text_and_raw(instance: Instance) -> None:
    mentions = instance.rows(
        "SELECT m.*, a.text AS published, a.raw FROM news.mentions AS m JOIN news.articles AS a USING (article_id)"
    )
    wrong = [
        (m["name"], m["text"])
        for m in mentions
        if m["published"][m["start_offset"] : m["end_offset"]] != m["text"]
        or m["raw"][m["raw_start"] : m["raw_end"]] != m["text"]
    ]

    assert len(mentions) > 200
    assert wrong == []


def test_a_copy_is_linked_to_its_original_and_not_enriched_itself(instance: Instance) -> None:
    (copy,) = instance.rows(
        "SELECT c.*, o.source AS original_source, o.title AS original_title "
        "FROM news.copies AS c JOIN news.articles AS o ON o.article_id = c.original WHERE c.source = %s",
        "islandherald.example",
    )
    (version,) = instance.rows("SELECT * FROM news.article_versions WHERE article_id = %s", copy["article_id"])

    assert (copy["original_source"], copy["original_title"], copy["method"]) == ("coastalwire.example", REEF, "exact")
    assert (version["generation"], version["enriched_at"], version["models"]) == (None, None, None)
    assert instance.value("SELECT count(*) FROM news.mentions WHERE article_id = %s", copy["article_id"]) == 0
    own = "SELECT count(*) FROM ingest.entities JOIN ingest.versions USING (delivery_id) WHERE article_id = %s"
    assert instance.value(own, copy["article_id"]) == 0
    of_original = "SELECT count(*) FROM news.article_entities WHERE article_id = %s"
    assert instance.value(of_original, copy["article_id"]) == instance.value(of_original, copy["original"]) > 0


def test_a_revision_is_the_current_version(instance: Instance) -> None:
    (article,) = instance.rows("SELECT * FROM news.articles WHERE title LIKE 'Landslide blocks Bergen%%'")

    assert article["versions"] == 2
    assert "164" in article["text"]


def test_an_impossible_date_costs_the_date_only(instance: Instance) -> None:
    (article,) = instance.rows(
        "SELECT a.published_at, v.notes FROM news.articles AS a JOIN news.article_versions AS v USING (version_id) "
        "WHERE a.title LIKE 'Saskatoon bakery%%'"
    )

    assert article["published_at"] is None
    assert any("published_at" in note for note in article["notes"])


# The commands, beside the running services.


def test_balance_says_balanced(instance: Instance) -> None:
    instance.wait_balanced()

    assert "balanced" in instance.news("balance").out.splitlines()[-1]


def test_status_shows_every_process(instance: Instance) -> None:
    def all_running() -> dict[str, dict[str, Any]] | None:
        found = {row["name"]: row for row in instance.news("status", "--json").rows()}
        return found if {row["state"] for row in found.values()} == {"running"} else None

    rows = until("all run; nobody waits for web", all_running, 60)
    said = instance.news("status")

    own = ["kafka", "postgres"] if instance.run()["embedded"] else []
    assert list(rows) == ["supervisor", *own, "producers", "deduplicate", "enrich", "sink", "web"]
    assert rows["supervisor"]["pid"] == instance.supervisor.pid
    assert all(row["memory_mib"] > 0 for row in rows.values())
    assert rows["sink"]["lag"] is not None
    assert "deduplicate" in said.out
    assert "the books:" in " ".join(said.err.split())


def test_lag_is_0_everywhere_once_balanced(instance: Instance) -> None:
    instance.wait_balanced()

    def nothing_behind() -> list[dict[str, Any]] | None:
        rows = instance.news("lag", "--json").rows()
        return None if any(row["lag"] for row in rows) else rows

    # The groups of Faust tell Kafka their places once a second.
    rows = until("no lag", nothing_behind, 60)

    assert {row["group"] for row in rows} == {"news.deduplicate", "news.enrich", "news.reenrich", "news.sink"}
    assert sum(row["end"] for row in rows if row["topic"] == "articles.raw") >= len(DELIVERED)
    assert "articles.enriched" in instance.news("lag").out


def test_topics_lists_all_nine_with_their_records(instance: Instance) -> None:
    rows = {row["topic"]: row for row in instance.news("topics", "--json").rows()}

    assert len(rows) == 9
    assert rows["articles.sources"]["kept"] is None  # compacted: how many it keeps nobody counts
    assert rows["articles.signatures"]["partitions"] == 1
    assert rows["articles.raw"]["records"] >= len(DELIVERED)
    assert rows["articles.raw"]["kept"] == rows["articles.raw"]["records"]
    assert "articles.dead-letter" in instance.news("topics").out


def test_tail_prints_a_record_from_the_beginning_and_ends(instance: Instance) -> None:
    (line,) = instance.news("tail", "articles.enriched", "--from", "beginning", "-n", "1").rows()

    assert line["topic"] == "articles.enriched"
    assert line["headers"]["ce_id"] == line["value"]["decision"]["delivery_id"]
    assert line["value"]["body"]["text"]


def test_tail_finds_the_copies(instance: Instance) -> None:
    found = instance.news(
        "tail", "articles.decisions", "--from", "beginning", "--where", "decision.kind=copy", "--no-follow"
    ).rows()

    assert "islandherald.example" in [line["value"]["decision"]["source"] for line in found]


def test_articles_finds_a_word_and_a_name(instance: Instance) -> None:
    rows = instance.news("articles", "blinken", "--json").rows()

    assert [row["title"] for row in rows] == [VOA]
    assert VOA in instance.news("articles", "blinken").out


def test_entities_lists_the_names_in_most_articles(instance: Instance) -> None:
    rows = instance.news("entities", "hamas", "--label", "ORG", "--json").rows()

    assert [(row["name"], row["articles"]) for row in rows] == [("Hamas", 1)]
    assert len(instance.news("entities", "-n", "5").out.splitlines()) == 6


def test_psql_runs_a_query_of_a_reader(instance: Instance) -> None:
    query = "select count(*) from articles where title like 'Blinken Meets%'"

    assert instance.news("db", "psql", "-Atc", query).out.strip() == "1"
    instance.news("db", "psql", "-c", "create table mine (id int)", status=1)


def test_where_tells_the_story_of_a_url(instance: Instance) -> None:
    url = json.loads((SEEDS / "wire.jsonl").read_text(encoding="utf-8").splitlines()[0])["url"]
    rows = instance.news("where", url, "--json").rows()

    assert [(row["where"], row["kind"]) for row in rows] == [
        ("decided", "redelivery"),
        ("decided", "unchanged"),
        ("stored", "revision"),
        ("stored", "new"),
    ]
    assert instance.news("where", "https://nobody.example/knows/this", status=1).out == ""


def test_dead_letters_are_listed_and_shown(instance: Instance) -> None:
    rows = instance.news("dead-letters", "list", "--json").rows()
    (cut,) = instance.news("dead-letters", "list", "--reason", "not-json", "--json").rows()
    (shown,) = instance.news("dead-letters", "show", cut["id"], "--json").rows()

    assert Counter(row["reason"] for row in rows) == Counter(e["reason"] for e in REFUSED)
    assert cut["where"] == "seeds/bad.jsonl:1"
    assert shown["value"].rstrip("\n") == (SEEDS / "bad.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert cut["id"] in instance.news("dead-letters", "list").out
    assert "not-json" in instance.news("dead-letters", "show", cut["id"]).out


def test_a_file_in_the_inbox_becomes_a_row(instance: Instance) -> None:
    title = "Ferry to the outer islands runs again"
    text = "The ferry between Oban and Colonsay runs again after a winter of repairs, its operator said on Tuesday."
    (instance.inbox / "ferry.txt").write_text(f"{title}\n\nBy Una Marr\n\n{text}\n", encoding="utf-8")

    (row,) = until(
        "the ferry is a row",
        lambda: instance.rows("SELECT byline, text, sentiment_label FROM news.articles WHERE title = %s", title),
        DRAIN_SECONDS,
    )
    until("it is printed", lambda: title in instance.out(), 60)

    assert (row["byline"], row["text"]) == ("Una Marr", text)


# Without services, and ending them.


def test_process_says_of_every_seed_what_the_services_say(tmp_path: Path) -> None:
    outcome = run_news("process", "seeds/", NEWS_DATA_DIR=str(tmp_path / "nothing-runs-here"))
    lines = outcome.rows()

    assert outcome.status == 3, outcome.err
    assert [(line["status"], line["reason"]) for line in lines if line["status"] == "dead-letter"] == [
        ("dead-letter", e["reason"]) for e in REFUSED
    ]
    assert [(line["status"], (line["decision"] or {}).get("kind"), line["title"]) for line in lines] == [
        (e["status"], e["kind"], e["title"] if e["status"] == "ok" else line["title"])
        for e, line in zip(EXPECTED, lines, strict=True)
    ]


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_one_goes_on(instance: Instance) -> None:
    before = instance.wait_balanced()
    family = instance.family()
    instance.supervisor.kill()
    instance.supervisor.wait()
    instance.assert_nothing_left(family)

    instance.start()
    feed = json.dumps({"url": "https://after.example/the-kill", "title": "After the kill", "body": "All goes on."})
    instance.news("feed", "stdin", stdin=feed + "\n")
    until("the row", lambda: instance.rows("SELECT 1 FROM news.articles WHERE title = 'After the kill'"))
    after = instance.wait_balanced()

    assert (after["delivered"], after["decided"], after["stored"]) == (
        before["delivered"] + 1,
        before["decided"] + 1,
        before["stored"] + 1,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_when_it_is_ended_no_process_is_left(instance: Instance, number: signal.Signals) -> None:
    pids = instance.run()["pids"]
    family = instance.family()

    status = instance.signal(number)

    assert status == 130
    assert set(pids.values()) <= {process.pid for process in family}
    instance.assert_nothing_left(family, seconds=10)
    assert not (instance.data_dir / "run.json").exists()
    assert instance.news("down").err.startswith("Nothing runs on")
