-- When each source that is polled is to be polled; NULL: it never was.
SELECT name, next_poll_at, poll_requested_at IS NOT NULL FROM sources
WHERE disabled IS NULL AND (gone IS NULL OR poll_requested_at IS NOT NULL) ORDER BY next_poll_at, name;
