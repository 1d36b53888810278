-- Of one name what was changed last counts.
INSERT INTO ingest.sources AS s (
    name, kind, url, declared_url, state, reason, why, changed_at, polled_at, succeeded_at, next_poll_at,
    interval_seconds, failures, entries, new_entries, known_share, newest_entry_at, expected_gap_seconds, alarm,
    alarm_since
) VALUES (
    %(name)s, %(kind)s, %(url)s, %(declared_url)s, %(state)s, %(reason)s, %(why)s, %(changed_at)s, %(polled_at)s,
    %(succeeded_at)s, %(next_poll_at)s, %(interval_seconds)s, %(failures)s, %(entries)s, %(new_entries)s,
    %(known_share)s, %(newest_entry_at)s, %(expected_gap_seconds)s, %(alarm)s, %(alarm_since)s
)
ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind,
    url = excluded.url,
    declared_url = excluded.declared_url,
    state = excluded.state,
    reason = excluded.reason,
    why = excluded.why,
    changed_at = excluded.changed_at,
    polled_at = excluded.polled_at,
    succeeded_at = excluded.succeeded_at,
    next_poll_at = excluded.next_poll_at,
    interval_seconds = excluded.interval_seconds,
    failures = excluded.failures,
    entries = excluded.entries,
    new_entries = excluded.new_entries,
    known_share = excluded.known_share,
    newest_entry_at = excluded.newest_entry_at,
    expected_gap_seconds = excluded.expected_gap_seconds,
    alarm = excluded.alarm,
    alarm_since = excluded.alarm_since
WHERE excluded.changed_at >= s.changed_at
