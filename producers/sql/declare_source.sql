-- A source that is new in feeds.toml; not if another process was faster.
INSERT INTO sources (name, kind, declared_url, url, disabled, entries, new_entries, failures, changed_at)
VALUES (:name, :kind, :declared_url, :declared_url, :disabled, 0, 0, 0, :changed_at)
ON CONFLICT (name) DO NOTHING;
