-- What an entry said when it was taken.
SELECT digest, seen_at FROM seen_entries WHERE source = :source AND key = :key;
