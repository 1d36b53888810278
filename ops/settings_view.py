"""The settings as rows: variable, value, default, what it is for."""

from collections.abc import Iterator, Mapping
from functools import reduce

from pydantic import SecretStr

from pipeline.settings import Settings, fields, variable


def rows(settings: Settings, secret_sources: Mapping[str, str] | None = None) -> Iterator[dict[str, object]]:
    """Every setting in force; a secret shows only whether it is set, and the file it came from, if it did."""
    for location, field in fields():
        name, value = variable(location), reduce(getattr, location, settings)
        if isinstance(value, SecretStr):
            source = (secret_sources or {}).get(name)
            shown = ("********" if value else "") + (f" ({source})" if source else "")
        else:
            shown = "" if value is None else str(value)
        yield {
            "variable": name,
            "value": shown,
            "default": "" if field.default is None else str(field.default),
            "what": field.description,
        }
