-- The key with this hash.
SELECT hash, name, prefix, sources, per_minute, created_at, last_used_at FROM keys WHERE hash = :hash;
