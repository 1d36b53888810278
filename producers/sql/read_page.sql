-- The page of a host that waits for longest; those of a disabled source wait on.
SELECT id, source, entry, tries, next_try_at FROM pages
WHERE host = :host AND NOT EXISTS (SELECT 1 FROM sources WHERE name = pages.source AND disabled IS NOT NULL)
ORDER BY next_try_at, id LIMIT 1;
