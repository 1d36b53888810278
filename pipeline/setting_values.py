"""What is checked of a setting beyond its type; each error says what is wanted instead."""

import ipaddress
import json
import re

from pydantic_core import PydanticCustomError

_LANGUAGE = re.compile("[a-z]{2,3}")
_MODELS_EXAMPLE = 'as {"en": "en_core_web_sm"}'


def models(given: object) -> object:
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


def port_ranges(given: str) -> tuple[range, ...]:
    """ "80,443,8000-8080" as ranges. Raises ValueError."""
    found = []
    for part in given.split(","):
        first, dash, last = part.partition("-")
        ports = range(int(first), int(last if dash else first) + 1)
        if not 1 <= ports.start < ports.stop <= 65536:
            raise ValueError(part)
        found.append(ports)
    return tuple(found)


def ports(given: str) -> str:
    """Port numbers and ranges."""
    try:
        port_ranges(given)
    except ValueError:
        raise _wrong_list("ports", "port numbers and ranges of them are wanted, as 80,443 or 80,8000-8080") from None
    return given


def addresses(given: str) -> str:
    """Addresses and networks."""
    for part in parts(given):
        try:
            if "%" in part:
                raise ValueError(f"{part!r} names an interface")
            ipaddress.ip_network(part)
        except ValueError as error:
            why = f"{error}; addresses and networks are wanted, as 10.1.0.0/16,192.168.7.20"
            raise _wrong_list("addresses", why) from None
    return given


def user_agent(given: str) -> str:
    """A name that goes into a header."""
    if not (given.isascii() and given.isprintable() and re.match("[A-Za-z_-]", given)):
        raise _wrong_list(
            "user_agent", "printable ASCII is wanted, a name first, as news-pipeline/1.0 (+mail@example.org)"
        )
    return given


def publication(given: str) -> str:
    """The name of a publication."""
    # Others call it by this name in CREATE SUBSCRIPTION: one that needs no quotes spares them a trap.
    if re.fullmatch("[a-z_][a-z0-9_]{0,62}", given) is None:
        raise _wrong_list("publication", "a name of small letters, digits and _ is wanted, 63 at most, no digit first")
    return given


def parts(given: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in given.split(",") if part.strip())


def _wrong_list(kind: str, why: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{why}", {"why": why})
