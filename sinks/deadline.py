"""A limit on how long PostgreSQL may take: kept on this side, as a stopped server keeps no limit and answers nothing.

The kernel of a stopped process still acknowledges, so neither keepalives nor `statement_timeout` would end the wait.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def deadline(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Cut the connection when the body takes longer than `seconds`: whoever waits on it gets an OperationalError."""
    # A duplicate: the number of a closed connection's socket may belong to another one by then.
    own = socket.socket(fileno=os.dup(connection.fileno()))

    def cut() -> None:
        try:
            own.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was gone already

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        own.close()
