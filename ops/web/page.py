"""/docs: the OpenAPI document as one page without scripts, made here: nothing is loaded from anywhere."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from ops.web.problems import KINDS

STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #e4e4e4}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}code{overflow-wrap:anywhere}pre{background:#f4f4f4;padding:.75rem;overflow:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}pre{background:#242424}
h2,th,td{border-color:#444}a{color:#8ab4f8}}
"""
_CODE: Final = re.compile("`([^`]+)`")
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(document['info']['title'])}</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{STYLE}</style>",
        f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>",
        f"<p>{escape(document['info'].get('description', ''))} Keys are made by <code>news keys create NAME</code> and "
        "sent as <code>Authorization: Bearer KEY</code>. For programs: <a href=/openapi.json>openapi.json</a>.</p>",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(path, method, operation)
    parts.append("<h2>Problems</h2><p>Every error is <code>application/problem+json</code> of one of these types.</p>")
    rows = [
        (f"<code id={kind}>{kind}</code>", str(said.status), escape(said.title), _prose(said.remedy))
        for kind, said in KINDS.items()
    ]
    parts.append(_table(("type", "status", "what it is", "what to do"), rows))
    parts.append("<h2>Shapes</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += _shape(name, schema)
    return "".join(parts)


def _prose(text: str) -> str:
    """A description, which has its code between backticks."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    needs = " · needs a key" if operation.get("security") else ""
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p><b>{escape(operation['summary'])}</b>{needs}</p>"
    for paragraph in operation.get("description", "").split("\n\n"):
        yield f"<p>{_prose(paragraph)}</p>"
    if parameters := operation.get("parameters"):
        rows = [
            (
                f"<code>{escape(given['name'])}</code>",
                given["in"],
                _type(given["schema"]),
                _prose(given.get("description", given["schema"].get("description", ""))),
            )
            for given in parameters
        ]
        yield _table(("parameter", "in", "type", ""), rows)
    if body := operation.get("requestBody"):
        media_types = [(f"<code>{media}</code>", _type(said["schema"])) for media, said in _content(body)]
        yield _table(("body", "type"), media_types)
    answers = [
        (
            status,
            _prose(response["description"]),
            "<br>".join(f"<code>{media}</code>: {_type(c.get('schema', {}))}" for media, c in _content(response)),
        )
        for status, response in operation["responses"].items()
    ]
    yield _table(("status", "", "body"), answers)


def _content(response: dict[str, Any]) -> Any:
    return response.get("content", {}).items()


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"<h3 id={escape(name)}>{escape(name)}</h3><p>{_prose(schema.get('description', ''))}</p>"
    rows = [
        (f"<code>{escape(field)}</code>", _type(said), _prose(said.get("description", "")))
        for field, said in schema.get("properties", {}).items()
    ]
    yield _table(("field", "type", ""), rows)
    for example in schema.get("examples", ()):
        yield f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if "const" in schema:
        return escape(json.dumps(schema["const"]))
    bounds = [f"{said} {schema[name]:,}" for name, said in _BOUNDS.items() if name in schema]
    words = [str(schema.get("format", schema.get("type", "anything"))), *bounds]
    return escape(", ".join(words))


_BOUNDS: Final = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most"}


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"
