-- A key was used.
UPDATE keys SET last_used_at = :now WHERE hash = :hash;
