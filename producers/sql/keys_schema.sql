-- API keys (producers/ingest/keys.py), in a file of their own.
CREATE TABLE IF NOT EXISTS keys (
    hash BLOB PRIMARY KEY,  -- SHA-256 of the key
    name TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,  -- its beginning, to know it by
    sources TEXT NOT NULL,  -- JSON: the names it may send for; empty: any
    per_minute INTEGER,  -- articles; null: no limit
    created_at REAL NOT NULL,  -- seconds since 1970
    last_used_at REAL
) WITHOUT ROWID;
