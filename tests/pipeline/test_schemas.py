import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ops.offline import Line
from pipeline import events, topics
from pipeline.records import Record
from tests import check_schemas
from tests.pipeline.samples import BODY, ENRICHMENT, FULL_RAW, RECORDS

TOPICS = [topic for topic in topics.declared(window_days=7, allowed_lag_days=1) if topic.record is not None]


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((check_schemas.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def validate(value: bytes | str, name: str) -> None:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(value), schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_real_records_follow_the_schema_of_their_topic(topic: topics.Topic) -> None:
    of_topic = [record for record in RECORDS.values() if type(record) is topic.record]

    assert of_topic
    for record in of_topic:
        validate(record.to_bytes(), topic.name)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_schema_says_what_it_is_of(topic: topics.Topic) -> None:
    schema = schema_of(topic.name)
    header = dict(events.headers(FULL_RAW.delivery_id, topic.name, "/x"))["ce_dataschema"].decode()

    assert schema["title"] == topic.name
    assert schema["description"] == topic.what
    assert schema["$id"] == header


@pytest.mark.parametrize("missing", ["delivery_id", "observed_at", "source", "body"])
def test_a_record_without_a_field_it_needs_breaks_the_schema(missing: str) -> None:
    fields = json.loads(FULL_RAW.to_bytes())
    del fields[missing]

    with pytest.raises(jsonschema.ValidationError, match=missing):
        validate(json.dumps(fields), "articles.raw")


LINES = {
    "an article": Line(
        status="ok", raw=BODY.raw, text=BODY.text, removed=BODY.removed, entities=ENRICHMENT.entities, language="en"
    ),
    "a dead letter": Line(status="dead-letter", reason="not-json", detail="Not JSON.", origin="a.jsonl:2"),
}


@pytest.mark.parametrize("line", LINES.values(), ids=list(LINES))
def test_an_output_line_follows_its_schema(line: Line) -> None:
    validate(line.model_dump_json(), "news-process-line")


def test_an_output_line_has_every_field() -> None:
    fields = json.loads(LINES["an article"].model_dump_json())
    del fields["byline"]

    with pytest.raises(jsonschema.ValidationError, match="byline"):
        validate(json.dumps(fields), "news-process-line")


def test_the_committed_schemas_are_those_of_the_records() -> None:
    assert check_schemas.differences(check_schemas.FOLDER) == []


def test_a_changed_a_missing_and_a_stray_schema_are_found_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_schemas.write(tmp_path)
    (tmp_path / "articles.raw.json").write_text("{}", encoding="utf-8")
    (tmp_path / "articles.unique.json").unlink()
    (tmp_path / "articles.old.json").touch()

    assert check_schemas.main([], tmp_path) == 1
    assert capsys.readouterr().err == (
        "records changed without a declared change: run make schemas and note it in CHANGELOG.md\n"
        "  in schemas/: articles.old.json, articles.raw.json, articles.unique.json\n"
    )
    assert check_schemas.main(["--write"], tmp_path) == 0
    assert check_schemas.main([], tmp_path) == 0


def test_every_record_of_a_topic_has_a_sample() -> None:
    assert {type(record) for record in RECORDS.values()} == {topic.record for topic in TOPICS}
    assert all(isinstance(record, Record) for record in RECORDS.values())
