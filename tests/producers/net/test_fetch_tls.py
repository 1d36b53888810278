"""Whom TLS lets us trust."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from producers.net import fetch as fetch_module
from producers.net.fetch import FetchFailed, Request, Why
from tests import strangers as does
from tests.producers.net.fetches import RSS, SHORT_SECONDS, failure_at, fetcher
from tests.strangers import Behaviour, Strangers


def test_tls_that_is_none_is_a_failure(strangers: Strangers) -> None:
    with fetcher(strangers) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(strangers.url.replace("http:", "https:"), "feed"))

    assert failed.value.why is Why.TLS


def test_a_handshake_that_never_ends_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failed = failure_at(
            f"https://127.0.0.1:{port}/",
            allow_addresses="127.0.0.1",
            ports=str(port),
            timeout_seconds=SHORT_SECONDS,
        )

    assert failed.why is Why.TIMEOUT


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself; with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: it makes a certificate for this test")
    made = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(made), "-out", str(made.with_suffix(".crt"))]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    made.write_text(made.read_text() + made.with_suffix(".crt").read_text())
    return made


@pytest.fixture
def safe_strangers(certificate: Path) -> Iterator[Strangers]:
    """A server that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Strangers(tls=context) as server:
        yield server


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The certificate is among those that are trusted."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    fetch_module._tls.cache_clear()
    yield
    fetch_module._tls.cache_clear()


def test_a_certificate_that_nobody_signed_is_a_failure(safe_strangers: Strangers) -> None:
    url = safe_strangers.at("/it", does.fixed(RSS))

    with fetcher(safe_strangers) as made, pytest.raises(FetchFailed, match="self-signed") as failed:
        made.get(Request(url, "feed"))

    assert failed.value.why is Why.TLS
    assert safe_strangers.asked() == []


@pytest.mark.usefixtures("trusted")
def test_a_server_with_a_good_certificate_is_fetched_from(safe_strangers: Strangers) -> None:
    url = safe_strangers.at("/it", does.chunks(RSS[:9], RSS[9:]))

    with fetcher(safe_strangers) as made:
        assert made.get(Request(url, "feed")).body == RSS


@pytest.mark.usefixtures("trusted")
def test_a_certificate_is_for_its_host_only(safe_strangers: Strangers) -> None:
    url = safe_strangers.at("/it", does.fixed(RSS)).replace("localhost", "127.0.0.1")

    with fetcher(safe_strangers) as made, pytest.raises(FetchFailed, match="IP address mismatch") as failed:
        made.get(Request(url, "feed"))

    assert failed.value.why is Why.TLS


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("behaviour", [does.drip_headers(), does.drip_body()])
def test_a_slow_stranger_gains_nothing_by_tls(safe_strangers: Strangers, behaviour: Behaviour) -> None:
    url = safe_strangers.at("/it", behaviour)

    with fetcher(safe_strangers, timeout_seconds=SHORT_SECONDS) as made, pytest.raises(FetchFailed) as failed:
        made.get(Request(url, "feed"))

    assert failed.value.why is Why.TIMEOUT


@pytest.mark.usefixtures("trusted")
def test_a_feed_that_moves_from_https_to_http_is_read_and_not_rewritten(
    strangers: Strangers, safe_strangers: Strangers
) -> None:
    plain = strangers.at("/it", does.fixed(RSS))
    url = safe_strangers.at("/it", does.redirect(plain, 301))

    with fetcher(strangers, ports=f"{strangers.port},{safe_strangers.port}") as made:
        response = made.get(Request(url, "feed"))

    assert (response.url, response.moved_to) == (plain, None)
