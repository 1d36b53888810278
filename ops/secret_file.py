"""`news config secret`: a file with a random secret, made once and then left as it is."""

import os
import secrets
from pathlib import Path
from typing import Final

from pipeline.errors import SettingError

#: 256 bits; letters, digits, - and _, so that it needs no quoting in a URL or a shell.
RANDOM_BYTES: Final = 32
#: All may read it: PostgreSQL's container and ours run as different users. The folder is what protects it.
MODE: Final = 0o444


def make(path: Path) -> bool:
    """Make the file unless it holds a secret; whether it was made. A file that appears has all of it.

    Raises SettingError where there is an empty one, or none can be made or read.
    """
    try:
        if path.exists():
            _check(path)
            return False
        return _write(path)
    except UnicodeDecodeError:
        raise SettingError(f"{path} is not text: take it away, or name another file.") from None
    except FileNotFoundError:
        raise SettingError(f"{path}: the folder {path.parent} is not there; make it, or name another one.") from None
    except PermissionError:
        raise SettingError(
            f"{path}: user {os.getuid()} may not write to {path.parent} or not read what is there; give the folder to "
            "this user (chown), or name another one."
        ) from None
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}; name another file.") from error


def _check(path: Path) -> None:
    if not path.read_text(encoding="utf-8").strip():
        raise SettingError(f"{path} is empty: take it away and one is made, or put the secret into it.")


def _write(path: Path) -> bool:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w") as stream:
            os.fchmod(stream.fileno(), MODE)  # whatever the umask says
            stream.write(secrets.token_urlsafe(RANDOM_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)  # unlike a rename, never over what another has made meanwhile
        except FileExistsError:
            _check(path)
            return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    """The name outlives a power cut: a database is set up with this secret next."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
