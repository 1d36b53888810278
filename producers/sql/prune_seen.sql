-- What has long left its feed, and what is too much for one source.
DELETE FROM seen_entries WHERE source = :source AND (
    seen_at < :before
    OR key IN (SELECT key FROM seen_entries WHERE source = :source ORDER BY seen_at DESC LIMIT -1 OFFSET :most)
);
