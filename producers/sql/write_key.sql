-- A new key.
INSERT INTO keys (hash, name, prefix, sources, per_minute, created_at)
VALUES (:hash, :name, :prefix, :sources, :per_minute, :created_at);
