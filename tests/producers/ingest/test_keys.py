"""Keys are shown once and kept as hashes; limits count articles in a moving minute."""

from pathlib import Path

import pytest

from pipeline.errors import SettingError
from producers.ingest.keys import FILE, KeyStore
from producers.ingest.quotas import Quotas


def test_a_key_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    with KeyStore(tmp_path) as keys:
        key = keys.create("crawler", ["a.example", "b.example", "a.example"], 100)
        found = keys.find(key)

        assert found is not None
        assert (found.name, found.sources, found.per_minute) == ("crawler", ("a.example", "b.example"), 100)
        assert found.source == "a.example"
        assert key.startswith(found.prefix)
        assert keys.find(key + "x") is None
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key.encode() not in kept
    assert key[13:].encode() not in kept
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_another_process_sees_a_change_at_once(tmp_path: Path) -> None:
    with KeyStore(tmp_path) as keys, KeyStore(tmp_path) as others:
        key = keys.create("crawler")
        assert others.find(key) is not None
        assert [(known.name, known.last_used_at is not None) for known in keys.all()] == [("crawler", True)]

        assert keys.revoke("crawler")
        assert others.find(key) is None
        assert not keys.revoke("crawler")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb"])
def test_a_key_needs_a_name(tmp_path: Path, name: str) -> None:
    with KeyStore(tmp_path) as keys, pytest.raises(SettingError, match="name"):
        keys.create(name)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with KeyStore(tmp_path) as keys:
        keys.create("crawler")

        with pytest.raises(SettingError, match="already"):
            keys.create("crawler")
        with pytest.raises(SettingError, match="source"):
            keys.create("other", ["x" * 201])


def test_a_quota_counts_articles_of_each_key_by_itself() -> None:
    quotas = Quotas()

    assert quotas.take("a", 10, 7) is None
    assert quotas.take("a", 10, 3) is None
    wait = quotas.take("a", 10, 1)
    assert wait is not None
    assert 50 < wait <= 61
    assert quotas.take("b", 10, 10) is None
    assert quotas.take("c", None, 10_000) is None
