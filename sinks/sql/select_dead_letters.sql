-- The newest dead letters, of one stage or for one reason if asked.
SELECT
    failed_at, stage, reason,
    coalesce(origin, topic || ' ' || partition || ':' || record_offset) AS "where",
    detail, length, id
FROM ingest.dead_letters
WHERE
    (%(stage)s::text IS NULL OR stage = %(stage)s)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY failed_at DESC, id
LIMIT %(most)s;
