-- Who holds the lease of retention, if it still holds.
SELECT CASE WHEN held_until >= now() THEN holder END AS holder, started_at, finished_at
FROM ingest.retention
