"""Secrets: reading one from its file; the URL of a database, checked and given its password."""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pipeline.errors import SettingError

MAX_BYTES: Final = 64 * 1024
#: Without any part of it: what is read as host, port or database may be a piece of the password.
_NO_URL: Final = (
    "NEWS_DATABASE__URL is no PostgreSQL URL: postgresql://user:password@host:port/database; in a password write "
    "%, @, :, /, ?, # and blanks as %25, %40, %3A, %2F, %3F, %23 and %20."
)


def read(variable: str, path: Path) -> str:
    """What the file holds, without the newline at its end.

    Raises SettingError naming the variable and the file; not what may be the secret itself: of a relative path that
    leads to nothing it cannot be told.
    """
    if not path.is_absolute() and not os.path.exists(path):  # noqa: PTH110  Path.exists() raises for a long name
        raise SettingError(f"{variable}: what it has is no path of a file; it is not shown, as it may be the secret.")
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


def check_url(url: str) -> None:
    """Raises SettingError where this is neither a URL of PostgreSQL nor libpq's `host=… user=…`.

    Nor may host, port or database be what an unescaped `/` or `@` in the password makes of them.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except (ProgrammingError, UnicodeEncodeError):
        raise SettingError(_NO_URL) from None
    ports = parts.get("port", "").split(",")
    if any(port and not port.isdecimal() for port in ports) or "@" in parts.get("host", "") + parts.get("dbname", ""):
        raise SettingError(_NO_URL)


def with_password(url: str, password: str, variable: str) -> str:
    """The URL, or libpq's `host=… user=…`, with the password that `variable` gives; `check_url` has let it pass.

    Raises SettingError where it has one.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if conninfo_to_dict(url).get("password"):
        raise SettingError(f"{variable}: NEWS_DATABASE__URL has a password already; take one of them away.")
    if "://" not in url:
        return make_conninfo(url, password=password)
    scheme, _, rest = url.partition("://")
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    user, at, _ = authority.partition("@")
    server = rest[len(user + at) :] if at else rest
    user = user if at else ""
    return f"{scheme}://{user.removesuffix(':')}:{quote(password, safe='')}@{server}"
