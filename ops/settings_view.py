"""The settings as rows: variable, value, default, what it is for."""

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr

from pipeline.settings import Settings, variable


def rows(settings: Settings) -> Iterator[dict[str, object]]:
    """Every setting in force; a secret shows only whether it is set."""
    yield from _rows(settings, ())


def _rows(group: BaseModel, location: tuple[str, ...]) -> Iterator[dict[str, object]]:
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _rows(value, (*location, name))
        else:
            shown = "********" if isinstance(value, SecretStr) else value
            yield {
                "variable": variable((*location, name)),
                "value": "" if shown is None else str(shown),
                "default": "" if field.default is None else str(field.default),
                "what": field.description,
            }
