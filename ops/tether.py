"""PARENT_PID SIGNAL [--as UID:GID] COMMAND... -> that command, which ends with its parent.

A supervisor that is killed with SIGKILL cannot stop its services. On Linux the kernel does it: the tethered command
gets SIGNAL when its parent dies. On other systems the command runs untethered, and the next start ends what was left
over (process.py).

Run as a script by its path, on the bare interpreter (-I -S): it starts in 20 ms and imports nothing of the project.
"""

import ctypes
import os
import signal
import sys
from typing import NamedTuple, NoReturn

PR_SET_PDEATHSIG = 1


class Account(NamedTuple):
    """Whom a service runs as when the supervisor is root."""

    uid: int
    gid: int


def tethered(command: list[str], signal_name: str, account: Account | None = None) -> list[str]:
    """Give the command with the tether in front, for this process as its parent.

    `signal_name` is what the command gets when the parent dies ("SIGTERM"). With `account`, which takes a root parent,
    the tether starts as root and becomes that account itself: no other account may be let through to this interpreter.

    The kernel watches the *thread* that starts the command, not its process: see process.py for the thread that does.
    """
    identity = [] if account is None else ["--as", f"{account.uid}:{account.gid}"]
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), signal_name, *identity, *command]


def main(arguments: list[str]) -> NoReturn:
    """Become the command, or exit 1 because the parent is gone already."""
    parent, signal_name, *command = arguments
    if command[0] == "--as":
        uid, gid = (int(number) for number in command[1].split(":"))
        command = command[2:]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of identity, which clears it; an exec of an ordinary program keeps it.
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.Signals[signal_name].value, 0, 0, 0) != 0:
            sys.exit(f"tether: prctl: {os.strerror(ctypes.get_errno())}")
        # After the call above: a parent that died before it would never be reported.
        if os.getppid() != int(parent):
            sys.exit(f"tether: the parent {parent} has ended")
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
