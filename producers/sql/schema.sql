-- What is accepted and not yet acknowledged by the broker, in sending order. AUTOINCREMENT: a number is never used again.
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    headers TEXT NOT NULL,  -- JSON: [[name, value], …]
    delivery_id BLOB NOT NULL,
    size INTEGER NOT NULL
);

-- How far each file has been read; written in the transaction of the rows that came from there.
CREATE TABLE IF NOT EXISTS cursors (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    byte INTEGER NOT NULL,
    line INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,  -- of the bytes at the start and before the place: the same if the file only grew
    is_done INTEGER NOT NULL,
    is_readable INTEGER NOT NULL
) WITHOUT ROWID;

-- One row: what the table of records holds, so that nobody has to count.
CREATE TABLE IF NOT EXISTS held (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);

INSERT OR IGNORE INTO held (id, records, bytes) VALUES (1, 0, 0);
