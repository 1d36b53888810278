-- Where each polled source stands. Times are seconds since 1970.
CREATE TABLE IF NOT EXISTS sources (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    declared_url TEXT NOT NULL,  -- as in feeds.toml
    url TEXT NOT NULL,  -- where it has moved since
    disabled TEXT,  -- by whom, in words
    gone TEXT,  -- why it is polled no more, in words
    etag TEXT,
    modified TEXT,
    interval_seconds REAL,
    next_poll_at REAL,
    poll_requested_at REAL,
    polled_at REAL,
    succeeded_at REAL,
    read_at REAL,  -- of the last answer with entries in it, which a 304 has not
    newest_entry_at REAL,
    entries INTEGER NOT NULL,
    new_entries INTEGER NOT NULL,
    known_share REAL,
    failures INTEGER NOT NULL,
    why TEXT,
    reason TEXT,
    cadence TEXT,  -- JSON of sources/cadence.py
    pruned_at REAL,
    changed_at REAL NOT NULL
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS sources_requested ON sources (poll_requested_at) WHERE poll_requested_at IS NOT NULL;

-- Which entries of a source have been taken, by hashes of their keys; `seen_at` is up to a day old.
CREATE TABLE IF NOT EXISTS seen_entries (
    source TEXT NOT NULL,
    key BLOB NOT NULL,
    digest BLOB NOT NULL,  -- empty: it was left out by the first poll
    seen_at REAL NOT NULL,
    taken_at REAL NOT NULL,  -- when it last said something else
    changes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, key)
) WITHOUT ROWID;

-- Entries whose text must come from their page; put here in the transaction that marks them as seen.
CREATE TABLE IF NOT EXISTS pages (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    key BLOB NOT NULL,
    host TEXT NOT NULL,
    entry TEXT NOT NULL,  -- JSON of formats/feeds.py, Entry
    tries INTEGER NOT NULL,
    next_try_at REAL NOT NULL,
    UNIQUE (source, key)
);

CREATE INDEX IF NOT EXISTS pages_by_host ON pages (host, next_try_at);
