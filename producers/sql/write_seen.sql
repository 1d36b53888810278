-- An entry that is taken, or stands in its feed still. One that was left out (an empty digest) stays left out.
INSERT INTO seen_entries AS s (source, key, digest, seen_at, taken_at) VALUES (:source, :key, :digest, :seen_at, :seen_at)
ON CONFLICT (source, key) DO UPDATE SET
    digest = iif(s.digest = x'', s.digest, excluded.digest), seen_at = excluded.seen_at,
    taken_at = iif(s.digest IN (excluded.digest, x''), s.taken_at, excluded.taken_at),
    changes = s.changes + (s.digest NOT IN (excluded.digest, x''));
