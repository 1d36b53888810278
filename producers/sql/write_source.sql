-- Where a source stands by now. A wish that came meanwhile stays, and so does what a person has disabled.
UPDATE sources SET
    kind = :kind, declared_url = :declared_url, url = :url, gone = :gone, etag = :etag, modified = :modified,
    interval_seconds = :interval_seconds, next_poll_at = :next_poll_at, polled_at = :polled_at,
    succeeded_at = :succeeded_at, read_at = :read_at, newest_entry_at = :newest_entry_at, entries = :entries,
    new_entries = :new_entries, known_share = :known_share, failures = :failures, why = :why, reason = :reason,
    cadence = :cadence, pruned_at = :pruned_at, changed_at = :changed_at,
    poll_requested_at = NULLIF(poll_requested_at, :poll_requested_at)  -- granted; by its value: clocks are set back
WHERE name = :name;
