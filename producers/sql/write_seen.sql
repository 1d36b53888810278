-- An entry that is taken, or stands in its feed still.
INSERT INTO seen_entries AS s (source, key, digest, seen_at, taken_at) VALUES (:source, :key, :digest, :seen_at, :seen_at)
ON CONFLICT (source, key) DO UPDATE SET
    digest = excluded.digest, seen_at = excluded.seen_at,
    taken_at = iif(excluded.digest = s.digest, s.taken_at, excluded.taken_at),
    changes = s.changes + (excluded.digest <> s.digest);
