-- A page to fetch; what its entry says now goes before what it said, and is no reason to ask its host any sooner.
INSERT INTO pages (source, key, host, entry, tries, next_try_at)
VALUES (:source, :key, :host, :entry, 0, :next_try_at)
ON CONFLICT (source, key) DO UPDATE SET
    host = excluded.host, entry = excluded.entry, next_try_at = MAX(pages.next_try_at, excluded.next_try_at);
