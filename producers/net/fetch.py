"""A URL of a stranger -> what it leads to, or the reason why not: the one way by which anything here is fetched.

Each hop goes to a public address (producers/net/addresses.py), over a connection of its own, without cookies, passwords
or proxies. Time and size are bounded for all hops together, before and after decompression. What goes wrong is always a
FetchFailed with its reason and a sentence.
"""

import contextlib
import functools
import http.client
import re
import ssl
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import certifi

from pipeline import metrics
from pipeline.settings import FetchSettings
from producers.formats import encodings
from producers.net import addresses, kinds, urls, wire
from producers.net.deadline import Deadline
from producers.net.kinds import Accept
from producers.net.urls import Address, BadUrl

#: What a server may ask for or promise at most: it is asked again within a day.
MAX_RETRY_AFTER_SECONDS: Final = 86_400.0
MAX_AGE_SECONDS: Final = 86_400.0
#: ETag and Last-Modified are kept for the next time; what is longer or could not be sent back is not.
MAX_TAG: Final = 1000


class Why(StrEnum):
    """Why there is no response: a closed set, used as a metric label and in SQL."""

    FORBIDDEN_ADDRESS = "forbidden-address"
    BAD_URL = "bad-url"
    ROBOTS = "robots"
    NOT_FOUND = "not-found"
    GONE = "gone"
    UNAUTHORISED = "unauthorised"
    REFUSED = "refused"
    TOO_MANY = "too-many"
    SERVER_ERROR = "server-error"
    TIMEOUT = "timeout"
    DNS = "dns"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TOO_LARGE = "too-large"
    WRONG_TYPE = "wrong-type"
    REDIRECTS = "redirects"
    BAD_RESPONSE = "bad-response"


#: What may be over by the next try; all else stays as it is.
PASSING: Final = frozenset(
    {Why.TOO_MANY, Why.SERVER_ERROR, Why.TIMEOUT, Why.DNS, Why.UNREACHABLE, Why.TLS, Why.BAD_RESPONSE}
)

_BY_STATUS: Final = {
    401: (Why.UNAUTHORISED, "wants a password; nothing here logs in."),
    407: (Why.UNAUTHORISED, "wants a password; nothing here logs in."),
    404: (Why.NOT_FOUND, "has nothing at this address. Look for the new one on its site."),
    408: (Why.TIMEOUT, "ran out of patience. It is asked again later."),
    410: (Why.GONE, "says that this is gone for good. Take it out."),
    429: (Why.TOO_MANY, "is asked too often. It is asked again later, and less."),
}
_PERMANENT: Final = (301, 308)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
#: What a connection to a stranger may end in. (A timeout and whatever TLS says are OSErrors.)
_EXPECTED: Final = (
    addresses.Forbidden, addresses.UnknownHost, wire.CutOff, http.client.HTTPException, OSError,
)  # fmt: skip
_SENDABLE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]+")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:+-]{1,40})", re.IGNORECASE | re.ASCII)
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+*-]{1,60}/[a-z0-9!#$&^_.+*-]{1,100}")
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE | re.ASCII)
_NO_CACHE: Final = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?=$|[\s,])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """What to fetch; with the tags of the last time, only if it has changed since."""

    url: str
    accept: Accept
    etag: str | None = None
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A 200 with its body, or a 304 without one."""

    url: str
    """Where the body came from, after redirects."""
    status: int
    body: bytes
    """Decompressed."""
    content_type: str | None
    """In lower case, without parameters."""
    charset: str | None
    """What the Content-Type header says."""
    etag: str | None
    modified: str | None
    moved_to: str | None
    """The new address, if every redirect on the way was permanent."""
    fetched_at: datetime
    max_age_seconds: float | None
    """How long the server takes it to be fresh, at most a day; None: it does not say."""


class FetchFailed(Exception):
    """There is no response: `why`, and a sentence for a person that names the host and what to do.

    `host`: who was asked last and said so, behind redirects another than that of the URL; None: nobody was asked.
    """

    def __init__(
        self, why: Why, sentence: str, *, status: int | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.why = why
        self.sentence = sentence
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.host: str | None = None


class Fetcher:
    """Fetches, from as many threads as like. `close()` ends what is under way with a FetchFailed."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._guard = addresses.Guard(settings.allowed_networks)
        self._ports = settings.port_ranges
        self._sockets = wire.Sockets()

    def get(self, request: Request) -> Response:
        """What the URL leads to. Raises FetchFailed, and nothing else."""
        started = time.monotonic()
        try:
            response = self._followed(request, Deadline(started + self._settings.timeout_seconds))
        except FetchFailed as failure:
            metrics.fetches.labels(accept=request.accept, result=failure.why.value).inc()
            raise
        finally:
            metrics.fetch_seconds.observe(time.monotonic() - started)
        result = "unchanged" if response.status == HTTPStatus.NOT_MODIFIED else "ok"
        metrics.fetches.labels(accept=request.accept, result=result).inc()
        return response

    def close(self) -> None:
        """End all fetches; later ones fail at once."""
        self._sockets.shut()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _followed(self, request: Request, deadline: Deadline) -> Response:
        kind = kinds.KINDS[request.accept]
        try:
            address = urls.read(request.url)
        except BadUrl as error:
            raise FetchFailed(Why.BAD_URL, f"This address cannot be fetched: {error}. Correct it.") from None
        seen = [address]
        is_moved = True  # so far every hop was permanent
        while True:
            try:
                answer = self._answered(address, request, deadline)
            except FetchFailed as failure:
                failure.host = address.host
                raise
            if isinstance(answer, Response):
                return _moved(answer, seen) if is_moved and len(seen) > 1 else answer
            # To plain http is followed, as http itself is fetched; but it is not what a source is rewritten to.
            is_moved &= answer.is_permanent and not (address.scheme == "https" and answer.to.scheme == "http")
            address = answer.to
            if address in seen:
                raise FetchFailed(
                    Why.REDIRECTS,
                    f"{seen[0].host} redirects in a circle, back to {urls.quoted(address.url)}; it may want cookies, "
                    "which are not kept here. Look for another address of it.",
                )
            seen.append(address)
            if len(seen) > kind.max_redirects + 1:
                raise FetchFailed(
                    Why.REDIRECTS,
                    f"{seen[0].host} redirects more than {kind.max_redirects} times. Give the address it leads to.",
                )

    def _answered(self, address: Address, request: Request, deadline: Deadline) -> "Response | _Redirect":
        host = address.host
        if not any(address.port in ports for ports in self._ports):
            raise FetchFailed(
                Why.FORBIDDEN_ADDRESS,
                f"{host} is to be asked at port {address.port}; NEWS_FETCH__PORTS allows {self._settings.ports} only.",
            )
        try:
            return self._exchanged(address, request, deadline)
        except _EXPECTED as error:
            if self._sockets.is_closed:
                raise FetchFailed(Why.UNREACHABLE, f"{host} was not waited for: this process is ending.") from None
            raise _failure(host, error, self._settings.timeout_seconds) from None

    def _exchanged(self, address: Address, request: Request, deadline: Deadline) -> "Response | _Redirect":
        connection = self._guard.connect(address.host, address.port, deadline)
        tls = _tls() if address.scheme == "https" else None
        headers = self._headers(address, request)
        with wire.asked(connection, tls, address.host, address.selector, headers, deadline, self._sockets) as answer:
            if answer.status in _REDIRECTS:
                return _redirect(address, answer)
            if answer.status == HTTPStatus.NOT_MODIFIED and (request.etag or request.modified):
                response = _response(address, answer, b"")
                return replace(
                    response, etag=response.etag or request.etag, modified=response.modified or request.modified
                )
            if answer.status not in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION):
                raise _refused(address.host, answer)
            return _response(address, answer, self._body(address.host, request.accept, answer))

    def _headers(self, address: Address, request: Request) -> dict[str, str]:
        headers = {
            "Host": address.authority,
            "User-Agent": self._settings.user_agent,
            "Accept": kinds.KINDS[request.accept].header,
            "Accept-Encoding": encodings.ACCEPTED,
            "Connection": "close",
        }
        for name, tag in (("If-None-Match", request.etag), ("If-Modified-Since", request.modified)):
            if _sendable(tag) is not None:
                headers[name] = str(tag)
        return headers

    def _body(self, host: str, accept: Accept, answer: wire.Answer) -> bytes:
        kind = kinds.KINDS[accept]
        max_bytes = kind.max_bytes or self._settings.max_bytes
        content_type = _content_type(answer)
        if not kinds.may_be(accept, content_type):
            raise _wrong_type(host, accept, content_type)
        try:
            packed = answer.body(max_bytes, cut=kind.is_cut)
            codings = (answer.header("Content-Encoding") or "").split(",")
            body = encodings.decode(packed, codings, max_bytes, cut=kind.is_cut)
        except (wire.TooMuch, encodings.TooLarge):
            by_whom = "" if kind.max_bytes else ", which NEWS_FETCH__MAX_BYTES sets"
            raise FetchFailed(
                Why.TOO_LARGE, f"{host} sends more than {max_bytes:,} bytes, the limit for {kind.noun}{by_whom}."
            ) from None
        except encodings.Broken as error:
            raise FetchFailed(
                Why.BAD_RESPONSE, f"What {host} sends cannot be unpacked: {error}. It is asked again later."
            ) from None
        if not body and accept != "robots":
            raise FetchFailed(Why.BAD_RESPONSE, f"{host} answers with nothing. It is asked again later.")
        if not kinds.is_one(accept, content_type, body):
            raise _wrong_type(host, accept, content_type)
        return body


@dataclass(frozen=True, slots=True)
class _Redirect:
    to: Address
    is_permanent: bool


@functools.cache
def _tls() -> ssl.SSLContext:
    # certifi's list, not the system's: the same servers are trusted everywhere. Reading it takes a while, so once.
    return ssl.create_default_context(cafile=certifi.where())


def _failure(host: str, error: Exception, timeout_seconds: float) -> FetchFailed:
    later = "It is asked again later."
    match error:
        case addresses.Forbidden():
            why = Why.FORBIDDEN_ADDRESS
            sentence = (
                f"{host} leads to {error}, an address of a private or special network, which is not asked. If it is "
                "yours, name its network in NEWS_FETCH__ALLOW_ADDRESSES."
            )
        case addresses.UnknownHost():
            why = Why.DNS
            sentence = f"The name {host} has no address. Check its spelling, and the name server of this machine."
        case TimeoutError():
            why = Why.TIMEOUT
            sentence = (
                f"{host} had not answered in full after {timeout_seconds:g} s (NEWS_FETCH__TIMEOUT_SECONDS). {later}"
            )
        case ssl.SSLCertVerificationError():
            why = Why.TLS
            sentence = f"{host} shows a certificate that is not trusted: {error.verify_message}. Tell its owners."
        case ssl.SSLError():
            why = Why.TLS
            reason = error.reason or "the connection broke"
            sentence = f"No safe connection to {host}: {reason}. It may speak http:// only."
        case wire.CutOff():
            why = Why.BAD_RESPONSE
            sentence = f"{host} ended its answer before its end; what came is not used. {later}"
        case http.client.RemoteDisconnected():
            why = Why.UNREACHABLE
            sentence = f"{host} hung up without an answer. {later}"
        case http.client.HTTPException():
            why = Why.BAD_RESPONSE
            sentence = f"{host} answers with what is no HTTP: {_words(error)}. {later}"
        case _:
            why = Why.UNREACHABLE
            words = error.strerror if isinstance(error, OSError) and error.strerror else _words(error)
            sentence = f"{host} cannot be reached: {words}. {later}"
    return FetchFailed(why, sentence)


def _words(error: Exception) -> str:
    return urls.quoted(str(error) or type(error).__name__)


def _redirect(address: Address, answer: wire.Answer) -> _Redirect:
    location = answer.header("Location")
    if not location:
        raise FetchFailed(
            Why.REDIRECTS, f"{address.host} redirects ({answer.status}) to nowhere. Look for its new address."
        )
    # http.client reads headers as Latin-1; what is not ASCII is UTF-8 nowadays.
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        to = address.joined(location)
    except BadUrl as error:
        raise FetchFailed(Why.REDIRECTS, f"{address.host} redirects to what cannot be fetched: {error}.") from None
    return _Redirect(to, answer.status in _PERMANENT)


def _refused(host: str, answer: wire.Answer) -> FetchFailed:
    status = answer.status
    retry_after = retry_after_seconds(answer.header("Retry-After"), datetime.now(UTC))
    why, sentence = _by_status(status)
    return FetchFailed(why, f"{host} ({status}) {sentence}", status=status, retry_after_seconds=retry_after)


def _by_status(status: int) -> tuple[Why, str]:
    """What a status means, and the end of a sentence about its host."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return Why.REFUSED, "refuses. Ask its owners, or say who you are in NEWS_FETCH__USER_AGENT."
    if 500 <= status < 600:
        return Why.SERVER_ERROR, "is in trouble. It is asked again later."
    return Why.BAD_RESPONSE, "answers with what is no answer to this. It is asked again later."


def _wrong_type(host: str, accept: Accept, content_type: str | None) -> FetchFailed:
    what = urls.quoted(content_type) if content_type else "something without a type"
    return FetchFailed(
        Why.WRONG_TYPE, f"{host} answers with {what}, not with {kinds.KINDS[accept].noun}. Check the address."
    )


def _response(address: Address, answer: wire.Answer, body: bytes) -> Response:
    now = datetime.now(UTC)
    stated = answer.header("Content-Type") or ""
    charset = _CHARSET.search(stated)
    return Response(
        url=address.url,
        status=304 if answer.status == HTTPStatus.NOT_MODIFIED else 200,
        body=body,
        content_type=_content_type(answer),
        charset=charset[1].lower() if charset else None,
        etag=_sendable(answer.header("ETag")),
        modified=_sendable(answer.header("Last-Modified")),
        moved_to=None,
        fetched_at=now,
        max_age_seconds=max_age_seconds(answer.header("Cache-Control"), answer.header("Expires"), now),
    )


def _moved(response: Response, seen: list[Address]) -> Response:
    return replace(response, moved_to=seen[-1].url)


def _content_type(answer: wire.Answer) -> str | None:
    stated = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
    return stated if _MEDIA_TYPE.fullmatch(stated) else None


def _sendable(tag: str | None) -> str | None:
    """A tag that can be sent back as it came; None for another."""
    return tag if tag is not None and len(tag) <= MAX_TAG and _SENDABLE.fullmatch(tag) else None


def retry_after_seconds(stated: str | None, now: datetime) -> float | None:
    """What a Retry-After header asks for, in seconds or by a date, at most a day; None: nothing that can be read."""
    if stated is None:
        return None
    stated = stated.strip()
    if stated.isascii() and stated.isdigit():
        return min(float(stated[:20]), MAX_RETRY_AFTER_SECONDS)
    then = _date(stated)
    return None if then is None else min(max((then - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def max_age_seconds(cache_control: str | None, expires: str | None, now: datetime) -> float | None:
    """For how long an answer is fresh, by its headers, at most a day; None: they do not say."""
    if cache_control is not None:
        if _NO_CACHE.search(cache_control):
            return 0.0
        if found := _MAX_AGE.search(cache_control):
            return min(float(found[1]), MAX_AGE_SECONDS)
    then = _date(expires) if expires is not None else None
    return None if then is None else min(max((then - now).total_seconds(), 0.0), MAX_AGE_SECONDS)


def _date(stated: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(stated[:100])
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
