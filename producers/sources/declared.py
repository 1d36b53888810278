"""feeds.toml -> the sources that are polled: read and checked as a whole, or added to."""

import fcntl
import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import SettingError
from pipeline.identity import canonical_url
from pipeline.records import SourceKind
from pipeline.settings import Settings

SETTING: Final = "NEWS_PRODUCERS__FEEDS"
MAX_FILE_BYTES: Final = 64 << 20
MAX_SOURCES: Final = 100_000
MAX_NAME: Final = 200
MAX_URL: Final = 8000
#: The interval between two polls lies between these, in seconds.
SHORTEST_SECONDS: Final = 1
LONGEST_SECONDS: Final = 7 * 86_400

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_NEW_FILE: Final = (
    "# Sources that `news run producers` polls (docs/feeding.md). `news sources add` and `import` append here.\n"
)

FullText = Literal["auto", "feed", "page"]


def _name(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("a name has nothing invisible in it, and no space before or behind it")
    return name


def web_address(url: str) -> str:
    """The URL, if it is one that may be declared. Raises ValueError that says what is wrong with it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no web address: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is no web address: http:// or https://, a host, no spaces")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address with a user or password would be shown to all readers: leave them out")
    return url


def _language(language: str) -> str:
    if _LANGUAGE.fullmatch(language) is None:
        raise ValueError(f"{language!r} is no language tag, as en, nb or pt-BR")
    return language


Seconds = Annotated[float, Field(strict=True, ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)]


@dataclass(frozen=True, slots=True)
class Source:
    """One `[[source]]`: what is polled, how often, and where its text is taken from.

    `full_text`: `auto` takes the feed's text where that is whole and else the page, `feed` and `page` always that.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_name)]
    url: Annotated[str, Field(min_length=1, max_length=MAX_URL), AfterValidator(web_address)]
    kind: SourceKind = "feed"
    enabled: Annotated[bool, Field(strict=True)] = True
    language: Annotated[str, Field(max_length=35), AfterValidator(_language)] | None = None
    full_text: FullText = "auto"
    min_interval_seconds: Seconds = 300
    max_interval_seconds: Seconds = 86_400
    max_entries: Annotated[int, Field(strict=True, ge=1, le=50_000)] = 100

    @property
    def key(self) -> str:
        """The same for addresses of the same feed."""
        return canonical_url(self.url) or self.url


_TABLES: Final = TypeAdapter(list[Source])
_KEYS: Final = tuple(field.name for field in fields(Source))


def of(settings: Settings) -> tuple[Source, ...]:
    """The sources of this installation; none where the file of the default name is not there.

    Raises SettingError as `read` does.
    """
    path = settings.producers.feeds
    is_named = "feeds" in settings.producers.model_fields_set
    return () if not is_named and not path.exists() else read(path)


def read(path: Path) -> tuple[Source, ...]:
    """All sources of a file, in its order. Raises SettingError that names the file, the table and what is wrong."""
    return _checked(path, _text(path))


def append(path: Path, sources: Sequence[Source]) -> None:
    """Write these behind what the file has, comments and all; the file is the old one or the new one at any moment.

    Raises SettingError, with the file as it was, where the new one would not be right.
    """
    target = path.resolve()  # of a link the file that it leads to is replaced, not the link
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent):
        there = _text(target) if target.exists() else _NEW_FILE
        text = there + ("" if not there or there.endswith("\n") else "\n") + "".join(map(_table, sources))
        _checked(path, text)
        _replace(target, text)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{SETTING}: {path} cannot be read: {error.strerror or error}.") from None
    if len(data) > MAX_FILE_BYTES:
        raise SettingError(f"{SETTING}: {path} is larger than {MAX_FILE_BYTES >> 20} MiB.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SettingError(f"{SETTING}: {path} is not UTF-8 (byte {error.start}).") from None


def _checked(path: Path, text: str) -> tuple[Source, ...]:
    try:
        return _sources(tomllib.loads(text))
    except RecursionError:
        raise SettingError(f"{SETTING}: {path} is no TOML that anybody wrote: it is nested too deep.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{SETTING}: {path} is no TOML: {error}.") from None
    except ValueError as error:
        raise SettingError(f"{SETTING}: {path}: {error}.") from None


def _sources(data: dict[str, Any]) -> tuple[Source, ...]:
    if strange := sorted(data.keys() - {"source"}):
        raise ValueError(f"{strange[0]!r} is nothing that the file can have: only [[source]] tables")
    tables = data.get("source", [])
    if not isinstance(tables, list):
        raise ValueError("'source' is one table or value: write [[source]], in two brackets")
    if len(tables) > MAX_SOURCES:
        raise ValueError(f"{len(tables):,} sources; at most {MAX_SOURCES:,} are taken")
    try:
        found = _TABLES.validate_python(tables)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(f"{_where(tables, problems[0])}{_plain(problems[0])}{more}") from None
    _refuse_what_cannot_be(found)
    return tuple(found)


def _where(tables: list[Any], problem: ErrorDetails) -> str:
    number, *field = problem["loc"]
    key = "" if not field or problem["type"] == "unexpected_keyword_argument" else f", {field[0]}"
    return f"{_called(tables, int(number))}{key}: "


def _called(tables: Sequence[Any], number: int) -> str:
    table = tables[number]
    name = table.get("name") if isinstance(table, dict) else getattr(table, "name", None)
    return f"source {number + 1}{f' ({name!r})' if isinstance(name, str) else ''}"


def _plain(problem: ErrorDetails) -> str:
    match problem["type"]:
        case "unexpected_keyword_argument":
            return f"there is no key {problem['loc'][-1]!r}; there are {', '.join(_KEYS)}"
        case "missing":
            return "is missing"
        case "dataclass_type" | "dataclass_exact_type":
            return "must be a table"
        case _:
            return problem["msg"].removeprefix("Value error, ").rstrip(".")


def _refuse_what_cannot_be(sources: Sequence[Source]) -> None:
    names: dict[str, int] = {}
    addresses: dict[str, int] = {}
    for number, source in enumerate(sources):
        if source.min_interval_seconds > source.max_interval_seconds:
            raise ValueError(f"{_called(sources, number)}: min_interval_seconds is above max_interval_seconds")
        if (other := names.setdefault(source.name, number)) != number:
            raise ValueError(f"{_called(sources, number)}: source {other + 1} has this name already")
        if (other := addresses.setdefault(source.key, number)) != number:
            raise ValueError(
                f"{_called(sources, number)}: {_called(sources, other)} has this address already: {source.url}"
            )


def _table(source: Source) -> str:
    lines = ["", "[[source]]"]
    for field in fields(source):
        value = getattr(source, field.name)
        if field.default is MISSING or value != field.default:
            # JSON's strings, numbers and booleans are TOML's too; \u of pairs is not, so nothing else is escaped.
            lines.append(f"{field.name} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two commands that append at once do it one after the other."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, name)
        else:
            Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
