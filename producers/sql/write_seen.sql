-- An entry that has been taken, or stands in its feed still.
INSERT INTO seen_entries (source, key, digest, seen_at) VALUES (:source, :key, :digest, :seen_at)
ON CONFLICT (source, key) DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at;
