"""A host's name -> a connection to an address of it that may be asked: looked up, judged and connected to in one go.

What is connected to is what was judged, so a name that is looked up anew (DNS rebinding) leads nowhere else; and as
this is the only way to a socket, each hop of a redirect comes through here.
"""

import itertools
import queue
import socket
import threading
from collections.abc import Sequence
from typing import Final

from AntiSSRF import AntiSSRFPolicy, PolicyConfigOptions

from producers.net.deadline import Deadline

#: Addresses of a host that are tried one after the other, by turns of IPv6 and IPv4.
MAX_TRIED: Final = 4
#: An address that does not answer makes room for the next one.
SECONDS_PER_ADDRESS: Final = 8.0
#: Old spellings of IPv4 in IPv6 (RFC 4291 §2.5.5.1, RFC 2765) that the library's list leaves out.
_MORE_DENIED: Final = ("::/96", "::ffff:0:0:0/96")

_Found = list[str] | OSError | UnicodeError


class Forbidden(Exception):
    """The host has an address that may not be asked."""


class UnknownHost(Exception):
    """The name has no address."""


class Guard:
    """Lets connections through to public addresses, and to those of the networks that are named to it."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._policy = AntiSSRFPolicy(PolicyConfigOptions.EXTERNAL_ONLY_LATEST)
        self._policy.add_denied_addresses(list(_MORE_DENIED))
        if allowed:
            self._policy.add_allowed_addresses(list(allowed))

    def allows(self, address: str) -> bool:
        """Whether this address (no name) may be asked."""
        # The library's own session would look names up without a deadline, try their first address only and lose the
        # port in the Host header. Its verdict is what we are after, and there is no public name for it (pinned).
        return bool(self._policy._is_network_connection_allowed([address]))

    def connect(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """A connection to the host.

        Raises Forbidden where any of its addresses is, UnknownHost, TimeoutError, OSError where none answers.
        """
        addresses = _look_up(host, deadline)
        for address in addresses:
            if not self.allows(address):
                raise Forbidden(address)
        tried = _by_turns(addresses)[:MAX_TRIED]
        for address in tried[:-1]:
            try:
                return socket.create_connection((address, port), min(deadline.left(), SECONDS_PER_ADDRESS))
            except OSError:
                continue
        return socket.create_connection((tried[-1], port), deadline.left())


def _look_up(host: str, deadline: Deadline) -> list[str]:
    # getaddrinfo has no timeout, so it runs in a thread that may be left to itself; the resolver ends it in its time.
    answer: queue.SimpleQueue[_Found] = queue.SimpleQueue()
    threading.Thread(target=_ask, args=(host, answer), name="look-up", daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, BaseException) or not found:
        raise UnknownHost(str(found))
    return found


def _ask(host: str, answer: "queue.SimpleQueue[_Found]") -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        answer.put(error)
    else:
        answer.put(list(dict.fromkeys(str(address[4][0]) for address in found)))


def _by_turns(addresses: list[str]) -> list[str]:
    """One of each family in turn, beginning with the resolver's choice: a broken IPv6 does not use all tries up."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    second = [address for address in addresses if address not in first]
    return [address for pair in itertools.zip_longest(first, second) for address in pair if address is not None]
