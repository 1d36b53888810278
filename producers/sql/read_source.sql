-- Where one source stands.
SELECT
    name, kind, declared_url, url, disabled, gone, etag, modified, interval_seconds, next_poll_at, poll_requested_at,
    polled_at, succeeded_at, read_at, newest_entry_at, entries, new_entries, known_share, failures, why, reason, cadence,
    pruned_at, changed_at
FROM sources WHERE name = :name;
