import pytest

from pipeline import settings
from pipeline.errors import SettingError
from pipeline.settings import FetchSettings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FetchSettings.model_fields:
        monkeypatch.delenv(f"NEWS_FETCH__{name.upper()}", raising=False)


def test_ports_and_networks_are_read_from_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_FETCH__PORTS", "80, 443,8000-8002")
    monkeypatch.setenv("NEWS_FETCH__ALLOW_ADDRESSES", "10.1.0.0/16, 192.168.7.20,fd00::/8,")

    fetch = settings.load().fetch

    assert [port for ports in fetch.port_ranges for port in ports] == [80, 443, 8000, 8001, 8002]
    assert fetch.allowed_networks == ("10.1.0.0/16", "192.168.7.20/32", "fd00::/8")


def test_without_settings_only_the_usual_ports_of_public_addresses_are_asked() -> None:
    fetch = FetchSettings()

    assert fetch.port_ranges == (range(80, 81), range(443, 444))
    assert fetch.allowed_networks == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTS", ""),
        ("PORTS", "http"),
        ("PORTS", "80,,443"),
        ("PORTS", "0"),
        ("PORTS", "65536"),
        ("PORTS", "443-80"),
        ("PORTS", "80-"),
        ("ALLOW_ADDRESSES", "localhost"),
        ("ALLOW_ADDRESSES", "10.1.2.3/16"),
        ("ALLOW_ADDRESSES", "fe80::1%eth0"),
        ("USER_AGENT", ""),
        ("USER_AGENT", "bot\r\nX-Evil: 1"),
        ("USER_AGENT", "Zeitungsböte"),
        ("USER_AGENT", "1.0"),
        ("TIMEOUT_SECONDS", "0"),
        ("MAX_BYTES", "1"),
        ("HOST_DELAY_SECONDS", "-1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"NEWS_FETCH__{name}", value)

    with pytest.raises(SettingError, match=f"NEWS_FETCH__{name}: "):
        settings.load()
