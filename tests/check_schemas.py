"""The JSON Schemas in schemas/ are those of the records: `python -m tests.check_schemas [--write]`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from ops.offline import Line
from pipeline import topics
from pipeline.records import Forget, Verdicts

FOLDER: Final = Path(__file__).parents[1] / "schemas"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
CHANGED: Final = (
    "records changed without a declared change: run make schemas and note it in CHANGELOG.md\n  in schemas/: {}"
)


class _EveryField(GenerateJsonSchema):
    """A line says null where it has nothing to say: every field is there."""

    def field_is_required(self, *_: object, **__: object) -> bool:
        return True


def _text(name: str, what: str, model: type[BaseModel], generator: type[GenerateJsonSchema]) -> str:
    schema: dict[str, Any] = model.model_json_schema(mode="serialization", schema_generator=generator)
    # The address is the one that the records carry in their header ce_dataschema.
    head = {"$schema": DIALECT, "$id": f"schemas/{name}.json", "title": name, "description": what}
    return json.dumps({**head, **{k: v for k, v in schema.items() if k not in head}}, indent=2) + "\n"


def wanted() -> dict[str, str]:
    """What must stand in schemas/: the text of each file by its name."""
    found = {
        f"{topic.name}.json": _text(topic.name, topic.what, topic.record, GenerateJsonSchema)
        for topic in topics.declared(window_days=7, allowed_lag_days=1)
        if topic.record is not None
    }
    line = _text("news-process-line", "one output line of `news process`", Line, _EveryField)
    about = f"{topics.SIGNATURES}, records with the key `verdicts`: what was decided about records before them"
    verdicts = _text(f"{topics.SIGNATURES}.verdicts", about, Verdicts, GenerateJsonSchema)
    about = f"{topics.SIGNATURES}, records with the key `forget`: articles that were erased"
    forget = _text(f"{topics.SIGNATURES}.forget", about, Forget, GenerateJsonSchema)
    others = {f"{topics.SIGNATURES}.verdicts.json": verdicts, f"{topics.SIGNATURES}.forget.json": forget}
    return {**found, **others, "news-process-line.json": line}


def differences(folder: Path) -> list[str]:
    """The files that are missing, too many, or not what they must be."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*")}
    files = wanted()
    return sorted(name for name in there.keys() | files.keys() if there.get(name) != files.get(name))


def write(folder: Path) -> None:
    """Make the folder what it must be."""
    folder.mkdir(exist_ok=True)
    files = wanted()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.glob("*"):
        if path.name not in files:
            path.unlink()


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """The exit status: 1 where the files differ."""
    if "--write" in arguments:
        write(folder)
    different = differences(folder)
    if different:
        print(CHANGED.format(", ".join(different)), file=sys.stderr)  # noqa: T201  a script talks
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
