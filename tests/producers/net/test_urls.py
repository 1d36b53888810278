import pytest

from producers.net import urls
from producers.net.urls import BadUrl


def test_an_address_is_measured_as_it_is_sent() -> None:
    with pytest.raises(BadUrl, match=r"encoded it has 24,318 characters"):
        urls.read("https://a.example/" + "漢" * 2700)
