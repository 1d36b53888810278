"""Which models, rules and lists an enrichment comes from: said with it, and compared to find what is stale."""

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pipeline.errors import SettingError
from pipeline.settings import NlpSettings
from processors import language as spoken
from processors import towards

#: Raised with each change of what comes before and after the models: language, sentences, names, aliases, means.
RULES: Final = "2"
#: Where Enrichment.models says it, and the column `models` of ingest.versions.
CONFIG: Final = "config"
#: The languages that the sentiment model has learnt.
SENTIMENT_LANGUAGES: Final = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class Configuration:
    """What makes an enrichment, for each language that has a model, and for all others."""

    models: dict[str, dict[str, str]]
    others: dict[str, str]

    def of(self, language: str | None) -> dict[str, str]:
        """What a row of this language says about its models, with a short hash of it under `config`."""
        found = self.models.get(language or "", self.others)
        return {**found, CONFIG: _digest(found)}

    @property
    def digests(self) -> dict[str, str]:
        """The hash of each language that has a model."""
        return {language: self.of(language)[CONFIG] for language in self.models}

    @property
    def digest_of_others(self) -> str:
        """The hash of all other languages, and of none."""
        return self.of(None)[CONFIG]

    @property
    def digest(self) -> str:
        """The hash of all of it: of two workers that have the same one, it does not matter who takes a text."""
        return _digest({**self.digests, "": self.digest_of_others})


def of(settings: NlpSettings) -> Configuration:
    """Read from the packages and files that the settings name; loads no model.

    Raises SettingError where one is missing or damaged.
    """
    others = {"rules": RULES}
    if settings.watch_list is not None:
        from processors import watchlist  # here: a stage starts sooner without it

        others["watch_list"] = watchlist.load(settings.watch_list).digest
    models = {}
    for language, package in settings.packages.items():
        if spoken.canonical(language) != language:
            raise SettingError(f"{settings.models_variable}: {language!r} is {spoken.canonical(language)!r} here.")
        models[language] = {**others, "entities": package_name(package, settings.models_variable)}
        if language in SENTIMENT_LANGUAGES and settings.sentiment != "off":
            models[language]["sentiment"] = towards.name_of(towards.folder_of(settings.sentiment))
    return Configuration(models, others)


def package_name(package: str, variable: str) -> str:
    """The name and version of a spaCy model, from its package; imports nothing.

    Raises SettingError naming the variable where it is not there, or finds no names.
    """
    found = find_spec(package) if package.isidentifier() else None
    if found is None or found.origin is None:
        raise SettingError(f"{variable}: there is no spaCy model {package!r} here; install its package or unset it.")
    try:
        meta = json.loads((Path(found.origin).parent / "meta.json").read_bytes())
        name, components = f"{package}-{meta['version']}", meta["pipeline"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{variable}: the package {package!r} is no spaCy model: {error!r}.") from error
    if "ner" not in components:
        raise SettingError(f"{variable}: the spaCy model {package!r} finds no names (it has no `ner`).")
    return name


def _digest(models: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(models, sort_keys=True).encode()).hexdigest()[:12]
