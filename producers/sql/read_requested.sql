-- The sources that somebody wants polled now.
SELECT name FROM sources WHERE poll_requested_at IS NOT NULL AND disabled IS NULL;
