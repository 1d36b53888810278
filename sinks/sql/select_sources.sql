-- How the polled sources are.
SELECT
    name, kind, url, declared_url, state, reason, why, changed_at, polled_at, succeeded_at, next_poll_at,
    interval_seconds, failures, entries, new_entries, known_share, newest_entry_at, expected_gap_seconds, alarm,
    alarm_since
FROM ingest.sources
ORDER BY name
