"""The supervisor and the `news` command when something is wrong: what they say, how they end, what goes on."""

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests import load
from tests.running import END_SECONDS, Instance, Outcome, run_news, until

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(400)]

#: Nothing listens on port 1, and nothing may: it takes root, and a name that IANA gave away in 1988.
NOBODY: Final = "127.0.0.1:1"
PASSWORD: Final = "never-to-be-printed"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("supervisor")
    (folder / "no-seeds").mkdir()
    instance = Instance(folder)
    try:
        yield instance
    finally:
        instance.remove()


@pytest.fixture
def running(instance: Instance) -> Instance:
    """The running instance; started if no test before this one did, or one ended it."""
    if not instance.is_up:
        start(instance)
    return instance


def start(instance: Instance) -> None:
    instance.start("--seeds", str(instance.folder / "no-seeds"))


def feed(instance: Instance, count: int, seed: int) -> None:
    lines = load.lines(count, seed=seed, source=f"seed{seed}.example")
    instance.news("feed", "stdin", stdin=b"".join(lines).decode())


def count_stored(instance: Instance, seed: int) -> int:
    return int(instance.value("SELECT count(*) FROM news.articles WHERE source = %s", f"seed{seed}.example"))


def lag_of(instance: Instance, group: str) -> int:
    return sum(row["lag"] for row in instance.news("lag", "--json").rows() if row["group"] == group)


def assert_one_line(outcome: Outcome, status: int, *words: str) -> None:
    """It ended with that status and said one line, with these words."""
    assert outcome.status == status, outcome
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def assert_last_line(outcome: Outcome, status: int, *words: str) -> None:
    """As `assert_one_line`, for a stage, which logs before it ends: each line of its log is JSON."""
    *logged, _ = outcome.err.splitlines()
    assert all(json.loads(line)["event"] for line in logged)
    assert_one_line(outcome._replace(err=outcome.err.splitlines()[-1]), status, *words)


# A running instance.


def test_a_paused_stage_lets_records_wait_and_drains_them_when_resumed(running: Instance) -> None:
    assert "enrich is paused" in running.news("pause", "enrich").err
    running.wait_said("enrich is paused")
    before = lag_of(running, "news.enrich")

    feed(running, 20, seed=1)
    until("20 texts wait", lambda: lag_of(running, "news.enrich") == before + 20, END_SECONDS)
    states = {row["name"]: row["state"] for row in running.news("status", "--json").rows()}
    assert states["enrich"] == "paused"
    assert {state for name, state in states.items() if name != "enrich"} == {"running"}
    assert count_stored(running, seed=1) == 0

    assert "enrich is resumed" in running.news("resume", "enrich").err
    until("all are stored", lambda: count_stored(running, seed=1) == 20)
    until("nothing waits", lambda: lag_of(running, "news.enrich") == 0, END_SECONDS)
    assert running.wait_balanced()["stored"] >= 20


def test_a_second_up_on_the_same_folder_is_refused(running: Instance) -> None:
    outcome = run_news("up", "--inbox", str(running.inbox), NEWS_DATA_DIR=str(running.data_dir))

    assert_one_line(outcome, 1, "already runs", str(running.data_dir), "news down")
    assert running.is_up


@pytest.mark.parametrize("stage", ["producers", "deduplicate", "enrich", "sink", "web"])
def test_a_stage_that_dies_is_started_again_and_said(running: Instance, stage: str) -> None:
    restarts = running.restarts(stage)
    dead = running.kill(stage)

    running.wait_said(f"{stage} ended with status -9 (killed by SIGKILL); starting it again")
    running.wait_restarted(stage, dead)
    running.wait_ready(stage)

    assert running.restarts(stage) == restarts + 1
    assert str(running.data_dir / "logs" / f"{stage}.log") in running.err()


def test_after_all_stages_died_articles_still_pass(running: Instance) -> None:
    feed(running, 5, seed=2)

    until("all are stored", lambda: count_stored(running, seed=2) == 5)


def test_the_http_api_is_started_and_its_address_said(running: Instance) -> None:
    running.wait_ready("web")
    address = running.run()["web"]
    assert address in running.err()
    assert f"HTTP {address}" in running.news("status").err

    with urllib.request.urlopen(f"{address}/readyz", timeout=30) as answer:
        assert json.load(answer) == {"status": "ready", "problems": {}}


def test_a_pause_stays_over_a_restart(running: Instance) -> None:
    running.news("pause", "sink")
    running.wait_said("sink is paused")
    running.interrupt()
    start(running)
    feed(running, 3, seed=3)
    until("3 decisions wait", lambda: lag_of(running, "news.sink") >= 3, END_SECONDS)
    assert "sink" not in running.run()["pids"]
    assert count_stored(running, seed=3) == 0

    running.news("resume", "sink")

    until("all are stored", lambda: count_stored(running, seed=3) == 3)


def test_down_ends_everything(running: Instance) -> None:
    family = running.family()

    down = running.news_in_background("down")
    # Waited for meanwhile, as a shell does: `down` takes a process that nobody has waited for to be there still.
    status = running.supervisor.wait(END_SECONDS)
    _, said = down.communicate(timeout=END_SECONDS)

    assert (status, down.returncode) == (130, 0)
    assert f"asked process {running.supervisor.pid} to end" in said
    running.assert_nothing_left(family, seconds=10)
    assert running.news("down").err.startswith("Nothing runs on")


def test_commands_beside_a_starting_instance_say_one_line_or_answer(instance: Instance) -> None:
    if instance.is_up:
        instance.interrupt()
    process = instance.launch("--seeds", str(instance.folder / "no-seeds"))
    run_file = instance.data_dir / "run.json"
    until("it says of itself", lambda: process.poll() is not None or run_file.exists())
    answers = []
    while not instance.said("ready after"):
        assert process.poll() is None, instance.err()
        answers += [
            run_news(command, "--json", NEWS_DATA_DIR=str(instance.data_dir)) for command in ("status", "balance")
        ]

    assert answers
    assert {answer.status for answer in answers} <= {0, 69}
    assert not [answer for answer in answers if "Traceback" in answer.err]


# Nothing runs.


def test_up_with_a_busy_port_says_which(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    try:
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = busy.getsockname()[1]
            outcome = run_news(
                "up", "--port", str(port), "--inbox", str(instance.inbox), NEWS_DATA_DIR=str(instance.data_dir)
            )

        assert_one_line(outcome, 2, f"Port {port} for Kafka is in use")
    finally:
        instance.remove()


def test_up_in_a_folder_that_cannot_be_written_says_which(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    outcome = run_news("up", "--inbox", str(tmp_path / "inbox"), NEWS_DATA_DIR=str(tmp_path / "file" / "data"))

    assert_one_line(outcome, 2, "NEWS_DATA_DIR", str(tmp_path / "file" / "data"))


@pytest.mark.parametrize(
    "command", [["articles"], ["balance"], ["lag"], ["status"], ["topics"], ["where", "x.example"]]
)
def test_a_command_where_nothing_runs_says_what_to_start_or_set(tmp_path: Path, command: list[str]) -> None:
    outcome = run_news(*command, NEWS_DATA_DIR=str(tmp_path))

    assert outcome.status == 69
    assert outcome.err.splitlines()[-1].startswith("error: Nothing runs on")
    assert "NEWS_KAFKA__BOOTSTRAP_SERVERS" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.fixture
def unreachable(tmp_path: Path) -> dict[str, str]:
    return {
        "NEWS_DATA_DIR": str(tmp_path / "data"),
        "NEWS_KAFKA__BOOTSTRAP_SERVERS": NOBODY,
        "NEWS_KAFKA__START_TIMEOUT_SECONDS": "1",
        "NEWS_DATABASE__URL": f"postgresql://news:{PASSWORD}@{NOBODY}/news",
    }


@pytest.mark.parametrize("stage", ["deduplicate", "enrich"])
def test_a_stage_without_its_broker_names_the_setting(unreachable: dict[str, str], stage: str) -> None:
    outcome = run_news("run", stage, **unreachable)

    assert_last_line(outcome, 69, NOBODY, "NEWS_KAFKA__BOOTSTRAP_SERVERS")


def test_the_sink_without_its_database_names_the_setting_and_not_the_password(unreachable: dict[str, str]) -> None:
    outcome = run_news("run", "sink", **unreachable)

    assert_last_line(outcome, 69, NOBODY, "NEWS_DATABASE__URL", "Connection refused")
    assert PASSWORD not in outcome.err + outcome.out


KAFKA_COMMANDS: Final = (["lag"], ["balance"], ["topics"], ["tail", "articles.raw"])
DATABASE_COMMANDS: Final = (
    ["articles"],
    ["entities"],
    ["where", "https://nobody.example/"],
    ["dead-letters", "list"],
    ["db", "check"],
    ["db", "migrate"],
)


@pytest.mark.parametrize("command", KAFKA_COMMANDS, ids=" ".join)
def test_a_command_without_its_broker_says_nothing_but_one_line(
    unreachable: dict[str, str], command: list[str]
) -> None:
    outcome = run_news(*command, **unreachable)

    assert_one_line(outcome, 69, NOBODY, "NEWS_KAFKA__BOOTSTRAP_SERVERS")


@pytest.mark.parametrize("command", DATABASE_COMMANDS, ids=" ".join)
def test_a_command_without_its_database_says_nothing_but_one_line(
    unreachable: dict[str, str], command: list[str]
) -> None:
    outcome = run_news(*command, **unreachable)

    assert_one_line(outcome, 69, NOBODY, "NEWS_DATABASE__URL", "Connection refused")
    assert PASSWORD not in outcome.err + outcome.out


def test_feeding_without_a_broker_keeps_the_article_and_names_the_setting(
    unreachable: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "one.jsonl").write_bytes(load.lines(1, seed=4)[0])

    outcome = run_news("feed", "jsonl", str(tmp_path / "one.jsonl"), **unreachable)

    assert outcome.status == 69
    assert "Traceback" not in outcome.err
    last = outcome.err.splitlines()[-1]
    assert "1 records are safe in" in last
    assert "NEWS_KAFKA__BOOTSTRAP_SERVERS" in last


def test_up_with_a_database_that_is_away_names_the_setting(unreachable: dict[str, str], tmp_path: Path) -> None:
    outcome = run_news("up", "--inbox", str(tmp_path / "inbox"), **unreachable)

    assert outcome.status == 69
    assert "Traceback" not in outcome.err
    assert "NEWS_DATABASE__URL" in outcome.err.splitlines()[-1]
    assert PASSWORD not in outcome.err + outcome.out


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NEWS_KAFKA__PARTITIONS", "x"),
        ("NEWS_DEDUP__WINDOW_DAYS", "-1"),
        ("NEWS_LOG__LEVEL", "LOUD"),
        ("NEWS_METRICS__PORT", "99999"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, variable: str, value: str) -> None:
    for command in (["up"], ["run", "deduplicate"], ["lag"], ["config", "check"]):
        outcome = run_news(*command, NEWS_DATA_DIR=str(tmp_path), **{variable: value})

        assert_one_line(outcome, 2, variable, repr(value))


def test_a_misspelt_setting_is_said(tmp_path: Path) -> None:
    outcome = run_news("config", "check", NEWS_DATA_DIR=str(tmp_path), NEWS_KAFKA__PARTITION="3")

    assert outcome.status == 2
    assert "NEWS_KAFKA__PARTITION" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("command", [["run", "sink"], ["db", "check"], ["db", "migrate"]], ids=" ".join)
def test_a_database_of_a_newer_schema_is_left_alone(
    database_url: str, unreachable: dict[str, str], command: list[str]
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE ingest.schema_version SET version_num = '9999_of_the_future'")

    outcome = run_news(*command, **unreachable | {"NEWS_DATABASE__URL": database_url})

    assert_last_line(outcome, 1, "9999_of_the_future", "newer")


@pytest.mark.parametrize(
    "command",
    [
        ["articles"],
        ["entities"],
        ["dead-letters", "list"],
        ["db", "check"],
    ],
    ids=" ".join,
)
def test_a_database_without_a_schema_is_told_from_an_empty_one(
    empty_database_url: str, unreachable: dict[str, str], command: list[str]
) -> None:
    outcome = run_news(*command, **unreachable | {"NEWS_DATABASE__URL": empty_database_url})

    assert_one_line(outcome, 1, "news db migrate")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_up_in_a_folder_of_another_account_says_which(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        outcome = run_news("up", "--inbox", str(tmp_path.parent / "inbox"), NEWS_DATA_DIR=str(tmp_path / "data"))
    finally:
        tmp_path.chmod(0o700)

    assert_one_line(outcome, 2, "NEWS_DATA_DIR")
