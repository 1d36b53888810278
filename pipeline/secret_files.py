"""Secrets that come from files: reading one, and putting a password into the URL of a database."""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pipeline.errors import SettingError

MAX_BYTES: Final = 64 * 1024


def read(variable: str, path: Path) -> str:
    """What the file holds, without the newline at its end. Raises SettingError naming the variable and the file."""
    where = f"{variable}: {path}"
    try:
        with path.open("rb") as stream:
            held = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SettingError(f"{where} is not there; make it (`news config secret`), or name another file.") from None
    except PermissionError:
        raise SettingError(f"{where} may not be read by user {os.getuid()}; let it (chmod, chown).") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in a path
        said = error.strerror if isinstance(error, OSError) else error
        raise SettingError(f"{where} cannot be read: {said}; name another file.") from None
    if len(held) > MAX_BYTES:
        raise SettingError(f"{where} has more than {MAX_BYTES:,} bytes: that is no secret; name another file.")
    try:
        secret = held.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SettingError(f"{where} is not UTF-8; write it as such, or name another file.") from None
    if not secret.strip():
        raise SettingError(f"{where} is empty; put the secret into it, or take it away and run `news config secret`.")
    if not secret.isprintable():
        raise SettingError(f"{where} has more than one line, or control characters; put the secret alone into it.")
    return secret


def with_password(url: str, password: str, variable: str) -> str:
    """The URL, or libpq's `host=… user=…`, with the password that `variable` gives.

    Raises SettingError where it has one, or is none of both.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        if conninfo_to_dict(url).get("password"):
            raise SettingError(f"{variable}: NEWS_DATABASE__URL has a password already; take one of them away.")
        if "://" not in url:
            return make_conninfo(url, password=password)
    except ProgrammingError:
        raise SettingError("NEWS_DATABASE__URL is no PostgreSQL URL: postgresql://user@host:port/database.") from None
    scheme, _, rest = url.partition("://")
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    user, at, _ = authority.partition("@")
    server = rest[len(user + at) :] if at else rest
    user = user if at else ""
    return f"{scheme}://{user.removesuffix(':')}:{quote(password, safe='')}@{server}"
