-- The lease is free again; `is_done`: all was gone through, the next time is an interval away.
UPDATE ingest.retention
SET
    holder = NULL,
    held_until = NULL,
    finished_at = CASE WHEN %(is_done)s THEN now() ELSE finished_at END
WHERE holder = %(holder)s
