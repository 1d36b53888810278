-- Answers to requests with an Idempotency-Key (producers/ingest/intake.py), written in the transaction of their rows.
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,  -- which API key
    key TEXT NOT NULL,  -- what the client calls the request
    fingerprint BLOB NOT NULL,  -- of the request: the same key with another request is a mistake
    answer BLOB NOT NULL,  -- packed by zlib
    first_seq INTEGER NOT NULL,  -- of its records
    last_seq INTEGER NOT NULL,
    kept_at REAL NOT NULL,  -- seconds since 1970
    UNIQUE (owner, key)
);
CREATE INDEX IF NOT EXISTS answers_kept_at ON answers (kept_at);
