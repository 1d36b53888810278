"""What both embedded services need of the system: a port, a tethered process, and an end to what was left over."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from ops import tether
from pipeline.errors import SettingError, Stop

Progress = Callable[[str, int, int], None]
"""Called with a label, the steps done and the steps in all."""

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.05
LEFT_OVER_SECONDS = 10

# Below the range from which Linux takes the ports of outgoing connections (32768 and up): a client that calls a port of
# that range while the service is down can be given the very same port for its own end, connect to itself, and keep it.
SERVICE_PORTS = range(20_000, 32_000)

# The kernel ends a tethered process when the thread that started it ends: one thread starts them all and stays.
_launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


def open_data_folder(folder: Path) -> None:
    """Make the folder unless it is there; raises SettingError if this account cannot write to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"The data folder {folder} cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingError(f"The data folder {folder} belongs to another account; name another, or run as its owner.")


def is_free(port: int) -> bool:
    """Whether nothing listens on this TCP port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # connections of an earlier run may still be closing
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose_port(service: str, asked: int | None, remembered: int | None, taken: Collection[int] = ()) -> int:
    """Give the port that was asked for, else the remembered one if it is free, else another free one.

    Raises SettingError when the port that was asked for is in use: the caller has told it to others.
    """
    if asked is not None:
        if not is_free(asked):
            raise SettingError(f"Port {asked} for {service} is in use; choose another, or end what listens on it.")
        return asked
    candidates = random.SystemRandom().sample(SERVICE_PORTS, len(SERVICE_PORTS))
    if remembered is not None:
        candidates.insert(0, remembered)
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    raise SettingError(f"No free port for {service} between {SERVICE_PORTS.start} and {SERVICE_PORTS.stop}; name one.")


def read_ports(path: Path) -> dict[str, int]:
    """Give the ports of the last run by name; none if there was none or the file is not readable as such."""
    try:
        ports = json.loads(path.read_text())
        return {str(name): int(port) for name, port in ports.items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}


def write_ports(path: Path, ports: Mapping[str, int]) -> None:
    """Keep the ports for the next run."""
    write_atomically(path, json.dumps(ports))


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old text or the new one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def last_lines(path: Path, count: int = 12) -> str:
    """Give the end of a log; an empty text if there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 64 * 1024))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


class _Identity(NamedTuple):
    """A process id with the time it started (seconds since the epoch): the number alone is given out again."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "_Identity":
        return cls(pid, psutil.Process(pid).create_time())

    def is_alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            # A zombie has let go of its ports and locks. Two seconds: a corrected clock shifts the reported time.
            return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 2
        except psutil.NoSuchProcess:
            return False

    def ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def send(self, signal_number: signal.Signals) -> None:
        if self.is_alive():
            os.kill(self.pid, signal_number)


class ServiceProcess:
    """One service under its tether: started, watched and stopped here, and recognised by the next supervisor.

    `record` is the file that keeps who runs it (process ids with their start times) while it runs. `stop_signal` is
    what asks the service to end in good order; it is also what the tether sends.
    """

    def __init__(self, service: str, record: Path, stop_signal: signal.Signals) -> None:
        self._service = service
        self._record = record
        self._stop_signal = stop_signal
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._popen.pid if self._popen is not None and self._popen.poll() is None else None

    def poll(self) -> int | None:
        """Give the exit status (negative: a signal) if it was started and has ended, else None."""
        return None if self._popen is None else self._popen.poll()

    def end_left_over(self) -> None:
        """See to it that no process of an earlier supervisor still uses the data folder.

        The tether has told it to end, so it gets time to do so, then is asked again, then is killed: half a minute at
        the worst. Raises Stop if its supervisor is alive: two cannot share a data folder.
        """
        try:
            recorded = json.loads(self._record.read_text())
            service = _Identity(recorded["pid"], recorded["started"])
            supervisor = _Identity(recorded["supervisor_pid"], recorded["supervisor_started"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return
        if service.is_alive() and supervisor.is_alive():
            raise Stop(
                f"{self._service} already runs on {self._record.parent} as process {service.pid} under process "
                f"{supervisor.pid}; stop that one first, or choose another data folder."
            )
        if not service.ends_within(LEFT_OVER_SECONDS):
            service.send(self._stop_signal)
            if not service.ends_within(LEFT_OVER_SECONDS):
                service.send(signal.SIGKILL)
                if not service.ends_within(LEFT_OVER_SECONDS):
                    raise Stop(
                        f"{self._service} is left over as process {service.pid} and does not end; end it by hand."
                    )
        self._record.unlink(missing_ok=True)

    def launch(
        self,
        command: list[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: Path,
        account: tether.Account | None = None,
    ) -> None:
        """Start the command under the tether and return at once; what it prints goes to a new file `output`.

        The file is opened for appending, so that whoever bounds its size may cut it short while the process writes.
        """
        output.unlink(missing_ok=True)
        with output.open("ab") as stream:
            self._popen = _launcher.submit(
                lambda: subprocess.Popen(
                    tether.tethered(command, self._stop_signal.name, account),
                    cwd=directory,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches the supervisor only: it decides who ends first
                )
            ).result()
        identities = _Identity.of(self._popen.pid), _Identity.of(os.getpid())
        names = ("pid", "started", "supervisor_pid", "supervisor_started")
        write_atomically(self._record, json.dumps(dict(zip(names, [*identities[0], *identities[1]], strict=True))))

    def stop(self, timeout_seconds: float) -> None:
        """Ask it to end, kill it when that takes longer than `timeout_seconds`; without effect if it does not run."""
        if self._popen is None:
            return
        if self._popen.poll() is None:
            self._popen.send_signal(self._stop_signal)
            try:
                self._popen.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._record.unlink(missing_ok=True)
