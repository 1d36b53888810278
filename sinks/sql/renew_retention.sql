-- Part of each batch: whoever lost the lease meanwhile changes nothing.
UPDATE ingest.retention
SET held_until = now() + make_interval(secs => %(lease)s)
WHERE holder = %(holder)s
