-- Whoever removes old rows takes the lease; it is free, or its holder has not been heard of. `every`: not before this long
-- after the last time; null: at once.
UPDATE ingest.retention
SET holder = %(holder)s, held_until = now() + make_interval(secs => %(lease)s), started_at = now()
WHERE
    (holder IS NULL OR holder = %(holder)s OR held_until < now())
    AND (
        %(every)s::double precision IS NULL
        OR finished_at IS NULL
        OR finished_at < now() - make_interval(secs => %(every)s::double precision)
    )
