"""A URL as somebody wrote it -> the address that is asked, in one spelling; or the reason why there is none."""

from dataclasses import dataclass
from typing import Final, Literal, cast
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

MAX_URL: Final = 8000
MAX_HOST: Final = 253
MAX_LABEL: Final = 63
MAX_QUOTE: Final = 100
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class BadUrl(ValueError):
    """The message says what is wrong, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask, and what for."""

    scheme: Literal["http", "https"]
    host: str
    """In ASCII and lower case; an IPv6 address without its brackets."""
    port: int
    selector: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """As it stands in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.selector}"

    def joined(self, reference: str) -> "Address":
        """Where a reference found at this address leads. Raises BadUrl."""
        try:
            return read(urljoin(self.url, reference.strip()))
        except BadUrl:
            raise
        except ValueError:
            raise BadUrl(f"{quoted(reference)} is no address") from None


def read(url: str) -> Address:
    """The address of an http or https URL. Raises BadUrl."""
    text = url.strip()
    if len(text) > MAX_URL:
        raise BadUrl(f"it has {len(text):,} characters; {MAX_URL:,} are read")
    try:
        parsed = parse_url(text)
    except (LocationParseError, ValueError):
        raise BadUrl(f"{quoted(text)} is no address") from None
    if parsed.scheme not in _DEFAULT_PORTS:
        raise BadUrl(f"{quoted(text)} does not begin with https:// or http://")
    if parsed.auth is not None:
        raise BadUrl("it has a user name before its host; nothing here logs in")
    host = (parsed.host or "").removeprefix("[").removesuffix("]").removesuffix(".")
    if not _is_host(host):
        raise BadUrl(f"{quoted(text)} names no host")
    scheme = cast(Literal["http", "https"], parsed.scheme)
    selector = (parsed.path or "/") + (f"?{parsed.query}" if parsed.query is not None else "")
    port = parsed.port if parsed.port is not None else _DEFAULT_PORTS[scheme]
    address = Address(scheme, host.lower(), port, selector)
    if len(address.url) > MAX_URL:  # %XX is three characters for a byte of one
        raise BadUrl(f"encoded it has {len(address.url):,} characters; {MAX_URL:,} are read")
    return address


def quoted(text: str) -> str:
    """A URL for a message: printable, not too long, and without a password that may stand in it."""
    before, at, after = text.rpartition("@")
    shown = f"…@{after}" if at and "/" in before else text
    return (
        repr(shown if len(shown) <= MAX_QUOTE else shown[:MAX_QUOTE] + "…").encode("ascii", "backslashreplace").decode()
    )


def _is_host(host: str) -> bool:
    if ":" in host:
        return True
    labels = host.split(".")
    return host.isascii() and len(host) <= MAX_HOST and all(0 < len(label) <= MAX_LABEL for label in labels)
