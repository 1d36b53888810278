-- A page to fetch; what its entry says now goes before what it said.
INSERT INTO pages (source, key, host, entry, tries, next_try_at)
VALUES (:source, :key, :host, :entry, 0, :next_try_at)
ON CONFLICT (source, key) DO UPDATE SET
    host = excluded.host, entry = excluded.entry, tries = 0, next_try_at = excluded.next_try_at;
