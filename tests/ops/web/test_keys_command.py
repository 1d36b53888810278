"""`news keys`: a key is printed once, and is out of every list after that."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.commands import keys
from pipeline.errors import SettingError
from producers.ingest.keys import KeyStore


def news_keys(*arguments: str) -> str:
    outcome = CliRunner().invoke(keys.app, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_keys_are_made_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS_DATA_DIR", str(tmp_path))

    key = news_keys("create", "crawler", "--source", "a.example", "--source", "b.example", "--per-minute", "60").strip()
    with KeyStore(tmp_path) as store:
        assert store.find(key) is not None
    (row,) = [json.loads(line) for line in news_keys("list", "--json").splitlines()]
    assert (row["name"], row["sources"], row["per_minute"]) == ("crawler", ["a.example", "b.example"], 60)
    assert row["prefix"] == key[:13]
    assert row["last_used_at"] is not None
    assert key not in news_keys("list") + json.dumps(row)

    news_keys("revoke", "crawler")
    assert news_keys("list", "--json") == ""
    with pytest.raises(SettingError, match="no key"):
        news_keys("revoke", "crawler")
